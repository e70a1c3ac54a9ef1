import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from planted_scenes import HEIGHT, WIDTH, planted

from stackwalls.model import Band, InputError, Wall
from stackwalls.stackgen.localizing.crop_search import Limits, Scene, objective, shares
from stackwalls.stackgen.localizing.cropping import best_crop, check_band
from stackwalls.stackgen.localizing.localizer import Crop, Pair, Rejection

SIZE = (WIDTH, HEIGHT)
BOTTOM = Band("rows", 170, 224, 224)
DEAD = (170 / 224, 1.0)
NO_LIMITS = Limits(0.0, 0.0, 0.0, 0.0, 0.0, 1.0)

Box = tuple[float, float, float, float]


def band(text: str, size: int | None = None) -> Band:
    found = Wall.parse(text, size).band
    assert found is not None
    return found


def nearest(pair: Pair, size: tuple[int, int] = SIZE, dead: Band = BOTTOM, limits: Limits | None = None) -> Crop:
    """The crop, accepted or not."""
    found = best_crop(pair, size, dead, limits)
    crop = found.crop if isinstance(found, Rejection) else found
    assert crop is not None
    return crop


def painted(pair: Pair, crop: Crop, wall: Wall) -> dict[str, float]:
    """The shares by counting pixels, for boxes with whole coordinates and a side of so many times 224."""
    owner = np.zeros((HEIGHT, WIDTH), dtype=int)
    for mark, (x0, y0, x1, y1) in ((2, pair.hidden), (1, pair.seen)):  # the seen one in front
        owner[int(y0) : int(y1), int(x0) : int(x1)] = mark
    x0, y0, x1, y1 = crop.box
    part = owner[y0:y1, x0:x1]
    dead = np.kron(wall.mask(), np.ones((crop.side // 224,) * 2, dtype=bool))
    seen, hidden = part == 1, part == 2
    return {
        "hidden_share": (hidden & dead).sum() / hidden.sum(),
        "seen_share": (seen & ~dead).sum() / seen.sum(),
        "seen_whole": (seen & ~dead).sum() / (owner == 1).sum(),
        "fill": (hidden & dead).sum() / dead.sum(),
        "hidden_whole": hidden.sum() / (owner == 2).sum(),
        "background": (part == 0).mean(),
    }


@pytest.mark.parametrize("wall", ["bottom:54", "top:40", "left:54", "right:60", "rows:100:190", "columns:40:130"])
def test_shares_against_counted_pixels(wall: str) -> None:
    pair = Pair((100, 30, 560, 640), (80, 500, 600, 900), 0.5, 0.5)
    crop = nearest(pair, (672, HEIGHT), band(wall), Limits(0.0, 0.0, 0.0, 0.0, 0.0, 1.0, side=672))
    assert crop.side == 672
    for name, value in painted(pair, crop, Wall.parse(wall)).items():
        assert getattr(crop, name) == pytest.approx(value, abs=1e-9), name


@given(st.integers(0, 160), st.integers(0, 544), st.sampled_from(["bottom:54", "top:40", "rows:100:190"]))
def test_shares_of_any_crop_against_counted_pixels(x: int, y: int, text: str) -> None:
    pair, dead = Pair((200, 300, 560, 640), (180, 600, 600, 900), 0.5, 0.5), band(text)
    scene = Scene(pair.seen, pair.hidden, WIDTH, HEIGHT, (dead.start / 224, dead.stop / 224))
    found = shares(scene, np.array(float(x)), np.array(float(y)), np.array(672.0))
    crop = Crop((x, y, x + 672, y + 672), 0, 0, 0, 0, 0, 0, 0)
    with np.errstate(invalid="ignore"):
        for name, value in painted(pair, crop, Wall.parse(text)).items():
            assert float(getattr(found, name)) == pytest.approx(0 if np.isnan(value) else value, abs=1e-9), name


def random_crops(pair: Pair, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Objective of 400,000 random crops, and which of them keep to the limits."""
    rng = np.random.default_rng(seed)
    side = rng.integers(384, WIDTH + 1, 400_000).astype(float)
    x = np.floor(rng.random(400_000) * (WIDTH - side + 1))
    y = np.floor(rng.random(400_000) * (HEIGHT - side + 1))
    found = shares(Scene(pair.seen, pair.hidden, WIDTH, HEIGHT, DEAD), x, y, side)
    kept = np.sum(list(Limits().excess(found).values()), axis=0) == 0
    return objective(found, side, WIDTH), kept


@pytest.mark.parametrize("seed", range(12))
def test_no_random_crop_is_better(seed: int) -> None:
    pair = planted(seed)
    scores, kept = random_crops(pair, 1000 + seed)
    assert scores.max() <= nearest(pair, limits=NO_LIMITS).score + 0.01
    found = best_crop(pair, SIZE, BOTTOM)
    if kept.any():
        assert isinstance(found, Crop), "a crop within the limits was missed"
        assert scores[kept].max() <= found.score + 0.01


@given(st.integers(0, 10**6))
@settings(deadline=None)
def test_square_whole_and_in_the_frame(seed: int) -> None:
    crop = nearest(planted(seed))
    x0, y0, x1, y1 = crop.box
    assert all(type(value) is int for value in crop.box)
    assert 0 <= x0 < x1 <= WIDTH
    assert 0 <= y0 < y1 <= HEIGHT
    assert x1 - x0 == y1 - y0 == crop.side >= 384
    for name in ("hidden_share", "seen_share", "seen_whole", "fill", "hidden_whole", "background"):
        assert -1e-9 <= getattr(crop, name) <= 1 + 1e-9


def moved(pair: Pair, move: Callable[[Box], Box]) -> Pair:
    return Pair(move(pair.seen), move(pair.hidden), pair.seen_score, pair.hidden_score)


SYMMETRIES = {
    "mirrored": (lambda b: (WIDTH - b[2], b[1], WIDTH - b[0], b[3]), "bottom:54", SIZE),
    "upside down": (lambda b: (b[0], HEIGHT - b[3], b[2], HEIGHT - b[1]), "top:54", SIZE),
    "transposed": (lambda b: (b[1], b[0], b[3], b[2]), "right:54", SIZE[::-1]),
    "turned left": (lambda b: (HEIGHT - b[3], b[0], HEIGHT - b[1], b[2]), "left:54", SIZE[::-1]),
}


@pytest.mark.parametrize("name", SYMMETRIES)
@given(seed=st.integers(0, 10**6))
@settings(deadline=None, max_examples=30)
def test_a_turned_scene_gives_the_turned_crop(name: str, seed: int) -> None:
    move, wall, size = SYMMETRIES[name]
    pair = planted(seed)
    here = best_crop(pair, SIZE, BOTTOM)
    there = best_crop(moved(pair, move), size, band(wall))
    assert type(here) is type(there)
    one, other = (found.crop if isinstance(found, Rejection) else found for found in (here, there))
    assert one is not None
    assert other is not None
    if (pair.seen, pair.hidden) == ((mirror := moved(pair, SYMMETRIES["mirrored"][0])).seen, mirror.hidden):
        assert np.abs(np.subtract(other.box, move(one.box))).max() <= 1  # an odd number of pixels is left over
        return
    assert other.box == move(one.box)
    assert other.score == pytest.approx(one.score, abs=1e-9)


def test_the_ideal_scene_is_cropped_as_it_was_made() -> None:
    x, y, side = 100, 200, 672
    line = y + side * 170 // 224
    crop = best_crop(Pair((x, y, x + side, line), (x, line, x + side, y + side), 0.5, 0.5), SIZE, BOTTOM)
    assert isinstance(crop, Crop)
    assert np.abs(np.subtract(crop.box, (x, y, x + side, y + side))).max() <= 2
    assert min(crop.hidden_share, crop.seen_share, crop.seen_whole, crop.fill, crop.hidden_whole) > 0.99
    assert crop.background < 0.01


def test_a_band_in_the_middle_hides_an_animal_between_two_seen_parts() -> None:
    x, y, side = 80, 200, 672
    seen, hidden = (x, y, x + side, y + 330), (x + 40, y + 330, x + side - 40, y + 570)
    crop = best_crop(Pair(seen, hidden, 0.5, 0.5), SIZE, band("rows:110:190"))
    assert isinstance(crop, Crop)
    assert crop.hidden_share > 0.9


@pytest.mark.parametrize(
    ("seen", "hidden", "cause"),
    [
        ((300, 200, 480, 380), (300, 380, 480, 560), "background"),  # both small: mostly background
        ((20, 20, 820, 900), (380, 900, 460, 960), "fill"),  # the hidden one is tiny
        ((20, 20, 820, 1000), (20, 1000, 820, 1210), "seen_whole"),  # the seen one is taller than any crop
        ((420, 100, 820, 700), (10, 200, 410, 800), "hidden_share"),  # side by side
        ((100, 100, 700, 900), (200, 200, 600, 800), "covered"),
    ],
)
def test_planted_scenes_are_refused_for_what_is_wrong(seen: Box, hidden: Box, cause: str) -> None:
    refusal = best_crop(Pair(seen, hidden, 0.5, 0.5), SIZE, BOTTOM)
    assert isinstance(refusal, Rejection)
    assert refusal.cause == cause
    if cause == "covered":
        assert refusal.crop is None
    else:
        assert refusal.crop is not None
        assert f"{cause} {getattr(refusal.crop, cause):.2f}" in refusal.reason


def test_a_frame_smaller_than_the_limit() -> None:
    refusal = best_crop(planted(0, 300, 400), (300, 400), BOTTOM, Limits())
    assert isinstance(refusal, Rejection)
    assert (refusal.cause, refusal.crop) == ("side", None)
    assert nearest(planted(0, 300, 400), (300, 400)).side >= 138


def test_limits_of_frames() -> None:
    assert [Limits.of_frame(size).side for size in ((832, 1216), (512, 768), (128, 128), (1, 9))] == [384, 384, 59, 1]
    sides = [Limits.of_frame((832, 1216), image_size).side for image_size in (64, 128, 336, 364, 384, 512)]
    assert sides == [110, 219, 576, 624, 384, 384], "1.7 times the image, where the frame is large enough"


@given(st.integers(0, 10**6), st.sampled_from([64, 96, 112]))
@settings(deadline=None, max_examples=25)
def test_a_crop_follows_the_images_size(seed: int, size: int) -> None:
    """Frame and image four times as large give a crop four times as large, up to its rounding."""
    small, dead = planted(seed), band(f"bottom:{round(54 * size / 224)}", size)
    large = moved(small, lambda box: (4 * box[0], 4 * box[1], 4 * box[2], 4 * box[3]))
    times_four = Band(dead.axis, 4 * dead.start, 4 * dead.stop, 4 * size)
    here, there = nearest(small, SIZE, dead), nearest(large, (4 * WIDTH, 4 * HEIGHT), times_four)
    assert there.score == pytest.approx(here.score, abs=0.05)


@pytest.mark.parametrize("wall", ["bottom:54", "top:54", "left:10", "bottom:3", "rows:80:144", "columns:20:40"])
def test_walls_behind_which_an_animal_fits(wall: str) -> None:
    check_band(band(wall))


@pytest.mark.parametrize(
    ("wall", "said"),
    [
        ("bottom:2", "bottom:2: at an edge of the image it must be 3 pixels or more"),
        ("rows:100:113", "as a band in the middle it must be 14 pixels or more"),
        ("top:220", "leaves too little visible"),
        ("columns:10:214", "one part next to it must be 14 pixels or more"),
    ],
)
def test_walls_behind_which_none_fits(wall: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_band(band(wall))


def test_most_planted_scenes_are_accepted_in_a_few_milliseconds() -> None:
    pairs = [planted(seed) for seed in range(60)]
    best_crop(pairs[0], SIZE, BOTTOM)
    times, accepted = [], 0
    for pair in pairs:
        started = time.process_time()
        accepted += isinstance(best_crop(pair, SIZE, BOTTOM), Crop)
        times.append(time.process_time() - started)
    assert accepted >= 57
    assert np.median(times) < 0.010  # of the processor: the machine may be busy
