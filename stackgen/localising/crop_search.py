"""The best square crop: a search over side and place, first on a grid, then around its best points down to a pixel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stackwalls.stackgen.localising.crop_shares import Array, Scene, Shares, shares

_Value = Callable[[Array, Array, Array], Array]

MIN_SIDE = 384
"""Smallest side of a crop in pixels: 1.7 times the network's input."""

_SMALL = 512
"""Frames with a shorter side (a miniature's 128 × 128) leave no crop sharp; there the side has to be …"""

_OF_SMALL = MIN_SIDE / 832
"""… this share of it, as in the frames of 832 × 1216 that most models make."""

AT_LEAST = ("hidden_share", "seen_share", "seen_whole", "fill", "hidden_whole")
"""The shares that must not be less than their limit; only the background must not be more."""


@dataclass(frozen=True)
class Limits:
    """What an accepted crop keeps to; the names are those of `Shares`, all in [0, 1].

    Attributes:
        hidden_share: at least.
        seen_share: at least.
        seen_whole: at least.
        fill: at least.
        hidden_whole: at least.
        background: at most.
        side: of the crop in pixels, at least.
    """

    hidden_share: float = 0.60
    seen_share: float = 0.90
    seen_whole: float = 0.75
    fill: float = 0.40
    hidden_whole: float = 0.20
    background: float = 0.45
    side: int = MIN_SIDE

    @classmethod
    def of_frame(cls, size: tuple[int, int]) -> Limits:
        """The limits for a frame of (width, height): crops may be smaller where the frame is."""
        return cls(side=MIN_SIDE if min(size) >= _SMALL else max(1, round(_OF_SMALL * min(size))))

    def excess(self, found: Shares) -> dict[str, Array]:
        """By how much each limit is missed, 0 where it is kept."""
        missed = {name: getattr(self, name) - getattr(found, name) for name in AT_LEAST}
        missed["background"] = found.background - self.background
        return {name: np.maximum(value, 0.0) for name, value in missed.items()}


@dataclass(frozen=True)
class Found:
    """A crop in the scene's own position: corner and side in pixels."""

    x: int
    y: int
    side: int


_PENALTY = 100.0
"""Of missing the limits by 1 in sum; the objective is at most 4.1, so a miss of 0.01 costs more than a good score."""

_OFF_CENTRE = 1e-6
"""Of a crop whose middle lies a frame's width from that of the pair: of crops as good as each other the central one."""

_SIDES, _ROWS = 36, 36
"""Points of the grid over sides and over places."""

_STARTS = 6
"""The grid's best points, each of another side, around which the search goes on."""

_REACH = 4
"""Steps in each direction of a round of the search around a point."""


def objective(found: Shares, side: Array, largest: int) -> Array:
    """What is maximised, at most 4.1.

    hidden_share + seen_whole + fill + (1 − background) / 2 + hidden_whole / 2 + side / largest / 10: the first three
    are what a sample is for; little background and a recognisable hidden animal count half; the last prefers
    resolution among equals.
    """
    main = found.hidden_share + found.seen_whole + found.fill
    return np.asarray(main + 0.5 * (1 - found.background) + 0.5 * found.hidden_whole + 0.1 * side / largest)


def search(scene: Scene, limits: Limits, *, within: bool) -> Found:
    """The best crop of the frame with a side of at least `limits.side`.

    Args:
        scene: two boxes, a frame no shorter than `limits.side`, and the dead zone.
        limits: the smallest side, and what is to be kept to.
        within: whether missing the limits costs so much that any crop that keeps to them wins.
    """
    largest = min(scene.width, scene.height)
    centre = (min(scene.seen[0], scene.hidden[0]) + max(scene.seen[2], scene.hidden[2])) / 2

    def value(x: Array, y: Array, side: Array) -> Array:
        found = shares(scene, x, y, side)
        score = objective(found, side, largest) - _OFF_CENTRE * np.abs(x + side / 2 - centre) / scene.width
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
            break
        step = max(1.0, step / 3)
    at = int(score.argmax())
    return Found(int(points[0, at]), int(points[1, at]), int(points[2, at]))


def _columns(scene: Scene, side: Array) -> Array:
    """`(S, 1, X)` left edges at which an edge or the middle of the crop meets that of a box.

    Between those the shares are linear in x (the hidden share nearly), so that the best x is one of them.
    """
    edges = np.array([scene.seen[0], scene.seen[2], scene.hidden[0], scene.hidden[2]])
    centres = np.array([scene.seen[0] + scene.seen[2], scene.hidden[0] + scene.hidden[2], edges.min() + edges.max()])
    ends = np.concatenate([np.broadcast_to(edges, (*side.shape[:2], 4)), edges - side, centres / 2 - side / 2], axis=2)
    return np.asarray(np.clip(ends.round(), 0, scene.width - side))


def _rows(scene: Scene, side: Array) -> Array:
    """`(S, Y, 1)` top edges: those at which a line of the crop meets an edge of a box, and a grid between.

    Hidden share is a quotient in y, whose best value can lie between the edges.
    """
    edges = np.array([scene.seen[1], scene.seen[3], scene.hidden[1], scene.hidden[3]])
    lines = np.array([0.0, scene.dead[0], scene.dead[1], 1.0])
    meeting = (edges[None, :, None] - lines[None, None, :] * side).reshape(len(side), -1, 1)
    grid = np.linspace(0, 1, _ROWS)[None, :, None] * (scene.height - side)
    rows = np.concatenate([meeting, grid], axis=1)
    return np.asarray(np.clip(rows.round(), 0, scene.height - side))


def _round(scene: Scene, least: int, points: Array, step: float, value: _Value) -> tuple[Array, Array]:
    """Each of `(3, P)` points moved to the best of its neighbours, and their scores `(P,)`."""
    moves = (np.arange(-_REACH, _REACH + 1) * step / _REACH * 2).round()
    moves = np.unique(moves)
    side = np.clip(points[2][:, None] + moves, least, min(scene.width, scene.height))[:, :, None, None]  # (P, M, 1, 1)
    y = np.clip(points[1][:, None, None, None] + moves[:, None], 0, scene.height - side)  # (P, M, M, 1)
    x = np.clip(points[0][:, None, None, None] + moves[None, :], 0, scene.width - side)  # (P, M, 1, M)
    scores = value(x, y, side)
    flat = scores.reshape(len(scores), -1)
    at = flat.argmax(axis=1)
    s, r, c = np.unravel_index(at, scores.shape[1:])
    p = np.arange(len(scores))
    return np.stack([x[p, s, 0, c], y[p, s, r, 0], side[p, s, 0, 0]]), flat[p, at]
