import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from stackwalls.model import VGG16_WALL, InputError, Wall


@st.composite
def walls(draw: st.DrawFn) -> Wall:
    start, stop = sorted(draw(st.lists(st.integers(0, 224), min_size=2, max_size=2, unique=True)))
    if (start, stop) == (0, 224):
        stop = 223
    return Wall(draw(st.sampled_from(["rows", "columns"])), start, stop)


@pytest.mark.parametrize(
    ("text", "axis", "start", "stop"),
    [
        ("bottom:54", "rows", 170, 224),
        ("top:54", "rows", 0, 54),
        ("left:32", "columns", 0, 32),
        ("right:32", "columns", 192, 224),
        ("rows:80:144", "rows", 80, 144),
        ("columns:80:144", "columns", 80, 144),
    ],
)
def test_parse_reads_every_form(text: str, axis: str, start: int, stop: int) -> None:
    wall = Wall.parse(text)
    assert (wall.axis, wall.start, wall.stop) == (axis, start, stop)
    assert str(wall) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "54",
        "bottom",
        "bottom:",
        "bottom:0",
        "bottom:224",
        "bottom:-3",
        "floor:54",
        "rows:10:10",
        "rows:20:10",
        "rows:0:224",
        "rows:200:300",
        "bottom:1.5",
    ],
)
def test_bad_walls_are_refused_with_what_was_read(text: str) -> None:
    with pytest.raises(InputError) as caught:
        Wall.parse(text)
    assert len(str(caught.value)) > 20
    assert str(caught.value).endswith((".", "?"))


@given(walls())
def test_text_form_round_trips(wall: Wall) -> None:
    assert Wall.parse(str(wall)) == wall


@given(walls())
def test_seen_and_dead_partition_the_image(wall: Wall) -> None:
    lines = sorted([*range(wall.start, wall.stop), *(i for a, b in wall.seen for i in range(a, b))])
    assert lines == list(range(224))
    assert wall.mask().mean() == pytest.approx(wall.share)


@given(walls(), st.integers(1, 64))
def test_widened_is_the_smallest_wall_on_the_grid(wall: Wall, multiple: int) -> None:
    edges = sorted({*range(0, 225, multiple), 224})
    start = max(edge for edge in edges if edge <= wall.start)
    stop = min(edge for edge in edges if edge >= wall.stop)
    if (start, stop) == (0, 224):
        with pytest.raises(InputError):
            wall.widened(multiple)
    else:
        assert wall.widened(multiple) == Wall(wall.axis, start, stop)


def test_the_papers_wall() -> None:
    assert (VGG16_WALL.size, VGG16_WALL.start) == (54, 170)
    assert VGG16_WALL.share == pytest.approx(0.241, abs=5e-4)
    assert VGG16_WALL.chance == pytest.approx(math.sqrt(54 / 224)) == pytest.approx(0.491, abs=5e-4)


def test_index_selects_the_dead_zone_of_any_stack() -> None:
    images = np.arange(2 * 3 * 224 * 224).reshape(2, 3, 224, 224)
    assert np.array_equal(images[Wall.parse("bottom:54").index(4)], images[:, :, 170:])
    assert np.array_equal(images[Wall.parse("left:10").index(4)], images[:, :, :, :10])
    assert np.array_equal(images[0, 0][Wall.parse("top:10").index(2)], images[0, 0, :10])


def test_rescaled_is_exact_or_refused() -> None:
    assert Wall.parse("bottom:64").rescaled(7) == Wall("rows", 5, 7, 7)
    assert VGG16_WALL.rescaled(14) is None
