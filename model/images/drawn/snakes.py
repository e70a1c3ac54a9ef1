"""Snakes and worms: a body along a curve, painted disc by disc."""

import numpy as np
from numpy.typing import NDArray

from stackwalls.model.images.drawn.figure import Figure, Slot, sides
from stackwalls.model.images.drawn.looks import Look
from stackwalls.model.images.drawn.parts import eye
from stackwalls.model.images.drawn.pose import Pose

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off

S = Slot
Path = NDArray[np.float64]


def snake(figure: Figure, look: Look, pose: Pose) -> None:
    """A snake.

    Options: `shape` (wave, coil, loops, rear, side, hang), `thick`, `rings` (slot), `rings2` (slot of every other
    ring), `every` (discs a ring and its gap take), `ringshare`, `stripe` (slot along the back), `stripewidth`,
    `stripe2` (along the side), `diamonds`, `blotches` (slots), `collar` (slot), `head` (slot), `headsize`, `hood`,
    `horns`, `rattle`, `nose` (upturned), `paddle` (a flat tail), `edge` (slot around the blotches).
    """
    path = _shape(look.word("shape", "wave"), pose)
    thick = look.number("thick", 22)
    grow = np.minimum(1, 0.2 + 2.2 * np.linspace(0, 1, len(path)))
    widths = thick * grow
    widths[-8:] *= np.linspace(1, 0.8, 8)
    if look.number("paddle", 0):
        widths[:7] = np.linspace(thick * 0.9, thick * 0.5, 7)
    if look.number("rattle", 0):
        _rattle(figure, path, thick)
    if look.number("hood", 0):
        x, y = path[-9].tolist()
        figure.ellipse(S.BASE, x, y, 33, 42, angle=12)
        figure.ellipse(S.SECOND, x, y + 3, 22, 32, angle=12)
    _body(figure, look, path, widths)
    _snake_head(figure, look, pose, path, thick)


def _shape(kind: str, pose: Pose) -> Path:
    """Center line from tail to head, `(n, 2)`."""
    t = np.linspace(0, 1, 58)
    sway = 0.12 * pose.bend
    if kind == "coil":
        angle = 2 * np.pi * (2.3 * t - 0.15 + 0.06 * pose.tail)
        radius = 74 - 46 * t
        coil = np.stack([radius * np.cos(angle), radius * 0.62 * np.sin(angle)], axis=1)
        end = np.array([[6, -20], [16, -34], [34, -44], [54, -46 + 6 * pose.head]])
        return np.concatenate([coil[:-2], _through(np.concatenate([coil[-3:-2], end]), 16)])
    if kind == "loops":
        y = 40 * np.sin(2 * np.pi * (2.0 * t + sway)) * (0.55 + 0.45 * np.sin(np.pi * t))
        return np.stack([-84 + 168 * t, y], axis=1)
    if kind == "rear":
        lower = np.stack([-84 + 120 * t, 64 + 12 * np.sin(2 * np.pi * (1.5 * t + sway))], axis=1)
        neck = np.array([[36, 64], [46, 40], [22, 10], [14, -26], [24, -60], [44, -70 + 5 * pose.head]])
        return np.concatenate([lower[::2], _through(neck + np.array([[4 * pose.tail, 0]]), 34)])
    if kind == "side":
        slant = 44 * np.sin(2 * np.pi * (1.55 * t + sway))
        return np.stack([-80 + 160 * t + 0.7 * slant, slant * 1.15], axis=1)
    if kind == "hang":
        angle = 2 * np.pi * (1.0 * t + 0.5 + sway)
        return np.stack([-92 + 184 * t + 10 * np.sin(2 * angle), 30 * np.cos(angle) - 10 * t], axis=1)
    y = (26 + 4 * pose.tail) * np.sin(2 * np.pi * (1.5 * t + sway)) * (1 - 0.2 * t)
    return np.stack([-96 + 184 * t, y], axis=1)


def _through(points: Path, count: int) -> Path:
    """`count` points along straight pieces through `points`, smoothed."""
    place = np.linspace(0, len(points) - 1, count)
    line = np.stack([np.interp(place, np.arange(len(points)), points[:, k]) for k in (0, 1)], axis=1)
    smooth = line.copy()
    for _ in range(3):
        smooth[1:-1] = (smooth[:-2] + 2 * smooth[1:-1] + smooth[2:]) / 4
    return smooth


