"""Theorem 3 of Taimeskhanov, Sicre, Garreau 2024, from the paper's own definitions, against `model.theory`."""

import math

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.nn import functional as F

from stackwalls.model.theory import OneConvolution, expected_gradcam, gradcam_lower_bound, patch_norms


def eq_5(filters: int, pooled: tuple[int, int], maps: tuple[int, int], tau: float, norms: torch.Tensor) -> torch.Tensor:
    """The right-hand side of Theorem 3, as printed."""
    (pooled_rows, pooled_columns), (rows, columns) = pooled, maps
    seen = math.sqrt(pooled_rows * pooled_columns / (16 * math.pi))
    return (filters - 20) / math.sqrt(filters) * seen * tau**2 / (rows * columns) * norms


@settings(max_examples=60, deadline=None)
@given(
    filters=st.integers(21, 600),
    pooled=st.tuples(st.integers(2, 9), st.integers(1, 8)),
    kernel=st.integers(1, 4),
    pool=st.integers(1, 3),
    tau=st.floats(1e-3, 1e3),
    seed=st.integers(0, 2**32),
)
def test_the_bound_by_chebyshev_is_theorem_3(
    filters: int, pooled: tuple[int, int], kernel: int, pool: int, tau: float, seed: int
) -> None:
    height, width = (cells * pool + kernel - 1 for cells in pooled)
    spec = OneConvolution(height, width, filters=filters, kernel=kernel, pool=pool, tau=tau)
    image = torch.rand(1, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    bound, exact = gradcam_lower_bound(spec, image, "chebyshev"), expected_gradcam(spec, image)
    printed = eq_5(filters, pooled, spec.map_size, tau, patch_norms(spec, image))
    odd = math.sqrt(1 - pooled[0] % 2 / pooled[0])  # the middle row is hidden too
    torch.testing.assert_close(bound, printed * odd, rtol=1e-13, atol=0)
    assert bool((printed * odd < gradcam_lower_bound(spec, image)).all())  # (T7) is sharper, (T6) is exact
    assert bool((gradcam_lower_bound(spec, image) < exact).all())


@pytest.mark.parametrize(("filters", "exact", "moments"), [(21, 28.80, 26.69), (64, 2.04, 1.98), (256, 1.53, 1.52)])
def test_how_much_theorem_3_gives_away(filters: int, exact: float, moments: float) -> None:
    """The table of docs/theory.md."""
    spec, image = OneConvolution(filters=filters), torch.ones(1, 29, 29)
    theorem = gradcam_lower_bound(spec, image, "chebyshev")[0, 0]
    assert round(float(expected_gradcam(spec, image)[0, 0] / theorem), 2) == exact
    assert round(float(gradcam_lower_bound(spec, image)[0, 0] / theorem), 2) == moments


def gradcam_by_definition(image: torch.Tensor, filters: torch.Tensor, dense: torch.Tensor) -> torch.Tensor:
    """Definition 1 on Eq. 1 to 4 with L = 1 and k' = 2, by automatic differentiation, for many networks at once.

    Image `(H, W)`, filters `(R, V, k, k)`, the full dense layer `(R, V, h', w')`, zeros included, to `(R, h, w)`.
    """
    responses = F.conv2d(image[None, None], filters.flatten(0, 1)[:, None]).unflatten(1, filters.shape[:2])[0]
    maps = responses.relu().requires_grad_()
    (gradient,) = torch.autograd.grad((dense * F.max_pool2d(maps, 2)).sum(), maps)
    return (gradient.mean((2, 3), keepdim=True) * maps.detach()).sum(1).relu()


def test_the_expectation_against_a_simulation_of_the_papers_definitions() -> None:
    """The full W, with its rows of zeros, drawn as the theorem says: above Eq. 5, and (T6) in every cell."""
    filters, side, k, tau, draws = 22, 5, 2, 0.7, 20_000
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(side, side, generator=generator, dtype=torch.float64)
    drawn = tau * torch.randn(draws, filters, k, k, generator=generator, dtype=torch.float64)
    dense = tau * torch.randn(draws, filters, 2, 2, generator=generator, dtype=torch.float64)
    dense[:, :, 1:] = 0  # the lower half of the pooled rows
    found = gradcam_by_definition(image, drawn, dense)
    mean, error = found.mean(0), found.std(0) / math.sqrt(draws)
    spec = OneConvolution(side, side, filters=filters, kernel=k, tau=tau)
    exact = expected_gradcam(spec, image[None])
    assert ((mean - exact) / error).abs().max() < 4
    assert ((mean - 1.1 * exact) / error).abs().min() > 4  # the simulation would notice
    assert bool((mean > eq_5(filters, (2, 2), (4, 4), tau, patch_norms(spec, image[None]))).all())
