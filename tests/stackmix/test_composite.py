import numpy as np
import pytest
from hypothesis import given, strategies as st

from stackwalls.model import VGG16_WALL, Wall
from stackwalls.stackmix import compose

walls = st.tuples(st.sampled_from(["rows", "columns"]), st.integers(0, 223), st.integers(1, 224)).filter(
    lambda w: w[1] < w[2] and w[2] - w[1] < 224
)


def pictures(seed: int = 0, size: int = 224) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.random.default_rng(seed).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    return first, second


def test_equation_6_for_the_papers_wall() -> None:
    first, second = pictures()
    composite = compose(first, second, VGG16_WALL)
    np.testing.assert_array_equal(composite[:170], first[:170])
    np.testing.assert_array_equal(composite[170:], second[170:])
    assert composite.shape == (224, 224, 3)
    assert composite.dtype == np.uint8


@given(walls, st.integers(0, 9))
def test_each_pixel_comes_from_its_side_of_the_wall(interval: tuple[str, int, int], seed: int) -> None:
    axis, start, stop = interval
    first, second = pictures(seed)
    composite = compose(first, second, Wall.of_band(axis, start, stop))  # type: ignore[arg-type]
    line = np.arange(224)
    dead = (line >= start) & (line < stop)
    mask = np.broadcast_to(dead[:, None] if axis == "rows" else dead[None, :], (224, 224))
    np.testing.assert_array_equal(composite, np.where(mask[..., None], second, first))


@given(walls)
def test_a_picture_with_itself_and_back_again(interval: tuple[str, int, int]) -> None:
    wall = Wall.of_band(*interval)  # type: ignore[arg-type]
    first, second = pictures()
    np.testing.assert_array_equal(compose(first, first, wall), first)
    np.testing.assert_array_equal(compose(compose(first, second, wall), first, wall), first)


def test_arguments_stay_as_they_were() -> None:
    first, second = pictures()
    first.flags.writeable = second.flags.writeable = False
    composite = compose(first, second, VGG16_WALL)
    composite[:] = 0
    assert first.any()
    assert second.any()


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((224, 224), np.uint8), np.zeros((223, 224, 3), np.uint8), np.zeros((224, 224, 3), np.float32)],
)
def test_another_shape_or_dtype_is_refused(wrong: np.ndarray) -> None:
    right = np.zeros((224, 224, 3), np.uint8)
    with pytest.raises(ValueError, match="Expected `first` to be"):
        compose(wrong, right, VGG16_WALL)
    with pytest.raises(ValueError, match="Expected `second` to be"):
        compose(right, wrong, VGG16_WALL)
