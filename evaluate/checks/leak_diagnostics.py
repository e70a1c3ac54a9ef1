"""Where a leak comes from: twins, mu after each processing step, and EigenCAM's sign; pure functions of maps.

Twins are the same image where the network sees and another where it does not. The network gives both the same logits,
to the last bit, so a method's map of the visible part should be the same too.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from stackwalls.evaluate.maps import normalized_maps
from stackwalls.evaluate.metrics import dead_cells, mu, mu_native
from stackwalls.model import InputError, Wall

STAGES = ("signed", "ReLU", "min–max", "nearest", "bilinear")
"""From a method's raw map to the map that users see: with its signs; its positive part; shifted to start at 0;
upsampled by repeating cells, or bilinearly instead, as the CAM libraries do."""

SIGNS = ("library", "flipped", "corrected")
"""Of EigenCAM's maps: NumPy's SVD, as in grad-cam; its negative; the sign that agrees with the activations."""


def twins_of(images: NDArray[np.uint8], donors: NDArray[np.uint8], wall: Wall) -> NDArray[np.uint8]:
    """`images` with the dead zone of `donors`; both `(N, H, W, 3)` uint8.

    Raises:
        InputError: if the shapes differ.
    """
    if images.shape != donors.shape:
        raise InputError(f"Expected as many donors as images, {images.shape}, but got {donors.shape}.")
    twins, dead = images.copy(), wall.mask()
    twins[:, dead] = donors[:, dead]
    return twins


def seen_change(first: NDArray[Any], second: NDArray[Any], wall: Wall) -> NDArray[np.float64]:
    """How much the visible part of a map changes between twins: ‖Λ − Λ'‖₂ / ‖Λ‖₂, both without the dead zone.

    Args:
        first: `(N, h, w)`, at any resolution and of any sign; cells that the wall cuts are left out.
        second: the twins' maps, of the same shape.
        wall: in pixels of the image.

    Returns:
        `(N,)` float64 ≥ 0: 0 if nothing changed; NaN if only the first map's visible part is all zero.
    """
    visible = dead_cells(wall, *first.shape[1:]) == 0
    before, after = (maps[:, visible].astype(np.float64) for maps in (first, second))
    moved, size = (np.sqrt((values**2).sum(1)) for values in (after - before, before))
    with np.errstate(divide="ignore", invalid="ignore"):
        change: NDArray[np.float64] = np.where(moved == 0, 0.0, np.where(size > 0, moved / size, np.nan))
    return change


def mu_by_stage(raw: NDArray[Any], wall: Wall) -> dict[str, NDArray[np.float64]]:
    """Mu of low-resolution maps `(N, h, w)` before ReLU after each of `STAGES`; chance as in `metrics.mu_native`.

    Returns:
        stage → `(N,)` float64 in [0, 1]; NaN where a stage leaves nothing.
    """
    signed = torch.from_numpy(np.ascontiguousarray(raw))
    positive = signed.double().clamp_min(0)
    shifted = positive - positive.amin((1, 2), keepdim=True)
    size = (wall.image_size, wall.image_size)
    # if cells are not a whole number of pixels, they are repeated as exactly as pixels allow
    repeated = F.interpolate(shifted[:, None], size=size, mode="nearest-exact")[:, 0]
    found = (
        mu_native(np.abs(raw), wall, final=True),
        mu_native(raw, wall, final=True),
        mu_native(raw, wall),
        mu(repeated.numpy(), wall),
        mu(normalized_maps(signed.float(), wall.image_size).numpy(), wall),
    )
    return dict(zip(STAGES, found, strict=True))


def eigen_maps(raw: NDArray[Any], activations: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
    """EigenCAM's raw maps with each of `SIGNS`: a principal component has no sign of its own.

    The corrected sign is the one with which the map correlates positively, over the image, with the sum of the
    channels. It depends on the activations alone, so not on LAPACK.

    Args:
        raw: `(N, h, w)`, EigenCAM's maps before ReLU, of either sign; so is each of the maps returned.
        activations: `(N, C, h, w)` of the target layer.
    """
    response = activations.astype(np.float64).sum(1)
    agreement = (raw * (response - response.mean((1, 2), keepdims=True))).sum((1, 2))
    sign = np.where(agreement < 0, -1.0, 1.0)[:, None, None]
    found = (raw, -raw, raw * sign)
    return {name: np.asarray(values, dtype=np.float32) for name, values in zip(SIGNS, found, strict=True)}
