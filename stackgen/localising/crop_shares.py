"""What a square crop shows of two boxes, as shares; arrays of crops at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Box = tuple[float, float, float, float]

_TINY = 1e-9


@dataclass(frozen=True)
class Scene:
    """A pair in the canonical position: the dead zone is a band of rows, the seen animal belongs above it.

    Attributes:
        seen: x0, y0, x1, y1 in pixels.
        hidden: the same of the animal that belongs in the dead zone.
        width: of the frame in pixels.
        height: of the frame in pixels.
        dead: start and stop of the dead zone, in parts of the crop's side.
    """

    seen: Box
    hidden: Box
    width: int
    height: int
    dead: tuple[float, float]

    @property
    def shared(self) -> Box:
        """The intersection of the two boxes, empty at the origin where there is none."""
        (a0, b0, a1, b1), (c0, d0, c1, d1) = self.seen, self.hidden
        box = (max(a0, c0), max(b0, d0), min(a1, c1), min(b1, d1))
        return box if box[2] > box[0] and box[3] > box[1] else (0.0, 0.0, 0.0, 0.0)

    @property
    def seen_area(self) -> float:
        """Of the seen animal's box, in square pixels."""
        return _area(self.seen)

    @property
    def hidden_area(self) -> float:
        """Of the hidden animal's box without what the seen one covers, in square pixels."""
        return _area(self.hidden) - _area(self.shared)


@dataclass(frozen=True)
class Shares:
    """What crops show, each a number in [0, 1] or an array of them. What both boxes hold counts for the seen animal.

    Attributes:
        hidden_share: of what the crop shows of the hidden animal, the share that lies in the dead zone.
        seen_share: of what the crop shows of the seen animal, the share that lies outside the dead zone.
        seen_whole: of the whole seen animal, the share that lies in the crop and outside the dead zone.
        fill: of the dead zone, the share that the hidden animal covers.
        hidden_whole: of the whole hidden animal, the share that lies in the crop.
        background: of the crop, the share that neither covers.
    """

    hidden_share: Array
    seen_share: Array
    seen_whole: Array
    fill: Array
    hidden_whole: Array
    background: Array


def shares(scene: Scene, x: Array, y: Array, side: Array) -> Shares:
    """The shares of crops with the top left corner (x, y) and a side, in pixels; the three broadcast.

    With `x` of `(S, 1, X)`, `y` of `(S, Y, 1)` and `side` of `(S, 1, 1)` only the products are `(S, Y, X)`.
    """
    dead0, dead1 = y + scene.dead[0] * side, y + scene.dead[1] * side

    def inside(box: Box) -> tuple[Array, Array]:
        """Square pixels of a box in the crop, and in its dead zone."""
        across = _overlap(x, x + side, box[0], box[2])
        return across * _overlap(y, y + side, box[1], box[3]), across * _overlap(dead0, dead1, box[1], box[3])

    seen, seen_dead = inside(scene.seen)
    shown, dead = inside(scene.hidden)
    if scene.shared[2] > scene.shared[0]:
        both, both_dead = inside(scene.shared)
        shown, dead = shown - both, dead - both_dead
    area = side * side
    return Shares(
        hidden_share=dead / np.maximum(shown, _TINY),
        seen_share=(seen - seen_dead) / np.maximum(seen, _TINY),
        seen_whole=(seen - seen_dead) / max(scene.seen_area, _TINY),
        fill=dead / ((scene.dead[1] - scene.dead[0]) * area),
        hidden_whole=shown / max(scene.hidden_area, _TINY),
        background=1 - (seen + shown) / area,
    )


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _overlap(low: Array, high: Array, start: float, stop: float) -> Array:
    """Length that the intervals low to high share with start to stop."""
    return np.asarray(np.maximum(np.minimum(high, stop) - np.maximum(low, start), 0.0))
