"""`pick_pair`: of all boxes in a frame the two animals for both sides of the wall, or why there are none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwalls.model import Wall
from stackwalls.stackgen.localising.boxes import areas, intersections, overlaps
from stackwalls.stackgen.localising.localizer import Detections
from stackwalls.stackgen.localising.refusal import Refusal

Box = tuple[float, float, float, float]
Matrix = NDArray[np.float64]

MIN_SCORE = 0.15
"""Boxes of a lower score are noise. OWLv2's scores of plain sights lie at 0.2 to 0.7."""

MIN_AREA = 0.02
"""Boxes of a smaller share of the frame are no animal of the two."""

MAX_ANIMALS = 3
"""Of three the best two are taken (a third in a corner, or a detector that divides one); more are a crowd."""

_INSIDE = 0.8
"""Share of a box from which on it counts as lying in another."""

_APART = 0.3
"""Two boxes in a third are two animals, and the third a box round both, where they overlap by less than this."""

_GROUP = 0.5
"""… and where together they cover more than this of it."""

_PART = 0.35
"""A box that lies in another and has less than this share of its area is a part: a head, a limb."""

_STEP = 0.35
"""The centres of a pair lie apart by at least this share of the smaller one's extent, across the wall's line."""

_ABREAST = 0.4
"""The extents of a pair along the wall's line overlap by at least this share of the smaller one's."""

_COVERED = 0.75
"""A pair in which one has more than this share of its area in the other is one animal found twice."""


@dataclass(frozen=True)
class Pair:
    """Two animals, one for either side of the wall.

    Attributes:
        seen: x0, y0, x1, y1 in frame pixels of the one that the network is to see.
        hidden: of the one that goes behind the wall.
        seen_score: of the detector.
        hidden_score: of the detector.
        animals: how many were found in the frame, 2 or 3.
    """

    seen: Box
    hidden: Box
    seen_score: float
    hidden_score: float
    animals: int = 2


def hidden_comes_last(wall: Wall) -> bool:
    """Whether the hidden animal is the lower (right) one: the larger seen part lies above (left of) the dead zone."""
    return wall.start >= wall.image_size - wall.stop


def pick_pair(detections: Detections, size: tuple[int, int], wall: Wall) -> Pair | Refusal:
    """The two animals of a frame, for a wall of rows one above the other, for one of columns side by side.

    Boxes of a low score, tiny ones, boxes round both animals and parts of animals are dropped first. Of the pairs
    that lie as they should the one with the best product of score, alignment and separateness is taken.

    Args:
        detections: of one frame.
        size: width and height of the frame in pixels.
        wall: whose axis says how the two must lie, and whose place which of them is hidden.

    Returns:
        The pair; or a `Refusal` whose cause is "none", "one", "many", "inside" or "apart".
    """
    boxes = detections.boxes.astype(np.float64)
    scores = detections.scores.astype(np.float64)
    kept = (scores >= MIN_SCORE) & (areas(boxes) >= MIN_AREA * size[0] * size[1])
    boxes, scores = boxes[kept], scores[kept]
    whole = _without_parts(boxes, _without_groups(boxes))
    boxes, scores = boxes[whole], scores[whole]
    if len(boxes) < 2:
        found = "no animal was found" if len(boxes) == 0 else "only one animal was found"
        return Refusal(f"{found} (expected two)", "none" if len(boxes) == 0 else "one")
    if len(boxes) > MAX_ANIMALS:
        return Refusal(f"{len(boxes)} animals were found (expected two)", "many")
    return _best_pair(boxes, scores, wall)


def _shares(boxes: Matrix) -> Matrix:
    """`(K, K)`: [i, j] is the share of box j that lies in box i."""
    return np.asarray(intersections(boxes) / areas(boxes)[None, :])


def _without_groups(boxes: Matrix) -> list[int]:
    """Indices of the boxes that are not drawn round two others."""
    inside, overlap, area = _shares(boxes), overlaps(boxes), areas(boxes)
    shared = intersections(boxes)

    def groups(outer: int, one: int, other: int) -> bool:
        separate = overlap[one, other] < _APART and max(inside[one, other], inside[other, one]) < _COVERED
        return bool(separate and area[one] + area[other] - shared[one, other] > _GROUP * area[outer])

    kept = []
    for outer in range(len(boxes)):
        held = [i for i in range(len(boxes)) if i != outer and inside[outer, i] >= _INSIDE and area[i] < area[outer]]
        if not any(groups(outer, one, other) for one in held for other in held if one < other):
            kept.append(outer)
    return kept


def _without_parts(boxes: Matrix, among: list[int]) -> list[int]:
    """Of `among`, the indices of the boxes that are not a small piece of another one of them."""
    inside, area = _shares(boxes), areas(boxes)

    def part_of(small: int, large: int) -> bool:
        return bool(inside[large, small] >= _INSIDE and area[small] < _PART * area[large])

    return [i for i in among if not any(part_of(i, j) for j in among if j != i)]


def _best_pair(boxes: Matrix, scores: NDArray[np.float64], wall: Wall) -> Pair | Refusal:
    across, along = (1, 0) if wall.axis == "rows" else (0, 1)
    inside, overlap = _shares(boxes), overlaps(boxes)
    low, high = boxes[:, :2], boxes[:, 2:]
    centre, extent = (low + high) / 2, high - low
    best: tuple[float, int, int] | None = None
    nested = False
    for first in range(len(boxes)):
        for second in range(len(boxes)):
            step = centre[second, across] - centre[first, across]
            if step <= 0:
                continue
            if max(inside[first, second], inside[second, first]) > _COVERED:
                nested = True
                continue
            shared = min(high[first, along], high[second, along]) - max(low[first, along], low[second, along])
            abreast = max(0.0, shared) / min(extent[first, along], extent[second, along])
            if step < _STEP * min(extent[first, across], extent[second, across]) or abreast < _ABREAST:
                continue
            quality = min(scores[first], scores[second]) * abreast * (1 - overlap[first, second])
            if best is None or quality > best[0]:
                best = (float(quality), first, second)
    if best is None:
        if nested:
            return Refusal("one of the two boxes lies in the other: one animal, or one in front of the other", "inside")
        how = "one above the other" if wall.axis == "rows" else "side by side"
        return Refusal(f"{len(boxes)} animals were found, but no two of them {how}", "apart")
    seen, hidden = best[1:] if hidden_comes_last(wall) else best[:0:-1]
    return Pair(_box(boxes[seen]), _box(boxes[hidden]), float(scores[seen]), float(scores[hidden]), len(boxes))


def _box(row: NDArray[np.float64]) -> Box:
    x0, y0, x1, y1 = row.tolist()
    return x0, y0, x1, y1
