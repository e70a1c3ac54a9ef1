"""The best square crop: what crops show of two boxes, the limits they must meet, and a search over side and place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwalls.model import IMAGE_SIZE
from stackwalls.stackgen.localizing.localizer import Box

Array = NDArray[np.float64]

MIN_SIDE = 384  # smallest side of a crop in pixels: 1.7 times an image of 224, and in proportion for other sizes
# in a frame with a shorter side (a miniature's 192 × 288) no crop needs to be that large; there its side must be …
_SMALL = 512  # also of an image of 224
_OF_SMALL = MIN_SIDE / 832  # … at least this share of it, as in the 832 × 1216 frames that most models draw

# the shares with a lower limit; only the background has an upper one
AT_LEAST = ("hidden_share", "seen_share", "seen_whole", "fill", "hidden_whole")

_TINY = 1e-9
# for missing the limits by 1 in total; the objective is at most 4.1, so missing by 0.01 outweighs a good score
_PENALTY = 100.0
# for a crop a frame's width away from the pair's center: breaks ties in favor of the central crop
_OFF_CENTER = 1e-6
_SIDES, _ROWS = 36, 36  # grid points over sides and over places
_STARTS = 6  # the local search starts from this many of the best grid points, each with a different side
_REACH = 4  # steps in each direction of one round of the local search


@dataclass(frozen=True)
class Scene:
    """A pair in canonical position: the dead zone is a band of rows, the seen animal belongs above it."""

    seen: Box
    hidden: Box
    width: int  # of the frame in pixels
    height: int
    dead: tuple[float, float]  # start and stop of the dead zone, as shares of the crop's side

    @property
    def shared(self) -> Box:
        """The intersection of the two boxes; all zeros if there is none."""
        (a0, b0, a1, b1), (c0, d0, c1, d1) = self.seen, self.hidden
        box = (max(a0, c0), max(b0, d0), min(a1, c1), min(b1, d1))
        return box if box[2] > box[0] and box[3] > box[1] else (0.0, 0.0, 0.0, 0.0)

    @property
    def seen_area(self) -> float:
        """In square pixels."""
        return _area(self.seen)

    @property
    def hidden_area(self) -> float:
        """Without what the seen animal covers."""
        return _area(self.hidden) - _area(self.shared)


@dataclass(frozen=True)
class Shares:
    """What crops show: shares in [0, 1] of one or many. The overlap of the two counts for the seen animal."""

    hidden_share: Array  # of the visible hidden animal: in the dead zone
    seen_share: Array  # of the visible seen animal: outside the dead zone
    seen_whole: Array  # of the whole seen animal: in the crop and outside the dead zone
    fill: Array  # of the dead zone: covered by the hidden animal
    hidden_whole: Array  # of the whole hidden animal: in the crop
    background: Array  # of the crop: covered by neither


@dataclass(frozen=True)
class Limits:
    """What an accepted crop must meet: `background` is at most, all others are at least (names as in `Shares`)."""

    hidden_share: float = 0.60
    seen_share: float = 0.90
    seen_whole: float = 0.75
    fill: float = 0.40
    hidden_whole: float = 0.20
    background: float = 0.45
    side: int = MIN_SIDE  # of the crop in pixels

    @classmethod
    def of_frame(cls, size: tuple[int, int], image_size: int = IMAGE_SIZE) -> Limits:
        """The limits for a frame of this width and height, for images of a size: small frames allow smaller crops."""
        is_small = min(size) * IMAGE_SIZE < _SMALL * image_size
        side = _OF_SMALL * min(size) if is_small else MIN_SIDE * image_size / IMAGE_SIZE
        return cls(side=max(1, round(side)))

    def excess(self, found: Shares) -> dict[str, Array]:
        """By how much each limit is missed, 0 if it is met."""
        missed = {name: getattr(self, name) - getattr(found, name) for name in AT_LEAST}
        missed["background"] = found.background - self.background
        return {name: np.maximum(value, 0.0) for name, value in missed.items()}


def shares(scene: Scene, x: Array, y: Array, side: Array) -> Shares:
    """The shares of crops with top left corner (x, y) and a side, in pixels; the three broadcast.

    With `x` of `(S, 1, X)`, `y` of `(S, Y, 1)` and `side` of `(S, 1, 1)` only the products are `(S, Y, X)`.
    """
    dead0, dead1 = y + scene.dead[0] * side, y + scene.dead[1] * side

    def inside(box: Box) -> tuple[Array, Array]:  # square pixels in the crop, and in its dead zone
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


def objective(found: Shares, side: Array, largest: int) -> Array:
    """What is maximized, at most 4.1.

    The first three terms are the purpose of a sample; little background and a recognizable hidden animal count half;
    the last term prefers resolution among equals.
    """
    main = found.hidden_share + found.seen_whole + found.fill
    return np.asarray(main + 0.5 * (1 - found.background) + 0.5 * found.hidden_whole + 0.1 * side / largest)


def search(scene: Scene, limits: Limits, *, within: bool) -> tuple[int, int, int]:
    """Find the best crop of the frame with a side of at least `limits.side`, on a grid and then to the pixel.

    Args:
        scene: its frame is no shorter than `limits.side`.
        limits: of the side, and of the shares if `within`.
        within: penalize missing the limits so much that any crop that meets them wins.

    Returns:
        Left, top and side in pixels.
    """
    largest = min(scene.width, scene.height)
    center = (min(scene.seen[0], scene.hidden[0]) + max(scene.seen[2], scene.hidden[2])) / 2

    def value(x: Array, y: Array, side: Array) -> Array:
        found = shares(scene, x, y, side)
        score = objective(found, side, largest) - _OFF_CENTER * np.abs(x + side / 2 - center) / scene.width
        return score - _PENALTY * np.asarray(sum(limits.excess(found).values())) if within else score

    sides = np.unique(np.linspace(limits.side, largest, _SIDES).round())[:, None, None]  # (S, 1, 1)
    x, y = _columns(scene, sides), _rows(scene, sides)  # (S, 1, X), (S, Y, 1)
    scores = value(x, y, sides)  # (S, Y, X)
    flat = scores.reshape(len(sides), -1)
    best = flat.argmax(axis=1)
    starts = np.argsort(-flat.max(axis=1), kind="stable")[:_STARTS]
    row, column = np.unravel_index(best[starts], scores.shape[1:])
    points = np.stack([x[starts, 0, column], y[starts, row, 0], sides[starts, 0, 0]])  # (3, starts)
    step = max(2.0, (largest - limits.side) / (_SIDES - 1))
    while True:
        points, score = _round(scene, limits.side, points, step, value)
        if step <= 1:
            x_, y_, side = points[:, score.argmax()]
            return int(x_), int(y_), int(side)
        step = max(1.0, step / 3)


def _columns(scene: Scene, side: Array) -> Array:
    """`(S, 1, X)` left edges at which an edge or the center of the crop meets that of a box."""
    # between those the shares are linear in x (the hidden share nearly), so the best x is one of them
    edges = np.array([scene.seen[0], scene.seen[2], scene.hidden[0], scene.hidden[2]])
    centers = np.array([scene.seen[0] + scene.seen[2], scene.hidden[0] + scene.hidden[2], edges.min() + edges.max()])
    ends = np.concatenate([np.broadcast_to(edges, (*side.shape[:2], 4)), edges - side, centers / 2 - side / 2], axis=2)
    return np.asarray(np.clip(ends.round(), 0, scene.width - side))


def _rows(scene: Scene, side: Array) -> Array:
    """`(S, Y, 1)` top edges: those at which a line of the crop meets an edge of a box, and a grid between."""
    # the hidden share is a quotient in y, whose maximum can be between the edges
    edges = np.array([scene.seen[1], scene.seen[3], scene.hidden[1], scene.hidden[3]])
    lines = np.array([0.0, scene.dead[0], scene.dead[1], 1.0])
    meeting = (edges[None, :, None] - lines[None, None, :] * side).reshape(len(side), -1, 1)
    grid = np.linspace(0, 1, _ROWS)[None, :, None] * (scene.height - side)
    rows = np.concatenate([meeting, grid], axis=1)
    return np.asarray(np.clip(rows.round(), 0, scene.height - side))


def _round(
    scene: Scene, least: int, points: Array, step: float, value: Callable[[Array, Array, Array], Array]
) -> tuple[Array, Array]:
    """Move each of `(3, P)` points to the best of its neighbors; also gives their scores `(P,)`."""
    moves = np.unique((np.arange(-_REACH, _REACH + 1) * step / _REACH * 2).round())
    side = np.clip(points[2][:, None] + moves, least, min(scene.width, scene.height))[:, :, None, None]  # (P, M, 1, 1)
    y = np.clip(points[1][:, None, None, None] + moves[:, None], 0, scene.height - side)  # (P, M, M, 1)
    x = np.clip(points[0][:, None, None, None] + moves[None, :], 0, scene.width - side)  # (P, M, 1, M)
    scores = value(x, y, side)
    flat = scores.reshape(len(scores), -1)
    at = flat.argmax(axis=1)
    s, r, c = np.unravel_index(at, scores.shape[1:])
    p = np.arange(len(scores))
    return np.stack([x[p, s, 0, c], y[p, s, r, 0], side[p, s, 0, 0]]), flat[p, at]


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _overlap(low: Array, high: Array, start: float, stop: float) -> Array:
    """Length that the intervals low to high share with start to stop."""
    return np.asarray(np.maximum(np.minimum(high, stop) - np.maximum(low, start), 0.0))
