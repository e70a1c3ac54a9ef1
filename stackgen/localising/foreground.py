"""`Foreground`: finds two animals on a plain or calm background, without weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from stackwalls.stackgen.localising.localizer import Detections, check_nouns
from stackwalls.stackgen.localising.silhouette import Box, Float, Mask, box_of, divide

if TYPE_CHECKING:
    from PIL.Image import Image

_SHORT_SIDE = 128
"""Frames are analyzed at this short side in pixels; boxes are accurate to about one of those."""

_SMALLEST = 16
"""A frame with a shorter side, in pixels, has no usable border."""

_COMPARABLE = 0.25
"""A piece with less than this share of the largest piece's area is not an animal of its own."""

_LEAST, _MOST = 0.01, 0.90
"""Shares of the frame: less is not a foreground, and with more the border did not show the background."""

_BORDER = 0.02
"""Width of the border that shows the background, as a share of the short side."""

_COLORS = 8
"""Most colors of a background: sky, two hills, a lawn, and their shades."""

_RARE = 0.02
"""A color with a smaller share of the border is an ear that touches it."""

_WEIGHTS = (0.7, 1.0, 1.0)
"""Of lightness and the two color axes of CIELAB: lightness varies over a background, its hue does not."""

_NEAR, _FAR = 9.0, 22.0
"""Bounds of the color difference (CIELAB, weighted) above which a pixel is foreground."""

_OF_OTSU = 0.7
"""It is this share of the threshold that separates the differences best (Otsu 1979), which cuts into dim animals."""

_SMALL = 0.06
"""Pieces with a smaller share of the largest piece's area are leaves and waves."""


class Foreground:
    """Separates foreground from background by color, and a silhouette of two touching animals into two.

    It does not recognize objects: nouns are ignored, and a stack of two chairs is a pair too. The frame's border must
    show the background: plain, a gradient, sky and hills. The tests measure it on drawings of two stacked animals;
    photographs with a busy background need a detector.

    The score of a box is 1 minus the cost of the cut that separated it, or 1 for a piece that was separate.
    """

    name = "foreground"
    revision: str | None = "1"
    """Changes when the boxes do."""

    def locate(self, frames: Sequence[Image], nouns: Sequence[Sequence[str]]) -> list[Detections]:
        """Find what is in front of the background of each frame; see `Localizer`."""
        check_nouns(frames, nouns)
        return [self._locate(frame) for frame in frames]

    def _locate(self, frame: Image) -> Detections:
        factor = min(1.0, _SHORT_SIDE / min(frame.size))
        size = (max(1, round(frame.width * factor)), max(1, round(frame.height * factor)))
        image = np.asarray(frame.convert("RGB"))
        if factor < 1:
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        lab = np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), dtype=np.float32)
        boxes, scores = _boxes(lab) if min(size) >= _SMALLEST else ([], [])
        scale = np.tile(np.array(frame.size) / np.array(size), 2)  # to frame pixels, x and y
        return Detections.of(np.array(boxes, dtype=np.float64).reshape(-1, 4) * scale, scores, frame.size)


def _boxes(lab: Float) -> tuple[list[Box], list[float]]:
    mask = foreground_mask(lab)
    if not _LEAST <= mask.mean() <= _MOST:
        return [], []
    division = divide(lab, mask)
    if division is not None:
        return list(division.boxes), [1 - division.cost] * 2
    labels, large = _large_pieces(mask, _COMPARABLE)
    boxes = [box for label in large if (box := box_of((labels == label).astype(np.uint8))) is not None]
    return boxes, [1.0] * len(boxes)


def foreground_mask(lab: Float) -> Mask:
    """What differs from the background: `(H, W)` uint8, 1 on the foreground, with holes filled.

    A pixel is background if it is close to one of the border's colors, or to a blend of the border's colors at the two
    ends of its row (a light that fades from left to right). An animal as bright as the sky is kept by its outline:
    what it encloses is filled.

    Args:
        lab: `(H, W, 3)` float32 CIELAB: lightness in [0, 100], the others around 0.
    """
    difference = np.minimum(_from_palette(lab), _from_row_ends(lab))
    levels = np.clip(difference * 3, 0, 255).astype(np.uint8)
    otsu, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_OTSU)
    threshold = float(np.clip(_OF_OTSU * otsu / 3, _NEAR, _FAR))
    return _cleaned((difference > threshold).astype(np.uint8))


def _border(lab: Float) -> int:
    short: int = min(lab.shape[:2])
    return max(2, round(_BORDER * short))


def _distance(lab: Float, color: Float) -> Float:
    return np.asarray(np.sqrt((((lab - color) * np.array(_WEIGHTS, dtype=np.float32)) ** 2).sum(axis=-1)))


def _from_palette(lab: Float) -> Float:
    """`(H, W)` distance to the nearest of the border's colors (k-means)."""
    width = _border(lab)
    edge = np.ones(lab.shape[:2], dtype=bool)
    edge[width:-width, width:-width] = False
    colors = lab[edge]  # (P, 3)
    # starts from eight levels of lightness, because OpenCV's random state cannot be restored
    labels = np.empty((len(colors), 1), dtype=np.int32)
    labels[np.argsort(colors[:, 0], kind="stable"), 0] = np.arange(len(colors)) * _COLORS // len(colors)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.5)
    _, found, centers = cv2.kmeans(colors, _COLORS, labels, criteria, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    counts = np.bincount(np.asarray(found, dtype=np.int64).ravel(), minlength=_COLORS)
    palette = centers[counts > _RARE * len(colors)]
    return np.asarray(np.stack([_distance(lab, color) for color in palette]).min(axis=0))


def _from_row_ends(lab: Float) -> Float:
    """`(H, W)` distance to the line from the color of the row's left border to that of its right border."""
    width = _border(lab)
    along = np.linspace(0, 1, lab.shape[1], dtype=np.float32)[None, :, None]
    left = np.median(lab[:, :width], axis=1)[:, None]
    right = np.median(lab[:, -width:], axis=1)[:, None]
    return _distance(lab, left * (1 - along) + right * along)


def _cleaned(mask: Mask) -> Mask:
    """Close outlines, fill holes, remove specks and small pieces."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel)
    padded = np.pad(np.asarray(closed, dtype=np.uint8), 1)
    outside = padded.copy()
    cv2.floodFill(outside, None, (0, 0), 1)
    filled = (padded | (1 - outside))[1:-1, 1:-1]
    labels, large = _large_pieces(np.asarray(cv2.morphologyEx(filled, cv2.MORPH_OPEN, kernel)), _SMALL)
    return np.isin(labels, large).astype(np.uint8)


def _large_pieces(mask: Mask, share: float) -> tuple[NDArray[np.int32], list[int]]:
    """Label the connected pieces, and list those with at least this share of the largest one's area."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    sizes = statistics[1:, cv2.CC_STAT_AREA]
    return np.asarray(labels), (1 + np.flatnonzero(sizes >= share * sizes.max(initial=0))).tolist()
