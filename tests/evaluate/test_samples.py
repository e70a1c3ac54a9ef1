"""Which images are kept, how small their maps are, and what the report's gallery makes of them."""

import io
import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from in_memory_dataset import InMemoryDataset, walled_cnn
from PIL import Image

from stackwalls.evaluate import SAMPLES_PER_DATASET, Samples, evaluate
from stackwalls.evaluate.report.gallery import SEEN, _brightest, _sprite, anchor, galleries, tile_styles
from stackwalls.evaluate.run.samples import MAP_SIZE, Sample, gather, in_cells, sample_positions, shrink
from stackwalls.model import InputError, Wall

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


def rows_of(samples: Samples, others: int = 0) -> pd.DataFrame:
    """Per-image rows of the samples, with `others` of one method after each."""
    ids = [name for each in samples.image_id for name in (each, *(f"{each}-{index}" for index in range(others)))]
    rows = [("a", name, index % 398, 1, method, 0.25) for method in samples.method for index, name in enumerate(ids)]
    return pd.DataFrame(rows, columns=["dataset", "image_id", "label", "prediction", "method", "mu"])


def test_the_gallery_shows_the_images_and_maps() -> None:
    samples = of(2)
    (gallery,) = galleries(rows_of(samples, others=2), samples, WALL)
    assert [each.label for each in gallery.images] == ["tench", "goldfish"]
    assert [each.below for each in gallery.images[0].maps] == ["mu 50.0", "no map"]
    assert gallery.images[0].maps[1].said == "two: no map"
    listing = gallery.listing
    assert listing["ids"] == ["x0", "x0-0", "x0-1", "x1", "x1-0", "x1-1"], "all, whether their maps are stored or not"
    assert {place: letters[1:] for place, letters in listing["stored"].items()} == {"0": "-", "3": "-"}
    assert listing["mu"] == {"one": [25.0] * 6, "two": [25.0] * 6}
    assert [listing["captions"][at] for at in listing["caption"]][:2] == ["tench, seen as goldfish", "goldfish"]
    assert [listing["classes"][at] for at in listing["class"]][:2] == ["tench", "goldfish"]


def test_a_sprite_holds_the_image_and_its_maps_where_the_page_looks_for_them() -> None:
    """The CSS of each part, computed back to pixels: a gray photo, a map that is 0, and one that is at its maximum."""
    photo, maps = np.full((224, 224, 3), 128, np.uint8), np.zeros((2, MAP_SIZE, MAP_SIZE), np.uint8)
    maps[1] = 255
    sheet = np.asarray(Image.open(io.BytesIO(_sprite(photo, maps)))).astype(int)
    height, width = sheet.shape[:2]
    for style, color in zip(tile_styles(2), [(128, 128, 128), (68, 1, 84), (253, 231, 37)], strict=True):
        large_x, large_y, x, y = (float(found) / 100 for found in re.findall(r"([\d.]+)%", style))
        side_x, side_y = width / large_x, height / large_y
        left, top = round(x * (width - side_x)), round(y * (height - side_y))
        part = sheet[top : top + round(side_y), left : left + round(side_x)]
        assert part.shape[0] == part.shape[1] == (224 if color[0] == 128 else MAP_SIZE)
        assert np.abs(part - color).max() <= 4


def test_a_page_keeps_to_its_budget_evenly() -> None:
    """All are in the page, or a sixth of what would fit is, and the others are files."""
    samples = of(30)
    (whole,) = galleries(rows_of(samples), samples, WALL, budget=10**9)
    assert whole.inline == list(whole.images)
    total = sum(len(image.sprite) for image in whole.images) * 4 / 3
    (some,) = galleries(rows_of(samples), samples, WALL, budget=int(total) - 1)
    assert [image.image_id for image in some.inline] == ["x0", "x7", "x15", "x22"]
    assert some.images[1].source == "report-images/0-1.webp"
    assert some.listing == whole.listing


@pytest.mark.parametrize("count", [0, 1])
def test_a_gallery_of_little(count: int) -> None:
    """Without stored maps there is still a list of the images."""
    (gallery,) = galleries(rows_of(of(1)), of(count), WALL, budget=1)
    assert (len(gallery.images), len(gallery.inline), gallery.count) == (count, count, 1)


def test_samples_of_other_images_are_refused() -> None:
    with pytest.raises(InputError, match="samples have the image x1, but the per-image rows do not"):
        galleries(rows_of(of(1)), of(2), WALL)


def test_the_address_of_an_image_is_as_a_browser_writes_it() -> None:
    assert anchor("a b/c", "x'%é(1)") == "a%20b%2Fc/x'%25%C3%A9(1)"


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
    assert SEEN[_brightest(values, Wall.parse(wall).mask())] == "zero everywhere"
    values[row, column] = 255
    assert SEEN[_brightest(values, Wall.parse(wall).mask())] == said
