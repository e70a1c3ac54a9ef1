"""The expected GradCAM map of [CNN] at initialisation: exact, given the filters and altogether, and lower bounds.

The class is fixed, the weights are independent and centred Gaussian with standard deviations tau_0 (filters) and
tau_1 … tau_L (dense layers), n pooled cells of each map are seen, and d_1 … d_(L-1) are the hidden widths.

Given the filters, take a cell (i, j) and put its activations b = (B_1(i,j), …, B_V(i,j)) into every seen pooled cell:
u, of norm sqrt(n) |b|. By equation (1) of `closed_forms`, the map before its ReLU is at (i, j)

    sum_v alpha_v b_v = 1/(h w) · WL[c] · diag(h(L-1) > 0) · W(L-1) · … · diag(h1 > 0) · W1 u.

Layer by layer, signs are free (`gaussian`): the norm of diag(h1 > 0) W1 u has the law of tau_1 |u| sqrt(S_d1), whatever
the pooled activations are, as long as they are not all 0, and so on. WL[c] at last is Gaussian and independent of the
rest. With Lambda the map after ReLU this gives, exactly, cf. the paper's Eq. 11 (conditional on the filters),

    E[Lambda(i,j) | filters] = K |b(i,j)|    with    K = tau_L / (h w) · sqrt(n / (2 pi)) · prod_(l<L) tau_l m_(d_l)

(0 if L > 1 and no seen activation is positive). The activations are tau_0 |x| ReLU(g_v), x the patch at (i, j), so

    E[Lambda(i,j)] = K tau_0 |x(i,j)| m_V,

exactly if L = 1; if L > 1, up to K tau_0 |x| sqrt(V) / 2^V at most (`dead_draw_norm`). It depends on the norm of the
patch alone: in expectation GradCAM does not know where the wall is. Any lower bound of m_V gives one of the map,
cf. the paper's Theorem 3.

Source: derived here, from the paper's setting; its own statements could not be consulted.
"""

from __future__ import annotations

import math

import torch

from stackwalls.model.errors import InputError
from stackwalls.model.theory.gaussian import (
    Inequality,
    dead_draw_norm,
    rectified_mean,
    rectified_norm_lower_bound,
    rectified_norm_mean,
)
from stackwalls.model.theory.one_convolution import OneConvolution


def patch_norms(spec: OneConvolution, image: torch.Tensor) -> torch.Tensor:
    """Euclidean norm of the patch that each map cell sees: `(C, H, W)` to `(h, w)` float64."""
    norms: torch.Tensor = torch.linalg.vector_norm(spec.patches(image.to(torch.float64)), dim=0)
    return norms.view(spec.map_size)


def _scale(spec: OneConvolution) -> float:
    """K: what is left of the dense layers in the expected map."""
    rows, columns = spec.map_size
    hidden = zip(spec.taus[1:-1], spec.hidden, strict=True)
    passed = math.prod(tau * rectified_norm_mean(width) for tau, width in hidden)
    return rectified_mean(spec.taus[-1]) * math.sqrt(spec.seen_cells) / (rows * columns) * passed


def conditional_expectation(spec: OneConvolution, maps: torch.Tensor) -> torch.Tensor:
    """The expected GradCAM map over the dense layers' weights, given the filters: exact for every V and L.

    Args:
        spec: the shape and law of the networks.
        maps: `(R, V, h, w)`, the activation maps (`Networks.features`) of R draws of the filters.

    Returns:
        `(R, h, w)`, of the maps' dtype.

    Raises:
        InputError: if `maps` has another shape.

    Source: derived here, see above; cf. Taimeskhanov et al. 2024, Eq. 11.
    """
    if maps.ndim != 4 or tuple(maps.shape[1:]) != (spec.filters, *spec.map_size):
        expected = ("R", spec.filters, *spec.map_size)
        raise InputError(f"Expected `maps` to be {expected}, but got {tuple(maps.shape)}.")
    expected_map: torch.Tensor = _scale(spec) * torch.linalg.vector_norm(maps, dim=1)
    if spec.depth == 1:
        return expected_map
    rows, columns = spec.seen_rows * spec.pool, spec.pooled_size[1] * spec.pool
    alive = maps[:, :, :rows, :columns].amax(dim=(1, 2, 3), keepdim=True) > 0
    return expected_map * alive.squeeze(1)


def _expected(spec: OneConvolution, image: torch.Tensor, norm: float) -> torch.Tensor:
    """K tau_0 |x| times `norm`, or 0 where several dense layers are given nothing but zeros."""
    norms = patch_norms(spec, image)
    seen = norms[: spec.seen_rows * spec.pool, : spec.pooled_size[1] * spec.pool]
    if spec.depth > 1 and not bool((seen > 0).any()):
        return torch.zeros_like(norms)
    return _scale(spec) * spec.taus[0] * norm * norms


def expected_gradcam(spec: OneConvolution, image: torch.Tensor) -> torch.Tensor:
    """The expected GradCAM map at initialisation, over all weights, for one fixed class.

    Exact for one dense layer; for more, too large by the share `dead_draw_norm(V) / rectified_norm_mean(V)` at most
    (0.5 for V = 2, 1e-8 for V = 30).

    Args:
        spec: the shape and law of the networks.
        image: `(C, H, W)`.

    Returns:
        `(h, w)` float64, a multiple of `patch_norms`.

    Source: derived here, see above.
    """
    return _expected(spec, image, rectified_norm_mean(spec.filters))


def gradcam_lower_bound(spec: OneConvolution, image: torch.Tensor, inequality: Inequality = "moments") -> torch.Tensor:
    """A lower bound of the expected GradCAM map at initialisation, in elementary functions of V.

    Args:
        spec: the shape and law of the networks.
        image: `(C, H, W)`.
        inequality: "moments", positive for every V where one dense layer follows, and within a factor that goes to 1;
            or "chebyshev", which is 0 for V <= 20.

    Returns:
        `(h, w)` float64.

    Source: derived here, see `gaussian`; cf. Taimeskhanov et al. 2024, Theorem 3, whose range, V > 20, is that of
    "chebyshev".
    """
    missing = dead_draw_norm(spec.filters) if spec.depth > 1 else 0.0
    return _expected(spec, image, max(0.0, rectified_norm_lower_bound(spec.filters, inequality) - missing))
