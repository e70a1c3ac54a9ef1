"""Parts that many animals share: eyes, legs, feet, manes, coats with a ragged outline."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stackwalls.model.images.drawn.figure import Figure, Points, Slot, arc

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off

Point = tuple[float, float]


def bead(figure: Figure, x: float, y: float, radius: float) -> None:
    """A round dark eye with a glint."""
    figure.ellipse(Slot.PUPIL, x, y, radius)
    figure.ellipse(Slot.WHITE, x + radius * 0.3, y - radius * 0.35, radius * 0.35)


def eye(figure: Figure, x: float, y: float, radius: float, iris: int = Slot.WHITE, slit: bool = False) -> None:
    """An eye with a colored iris; `slit`: a cat's upright pupil."""
    figure.ellipse(iris, x, y, radius)
    figure.ellipse(Slot.PUPIL, x, y, radius * (0.28 if slit else 0.55), radius * (0.85 if slit else 0.55))


def leg(figure: Figure, slot: int, hip: Point, foot: Point, widths: Sequence[float], bend: float = 0.0) -> None:
    """A leg of two bones; `bend` moves the knee forward (to the right), `widths` at hip, knee and foot."""
    knee = ((hip[0] + foot[0]) / 2 + bend, (hip[1] + foot[1]) / 2)
    figure.limb(slot, (hip, knee, foot), widths)


def bird_leg(figure: Figure, slot: int, hip: Point, foot: Point, width: float) -> None:
    """A thin leg with three toes forward and one back."""
    figure.limb(slot, (hip, foot), width)
    x, y = foot
    figure.limb(slot, ((x - width * 1.6, y), (x + width * 2.6, y)), width * 0.9)


def rimmed(figure: Figure, slot: int, points: Points, smooth: bool = True, rim: float = 2.6) -> None:
    """A polygon (smooth: a blob) with a dark rim, which tells it from a part of the same color behind it."""
    corners = np.asarray(points, dtype=np.float64)
    center = corners.mean(axis=0)
    away = corners - center
    away *= 1 + rim / (np.hypot(away[:, 0], away[:, 1])[:, None] + 1e-9)
    paint = figure.blob if smooth else figure.polygon
    paint(Slot.EDGE, center + away)
    paint(slot, corners)


def triangle(figure: Figure, slot: int, root: Point, tip: Point, width: float, over: tuple[int, ...] = ()) -> None:
    """A spike from a root of `width` to a point."""
    dx, dy = tip[0] - root[0], tip[1] - root[1]
    scale = width / 2 / max(np.hypot(dx, dy), 1e-9)
    nx, ny = -dy * scale, dx * scale
    figure.polygon(slot, ((root[0] + nx, root[1] + ny), tip, (root[0] - nx, root[1] - ny)), over)


def ragged(points: NDArray[np.float64], depth: float, center: Point, noise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Every other point of an outline drawn away from `center` by `depth`: fur, feathers or spines."""
    away = points - center
    away /= np.hypot(away[:, 0], away[:, 1])[:, None] + 1e-9
    reach = np.zeros(len(points))
    reach[1::2] = depth * (1 + 0.25 * np.resize(noise, len(points) // 2))
    return points + away * reach[:, None]


def furry(
    figure: Figure,
    slot: int,
    x: float,
    y: float,
    rx: float,
    ry: float,
    noise: NDArray[np.float64],
    depth: float = 6.0,
    count: int = 36,
) -> None:
    """An ellipse with a ragged outline of `count / 2` tufts that stand out by `depth`."""
    figure.polygon(slot, ragged(arc(x, y, rx, ry, 0, 360, count + 1)[:-1], depth, (x, y), noise))


def curly(
    figure: Figure, slot: int, x: float, y: float, rx: float, ry: float, curl: float = 9.0, count: int = 14
) -> None:
    """An ellipse with an outline of round curls."""
    figure.ellipse(slot, x, y, rx, ry)
    for cx, cy in arc(x, y, rx * 0.95, ry * 0.95, 0, 360, count + 1)[:-1].tolist():
        figure.ellipse(slot, cx, cy, curl)


def spikes(
    figure: Figure, slot: int, path: NDArray[np.float64], height: float, width: float, lean: float = 0.0
) -> None:
    """A row of upright spikes along a path, leaning back (to the left) by `lean`."""
    for x, y in path.tolist():
        figure.polygon(slot, ((x - width / 2, y + 2), (x - lean, y - height), (x + width / 2, y + 2)))
