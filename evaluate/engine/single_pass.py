"""The CAM methods that need one forward and one backward pass, as functions of activations and gradients.

Each takes the target layer's map A and the gradient G of the explained score with respect to it, both `(N, C, h, w)`
float32, and returns the raw low-resolution map `(N, h, w)`: before ReLU, min–max and upsampling. Definitions are those
of Taimeskhanov et al. 2024 (section 2.2 and appendix A), with the constants of grad-cam 1.5.7, the reference for the
numbers; where a definition has the mean of products, a sum gives the same map after min–max. The paper measures
EigenCAM and names LayerCAM, and defines neither.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from stackwalls.model import parallel_map

SinglePass = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

_PLUS_PLUS_EPSILON = 1e-6
_X_EPSILON = 1e-7


def weighted_sum(weights: torch.Tensor, activations: torch.Tensor) -> torch.Tensor:
    """Σ_v w_v A_v: weights `(N, C)` and maps `(N, C, h, w)` to `(N, h, w)`."""
    flat = activations.flatten(2)
    return torch.bmm(weights[:, None], flat).view(len(activations), *activations.shape[2:])


def grad_cam(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """w_v is the spatial mean of G_v (Selvaraju et al. 2017; Definition 1)."""
    return weighted_sum(gradients.mean((2, 3)), activations)


def grad_cam_plus_plus(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """w_v = Σ_ij α_ij ReLU(G_ij), α = G² / (2 G² + ΣA · G³) (Chattopadhay et al. 2018, Eq. 19; Definition 5)."""
    squares = gradients * gradients
    total = activations.sum((2, 3), keepdim=True)
    alpha = squares / (2 * squares + total * (squares * gradients) + _PLUS_PLUS_EPSILON)
    return weighted_sum((gradients.clamp_min(0) * alpha).sum((2, 3)), activations)


def x_grad_cam(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """w_v = Σ_ij G_ij A_ij / ΣA (Fu et al. 2020; Definition 4)."""
    total = activations.sum((2, 3), keepdim=True) + _X_EPSILON
    return weighted_sum((gradients * activations / total).sum((2, 3)), activations)


def hi_res_cam(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Σ_v G_v ⊙ A_v (Draelos and Carin 2020; Definition 6)."""
    return (gradients * activations).sum(1)


def layer_cam(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Σ_v ReLU(G_v) ⊙ A_v (Jiang et al. 2021)."""
    return (gradients.clamp_min(0) * activations).sum(1)


def grad_cam_element_wise(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Σ_v ReLU(G_v ⊙ A_v) (grad-cam's `GradCAMElementWise`)."""
    return (gradients * activations).clamp_min(0).sum(1)


def _first_component(maps: torch.Tensor) -> torch.Tensor:
    """Projection of the positions' channel vectors onto their first principal component, with LAPACK's sign.

    The sign of a singular vector is arbitrary, but matters after the ReLU. grad-cam gets NumPy's; torch's own
    decompositions give another one for some images.
    """
    vectors = maps.detach().flatten(2).transpose(1, 2).cpu().numpy()  # (N, h·w, C)
    # one image per thread: on matrices this small, LAPACK's own threads mostly wait for each other
    with _blas().limit(limits=1, user_api="blas"), parallel_map() as mapped:
        projections = np.stack(list(mapped(_projection, vectors)))
    found = torch.from_numpy(projections.astype(np.float32, copy=False))
    return found.view(len(maps), *maps.shape[2:]).to(maps.device)


@cache
def _blas() -> ThreadpoolController:
    """NumPy's linear algebra library, looked up once."""
    return ThreadpoolController()


def _projection(vectors: NDArray[Any]) -> NDArray[Any]:
    """Vectors `(positions, C)` projected onto their first principal component, `(positions,)`."""
    centered = vectors - vectors.mean(axis=0)
    *_, components = np.linalg.svd(centered, full_matrices=False)
    projection: NDArray[Any] = centered @ components[0]
    return projection


def eigen_cam(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """The first principal component of A (Muhammad and Yeasin 2020); the gradient is not used."""
    del gradients
    return _first_component(activations)


def eigen_grad_cam(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """The first principal component of G ⊙ A (grad-cam's `EigenGradCAM`)."""
    return _first_component(gradients * activations)


SINGLE_PASS: dict[str, SinglePass] = {
    "GradCAM": grad_cam,
    "GradCAM++": grad_cam_plus_plus,
    "XGradCAM": x_grad_cam,
    "EigenCAM": eigen_cam,
    "HiResCAM": hi_res_cam,
    "LayerCAM": layer_cam,
    "GradCAMElementWise": grad_cam_element_wise,
    "EigenGradCAM": eigen_grad_cam,
}
"""Method name → raw map from activations and gradients."""
