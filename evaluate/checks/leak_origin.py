"""Where a leak comes from: mu after each step from a method's raw map to the map that its users see."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from stackwalls.evaluate.maps import normalized_maps
from stackwalls.evaluate.metrics import dead_cells
from stackwalls.model import Wall

STAGES = ("signed", "ReLU", "min–max", "nearest", "bilinear")
"""The steps in order: the raw map with its signs; its positive part; shifted to begin at 0; upsampled by repeating its
cells; and bilinearly instead, as the CAM libraries do it."""


def mu_by_stage(raw: NDArray[Any], wall: Wall) -> dict[str, NDArray[np.float64]]:
    """Mu of a batch of maps after each of `STAGES`.

    At the map's own resolution a row of cells that the wall cuts counts by its dead share, as for `mu_native`, so that
    every stage has the chance level of the wall.

    Args:
        raw: `(N, h, w)` float32, the low-resolution map before ReLU.
        wall: the wall in pixels of the image.

    Returns:
        stage → `(N,)` float64 in [0, 1]; NaN where a stage leaves nothing.
    """
    signed = torch.from_numpy(np.ascontiguousarray(raw)).double()
    positive = signed.clamp_min(0)
    shifted = positive - positive.amin((1, 2), keepdim=True)
    size = (wall.image_size, wall.image_size)
    # cells that are no whole number of pixels are repeated as exactly as pixels allow
    repeated = F.interpolate(shifted[:, None], size=size, mode="nearest-exact")[:, 0]
    smooth = normalized_maps(signed.float(), wall.image_size).double()
    own = [_share_of_cells(values, wall) for values in (signed, positive, shifted)]
    return dict(zip(STAGES, [*own, *(_share_of_pixels(values, wall) for values in (repeated, smooth))], strict=True))


def _share_of_cells(values: torch.Tensor, wall: Wall) -> NDArray[np.float64]:
    axis = 1 if wall.axis == "rows" else 2
    energies = values.square().sum(3 - axis)
    dead = torch.from_numpy(dead_cells(wall, values.shape[axis]))
    return _root_share((energies * dead).sum(1), energies.sum(1))


def _share_of_pixels(values: torch.Tensor, wall: Wall) -> NDArray[np.float64]:
    squares = values.square()
    return _root_share(squares[wall.index(3)].sum((1, 2)), squares.sum((1, 2)))


def _root_share(part: torch.Tensor, whole: torch.Tensor) -> NDArray[np.float64]:
    share: NDArray[np.float64] = (part / whole).sqrt().numpy()
    return share
