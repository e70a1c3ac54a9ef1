"""`Foreground`: two animals on a plain or calm background, found without weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from stackwalls.stackgen.localising.background_model import Mask, foreground_mask, to_lab
from stackwalls.stackgen.localising.dividing import Box, box_of, divide
from stackwalls.stackgen.localising.localizer import Detections, check_nouns

if TYPE_CHECKING:
    from PIL.Image import Image

_SHORT_SIDE = 128
"""Frames are looked at with a short side of so many pixels; boxes are exact to about one of those."""

_COMPARABLE = 0.25
"""A piece with a smaller share of the largest one's area is no animal of its own."""

_LEAST, _MOST = 0.01, 0.90
"""Shares of the frame: less foreground is none, and with more the border showed no background."""


class Foreground:
    """Divides foreground from background by colour, and a silhouette of two touching animals into two.

    It does not know what it sees: the nouns are not used, and a stack of two chairs is a pair too. It needs a
    background that the frame's border shows: plain, a gradient, sky and hills. On drawn pictures of two stacked
    animals (`model.drawn`) it is measured in the tests; photographs with a busy background need a detector.

    The score of a box is 1 less what dividing it from its neighbour cost, and 1 for a piece that stands by itself.
    """

    name = "foreground"
    revision: str | None = "1"
    """Changes with what it finds."""

    def locate(self, frames: Sequence[Image], nouns: Sequence[Sequence[str]]) -> list[Detections]:
        """What stands before the background of each frame; see `Localizer`."""
        check_nouns(frames, nouns)
        return [self._locate(frame) for frame in frames]

    def _locate(self, frame: Image) -> Detections:
        factor = min(1.0, _SHORT_SIDE / min(frame.size))
        size = (max(1, round(frame.width * factor)), max(1, round(frame.height * factor)))
        image = np.asarray(frame.convert("RGB"))
        if factor < 1:
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        lab = to_lab(image)
        boxes, scores = self._boxes(lab) if min(size) >= _SMALLEST else ([], [])
        scale = np.tile(np.array(frame.size) / np.array(size), 2)  # to frame pixels, x and y
        return Detections.of(np.array(boxes, dtype=np.float64).reshape(-1, 4) * scale, scores, frame.size)

    @staticmethod
    def _boxes(lab: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> tuple[list[Box], list[float]]:
        mask = foreground_mask(lab)
        if not _LEAST <= mask.mean() <= _MOST:
            return [], []
        division = divide(lab, mask)
        if division is not None:
            return list(division.boxes), [1 - division.cost] * 2
        boxes = _pieces(mask)
        return boxes, [1.0] * len(boxes)


_SMALLEST = 16
"""A frame with a shorter side, in pixels, has no border to speak of."""


def _pieces(mask: Mask) -> list[Box]:
    """The box of each connected piece that is comparable to the largest."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    sizes = statistics[1:, cv2.CC_STAT_AREA]
    large = 1 + np.flatnonzero(sizes >= _COMPARABLE * sizes.max(initial=0))
    found = (box_of((labels == label).astype(np.uint8)) for label in large.tolist())
    return [box for box in found if box is not None]
