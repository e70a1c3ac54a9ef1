"""Mu and its company against hand-computed values, slow rewrites and the properties that they must have."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from any_walls import walls
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from stackwalls.evaluate import dead_cells, dead_zone_lit, energy_share, mu, mu_native, pointing_game
from stackwalls.model import VGG16_WALL, InputError, Wall

Array = NDArray[np.float64]
SMALL = Wall.of_band("rows", 3, 5, image_size=5)
MEASURES = (mu, energy_share, dead_zone_lit, pointing_game)


def slow_mu(values: Array, wall: Wall) -> float:
    dead, everything, mask = [], [], wall.mask()
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            everything.append(float(values[row, column]))
            if mask[row, column]:
                dead.append(float(values[row, column]))
    return math.hypot(*dead) / math.hypot(*everything) if any(everything) else math.nan


maps_of_six = hnp.arrays(np.float64, (2, 6, 6), elements=st.just(0.0) | st.floats(1e-12, 1e6))


def test_by_hand() -> None:
    values = np.zeros((1, 5, 5))
    values[0, 0, 0], values[0, 4, 2] = 4, 3
    assert mu(values, SMALL) == pytest.approx([3 / 5])
    assert energy_share(values, SMALL) == pytest.approx([3 / 7])
    assert dead_zone_lit(values, SMALL).tolist() == [True]
    assert pointing_game(values, SMALL).tolist() == [0]
    values[0, 4, 2] = 4
    assert pointing_game(values, SMALL).tolist() == [0.5]


@settings(max_examples=60, deadline=None)
@given(maps_of_six, walls(6))
def test_against_the_slow_rewrite(values: Array, wall: Wall) -> None:
    expected = [slow_mu(one, wall) for one in values]
    assert mu(values, wall) == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(maps_of_six, walls(6), st.sampled_from([1e-30, 1e-3, 7.5, 1e30, 1e150]))
def test_bounds_scale_and_complement(values: Array, wall: Wall, scale: float) -> None:
    found = mu(values, wall)
    known = found[~np.isnan(found)]
    assert ((known >= 0) & (known <= 1)).all()
    assert mu(values * scale, wall) == pytest.approx(found, rel=1e-6, abs=1e-9, nan_ok=True)
    # what is not in the dead zone is in the rest: squares of the shares of the norm add up to 1
    rest = values.copy()
    rest[:, wall.mask()] = 0
    norms = [(math.hypot(*part.flat), math.hypot(*whole.flat)) for part, whole in zip(rest, values, strict=True)]
    seen = np.array([part / whole if whole else math.nan for part, whole in norms])
    assert found**2 + seen**2 == pytest.approx(np.where(np.isnan(seen), np.nan, 1), rel=1e-9, nan_ok=True)
    lit = dead_zone_lit(values, wall)
    assert (lit == (values[:, wall.mask()].max(1) > 0)).all()
    assert not (known[~lit[~np.isnan(found)]] > 0).any()


def test_extremes_are_exact() -> None:
    values = np.zeros((3, 224, 224), dtype=np.float32)
    values[0, :170], values[1, 170:] = 0.3, 0.7
    found = mu(values, VGG16_WALL)
    assert found[0] == 0
    assert found[1] == 1
    assert np.isnan(found[2])
    assert found.dtype == np.float64
    assert np.isnan(energy_share(values, VGG16_WALL)[2])
    assert np.isnan(pointing_game(values, VGG16_WALL)[2])
    assert dead_zone_lit(values, VGG16_WALL).tolist() == [False, True, False]


def test_sums_are_in_double_precision() -> None:
    """In float32, 39,100 small squares beside a large one would be lost."""
    values = np.full((1, 224, 224), 1e-4, dtype=np.float32)
    values[0, 0, 0] = 1
    assert mu(values, VGG16_WALL)[0] == pytest.approx(slow_mu(values[0].astype(np.float64), VGG16_WALL), rel=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_tensors_and_arrays_agree(measure: Callable[..., torch.Tensor], dtype: torch.dtype) -> None:
    tensor = torch.rand(4, 5, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    tensor[3] = 0
    found = measure(tensor.requires_grad_(), SMALL)
    assert isinstance(found, torch.Tensor)
    assert not found.requires_grad
    np.testing.assert_array_equal(found.numpy(), measure(tensor.detach().numpy(), SMALL))


@pytest.mark.parametrize("measure", MEASURES)
def test_no_maps_no_values_and_no_input_changed(measure: Callable[..., Array]) -> None:
    assert measure(np.zeros((0, 5, 5)), SMALL).shape == (0,)
    values = np.arange(25.0).reshape(1, 5, 5)
    values.setflags(write=False)
    measure(values[:, ::-1], SMALL)
    measure(values > 3, SMALL)


def faulty(index: int, value: float) -> Array:
    values = np.ones((3, 5, 5))
    values[index, 2, 2] = value
    return values


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("maps", "said"),
    [
        ([[1.0]], "to be a numpy array or a torch tensor, but got list"),
        (np.ones((5, 5)), r"to be \(N, H, W\), but got \(5, 5\)"),
        (np.ones((2, 3, 5, 5)), r"to be \(N, H, W\), but got \(2, 3, 5, 5\)"),
        (np.ones((2, 4, 5)), r"to be \(N, 5, 5\), the resolution of the wall bottom:2@5, but got \(2, 4, 5\)"),
        (np.ones((1, 5, 5), dtype=complex), "to be real numbers, but got complex128"),
        (torch.ones((1, 5, 5), dtype=torch.complex64), "to be real numbers, but got torch.complex64"),
        (np.full((1, 5, 5), "x"), "to be real numbers"),
        (faulty(1, np.nan), r"NaN or infinite values in 1 of 3 maps \(the first: 1\)"),
        (faulty(2, np.inf), r"NaN or infinite values in 1 of 3 maps \(the first: 2\)"),
        (faulty(0, -1e-9), r"negative values in 1 of 3 maps \(the first: 0\)"),
    ],
)
def test_what_is_no_map_is_named(measure: Callable[..., Array], maps: object, said: str) -> None:
    with pytest.raises(InputError, match=f"Expected `maps` .*{said}"):
        measure(maps, SMALL)


def blown_up(raw: Array, wall: Wall) -> Array:
    """ReLU, min–max and every cell as its block of pixels."""
    positive = np.maximum(raw, 0)
    shifted = positive - positive.min((1, 2), keepdims=True)
    factor = wall.image_size // raw.shape[-1]
    return shifted.repeat(factor, axis=1).repeat(factor, axis=2)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([7, 14, 28]).flatmap(lambda n: hnp.arrays(np.float64, (2, n, n), elements=st.floats(-9, 9))),
    walls(224),
)
def test_native_mu_is_mu_of_the_cells_as_blocks_of_pixels(raw: Array, wall: Wall) -> None:
    expected = mu(blown_up(raw, wall), wall)
    assert mu_native(raw, wall) == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)


@settings(max_examples=200, deadline=None)
@given(st.integers(32, 224).flatmap(walls))
def test_a_uniform_map_has_the_chance_level(wall: Wall) -> None:
    """Of any wall and size: mu, native mu at 7 and 14 cells, which the wall may cut, energy and pointing."""
    uniform = np.full((1, wall.image_size, wall.image_size), 3.0)
    share = wall.mask().mean()
    assert wall.chance == pytest.approx(math.sqrt(share), rel=1e-12)
    assert mu(uniform, wall) == pytest.approx([wall.chance], rel=1e-12)
    assert [energy_share(uniform, wall), pointing_game(uniform, wall)] == [pytest.approx([share], rel=1e-12)] * 2
    for cells in (7, 14):
        native = mu_native(np.ones((1, cells, cells)), wall, final=True)
        assert native == pytest.approx([wall.chance], rel=1e-9)


def test_native_mu_where_the_wall_cuts_a_row_of_cells() -> None:
    assert dead_cells(VGG16_WALL, 14, 2).T.tolist() == [[0] * 10 + [6 / 16, 1, 1, 1]] * 2
    raw = np.zeros((2, 14, 14))
    raw[:, 10, 3] = 5
    assert mu_native(raw, VGG16_WALL) == pytest.approx([math.sqrt(6 / 16)] * 2)
    assert np.isnan(mu_native(-raw, VGG16_WALL)).all()
    assert VGG16_WALL.rescaled(14) is None
    whole = Wall.parse("bottom:64")
    assert whole.rescaled(7) == Wall.of_band("rows", 5, 7, 7)
    raw = np.random.default_rng(0).random((3, 7, 7))
    raw[:, 0, 0] = 0
    assert mu_native(raw, whole) == pytest.approx(mu(raw, Wall.of_band("rows", 5, 7, 7)))
    assert isinstance(mu_native(torch.from_numpy(raw), whole), torch.Tensor)
    with pytest.raises(InputError, match="finite numbers"):
        mu_native(np.full((1, 7, 7), np.nan), whole)
