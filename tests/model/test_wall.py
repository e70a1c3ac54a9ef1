import math

import numpy as np
import pytest
from any_walls import boxes, walls
from hypothesis import given, settings, strategies as st

from stackwalls.model import VGG16_WALL, Box, InputError, Wall


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("bottom:54", (170, 0, 224, 224)),
        ("top:54", (0, 0, 54, 224)),
        ("left:32", (0, 0, 224, 32)),
        ("right:32", (0, 192, 224, 224)),
        ("rows:80:144", (80, 0, 144, 224)),
        ("columns:80:144", (0, 80, 224, 144)),
        ("box:32:0:96:64", (32, 0, 96, 64)),
        ("bottom:32@128", (96, 0, 128, 128)),
        ("box:1:2:3:4@5", (1, 2, 3, 4)),
    ],
)
def test_parse_reads_every_form(text: str, box: tuple[int, int, int, int]) -> None:
    wall = Wall.parse(text)
    assert wall.boxes == (Box(*box),)
    assert str(wall) == text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("bottom:64+left:32", "bottom:64+left:32"),
        ("left:32+bottom:64", "bottom:64+left:32"),
        ("rows:0:54", "top:54"),
        ("box:170:0:224:224", "bottom:54"),
        ("rows:10:20+rows:20:30", "rows:10:30"),
        ("box:3:3:9:9+box:4:4:5:5", "box:3:3:9:9"),
        ("bottom:54@224", "bottom:54"),
        ("top:2+bottom:2+left:2+right:2@8", "top:2+bottom:2+left:2+right:2@8"),
        ("box:0:0:2:2+box:1:1:3:3@9", "box:0:0:2:2+box:1:1:3:3@9"),
    ],
)
def test_equal_walls_have_one_text(text: str, plain: str) -> None:
    assert str(Wall.parse(text)) == plain
    assert Wall.parse(text) == Wall.parse(plain)


@pytest.mark.parametrize(
    "text",
    [
        *("", "54", "bottom", "bottom:", "bottom:0", "bottom:224", "bottom:-3", "floor:54", "rows:10:10"),
        *("rows:20:10", "rows:0:224", "rows:200:300", "bottom:1.5", "bottom:54+", "+", "box:1:2:3", "box:1:2:3:4:5"),
        *("rows:1:2:3:4", "box:0:0:224:224", "top:112+bottom:112", "bottom:54@", "bottom:54@0", "bottom:54@x"),
        *("bottom:54@54", "bottom:54@128@128", "box:5:5:4:9"),
    ],
)
def test_bad_walls_are_refused_with_what_was_read(text: str) -> None:
    with pytest.raises(InputError) as caught:
        Wall.parse(text)
    assert len(str(caught.value)) > 20
    assert str(caught.value).endswith((".", "?"))


def test_the_text_and_the_call_must_name_one_size() -> None:
    assert Wall.parse("bottom:32@128", 128) == Wall.parse("bottom:32", 128)
    with pytest.raises(InputError, match="of an image of 128 pixels, but 96 are asked for"):
        Wall.parse("bottom:32@128", 96)


@settings(deadline=None)
@given(walls(most=5))
def test_text_form_round_trips(wall: Wall) -> None:
    assert Wall.parse(str(wall)) == wall


@settings(deadline=None)
@given(st.lists(boxes(9), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_a_wall_is_its_dead_pixels(union: list[Box], order: object) -> None:
    mask = np.zeros((9, 9), dtype=bool)
    for box in union:
        mask[box.slices] = True
    if mask.all():
        with pytest.raises(InputError, match="nothing to see"):
            Wall(tuple(union), 9)
        return
    wall = Wall(tuple(union), 9)
    assert (wall.mask() == mask).all()
    pixels = [Box(row, column, row + 1, column + 1) for row, column in np.argwhere(mask).tolist()]
    order.shuffle(pixels)  # type: ignore[attr-defined]
    assert Wall(tuple(pixels), 9) == wall
    assert len(wall.boxes) <= len(set(union))
    times = np.zeros((9, 9), dtype=int)
    for sign, part in ((1, wall.dead), (2, wall.seen)):
        for box in part:
            times[box.slices] += sign
    assert (times == np.where(mask, 1, 2)).all()
    assert wall.share == pytest.approx(mask.mean())


@settings(deadline=None)
@given(walls(), st.integers(1, 64))
def test_widened_is_the_smallest_wall_on_the_grid(wall: Wall, multiple: int) -> None:
    cells = [slice(start, start + multiple) for start in range(0, 224, multiple)]
    expected = wall.mask()
    for rows in cells:
        for columns in cells:
            expected[rows, columns] = expected[rows, columns].any()
    if expected.all():
        with pytest.raises(InputError):
            wall.widened(multiple)
    else:
        assert (wall.widened(multiple).mask() == expected).all()
        assert wall.widened(multiple).covers(wall)


@settings(deadline=None)
@given(walls(12), walls(12))
def test_one_wall_covers_another_where_its_pixels_do(one: Wall, other: Wall) -> None:
    assert one.covers(other) == bool((one.mask() | ~other.mask()).all())


def test_a_band_is_across_the_image() -> None:
    for text in ("bottom:54", "columns:80:144", "left:3"):
        band = Wall.parse(text).band
        assert band is not None
        assert Wall.of_band(band.axis, band.start, band.stop) == Wall.parse(text)
    for text in ("box:0:0:54:54", "bottom:64+left:32", "top:10+bottom:10"):
        assert Wall.parse(text).band is None


def test_the_papers_wall() -> None:
    assert VGG16_WALL.boxes == (Box(170, 0, 224, 224),)
    assert VGG16_WALL.share == pytest.approx(0.241, abs=5e-4)
    assert VGG16_WALL.chance == pytest.approx(math.sqrt(54 / 224)) == pytest.approx(0.491, abs=5e-4)
    assert VGG16_WALL.description() == "pixel rows 170 to 223 (54 of 224), 24.1 % of the image"


def test_rescaled_is_exact_or_refused() -> None:
    assert Wall.parse("bottom:64").rescaled(7) == Wall.of_band("rows", 5, 7, 7)
    assert Wall.parse("bottom:64+left:32").rescaled(7) == Wall.parse("bottom:2+left:1@7")
    assert VGG16_WALL.rescaled(14) is None
    assert Wall.parse("box:32:32:96:100").rescaled(7) is None
