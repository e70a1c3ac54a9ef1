"""The exact expectations against simulation, within 4 standard errors in every cell, and the bounds below both."""

import dataclasses
import math

import pytest
import torch
from scipy import stats

from stackwalls.model import InputError, Wall
from stackwalls.model.theory import (
    INEQUALITIES,
    OneConvolution,
    conditional_expectation,
    dead_draw_norm,
    estimate_gradcam,
    expected_gradcam,
    gradcam_lower_bound,
    patch_norms,
    rectified_norm_mean,
)

SMALL = OneConvolution(height=11, width=9, channels=2, filters=5, kernel=3, tau=1.0)
TAUS = {(): (0.7, 2.0), (4,): (0.7, 2.0, 0.5), (4, 3): (0.7, 2.0, 0.5, 1.5)}
DRAWS = 20_000


def image_of(spec: OneConvolution, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(spec.channels, spec.height, spec.width, generator=generator, dtype=torch.float64)


def test_patch_norms_by_hand() -> None:
    spec = OneConvolution(height=3, width=3, kernel=2, pool=1)
    image = torch.tensor([[[1.0, 2, 0], [4, 2, 0], [0, 0, 3]]])
    assert patch_norms(spec, image).tolist() == [[5.0, math.sqrt(8)], [math.sqrt(20), math.sqrt(13)]]


@pytest.mark.parametrize("hidden", TAUS)
def test_conditional_form_equals_simulation_with_the_filters_fixed(hidden: tuple[int, ...]) -> None:
    spec = dataclasses.replace(SMALL, hidden=hidden, tau=TAUS[hidden])
    drawn = spec.draw(1, torch.Generator().manual_seed(3))
    image = image_of(spec)
    exact = conditional_expectation(spec, drawn.features(image))[0]
    estimate = estimate_gradcam(spec, image, DRAWS, seed=0, filters=drawn.filters[0])
    assert estimate.deviation(exact).abs().max() <= 4
    assert estimate.deviation(1.2 * exact).abs().max() > 4  # the simulation is precise enough to tell


@pytest.mark.parametrize("hidden", TAUS)
def test_expectation_equals_simulation_over_all_weights(hidden: tuple[int, ...]) -> None:
    spec = dataclasses.replace(SMALL, hidden=hidden, tau=TAUS[hidden], filters=21)
    image = image_of(spec)
    estimate = estimate_gradcam(spec, image, DRAWS, seed=0)
    exact = expected_gradcam(spec, image)
    assert estimate.deviation(exact).abs().max() <= 4
    assert estimate.deviation(1.2 * exact).abs().max() > 4
    for inequality in INEQUALITIES:
        assert estimate.deviation(gradcam_lower_bound(spec, image, inequality)).min() >= -4


def test_expectation_is_the_mean_of_the_conditional_form() -> None:
    image = image_of(SMALL)
    networks = SMALL.draw(DRAWS, torch.Generator().manual_seed(0))
    given_filters = conditional_expectation(SMALL, networks.features(image))
    deviation = (given_filters.mean(dim=0) - expected_gradcam(SMALL, image)) / given_filters.std(dim=0)
    assert deviation.abs().max() * math.sqrt(DRAWS) <= 4


def test_conditional_form_by_hand() -> None:
    """Two filters of one pixel, one dense layer, one seen row of two cells out of 2 × 2."""
    spec = OneConvolution(height=2, width=2, filters=2, kernel=1, pool=1, tau=(1.0, 3.0))
    maps = torch.tensor([[[[1.0, 0.0], [3.0, 0.0]], [[0.0, 2.0], [4.0, 0.0]]]])
    one = 3 * math.sqrt(2) / 4 / math.sqrt(2 * math.pi)
    expected = torch.tensor([[[1.0, 2.0], [5.0, 0.0]]]) * one
    torch.testing.assert_close(conditional_expectation(spec, maps), expected)


@pytest.mark.parametrize("filters", [1, 2, 5, 20, 21, 30, 100])
@pytest.mark.parametrize("hidden", [(), (4,)])
def test_bounds_lie_below_the_expectation(filters: int, hidden: tuple[int, ...]) -> None:
    spec = dataclasses.replace(SMALL, filters=filters, hidden=hidden)
    image = image_of(spec)
    exact = expected_gradcam(spec, image)
    for inequality in INEQUALITIES:
        bound = gradcam_lower_bound(spec, image, inequality)
        assert bool(((bound >= 0) & (bound < exact)).all())
    assert (gradcam_lower_bound(spec, image, "chebyshev").max() > 0) == (filters > 20)


def test_the_simulation_lies_above_the_bounds_on_a_wide_network() -> None:
    """Every cell, seen or not, for V = 64 on a picture with black parts, where everything is 0."""
    spec = OneConvolution(filters=64)
    image = torch.zeros(1, 29, 29)
    image[:, 5:25, 8:20] = torch.rand(1, 20, 12, generator=torch.Generator().manual_seed(0))
    estimate = estimate_gradcam(spec, image, 2000, seed=0)
    assert estimate.deviation(expected_gradcam(spec, image)).abs().max() <= 4
    for inequality in INEQUALITIES:
        bound = gradcam_lower_bound(spec, image, inequality)
        assert estimate.deviation(bound).min() >= -4
        assert bound[spec.dead_start :].max() > 0
    assert bool((estimate.mean[patch_norms(spec, image) == 0] == 0).all())


def test_the_expected_map_does_not_know_the_wall() -> None:
    """On a flat image it is flat: mu is the chance level of the unseen map rows."""
    spec = OneConvolution()
    flat = expected_gradcam(spec, torch.full((1, 29, 29), 0.3))
    assert flat.max() == flat.min() > 0
    mu = flat[spec.dead_start :].norm() / flat.norm()
    assert float(mu) == pytest.approx(Wall.of_band("rows", 15, 28, 28).chance)


def test_the_expectation_scales_as_the_weights_do() -> None:
    spec = dataclasses.replace(SMALL, hidden=(4,))
    image = image_of(spec)
    for layer in range(3):
        taus = tuple(3.0 if number == layer else 1.0 for number in range(3))
        scaled = expected_gradcam(dataclasses.replace(spec, tau=taus), image)
        torch.testing.assert_close(scaled, 3 * expected_gradcam(spec, image))


def test_the_standard_error_is_the_one_of_the_exact_law() -> None:
    """One dense layer: E[Lambda²] = n tau_1² tau_0² |x|² V / (4 (h w)²)."""
    spec = dataclasses.replace(SMALL, tau=(0.7, 2.0))
    image = image_of(spec)
    cells = spec.map_size[0] * spec.map_size[1]
    square = spec.seen_cells * (0.7 * 2.0 * patch_norms(spec, image) / cells) ** 2 * spec.filters / 4
    deviation = (square - expected_gradcam(spec, image) ** 2).sqrt()
    estimate = estimate_gradcam(spec, image, DRAWS, seed=0)
    torch.testing.assert_close(estimate.standard_error * math.sqrt(DRAWS), deviation, rtol=0.05, atol=0)


def opposed() -> torch.Tensor:
    """An image whose seen part is the negative of its unseen part: what lights one leaves the other dark."""
    image = torch.ones(1, 9, 9, dtype=torch.float64)
    image[:, : SHALLOW.dead_start] = -1
    return image


SHALLOW = OneConvolution(height=9, width=9, filters=2, kernel=1, pool=2)


def test_networks_that_see_nothing_are_counted_as_dark_where_layers_follow() -> None:
    """The case in which the expectation of several dense layers is farthest from its closed form."""
    deep = dataclasses.replace(SHALLOW, hidden=(3,))
    negative = -torch.ones(2, 1, 1, 1)
    for spec in (SHALLOW, deep):
        positive_only = spec.draw(1, torch.Generator().manual_seed(0), filters=-negative)
        conditional = conditional_expectation(spec, positive_only.features(opposed()))
        assert (conditional[0, spec.dead_start :].min() > 0) == (spec is SHALLOW)
        estimate = estimate_gradcam(spec, opposed(), 500, filters=-negative)
        assert (estimate.mean[spec.dead_start :].min() > 0) == (spec is SHALLOW)
    estimate = estimate_gradcam(deep, opposed(), DRAWS)
    closed, cell = expected_gradcam(deep, opposed()), (8, 0)
    exactly = (rectified_norm_mean(2) - stats.chi.mean(2) / 4) / rectified_norm_mean(2)
    assert estimate.deviation(exactly * closed)[cell].abs() <= 4
    assert estimate.deviation(closed)[cell] < -4
    assert estimate.deviation(gradcam_lower_bound(deep, opposed()))[cell] >= -4
    missing = dead_draw_norm(2) / rectified_norm_mean(2)
    assert exactly >= 1 - missing


def test_deep_networks_in_front_of_black_are_dark() -> None:
    deep = dataclasses.replace(SHALLOW, hidden=(3,))
    image = opposed().clamp(min=0)
    assert expected_gradcam(deep, image).max() == 0
    assert gradcam_lower_bound(deep, image).max() == 0
    assert estimate_gradcam(deep, image, 100).mean.max() == 0
    assert expected_gradcam(SHALLOW, image)[8, 0] > 0
    assert estimate_gradcam(SHALLOW, image, 100).mean[8, 0] > 0


def test_maps_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match=r"Expected `maps` to be \('R', 5, 9, 7\), but got \(1, 4, 9, 7\)"):
        conditional_expectation(SMALL, torch.zeros(1, 4, 9, 7))
