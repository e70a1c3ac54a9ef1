"""`Figure`: an animal as a list of filled polygons, back to front, before it has a size, a place or colors."""

import math
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Points = Sequence[tuple[float, float]] | NDArray[np.float64]

CIRCLE_POINTS = 28
"""Corners of the polygon that stands for an ellipse."""

STEPS = 5
"""Points that a smooth curve gets between two of its control points."""

CAP_POINTS = 5
"""Points of the half circle that ends a limb."""


_ACROSS = np.array([-1.0, 1.0])
"""(x, y) from swapped components: a quarter turn."""

_HALF_TURN = [(math.cos(math.pi * i / 6), math.sin(math.pi * i / 6)) for i in range(7)]
"""Cosine and sine of seven angles from 0 to 180 degrees."""

TUBE_PIECE = 4
"""Points by which `tube` goes on from one polygon to the next."""


class Slot(IntEnum):
    """What a polygon is painted with: an entry of the palette, which `looks.palette` fills for a species.

    Slots of one color (`BASE`, `HEAD`, `LIMB`) are told apart so that a pattern can be kept to one of them.
    """

    CLEAR = 0
    EDGE = 1
    BASE = 2
    SHADE = 3
    HEAD = 4
    LIMB = 5
    SECOND = 6
    SECOND_SHADE = 7
    ACCENT = 8
    ACCENT_SHADE = 9
    EXTRA = 10
    EXTRA_SHADE = 11
    BLACK = 12
    WHITE = 13
    PINK = 14
    BONE = 15
    HORN = 16
    PUPIL = 17
    LIGHT = 18


BODY = (Slot.BASE, Slot.HEAD, Slot.LIMB, Slot.SHADE)
"""Everything that has the base color: what a pattern over the whole animal is kept to."""


class Figure:
    """Filled polygons in painting order, in units of its own: x to the right, y down, about 100 for a body.

    Attributes:
        polygons: of each polygon the corners, `(n, 2)` float64.
        slots: of each polygon the palette entry.
        over: of each polygon the entries that it may cover (`()`: any), which is how a pattern is clipped.
    """

    def __init__(self) -> None:
        self.polygons: list[NDArray[np.float64]] = []
        self.slots: list[int] = []
        self.over: list[tuple[int, ...]] = []

    def polygon(self, slot: int, points: Points, over: tuple[int, ...] = ()) -> None:
        """A polygon with straight sides."""
        self.polygons.append(np.asarray(points, dtype=np.float64))
        self.slots.append(int(slot))
        self.over.append(over)

    def ellipse(
        self,
        slot: int,
        x: float,
        y: float,
        rx: float,
        ry: float | None = None,
        angle: float = 0.0,
        over: tuple[int, ...] = (),
    ) -> None:
        """An ellipse around (x, y) with half axes `rx` and `ry` (a circle without `ry`), turned by `angle` degrees."""
        points = _unit_circle() * (rx, rx if ry is None else ry)
        if angle:
            points = points @ turn(angle)
        points += (x, y)
        self.polygon(slot, points, over)

    def blob(self, slot: int, points: Points, over: tuple[int, ...] = ()) -> None:
        """A smooth closed curve through `points` (periodic Catmull-Rom spline)."""
        self.polygon(slot, closed_curve(points), over)

    def limb(self, slot: int, points: Points, widths: float | Sequence[float], over: tuple[int, ...] = ()) -> None:
        """A smooth stroke through `points` with round ends; `widths` at the points, or one for all."""
        if len(points) == 2:
            self.polygon(slot, _capsule(points, widths), over)
            return
        control = np.empty((len(points), 3))
        control[:, :2] = points
        control[:, 2] = widths
        curve = _open_spline(len(control)) @ control
        middle = curve[:, :2]
        along = np.empty_like(middle)
        along[1:-1] = middle[2:] - middle[:-2]
        along[0], along[-1] = middle[1] - middle[0], middle[-1] - middle[-2]
        along *= curve[:, 2:] / (2 * np.hypot(along[:, 0], along[:, 1]) + 1e-9)[:, None]
        across = along[:, ::-1] * _ACROSS
        caps = _half_circle()
        end = middle[-1] + caps @ (across[-1], along[-1])
        start = middle[0] - caps @ (across[0], along[0])
        self.polygon(slot, np.concatenate((middle + across, end, (middle - across)[::-1], start)), over)

    def tube(
        self,
        slot: int,
        points: NDArray[np.float64],
        widths: NDArray[np.float64],
        over: tuple[int, ...] = (),
        caps: bool = True,
    ) -> None:
        """A thick stroke along a curve that may wind as it likes.

        Args:
            slot: what to paint it with.
            points: of the curve, `(n, 2)`, close together; a later part lies over an earlier one.
            widths: of the stroke there, `(n,)`.
            over: as everywhere.
            caps: whether the ends are round.
        """
        left, right = sides(points, widths)
        for i in range(0, len(points) - 1, TUBE_PIECE):
            j = min(i + TUBE_PIECE, len(points) - 1) + 1
            self.polygon(slot, np.concatenate([left[i:j], right[i:j][::-1]]), over)
        for i in (0, -1) if caps else ():
            x, y = points[i].tolist()
            self.ellipse(slot, x, y, float(widths[i]) / 2, over=over)


