"""From a raw low-resolution map to a saliency map at the image's size, as grad-cam does it, on the device."""

from __future__ import annotations

import torch
import torch.nn.functional as F

_EPSILON = 1e-7


def _min_max(maps: torch.Tensor) -> torch.Tensor:
    """Each map's values shifted to begin at 0, then divided by their largest."""
    shifted = maps - maps.amin((1, 2), keepdim=True)
    return shifted / (_EPSILON + shifted.amax((1, 2), keepdim=True))


def normalised_maps(raw: torch.Tensor, size: int) -> torch.Tensor:
    """ReLU, min–max, bilinear upsampling, and min–max once more: grad-cam's order, whose second min–max counts.

    Args:
        raw: `(N, h, w)` float32, before ReLU.
        size: height and width of the image.

    Returns:
        `(N, size, size)` float32 in [0, 1]; a map without a positive value is zero everywhere.
    """
    low = _min_max(raw.clamp_min(0))
    # without aligned corners this is cv2.resize's INTER_LINEAR, to 1.2e-7
    up = F.interpolate(low[:, None], size=(size, size), mode="bilinear", align_corners=False)[:, 0]
    return _min_max(up.clamp_min(0))
