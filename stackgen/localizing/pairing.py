"""`pick_pair`: from all boxes in a frame to the two animals for the two sides of the wall."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from stackwalls.model import Band
from stackwalls.stackgen.localizing.localizer import Detections, Pair, Rejection

Array = NDArray[np.float64]

MIN_SCORE = 0.15  # boxes with a lower score are noise: OWLv2 scores clearly visible objects 0.2 to 0.7
MIN_AREA = 0.02  # a box with a smaller share of the frame is not one of the two animals
# of three, the best two are taken (a third in a corner, or one animal detected in halves); more are a crowd
MAX_ANIMALS = 3
_INSIDE = 0.8  # a box counts as inside another if at least this share of it is
_APART = 0.3  # two boxes inside a third are two animals, and the third a group, if they overlap by less than this …
_GROUP = 0.5  # … and together cover more than this share of it
_PART = 0.35  # a box inside another with less than this share of its area is a part: a head, a limb
_COVERED = 0.75  # if more than this share of one box is inside the other, both show one animal
# of the smaller extent of a pair: its centers are apart by this share or more across the wall's line, and its extents
# overlap by this share or more along the line
_STEP, _ABREAST = 0.35, 0.4


@dataclass(frozen=True)
class _Boxes:
    """Boxes of a frame, and what each two have in common."""

    boxes: Array  # (K, 4)
    scores: Array  # (K,)
    shared: Array  # (K, K) square pixels; the diagonal holds the areas. torchvision.ops has the IoU, but not this

    @classmethod
    def of(cls, detections: Detections) -> _Boxes:
        boxes = detections.boxes.astype(np.float64)
        low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
        high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
        return cls(boxes, detections.scores.astype(np.float64), np.clip(high - low, 0, None).prod(axis=2))

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, kept: NDArray[np.bool]) -> _Boxes:
        return _Boxes(self.boxes[kept], self.scores[kept], self.shared[kept][:, kept])

    @property
    def areas(self) -> Array:
        return self.shared.diagonal()

    @property
    def inside(self) -> Array:
        """`(K, K)`: [i, j] is the share of box j inside box i."""
        return np.asarray(self.shared / self.areas[None, :])

    @property
    def overlap(self) -> Array:
        """`(K, K)` intersection over union."""
        return np.asarray(self.shared / (self.areas[:, None] + self.areas[None, :] - self.shared))


def hidden_comes_last(band: Band) -> bool:
    """Whether the hidden animal is the lower (right) one: the larger visible part is above (left of) the dead zone."""
    return band.start >= band.image_size - band.stop


def pick_pair(detections: Detections, size: tuple[int, int], band: Band) -> Pair | Rejection:
    """Pick the two animals of a frame: one above the other for a band of rows, side by side for one of columns.

    Drops boxes with a low score, tiny boxes, boxes around both animals and parts of animals. Of the pairs in the right
    position, takes the one with the best product of score, alignment and separateness.

    Args:
        detections: of one frame.
        size: width and height of the frame in pixels.
        band: the dead zone; its axis decides how the two must be placed, its position which of them is hidden.

    Returns:
        The pair; or a `Rejection` whose cause is "none", "one", "many", "inside" or "apart".
    """
    found = _Boxes.of(detections)
    found = found[(found.scores >= MIN_SCORE) & (found.areas >= MIN_AREA * size[0] * size[1])]
    found = _without_parts(_without_groups(found))
    if 2 <= len(found) <= MAX_ANIMALS:
        return _best_pair(found, band)
    counts = {0: ("no animal was", "none"), 1: ("only one animal was", "one")}
    how_many, cause = counts.get(len(found), (f"{len(found)} animals were", "many"))
    return Rejection(f"{how_many} found (expected two)", cause)


def _without_groups(found: _Boxes) -> _Boxes:
    """Drop boxes drawn around two others."""
    inside, overlap, area, shared = found.inside, found.overlap, found.areas, found.shared

    def is_group(outer: int, one: int, other: int) -> bool:
        separate = overlap[one, other] < _APART and max(inside[one, other], inside[other, one]) < _COVERED
        return bool(separate and area[one] + area[other] - shared[one, other] > _GROUP * area[outer])

    kept = np.ones(len(found), dtype=bool)
    for outer in range(len(found)):
        held = np.flatnonzero((inside[outer] >= _INSIDE) & (area < area[outer]))
        kept[outer] = not any(is_group(outer, one, other) for one, other in combinations(held.tolist(), 2))
    return found[kept]


def _without_parts(found: _Boxes) -> _Boxes:
    """Drop boxes that are a small piece of another one."""
    inside, area = found.inside, found.areas
    part = (inside >= _INSIDE) & (area[None, :] < _PART * area[:, None])  # [i, j]: j is a part of i
    return found[np.logical_not(part.any(axis=0))]


def _best_pair(found: _Boxes, band: Band) -> Pair | Rejection:
    across, along = (1, 0) if band.axis == "rows" else (0, 1)
    inside, overlap, scores = found.inside, found.overlap, found.scores
    low, high = found.boxes[:, :2], found.boxes[:, 2:]
    center, extent = (low + high) / 2, high - low
    best, nested = (0.0, -1, -1), False
    for first, second in np.argwhere(center[None, :, across] > center[:, None, across]).tolist():
        if max(inside[first, second], inside[second, first]) > _COVERED:
            nested = True
            continue
        step = center[second, across] - center[first, across]
        common = min(high[first, along], high[second, along]) - max(low[first, along], low[second, along])
        abreast = max(0.0, common) / min(extent[first, along], extent[second, along])
        if step < _STEP * min(extent[first, across], extent[second, across]) or abreast < _ABREAST:
            continue
        quality = min(scores[first], scores[second]) * abreast * (1 - overlap[first, second])
        best = max(best, (quality, first, second), key=lambda found: found[0])
    if best[1] < 0:
        if nested:
            why = "one of the two boxes lies in the other: one animal, or one in front of the other"
            return Rejection(why, "inside")
        how = "one above the other" if band.axis == "rows" else "side by side"
        return Rejection(f"{len(found)} animals were found, but no two of them {how}", "apart")
    pair = list(best[1:] if hidden_comes_last(band) else best[:0:-1])
    (seen, hidden), (seen_score, hidden_score) = found.boxes[pair].tolist(), scores[pair].tolist()
    return Pair(tuple(seen), tuple(hidden), seen_score, hidden_score, len(found))