def closed_curve(points: Points) -> NDArray[np.float64]:
    """`(n × STEPS, 2)` points of the smooth closed curve through `n` points."""
    return _closed_spline(len(points)) @ np.asarray(points, dtype=np.float64)


def sides(
    points: NDArray[np.float64], widths: NDArray[np.float64] | float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The two outlines, `(n, 2)` each, of a stroke of `widths` along `points`."""
    along = np.empty_like(points)
    along[1:-1] = points[2:] - points[:-2]
    along[0], along[-1] = points[1] - points[0], points[-1] - points[-2]
    along /= np.sqrt((along**2).sum(1, keepdims=True)) + 1e-9
    across = along[:, ::-1] * _ACROSS * (np.reshape(widths, (-1, 1)) / 2)
    return points + across, points - across


def turn(angle: float) -> NDArray[np.float64]:
    """`(2, 2)` matrix M so that `points @ M` are turned clockwise on the screen by `angle` degrees."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return np.array([[c, s], [-s, c]])


def arc(x: float, y: float, rx: float, ry: float, first: float, last: float, count: int = 16) -> NDArray[np.float64]:
    """`(count, 2)` points of an ellipse from angle `first` to `last`, in degrees clockwise from the right."""
    t = np.radians(np.linspace(first, last, count))
    return np.stack([x + rx * np.cos(t), y + ry * np.sin(t)], axis=1)


@lru_cache(maxsize=1)
def _unit_circle() -> NDArray[np.float64]:
    return arc(0, 0, 1, 1, 0, 360, CIRCLE_POINTS + 1)[:-1]


def _capsule(points: Points, widths: float | Sequence[float]) -> list[tuple[float, float]]:
    """Outline of a straight stroke with round ends: what `limb` draws through two points, without arrays."""
    (ax, ay), (bx, by) = points
    first, last = (widths, widths) if isinstance(widths, (int, float)) else widths
    reach = math.hypot(bx - ax, by - ay) + 1e-9
    tx, ty = (bx - ax) / reach, (by - ay) / reach
    h, k = first / 2, last / 2
    end = [(bx + k * (s * tx - c * ty), by + k * (s * ty + c * tx)) for c, s in _HALF_TURN]
    return end + [(ax - h * (s * tx - c * ty), ay - h * (s * ty + c * tx)) for c, s in _HALF_TURN]


@lru_cache(maxsize=1)
def _half_circle() -> NDArray[np.float64]:
    """`(CAP_POINTS, 2)` cosine and sine of angles between 0 and 180 degrees."""
    t = np.linspace(0, np.pi, CAP_POINTS + 2)[1:-1]
    return np.stack([np.cos(t), np.sin(t)], axis=1)


def _catmull_rom(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of four neighboring control points at `t` in [0, 1), `(len(t), 4)`."""
    t2, t3 = t * t, t * t * t
    return np.stack([-t + 2 * t2 - t3, 2 - 5 * t2 + 3 * t3, t + 4 * t2 - 3 * t3, t3 - t2], axis=1) / 2


@lru_cache(maxsize=64)
def _closed_spline(count: int) -> NDArray[np.float64]:
    """`(count × STEPS, count)` matrix from control points to points of the closed curve."""
    weights = _catmull_rom(np.arange(STEPS) / STEPS)
    matrix = np.zeros((count, STEPS, count))
    for i in range(count):
        for k in range(4):
            matrix[i, :, (i + k - 1) % count] += weights[:, k]
    return matrix.reshape(-1, count)


@lru_cache(maxsize=64)
def _open_spline(count: int) -> NDArray[np.float64]:
    """Matrix from control points to points of the open curve, which starts at the first and ends at the last."""
    weights = _catmull_rom(np.arange(STEPS) / STEPS)
    matrix = np.zeros((count - 1, STEPS, count))
    for i in range(count - 1):
        for k in range(4):
            matrix[i, :, min(max(i + k - 1, 0), count - 1)] += weights[:, k]
    last = np.zeros((1, count))
    last[0, -1] = 1
    return np.concatenate([matrix.reshape(-1, count), last])
