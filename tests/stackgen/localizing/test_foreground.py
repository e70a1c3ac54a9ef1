import numpy as np
import pytest
from PIL import Image

from stackwalls.model import Band, InputError
from stackwalls.model.images.drawn import draw_scene, drawn_classes
from stackwalls.stackgen.localizing.foreground import Foreground
from stackwalls.stackgen.localizing.localizer import Pair
from stackwalls.stackgen.localizing.pairing import pick_pair

Box = tuple[float, ...]


def overlap(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    return shared / (sum((b[2] - b[0]) * (b[3] - b[1]) for b in (one, other)) - shared)


def located(image: np.ndarray) -> Pair | None:
    frame = Image.fromarray(image)
    found = pick_pair(Foreground().locate([frame], [["animal"]])[0], frame.size, Band("rows", 170, 224, 224))
    return found if isinstance(found, Pair) else None


def hit(class_index: int, seed: int, width: int, height: int) -> bool:
    """Whether both animals of a drawn scene are found with an IoU of at least 0.6."""
    scene = draw_scene(class_index, seed, size=width, height=height, animals=2)
    pair = located(scene.image)
    return pair is not None and all(
        overlap(found, true) >= 0.6 for found, true in zip((pair.seen, pair.hidden), scene.boxes, strict=True)
    )


def test_most_drawn_stacks_are_found() -> None:
    classes = drawn_classes()[::4]
    assert np.mean([hit(entry.index, 5, 256, 384) for entry in classes]) >= 0.75


def test_few_single_animals_are_taken_for_two() -> None:
    classes = drawn_classes()[::4]
    pairs = [located(draw_scene(entry.index, 6, size=256, height=384).image) for entry in classes]
    assert np.mean([pair is not None for pair in pairs]) <= 0.06


@pytest.mark.parametrize("size", [(128, 128), (512, 768)])
def test_sizes(size: tuple[int, int]) -> None:
    classes = drawn_classes()[::20]
    assert np.mean([hit(entry.index, 5, *size) for entry in classes]) >= 0.7


def beside(class_index: int, seed: int) -> tuple[np.ndarray, list[Box]]:
    """Two single animals of a class next to each other on one background, just touching; and their boxes."""
    image = draw_scene(class_index, seed, size=448, height=256, animals=0).image.copy()
    boxes: list[Box] = []
    edge = 10
    for which in range(2):
        scene = draw_scene(class_index, seed + 1 + which, size=212, height=256)
        x0, y0, x1, y1 = scene.boxes[0]
        mask = scene.masks[0][y0:y1, x0:x1]
        image[y0:y1, edge : edge + x1 - x0][mask] = scene.image[y0:y1, x0:x1][mask]
        boxes.append((edge, y0, edge + x1 - x0, y1))
        edge += x1 - x0 - 4
    return image, boxes


def test_two_beside_each_other_are_found_as_well() -> None:
    hits = []
    for entry in drawn_classes()[::10]:
        image, true = beside(entry.index, 5)
        frame = Image.fromarray(image)
        pair = pick_pair(Foreground().locate([frame], [["animal"]])[0], frame.size, Band("columns", 170, 224, 224))
        boxes = (pair.seen, pair.hidden) if isinstance(pair, Pair) else ()
        hits.append(len(boxes) == 2 and all(overlap(one, two) >= 0.6 for one, two in zip(boxes, true, strict=True)))
    assert np.mean(hits) >= 0.7


def blocks(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (300, 450)) -> np.ndarray:
    """Dark blocks on a background that darkens to the right and downwards."""
    width, height = size
    light = 230 - 25 * np.linspace(0, 1, width)[None, :] - 25 * np.linspace(0, 1, height)[:, None]
    image = np.repeat(light[:, :, None], 3, axis=2)
    for x0, y0, x1, y1 in boxes:
        image[y0:y1, x0:x1] = (90, 60, 40)
    return image.astype(np.uint8)


def test_two_blocks_that_do_not_touch_are_found_to_the_pixel_of_the_work() -> None:
    boxes = (70, 60, 200, 200), (60, 230, 230, 390)
    pair = located(blocks(*boxes))
    assert pair is not None
    for found, true in zip((pair.seen, pair.hidden), boxes, strict=True):
        assert np.abs(np.subtract(found, true)).max() <= 2 * 300 / 128


def test_two_side_by_side() -> None:
    found = Foreground().locate([Image.fromarray(blocks((20, 150, 140, 300), (160, 150, 280, 300)))], [["x"]])[0]
    assert len(found.boxes) == 2


@pytest.mark.parametrize(
    "image",
    [
        np.full((450, 300, 3), 128, dtype=np.uint8),
        np.zeros((450, 300, 3), dtype=np.uint8),
        np.random.default_rng(0).integers(0, 256, (450, 300, 3), dtype=np.uint8),
        blocks(),
    ],
    ids=["grey", "black", "noise", "gradient"],
)
def test_where_nothing_is_nothing_is_found(image: np.ndarray) -> None:
    assert located(image) is None


@pytest.mark.parametrize("size", [(1, 1), (15, 40), (16, 16), (17, 2000)])
def test_odd_sizes_do_not_crash(size: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    found = Foreground().locate([Image.fromarray(image)], [["x"]])[0]
    assert found.boxes.shape == (len(found.scores), 4)


def test_the_same_frame_gives_the_same_boxes_alone_and_among_others() -> None:
    frames = [Image.fromarray(draw_scene(i, 3, size=128, height=192, animals=2).image) for i in (0, 7, 150)]
    localizer = Foreground()
    together = localizer.locate(frames, [["x"]] * 3)
    for frame, found in zip(frames, together, strict=True):
        alone = localizer.locate([frame], [["y", "z"]])[0]
        assert np.array_equal(found.boxes, alone.boxes)
        assert np.array_equal(found.scores, alone.scores)


def test_nouns_are_asked_for() -> None:
    frame = Image.fromarray(blocks())
    with pytest.raises(InputError, match="each of 1 frames, but got 0"):
        Foreground().locate([frame], [])
    with pytest.raises(InputError, match="at least one noun"):
        Foreground().locate([frame], [[]])
