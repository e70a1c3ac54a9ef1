"""Which images are kept, how small their maps are, and what the report's gallery makes of them."""

import base64
import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from in_memory_dataset import InMemoryDataset, walled_cnn
from PIL import Image

from stackwalls.evaluate import SAMPLES_PER_DATASET, Samples, evaluate
from stackwalls.evaluate.report.gallery import _brightest, galleries
from stackwalls.evaluate.run.samples import MAP_SIZE, Sample, gather, in_cells, sample_positions, shrink
from stackwalls.model import Wall

WALL = Wall.parse("bottom:54")


@given(st.integers(0, 5000), st.integers(1, 120))
def test_positions_are_spread(available: int, most: int) -> None:
    found = sample_positions(available, most)
    assert len(found) == min(available, most)
    assert found[:1] == ((0,) if available else ())
    assert all(0 <= position < available for position in found)
    gaps = {second - first for first, second in itertools.pairwise(found)}
    assert gaps <= {available // most or 1, -(-available // most)}


def test_a_run_keeps_them_whatever_its_batches() -> None:
    data = InMemoryDataset([index % 3 for index in range(130)])
    expected = [data.ids[position] for position in sample_positions(130)]
    for batch_size in (7, 64):
        samples = evaluate(walled_cnn(), data, ["GradCAM"], batch_size=batch_size, progress=False).samples
        assert samples.image_id.tolist() == expected
        assert len(samples) == SAMPLES_PER_DATASET == 100
        np.testing.assert_array_equal(samples.images[50], data.images[65])


def test_shrinking_keeps_the_picture() -> None:
    blocks = np.random.default_rng(0).random((7, 7)).repeat(32, 0).repeat(32, 1)
    small = shrink(3 * blocks)
    assert (small.shape, small.dtype, small.max()) == ((MAP_SIZE, MAP_SIZE), np.uint8, 255)
    expected = np.rint(255 * blocks[::2, ::2] / blocks.max())
    np.testing.assert_allclose(small, expected, atol=1)
    assert shrink(np.zeros((224, 224))).max() == 0
    np.testing.assert_array_equal(shrink(np.array([[0.0, 2.0], [1.0, 4.0]])), [[0, 128], [64, 255]])


def of(count: int, seed: int = 0) -> Samples:
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)
    cells = {"one": in_cells(np.eye(7), MAP_SIZE)}
    maps = [{"one": shrink(generator.random((224, 224)))} for _ in images]
    made = [
        Sample("a", f"x{index}", index, index, image, maps[index], {"one": 0.5}, cells)
        for index, image in enumerate(images)
    ]
    return gather(made, ["one", "two"], 224)


def test_they_are_written_without_a_loss(tmp_path: Path) -> None:
    samples = of(3)
    with (tmp_path / "samples.npz").open("wb") as file:
        samples.write(file)
    read = Samples.read(tmp_path / "samples.npz")
    for name in ("images", "maps", "made", "mu", "image_id", "method"):
        np.testing.assert_array_equal(getattr(read, name), getattr(samples, name))
    with (tmp_path / "none.npz").open("wb") as file:
        gather([], ["one"], 224).write(file)
    assert len(Samples.read(tmp_path / "none.npz")) == 0


def test_the_gallery_shows_the_images_and_maps() -> None:
    samples = of(2)
    (gallery,) = galleries(samples, ["a"], WALL)
    assert [each.label for each in gallery.images] == ["tench", "goldfish"]
    assert [each.below for each in gallery.images[0].maps] == ["mu 50.0", "no map"]
    assert gallery.images[0].maps[1].seen == "two: no map"
    for uri, size in ((gallery.images[0].uri, 224), (gallery.images[0].maps[0].uri, MAP_SIZE)):
        assert uri is not None
        with Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/webp;base64,")))) as picture:
            assert (picture.format, picture.size) == ("WEBP", (size, size))


def test_a_gallery_keeps_to_its_budget_evenly() -> None:
    """Noise is the worst of pictures: 30 of them do not fit into a fifth of what they take."""
    samples = of(30)
    whole = galleries(samples, ["a"], WALL, budget=10**9)[0]
    total = sum(image.size for image in whole.images)
    (some,) = galleries(samples, ["a"], WALL, budget=total // 5 + 1)
    assert [image.image_id for image in some.images] == [f"x{index}" for index in range(0, 30, 5)]
    assert sum(image.size for image in some.images) <= 1.1 * total / 5
    assert (some.kept, whole.kept) == (30, 30)


@pytest.mark.parametrize("count", [0, 1])
def test_a_gallery_of_little(count: int) -> None:
    (gallery,) = galleries(of(count), ["a"], WALL, budget=1)
    assert len(gallery.images) == count


@pytest.mark.parametrize(
    ("row", "column", "wall", "said"),
    [
        (3, 3, "bottom:54", "brightest at the top left, outside the dead zone"),
        (6, 13, "bottom:54", "brightest at the middle right, outside the dead zone"),
        (10, 7, "bottom:64", "brightest at the bottom center, in the dead zone"),
        (3, 12, "right:54", "brightest at the top right, in the dead zone"),
    ],
)
def test_a_map_is_told_to_those_who_do_not_see_it(row: int, column: int, wall: str, said: str) -> None:
    values = np.zeros((14, 14), dtype=np.uint8)
    assert _brightest(values, Wall.parse(wall)) == "zero everywhere"
    values[row, column] = 255
    assert _brightest(values, Wall.parse(wall)) == said
