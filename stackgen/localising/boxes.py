"""Arithmetic of boxes `(K, 4)`: x0, y0, x1, y1 in pixels, x1 and y1 exclusive."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.floating[Any]]

MAX_OVERLAP = 0.6
"""Two boxes with a larger intersection over union are the same thing (non-maximum suppression)."""

MAX_BOXES = 100
"""So many boxes of a frame are looked at, the best; a detector that has learnt nothing gives thousands."""


def clipped(boxes: NDArray[np.float32], size: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """`(K, 4)` boxes cut to a frame of (width, height), and the indices of those of which something is left."""
    width, height = size
    inside = np.clip(boxes, 0, np.array((width, height, width, height), dtype=np.float32))
    with np.errstate(invalid="ignore"):
        some = (inside[:, 2] > inside[:, 0]) & (inside[:, 3] > inside[:, 1]) & np.isfinite(boxes).all(axis=1)
    kept = np.flatnonzero(some)
    return inside[kept], kept


def areas(boxes: Boxes) -> NDArray[np.float64]:
    """`(K,)` square pixels."""
    whole = boxes.astype(np.float64)
    return np.asarray((whole[:, 2] - whole[:, 0]) * (whole[:, 3] - whole[:, 1]))


def intersections(boxes: Boxes) -> NDArray[np.float64]:
    """`(K, K)` square pixels that each two of `(K, 4)` boxes share."""
    whole = boxes.astype(np.float64)
    low = np.maximum(whole[:, None, :2], whole[None, :, :2])
    high = np.minimum(whole[:, None, 2:], whole[None, :, 2:])
    return np.asarray(np.clip(high - low, 0, None).prod(axis=2))


def overlaps(boxes: Boxes) -> NDArray[np.float64]:
    """`(K, K)` intersection over union of each two of `(K, 4)` boxes, none of them empty."""
    shared, area = intersections(boxes), areas(boxes)
    return np.asarray(shared / (area[:, None] + area[None, :] - shared))


def best_boxes(boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> NDArray[np.intp]:
    """Indices by falling score, without those that overlap a better one by more than `MAX_OVERLAP`.

    Boxes of the same score stay in their order. Scores that are not finite are dropped.
    """
    order = np.argsort(-scores, kind="stable")
    order = order[np.isfinite(scores[order])][:MAX_BOXES]
    overlap = overlaps(boxes[order])
    kept: list[int] = []
    for place in range(len(order)):
        if not (overlap[place, kept] > MAX_OVERLAP).any():
            kept.append(place)
    return order[kept]
