"""Coats: stripes, spots and the like over a body, clipped to the slots that they may cover."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stackwalls.model.images.drawn.figure import Figure, Slot
from stackwalls.model.images.drawn.looks import Look
from stackwalls.model.images.drawn.pose import Pose

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off


@dataclass(frozen=True)
class Region:
    """The part of a figure that a coat covers: an ellipse around (x, y) with half axes `rx` and `ry`.

    Attributes:
        x: center.
        y: center.
        rx: half width.
        ry: half height.
        over: the slots that the coat may cover.
    """

    x: float
    y: float
    rx: float
    ry: float
    over: tuple[int, ...] = (Slot.BASE,)


Coat = Callable[[Figure, Region, Pose, int, float], None]


def coat(figure: Figure, look: Look, pose: Pose, region: Region) -> None:
    """Paint every coat of the look's `pattern` over a region."""
    for kind, slot, scale in look.pattern:
        COATS[kind](figure, region, pose, slot, scale)


def _columns(region: Region, spacing: float) -> np.ndarray:
    count = max(2, round(2 * region.rx / spacing))
    return region.x + region.rx * (2 * (np.arange(count) + 0.5) / count - 1)


def stripes(figure: Figure, region: Region, pose: Pose, slot: int, scale: float) -> None:
    """Wedges hanging from the back, as on a tiger."""
    width, top = 6 * scale, region.y - region.ry - 4
    for i, x in enumerate(_columns(region, 15 * scale).tolist()):
        tip = region.y + region.ry * (0.75 if i % 2 else 0.35)
        lean = 4 * pose.noise[i % 64]
        figure.polygon(slot, ((x - width, top), (x + lean, tip), (x + width, top)), region.over)
        if i % 2 == 0:
            low = region.y + region.ry + 4
            figure.polygon(slot, ((x - width, low), (x, region.y + region.ry * 0.1), (x + width, low)), region.over)


def bands(figure: Figure, region: Region, pose: Pose, slot: int, scale: float) -> None:
    """Upright bars from back to belly."""
    width = 5 * scale
    for i, x in enumerate(_columns(region, 17 * scale).tolist()):
        x += 2 * pose.noise[i % 64]
        top, low = region.y - region.ry - 6, region.y + region.ry + 6
        corners = ((x - width, top), (x + width, top), (x + width - 4, low), (x - width - 4, low))
        figure.polygon(slot, corners, region.over)


def brindle(figure: Figure, region: Region, pose: Pose, slot: int, scale: float) -> None:
    """Thin slanting streaks."""
    for i, x in enumerate(_columns(region, 9 * scale).tolist()):
        y = region.y + region.ry * (0.45 * (-1) ** i + 0.15 * pose.noise[i % 64])
        reach = region.ry * 0.55
        figure.polygon(
            slot,
            ((x - 4, y - reach), (x - 4 + 4 * scale, y - reach), (x + 5, y + reach), (x + 3, y + reach)),
            region.over,
        )


def line(figure: Figure, region: Region, pose: Pose, slot: int, scale: float) -> None:
    """One stripe from head to tail along the flank."""
    _level(figure, region, slot, region.y + region.ry * 0.1 * pose.noise[0], 6 * scale)


def lines(figure: Figure, region: Region, pose: Pose, slot: int, scale: float) -> None:
    """Three stripes from head to tail."""
    for share in (-0.6, 0.0, 0.6):
        _level(figure, region, slot, region.y + region.ry * (share + 0.06 * pose.noise[1]), 5 * scale)


def _level(figure: Figure, region: Region, slot: int, y: float, width: float) -> None:
    left, right = region.x - region.rx - 6, region.x + region.rx + 6
    bow = region.ry * 0.12
    figure.limb(slot, ((left, y + bow), (region.x, y - bow), (right, y + bow)), width, region.over)


def _scattered(region: Region, pose: Pose, spacing: float, jitter: float) -> list[tuple[float, float]]:
    """Centres on a hexagonal grid inside the region's ellipse, moved a little."""
    rows = max(1, round(2 * region.ry / (spacing * 0.9)))
    centers = []
    for j in range(rows):
        y = region.y + region.ry * (2 * (j + 0.5) / rows - 1)
        for i, x in enumerate(_columns(region, spacing).tolist()):
            k = (7 * i + 3 * j) % 32
            dx = jitter * pose.noise[2 * k] + (spacing / 2) * (j % 2) - spacing / 4
            centers.append((x + dx, y + jitter * pose.noise[2 * k + 1]))
    return centers


def spots(figure: Figure, region: Region, pose: Pose, slot: int, scale: float) -> None:
    """Round spots."""
    for x, y in _scattered(region, pose, 18 * scale, 3 * scale):
        figure.ellipse(slot, x, y, 5.5 * scale, 5 * scale, over=region.over)


