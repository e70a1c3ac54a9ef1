"""Twins: the same picture where the network sees, another where it does not. Their maps should be the same, too.

The network gives twins the same logits to the last bit, so whatever a method says of the part that is seen should not
change either. Where it does, something that the network did not use has moved the explanation of what it did use.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackwalls.evaluate.metrics import dead_cells
from stackwalls.model import InputError, Wall


def twins_of(images: NDArray[np.uint8], donors: NDArray[np.uint8], wall: Wall) -> NDArray[np.uint8]:
    """`images` with the dead zone of `donors`; both `(N, H, W, 3)` uint8.

    Raises:
        InputError: if the shapes differ.
    """
    if images.shape != donors.shape:
        raise InputError(f"Expected as many donors as images, {images.shape}, but got {donors.shape}.")
    twins = images.copy()
    rows_and_columns = (slice(None), *wall.index(2))
    twins[rows_and_columns] = donors[rows_and_columns]
    return twins


def seen_change(first: NDArray[Any], second: NDArray[Any], wall: Wall) -> NDArray[np.float64]:
    """How much the seen part of a map changes between twins: ‖Λ − Λ'‖₂ / ‖Λ‖₂, both without the dead zone.

    Args:
        first: `(N, h, w)`, at any resolution and of any sign; a cell that the wall cuts is left out.
        second: the twins' maps, of the same shape.
        wall: the wall in pixels of the image.

    Returns:
        `(N,)` float64 ≥ 0: 0 where nothing changed; NaN where the first map's seen part is zero everywhere and the
        second's is not.
    """
    alive = dead_cells(wall, first.shape[1 if wall.axis == "rows" else 2]) == 0
    kept = (slice(None), alive) if wall.axis == "rows" else (slice(None), slice(None), alive)
    before, after = first[kept].astype(np.float64), second[kept].astype(np.float64)
    moved = np.sqrt(((after - before) ** 2).sum((1, 2)))
    size = np.sqrt((before**2).sum((1, 2)))
    with np.errstate(divide="ignore", invalid="ignore"):
        change: NDArray[np.float64] = np.where(moved == 0, 0.0, np.where(size > 0, moved / size, np.nan))
    return change
