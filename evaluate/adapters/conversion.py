"""From what a method returns to saliency maps: channels, signs and resolution, by rules that the report states."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from stackwalls.evaluate.maps import Maps, normalized_maps
from stackwalls.model import InputError


@dataclass(frozen=True)
class Reduction:
    """How attributions `(N, C, H, W)` become one map `(N, H, W)`, whose negative values count as 0; and it in words."""

    over_channels: Callable[[torch.Tensor], torch.Tensor]
    says: str


REDUCTIONS: dict[str, Reduction] = {
    # as captum's and Quantus's users sum, and as CAMs treat what speaks against the class
    "sum": Reduction(lambda values: values.sum(1), "summed over channels, with negative values set to 0"),
    "sum-abs": Reduction(lambda values: values.sum(1).abs(), "summed over channels, as an absolute value"),
    "abs-sum": Reduction(lambda values: values.abs().sum(1), "summed over channels as absolute values"),
    # the gradient's saliency map of Simonyan et al. 2014, section 3.1
    "abs-max": Reduction(lambda values: values.abs().amax(1), "reduced to the largest absolute value over channels"),
}
"""What `reduce` may be; None for final maps."""


def describe(reduce: str | None) -> str:
    """What `to_maps` does, for the report."""
    if reduce is None:
        return "unchanged (channels, if any, are summed; maps of lower resolution are upsampled bilinearly)"
    return (
        f"{REDUCTIONS[reduce].says}; maps of lower resolution are scaled to [0, 1] by min–max, upsampled bilinearly, "
        "and scaled again, as grad-cam does"
    )


def to_maps(values: Any, size: int, reduce: str | None) -> Maps:
    """Turn what a method returned into maps.

    A square map that is smaller than the image is of lower resolution: it is upsampled, and kept as `raw`. Attributions
    are upsampled as grad-cam does it (`normalized_maps`), so that equal activation maps of two libraries are equal maps
    here. What is not a map (another shape, NaN, negative values in a final map) passes through unchanged, and
    `metrics.map_fault` names it in the image's row.

    Args:
        values: tensor or array `(N, H, W)`, `(N, C, H, W)` or lower resolution `(N, h, w)`, `(N, C, h, w)`.
        size: height and width of the image.
        reduce: of `REDUCTIONS`, for attributions; None for final maps.

    Raises:
        InputError: if `values` is not a tensor or array of real numbers, or has its channels last.
    """
    found = _as_tensor(values)
    if found.ndim == 4 and found.shape[1] == found.shape[2] != found.shape[3]:
        raise InputError(f"expected channels second, (N, C, H, W), but got {tuple(found.shape)}")
    if found.ndim == 4:
        found = found.sum(1) if reduce is None else REDUCTIONS[reduce].over_channels(found)
    elif reduce is not None and found.ndim == 3:
        found = REDUCTIONS[reduce].over_channels(found[:, None])
    low = found.ndim == 3 and 0 < found.shape[1] == found.shape[2] < size
    raw = found.cpu().numpy() if low else None
    if low and reduce is not None:
        found = normalized_maps(found, size)
    elif low:
        found = F.interpolate(found[:, None], size=(size, size), mode="bilinear", align_corners=False)[:, 0]
    elif reduce is not None:
        found = found.clamp_min(0)
    return Maps(found.cpu().numpy(), raw, final=reduce is None)


def _as_tensor(values: Any) -> torch.Tensor:
    """Detached, on its device; float32 or float64."""
    if isinstance(values, tuple):  # captum answers a tuple of inputs with a tuple
        if len(values) != 1:
            raise InputError(f"expected one tensor or array of maps, but got {len(values)}")
        values = values[0]
    if isinstance(values, list) and values and all(isinstance(value, torch.Tensor) for value in values):
        values = torch.stack(values)
    if isinstance(values, np.ndarray | list) and (array := np.asarray(values)).dtype.kind in "biuf":
        values = torch.from_numpy(np.array(array, dtype=np.float64 if array.dtype == np.float64 else np.float32))
    if not isinstance(values, torch.Tensor) or values.is_complex():
        kind = f"{type(values).__name__} of {values.dtype}" if hasattr(values, "dtype") else type(values).__name__
        raise InputError(f"expected maps as a tensor or array of real numbers, but got {kind}")
    found = values.detach()
    return found if found.dtype in (torch.float32, torch.float64) else found.float()
