"""The expected GradCAM map of [CNN] at initialization: exact, given the filters and over all weights; lower bounds.

The class is fixed. The weights are independent centered Gaussians with standard deviations tau_0 (filters) and
tau_1 … tau_L (dense layers); n pooled cells of each map are seen; d_1 … d_(L-1) are the hidden widths. With g, g_1, …
independent standard Gaussians, S_n = ReLU(g_1)² + … + ReLU(g_n)² and m_n = E sqrt(S_n):

    E[Lambda(i,j) | filters] = K |b(i,j)|    with    K = tau_L / (h w) · sqrt(n / (2 pi)) · prod_(l<L) tau_l m_(d_l)

where b are the activations of all maps at the cell (0 if L > 1 and no seen activation is positive), and

    E[Lambda(i,j)] = K tau_0 |x(i,j)| m_V

where x is the patch of the image at the cell: exactly if L = 1, else up to K tau_0 |x| sqrt(V) / 2^V. In expectation,
GradCAM depends on the norm of the patch alone: it does not know where the wall is.

Source: docs/theory.md, with proofs. The second is Eq. 11 of Taimeskhanov et al. 2024, evaluated; with the bound
"chebyshev" of m_V, which is positive for V > 20, it is their Theorem 3 (Eq. 5).
"""

import math
from typing import Literal, get_args

import torch

from stackwalls.model.errors import InputError
from stackwalls.model.theory.one_convolution import OneConvolution

Inequality = Literal["moments", "chebyshev"]
"""What a lower bound of a rectified Gaussian vector's norm rests on: Hölder's inequality, or Chebyshev's."""

INEQUALITIES: tuple[Inequality, ...] = get_args(Inequality)
"""Every `Inequality`."""

CHEBYSHEV_THRESHOLD = 20
"""The most filters for which the bound by Chebyshev's inequality is 0: Var S_n / (n/4)² = 20/n, as Var S_1 = 5/4."""


def rectified_mean(sigma: float) -> float:
    """E ReLU(X) for X ~ N(0, sigma²)."""
    return sigma / math.sqrt(2 * math.pi)


def rectified_norm_mean(count: int) -> float:
    """m_n: the expected Euclidean norm of `count` independent standard Gaussians after ReLU, about sqrt(count / 2)."""
    total = 0.0
    for positive in range(1, count + 1):
        log_binomial = math.lgamma(count + 1) - math.lgamma(positive + 1) - math.lgamma(count - positive + 1)
        log_chi = math.lgamma((positive + 1) / 2) - math.lgamma(positive / 2)
        total += math.exp(log_binomial - count * math.log(2) + log_chi)
    return math.sqrt(2) * total


def rectified_norm_lower_bound(count: int, inequality: Inequality = "moments") -> float:
    """A lower bound of m_n: n / sqrt(2 (n + 5)) by Hölder's inequality, or max(0, 1 - 20/n) sqrt(n)/2 by Chebyshev's.

    Raises:
        InputError: if `inequality` is unknown.
    """
    if inequality == "moments":
        return count / math.sqrt(2 * (count + 5))
    if inequality == "chebyshev":
        return max(0.0, 1 - CHEBYSHEV_THRESHOLD / count) * math.sqrt(count) / 2
    raise InputError(f"Expected `inequality` to be one of {', '.join(INEQUALITIES)}, but got {inequality!r}.")


def dead_draw_norm(count: int) -> float:
    """The most that networks without a positive seen activation contribute to m_n: sqrt(n) / 2^n.

    With several dense layers their gradient is 0, so this share is missing from the expected map.
    """
    return math.sqrt(count) * 2.0**-count


def patch_norms(spec: OneConvolution, image: torch.Tensor) -> torch.Tensor:
    """Euclidean norm of the patch that each map cell sees: `(C, H, W)` to `(h, w)` float64."""
    norms: torch.Tensor = torch.linalg.vector_norm(spec.patches(image.to(torch.float64)), dim=0)
    return norms.view(spec.map_size)


def _scale(spec: OneConvolution) -> float:
    """K, the factor of the dense layers."""
    rows, columns = spec.map_size
    hidden = zip(spec.taus[1:-1], spec.hidden, strict=True)
    passed = math.prod(tau * rectified_norm_mean(width) for tau, width in hidden)
    return rectified_mean(spec.taus[-1]) * math.sqrt(spec.seen_cells) / (rows * columns) * passed


def conditional_expectation(spec: OneConvolution, maps: torch.Tensor) -> torch.Tensor:
    """The expected GradCAM map over the dense layers' weights, given the filters: exact for every V and L.

    Args:
        spec: shape of the networks and law of their weights.
        maps: `(R, V, h, w)`, the activation maps (`Networks.features`) of R draws of the filters.

    Returns:
        `(R, h, w)`, of the maps' dtype: equation (T5) of docs/theory.md.

    Raises:
        InputError: if `maps` has another shape.
    """
    wanted = (spec.filters, *spec.map_size)
    if maps.ndim != 4 or tuple(maps.shape[1:]) != wanted:
        raise InputError(f"Expected `maps` to be {('R', *wanted)}, but got {tuple(maps.shape)}.")
    expected_map: torch.Tensor = _scale(spec) * torch.linalg.vector_norm(maps, dim=1)
    if spec.depth == 1:
        return expected_map
    rows, columns = spec.seen_rows * spec.pool, spec.pooled_size[1] * spec.pool
    alive = maps[:, :, :rows, :columns].amax(dim=(1, 2, 3), keepdim=True) > 0
    return expected_map * alive.squeeze(1)


def _expected(spec: OneConvolution, image: torch.Tensor, norm: float) -> torch.Tensor:
    """K tau_0 |x| times `norm`, or 0 if several dense layers get nothing but zeros."""
    norms = patch_norms(spec, image)
    seen = norms[: spec.seen_rows * spec.pool, : spec.pooled_size[1] * spec.pool]
    if spec.depth > 1 and not bool((seen > 0).any()):
        return torch.zeros_like(norms)
    return _scale(spec) * spec.taus[0] * norm * norms


def expected_gradcam(spec: OneConvolution, image: torch.Tensor) -> torch.Tensor:
    """The expected GradCAM map at initialization, over all weights, for a fixed class: `(C, H, W)` to `(h, w)` float64.

    A multiple of `patch_norms`: equation (T6) of docs/theory.md. Exact for one dense layer. For more, too large by the
    share `dead_draw_norm(V) / rectified_norm_mean(V)` at most (0.5 for V = 2, 1e-8 for V = 30).
    """
    return _expected(spec, image, rectified_norm_mean(spec.filters))


def gradcam_lower_bound(spec: OneConvolution, image: torch.Tensor, inequality: Inequality = "moments") -> torch.Tensor:
    """A lower bound of `expected_gradcam`, (T7) or (T8) of docs/theory.md: `(C, H, W)` to `(h, w)` float64."""
    missing = dead_draw_norm(spec.filters) if spec.depth > 1 else 0.0
    return _expected(spec, image, max(0.0, rectified_norm_lower_bound(spec.filters, inequality) - missing))