def speckles(figure: Figure, region: Region, pose: Pose, slot: int, scale: float) -> None:
    """Many small dots."""
    for x, y in _scattered(region, pose, 11 * scale, 2.4 * scale):
        r = 2.3 * scale
        figure.polygon(slot, ((x - r, y), (x, y - r), (x + r, y), (x, y + r)), region.over)


def rosettes(figure: Figure, region: Region, pose: Pose, slot: int, scale: float) -> None:
    """Spots with a hollow of a darker body color, as on a leopard."""
    for x, y in _scattered(region, pose, 20 * scale, 3 * scale):
        figure.ellipse(slot, x, y, 8 * scale, 7 * scale, over=region.over)
        figure.ellipse(Slot.ACCENT, x + 1, y + 1, 3.8 * scale, 3.2 * scale, over=region.over)


def patches(figure: Figure, region: Region, pose: Pose, slot: int, scale: float) -> None:
    """Three large irregular patches."""
    for i, (u, v) in enumerate(((-0.7, -0.4), (0.05, 0.1), (0.75, -0.5))):
        x = region.x + region.rx * (u + 0.08 * pose.noise[i])
        y = region.y + region.ry * (v + 0.1 * pose.noise[i + 8])
        rx, ry = region.rx * 0.3 * scale, region.ry * 0.6 * scale
        figure.blob(
            slot,
            (
                (x - rx, y), (x - rx * 0.4, y - ry), (x + rx, y - ry * 0.5), (x + rx * 0.7, y + ry * 0.8),
                (x - rx * 0.3, y + ry * 0.6),
            ),
            region.over,
        )


def saddle(figure: Figure, region: Region, pose: Pose, slot: int, scale: float) -> None:
    """A blanket over the back."""
    depth = region.ry * (0.25 * scale + 0.05 * pose.noise[2])
    _upper(figure, region, slot, region.y + depth, 0.92)


def back(figure: Figure, region: Region, pose: Pose, slot: int, scale: float) -> None:
    """Everything above a level line."""
    _upper(figure, region, slot, region.y + region.ry * (0.35 * (scale - 1) + 0.05 * pose.noise[2]), 1.4)


def _upper(figure: Figure, region: Region, slot: int, level: float, reach: float) -> None:
    left, right, top = region.x - region.rx * reach, region.x + region.rx * reach, region.y - region.ry * 1.5
    corners = ((left, top), (right, top), (right, level - 4), (region.x, level + 5), (left, level - 4))
    figure.polygon(slot, corners, region.over)


def belly(figure: Figure, region: Region, pose: Pose, slot: int, scale: float) -> None:
    """A light underside."""
    y = region.y + region.ry * (1.0 + 0.05 * pose.noise[3])
    figure.ellipse(slot, region.x, y, region.rx * 0.85, region.ry * 0.62 * scale, over=region.over)


def front(figure: Figure, region: Region, pose: Pose, slot: int, scale: float) -> None:
    """The forequarters (to the right)."""
    _half(figure, region, slot, region.x + region.rx * (1.1 - 0.9 * scale), region.x + region.rx * 1.6)


def rear(figure: Figure, region: Region, pose: Pose, slot: int, scale: float) -> None:
    """The hindquarters (to the left)."""
    _half(figure, region, slot, region.x - region.rx * 1.6, region.x - region.rx * (1.1 - 0.9 * scale))


def _half(figure: Figure, region: Region, slot: int, left: float, right: float) -> None:
    top, low = region.y - region.ry * 1.6, region.y + region.ry * 1.6
    figure.polygon(slot, ((left, top), (right, top), (right, low), (left, low)), region.over)


def plates(figure: Figure, region: Region, pose: Pose, slot: int, scale: float) -> None:
    """Six-sided plates, as on a tortoise."""
    for x, y in _scattered(region, pose, 25 * scale, 0):
        r = 9.5 * scale
        corners = (
            (x - r, y), (x - r / 2, y - r), (x + r / 2, y - r), (x + r, y), (x + r / 2, y + r),
            (x - r / 2, y + r),
        )
        figure.polygon(slot, corners, region.over)


COATS: dict[str, Coat] = {
    "stripes": stripes,
    "bands": bands,
    "brindle": brindle,
    "line": line,
    "lines": lines,
    "spots": spots,
    "speckles": speckles,
    "rosettes": rosettes,
    "patches": patches,
    "saddle": saddle,
    "back": back,
    "belly": belly,
    "front": front,
    "rear": rear,
    "plates": plates,
}
"""Name in `species.tsv` → how it is painted."""