def _body(figure: Figure, look: Look, path: Path, widths: NDArray[np.float64]) -> None:
    """Pieces from tail to head, each with its markings before the next one, so that a coil covers what it lies on."""
    rings, second, collar = look.slot("rings"), look.slot("rings2"), look.slot("collar")
    every, share = int(look.number("every", 8)), look.number("ringshare", 0.5)
    left, right = sides(path, widths)
    coiled = look.word("shape", "wave") == "coil"
    rims = sides(path, widths + 6)
    x, y = path[0].tolist()
    figure.ellipse(S.BASE, x, y, float(widths[0]) / 2)
    for i in range(0, len(path) - 1, 2):
        slot: int = S.BASE
        if rings and (i % every) < every * share:
            slot = second if second and (i // every) % 2 else rings
        if collar and len(path) - 12 <= i < len(path) - 8:
            slot = collar
        piece = slice(i, i + 3)
        if coiled:  # a dark rim tells the turns apart
            figure.polygon(S.EDGE, np.concatenate([rims[0][piece], rims[1][piece][::-1]]))
        figure.polygon(slot, np.concatenate([left[piece], right[piece][::-1]]))
        _stripes(figure, look, left[piece], right[piece])
        if i >= 10 and (i - 4) % every < 2:
            _blotch(figure, look, path[i - 4], float(widths[i - 4]))


def _stripes(figure: Figure, look: Look, left: Path, right: Path) -> None:
    """Stripes along one piece of the body: one along the back, two along the sides."""
    back = 0.5 * look.number("stripewidth", 0.3)
    for key, low, high in (("stripe", 0.5 - back, 0.5 + back), ("stripe2", 0.08, 0.26), ("stripe2", 0.74, 0.92)):
        slot = look.slot(key)
        if slot:
            inner, outer = left + (right - left) * low, left + (right - left) * high
            figure.polygon(slot, np.concatenate([inner, outer[::-1]]))


def _blotch(figure: Figure, look: Look, point: Path, width: float) -> None:
    """A diamond or a round blotch, with a rim if the look has an `edge`."""
    diamonds, blotches, edge = look.slot("diamonds"), look.slot("blotches"), look.slot("edge")
    x, y = point.tolist()
    for slot, r in ((edge, width * 0.5), (diamonds or blotches, width * 0.36)):
        if slot and diamonds:
            figure.polygon(slot, ((x - r * 1.3, y), (x, y - r), (x + r * 1.3, y), (x, y + r)))
        elif slot and blotches:
            figure.ellipse(slot, x, y, r)


def _rattle(figure: Figure, path: Path, thick: float) -> None:
    away = path[0] - path[3]
    away = away / (np.hypot(*away) + 1e-9)
    for i in range(4):
        x, y = (path[0] + away * (i * 7)).tolist()
        figure.ellipse(S.BONE if i % 2 else S.HORN, x, y, thick * 0.3)


def _snake_head(figure: Figure, look: Look, pose: Pose, path: Path, thick: float) -> None:
    x, y = path[-1].tolist()
    size = look.number("headsize", 1) * thick / 22
    hx, hy = x + 7 * size, y + 3 * pose.head
    tongue = (hx + 32 * size, hy + 6)
    figure.limb(S.PINK, ((hx + 12 * size, hy + 3), tongue), 4)
    for dy in (-5, 5):
        figure.limb(S.PINK, (tongue, (tongue[0] + 9, tongue[1] + dy)), 3.5)
    slot = look.slot("head", S.BASE)
    figure.ellipse(slot, hx, hy, 22 * size, 15 * size)
    if look.number("nose", 0):
        figure.polygon(
            slot, ((hx + 8 * size, hy - 12 * size), (hx + 30 * size, hy - 18 * size), (hx + 20 * size, hy + 6 * size))
        )
    if look.slot("nosecolor"):
        figure.ellipse(look.slot("nosecolor"), hx + 18 * size, hy, 8 * size, 13 * size, over=(slot,))
    if look.slot("eyestripe"):
        figure.limb(look.slot("eyestripe"), ((hx - 20 * size, hy - 1), (hx + 18 * size, hy - 5)), 6, over=(slot,))
    for dx in (0, 8) if look.number("horns", 0) else ():
        figure.polygon(
            S.EXTRA, ((hx - 4 + dx, hy - 10 * size), (hx - 6 + dx * 1.6, hy - 34 * size), (hx + 5 + dx, hy - 9 * size))
        )
    eye(figure, hx + 6 * size, hy - 5 * size, max(4.5, 5.5 * size), look.slot("iris", S.WHITE))
