"""`divide`: split a silhouette of two touching animals into two boxes, or decide that it is one animal."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]
Float = NDArray[np.float32]
Mask = NDArray[np.uint8]

MAX_COST = 0.43
"""A cut that costs more splits one animal. On drawn images 5 % of single animals cost less, and 88 % of pairs."""

_MAX_WAIST = 0.85
"""A cut must be narrower than this share of the narrower half: the axis of a butterfly is as wide as its wings."""

_FARTHEST = 0.25
"""Cuts are at most this share of the extent away from the middle."""

_CUTS = 25
_PATCH = 10
"""Halves are compared at this many pixels across: coarse enough to ignore the pose."""

_SILHOUETTE = 0.5
"""Weight of the silhouette next to the three color axes, each scaled to about [0, 1]."""

_SCALES = (100.0, 60.0, 60.0)

_WAIST, _ASPECT, _CENTER = 0.3, 0.4, 0.5
"""Weights of a cut's width, of the halves' difference in shape, and of its squared distance from the middle."""


@dataclass(frozen=True)
class Division:
    """The cheapest cut of a silhouette: the boxes on its two sides, and its cost (0: identical halves)."""

    boxes: tuple[Box, Box]
    cost: float


def divide(lab: Float, mask: Mask) -> Division | None:
    """Find the horizontal or vertical cut that leaves the same animal on both sides; None if it is one animal.

    Two animals of one kind have similar colors and outlines, if not sizes; the two halves of one animal do not. The
    halves are compared as they are and mirrored left to right.

    Args:
        lab: `(H, W, 3)` float32 CIELAB.
        mask: `(H, W)` uint8, 1 on the foreground.
    """
    shape = mask[:, :, None].astype(np.float32)
    image = np.concatenate([lab / np.array(_SCALES, dtype=np.float32) * shape, _SILHOUETTE * shape], axis=2)
    rows = _best_cut(image, mask, mirrored=1)
    turned = _best_cut(np.ascontiguousarray(image.transpose(1, 0, 2)), np.ascontiguousarray(mask.T), mirrored=0)
    found = [division for division in (rows, turned and _turned(turned)) if division is not None]
    best = min(found, key=lambda division: division.cost, default=None)
    return best if best is not None and best.cost <= MAX_COST else None


def box_of(mask: Mask) -> Box | None:
    """The bounding box of the foreground; None if there is none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _turned(division: Division) -> Division:
    first, second = ((y0, x0, y1, x1) for x0, y0, x1, y1 in division.boxes)
    return Division((first, second), division.cost)


def _best_cut(image: Float, mask: Mask, mirrored: int) -> Division | None:
    """Find the cheapest horizontal cut.

    Args:
        image: `(H, W, 4)`, the colors of the foreground and the silhouette, weighted.
        mask: `(H, W)`.
        mirrored: the axis from left to right of the original image, 0 or 1.
    """
    whole = box_of(mask)
    if whole is None:
        return None
    top, bottom = whole[1], whole[3]
    widths = np.convolve(mask.sum(axis=1, dtype=np.float64), np.ones(3) / 3, "same")
    places = np.linspace(0.5 - _FARTHEST, 0.5 + _FARTHEST, _CUTS) * (bottom - top) + top
    best: Division | None = None
    for cut in np.unique(places.round().astype(int)).tolist():
        if not top < cut < bottom:
            continue
        waist = float(widths[cut] / min(widths[top:cut].max(), widths[cut:bottom].max()))
        upper, lower = box_of(mask[:cut]), box_of(mask[cut:])
        if waist > _MAX_WAIST or upper is None or lower is None:
            continue
        boxes = (upper, (lower[0], lower[1] + cut, lower[2], lower[3] + cut))
        center = (cut - (top + bottom) / 2) / (bottom - top)
        cost = _difference(image, boxes, mirrored) + _WAIST * waist + _CENTER * center**2
        if best is None or cost < best.cost:
            best = Division(boxes, cost)
    return best


def _difference(image: Float, boxes: tuple[Box, Box], mirrored: int) -> float:
    """How much two boxes differ in content (as it is or mirrored) and in aspect ratio."""
    first, second = (_patch(image, box) for box in boxes)
    covered = (first[..., 3].mean() + second[..., 3].mean()) / (2 * _SILHOUETTE)
    difference = min(np.abs(first - second).mean(), np.abs(first - np.flip(second, axis=mirrored)).mean())
    one, other = ((x1 - x0) / (y1 - y0) for x0, y0, x1, y1 in boxes)
    return float(difference / covered + _ASPECT * abs(np.log(one / other)))


def _patch(image: Float, box: Box) -> Float:
    """`(10, 10, 4)`: the content of a box."""
    x0, y0, x1, y1 = box
    patch = cv2.resize(image[y0:y1, x0:x1], (_PATCH, _PATCH), interpolation=cv2.INTER_AREA)
    return np.asarray(patch, dtype=np.float32)
