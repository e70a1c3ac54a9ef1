"""`foreground_mask`: which pixels are not of the background that the frame's border shows."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Lab = NDArray[np.float32]
Mask = NDArray[np.uint8]

_BORDER = 0.02
"""Width of the border that shows the background, in parts of the short side."""

_COLOURS = 8
"""Colours that a background is made of at most: sky, two hills, a lawn, and their shades."""

_RARE = 0.02
"""A colour with a smaller share of the border is an ear that touches it."""

_WEIGHTS = (0.7, 1.0, 1.0)
"""Of lightness and the two colour axes of CIELAB: light falls off over a background, its hue stays."""

_NEAR, _FAR = 9.0, 22.0
"""The colour difference (CIELAB, weighted) from which on a pixel is no background lies between these two."""

_OF_OTSU = 0.7
"""… in parts of the threshold that divides the differences best (Otsu 1979), which cuts into dim animals."""

_SMALL = 0.06
"""Pieces of a smaller share of the largest one are leaves and waves."""


def to_lab(image: NDArray[np.uint8]) -> Lab:
    """`(H, W, 3)` uint8 RGB as CIELAB: lightness in [0, 100], the others around 0."""
    return np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB))


def foreground_mask(lab: Lab) -> Mask:
    """What differs from the background: `(H, W)` uint8, 1 on the foreground, its holes filled.

    A pixel is background where it is near one of the border's colours, or near what lies between the border's colours
    at the two ends of its row (a light that falls off from left to right). An animal as light as the sky is kept by
    its outline: what it encloses is filled.

    Args:
        lab: `(H, W, 3)` float32 CIELAB.
    """
    difference = np.minimum(_from_palette(lab), _from_row_ends(lab))
    levels = np.clip(difference * 3, 0, 255).astype(np.uint8)
    otsu, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_OTSU)
    threshold = float(np.clip(_OF_OTSU * otsu / 3, _NEAR, _FAR))
    return _cleaned((difference > threshold).astype(np.uint8))


def _border(lab: Lab) -> int:
    short: int = min(lab.shape[:2])
    return max(2, round(_BORDER * short))


def _distance(lab: Lab, colour: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.sqrt((((lab - colour) * np.array(_WEIGHTS, dtype=np.float32)) ** 2).sum(axis=-1)))


def _from_palette(lab: Lab) -> NDArray[np.float32]:
    """`(H, W)` distance to the nearest of the border's colours (k-means)."""
    wide = _border(lab)
    edge = np.ones(lab.shape[:2], dtype=bool)
    edge[wide:-wide, wide:-wide] = False
    colours = lab[edge]  # (P, 3)
    # begins from eight steps of lightness, because OpenCV's random state cannot be put back
    labels = np.empty((len(colours), 1), dtype=np.int32)
    labels[np.argsort(colours[:, 0], kind="stable"), 0] = np.arange(len(colours)) * _COLOURS // len(colours)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.5)
    _, found, centres = cv2.kmeans(colours, _COLOURS, labels, criteria, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    counts = np.bincount(np.asarray(found, dtype=np.int64).ravel(), minlength=_COLOURS)
    palette = centres[counts > _RARE * len(colours)]
    return np.asarray(np.stack([_distance(lab, colour) for colour in palette]).min(axis=0))


def _from_row_ends(lab: Lab) -> NDArray[np.float32]:
    """`(H, W)` distance to the line from the left border's colour of the row to the right one's."""
    wide = _border(lab)
    along = np.linspace(0, 1, lab.shape[1], dtype=np.float32)[None, :, None]
    left = np.median(lab[:, :wide], axis=1)[:, None]
    right = np.median(lab[:, -wide:], axis=1)[:, None]
    return _distance(lab, left * (1 - along) + right * along)


def _cleaned(mask: Mask) -> Mask:
    """Outlines closed, holes filled, specks and small pieces gone."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel)
    padded = np.pad(np.asarray(closed, dtype=np.uint8), 1)
    outside = padded.copy()
    cv2.floodFill(outside, None, (0, 0), 1)
    filled = (padded | (1 - outside))[1:-1, 1:-1]
    opened = cv2.morphologyEx(filled, cv2.MORPH_OPEN, kernel)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    if count < 2:
        return np.asarray(opened)
    sizes = statistics[1:, cv2.CC_STAT_AREA]
    large = 1 + np.flatnonzero(sizes >= _SMALL * sizes.max())
    return np.isin(labels, large).astype(np.uint8)
