"""GradCAM, XGradCAM and HiResCAM on [CNN], written out: no automatic differentiation.

The target layer is the ReLU after the filters, with maps B of `(R, V, h, w)` for R networks at once. C are the pooled
maps, W1 … WL the weights of the dense layers (W1 is zero on the lower half of C), h1 … hL their outputs before ReLU, c
the target class, and y = hL[c] the score. Then

    G = dy/dC = WL[c] · diag(h(L-1) > 0) · W(L-1) · … · diag(h1 > 0) · W1                                       (T1)
    GradCAM's coefficient     alpha_v = 1/(h w) · sum of dy/dB_v over all cells = 1/(h w) · sum of G_v          (T2)
    XGradCAM's coefficient    a_v = (sum of B_v · dy/dB_v) / (sum of B_v) = (sum of C_v · G_v) / (sum of B_v)   (T3)
    HiResCAM's map            ReLU of the sum over v of C_v · G_v, each at the cell its window was largest in   (T4)

HiResCAM's share of the unread cells is 0, since G is; GradCAM and XGradCAM multiply all of B_v by one number. All
functions take the same arguments as `pooled_gradient`; maps are at B's resolution, not normalized.

Source: derived in docs/theory.md from the methods' definitions (Selvaraju et al. 2017; Fu et al. 2020; Draelos and
Carin 2020); (T1) and (T2) are Proposition 2 of Taimeskhanov et al. 2024.
"""

import torch
from torch.nn import functional as F

from stackwalls.model.errors import InputError
from stackwalls.model.theory.one_convolution import Networks

XGRADCAM_EPSILON = 1e-7
"""Added to the denominator of (T3), as in grad-cam 1.5: a filter without a response has coefficient 0."""


def pooled_gradient(networks: Networks, maps: torch.Tensor, target: int | torch.Tensor = 0) -> torch.Tensor:
    """G of (T1), the gradient of the score in the pooled cells that the head reads.

    Args:
        networks: R networks.
        maps: `(R, V, h, w)`, their `features` of an image.
        target: the class, or one class per network, `(R,)` int64.

    Returns:
        `(R, V, seen_rows, w')`; the gradient is 0 on the lower half of the pooled map, which is left out.

    Raises:
        InputError: if `target` is not a class of the networks.
    """
    classes = networks.spec.classes
    chosen = torch.as_tensor(target).expand(len(networks))
    if chosen.min() < 0 or chosen.max() >= classes:
        raise InputError(f"Expected `target` to be a class from 0 to {classes - 1}, but got {target}.")
    signal = F.one_hot(chosen, classes).to(maps).unsqueeze(1)  # (R, 1, out): a row vector, layer by layer
    before = networks.preactivations(maps) if networks.spec.depth > 1 else ()
    for layer in range(networks.spec.depth - 1, 0, -1):
        signal = (signal @ networks.dense[layer]) * (before[layer - 1] > 0).unsqueeze(1)
    first = networks.dense[0]
    return (signal @ first.flatten(2)).view(len(networks), *first.shape[2:])


def gradcam_coefficients(networks: Networks, maps: torch.Tensor, target: int | torch.Tensor = 0) -> torch.Tensor:
    """GradCAM's coefficients alpha, equation (T2): `(R, V)`."""
    rows, columns = networks.spec.map_size
    return pooled_gradient(networks, maps, target).sum(dim=(2, 3)) / (rows * columns)


def xgradcam_coefficients(networks: Networks, maps: torch.Tensor, target: int | torch.Tensor = 0) -> torch.Tensor:
    """XGradCAM's coefficients, equation (T3): `(R, V)`."""
    shares = networks.pool(maps)[0] * pooled_gradient(networks, maps, target)
    return shares.sum(dim=(2, 3)) / (maps.sum(dim=(2, 3)) + XGRADCAM_EPSILON)


def _weighted(coefficients: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """ReLU of the weighted sum of the maps: `(R, V)` and `(R, V, h, w)` to `(R, h, w)`."""
    return (coefficients.unsqueeze(1) @ maps.flatten(2)).relu_().view(len(maps), *maps.shape[2:])


def gradcam_map(networks: Networks, maps: torch.Tensor, target: int | torch.Tensor = 0) -> torch.Tensor:
    """GradCAM's map, `(R, h, w)`."""
    return _weighted(gradcam_coefficients(networks, maps, target), maps)


def xgradcam_map(networks: Networks, maps: torch.Tensor, target: int | torch.Tensor = 0) -> torch.Tensor:
    """XGradCAM's map, `(R, h, w)`."""
    return _weighted(xgradcam_coefficients(networks, maps, target), maps)


def hirescam_map(networks: Networks, maps: torch.Tensor, target: int | torch.Tensor = 0) -> torch.Tensor:
    """HiResCAM's map, equation (T4): `(R, h, w)`; exactly 0 in rows that the head does not read."""
    values, cells = networks.pool(maps)
    shares = values * pooled_gradient(networks, maps, target)
    combined = maps.new_zeros(len(maps), maps.shape[2] * maps.shape[3])
    combined.scatter_add_(1, cells.flatten(1), shares.flatten(1))
    return combined.relu_().view(len(maps), *maps.shape[2:])
