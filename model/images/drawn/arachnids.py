"""Spiders and their kin, and the many-legged: scorpion, tick, harvestman, centipede, woodlouse, trilobite."""

import numpy as np

from stackwalls.model.images.drawn.figure import Figure, Slot, arc
from stackwalls.model.images.drawn.looks import Look
from stackwalls.model.images.drawn.parts import bead, triangle
from stackwalls.model.images.drawn.patterns import Region, coat
from stackwalls.model.images.drawn.pose import Pose

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off

S = Slot


def spider(figure: Figure, look: Look, pose: Pose) -> None:
    """A spider from above.

    Options: `legs` (slot), `legwidth`, `span` (of the legs), `abdomen` (half length), `plump` (its width over its
    length), `mark` (hourglass, cross, leaf, stripe, bars, none), `banded` (slot of rings on the legs), `hairy`.
    """
    _spider_legs(figure, look, pose)
    long, plump = look.number("abdomen", 40), look.number("plump", 0.85) * (1 + 0.04 * pose.bend)
    if look.number("hairy", 0):
        for x, y in arc(0, 24, long * plump + 3, long + 3, 0, 360, 25).tolist():
            triangle(figure, S.SHADE, (x * 0.94, 24 + (y - 24) * 0.94), (x * 1.16, 24 + (y - 24) * 1.14), 9)
    figure.ellipse(look.slot("abdomencolor", S.BASE), 0, 24, long * plump, long)
    coat(figure, look, pose, Region(0, 24, long * plump, long, (look.slot("abdomencolor", S.BASE),)))
    _mark(figure, look.word("mark", "none"), long, long * plump)
    figure.ellipse(look.slot("thorax", S.HEAD), 0, -26, 23, 22)
    if look.slot("thoraxstripe"):
        figure.limb(look.slot("thoraxstripe"), ((0, -46), (0, -8)), 9)
    for side in (-1, 1):
        figure.limb(look.slot("legs", S.BASE), ((side * 8, -42), (side * 10, -56)), 9)
        bead(figure, side * 8, -38, 4.5)


def _spider_legs(figure: Figure, look: Look, pose: Pose) -> None:
    slot, width, span = look.slot("legs", S.BASE), look.number("legwidth", 8), look.number("span", 96)
    banded = look.slot("banded")
    for side in (-1, 1):
        for i, angle in enumerate((-56, -20, 18, 54)):
            a = np.radians(angle + 5 * pose.limbs[i])
            reach = span * (1.0 if i in (0, 3) else 0.86)
            knee = (side * reach * 0.6 * np.cos(a), -22 + reach * 0.72 * np.sin(a) - 10 * (1 if angle < 0 else -1))
            foot = (side * reach * np.cos(a * 0.9), -22 + reach * 1.02 * np.sin(a))
            figure.limb(slot, ((side * 12, -24 + i * 3), knee, foot), (width, width, width * 0.65))
            if banded:
                for share in (0.3, 0.85):
                    point = (knee[0] + (foot[0] - knee[0]) * share, knee[1] + (foot[1] - knee[1]) * share)
                    figure.ellipse(banded, *point, width * 0.62)
            if look.number("joints", 0):
                figure.ellipse(S.SECOND, *knee, width * 0.56)


def _mark(figure: Figure, kind: str, long: float, wide: float) -> None:
    y = 24.0
    if kind == "hourglass":
        figure.polygon(S.SECOND, ((-16, y - 22), (16, y - 22), (-16, y + 22), (16, y + 22)))
    elif kind == "cross":
        figure.limb(S.SECOND, ((0, y - long * 0.8), (0, y + long * 0.6)), 9)
        figure.limb(S.SECOND, ((-wide * 0.6, y - long * 0.25), (wide * 0.6, y - long * 0.25)), 9)
    elif kind == "leaf":
        outline = [
            (wide * u, y + long * v)
            for u, v in ((0, -0.9), (0.42, -0.5), (0.26, -0.2), (0.5, 0.15), (0.2, 0.4), (0, 0.9))
        ]
        figure.polygon(S.SECOND, [*outline, *((-u, v) for u, v in outline[::-1])])
    elif kind == "stripe":
        figure.limb(S.SECOND, ((0, y - long), (0, y + long)), wide * 0.55, over=(S.BASE,))
    elif kind == "bars":
        for v in (-0.55, -0.1, 0.35):
            figure.limb(S.SECOND, ((-wide, y + long * v), (wide, y + long * v)), long * 0.22, over=(S.BASE,))


def harvestman(figure: Figure, look: Look, pose: Pose) -> None:
    """A harvestman: a small round body high on very long thin legs, from the front."""
    for side in (-1, 1):
        for i, (out, foot) in enumerate(((34, 58), (58, 92), (78, 122))):
            top = (side * out, -52 + 10 * i + 5 * pose.limbs[i])
            figure.limb(S.ACCENT, ((side * 8, 0), (side * out * 0.6, -34 + 8 * i)), 5)
            figure.polygon(S.ACCENT, _stick((side * out * 0.55, -32 + 8 * i), top, 5.5))
            figure.polygon(S.ACCENT, _stick(top, (side * foot, 52 - 4 * i), 5.5))
            figure.ellipse(S.ACCENT, *top, 4)
    figure.ellipse(S.BASE, 0, 4, 27 + pose.bend, 22)
    coat(figure, look, pose, Region(0, 4, 26, 22))
    for side in (-1, 1):
        bead(figure, side * 9, -4, 6)
        figure.limb(S.ACCENT, ((side * 8, 22), (side * 14, 36)), 5)


def _stick(a: tuple[float, float], b: tuple[float, float], width: float) -> tuple[tuple[float, float], ...]:
    dx, dy = b[0] - a[0], b[1] - a[1]
    scale = width / 2 / max(np.hypot(dx, dy), 1e-9)
    nx, ny = -dy * scale, dx * scale
    return (a[0] + nx, a[1] + ny), (b[0] + nx, b[1] + ny), (b[0] - nx, b[1] - ny), (a[0] - nx, a[1] - ny)


def scorpion(figure: Figure, look: Look, pose: Pose) -> None:
    """A scorpion from the side: claws to the right, the tail curled over the back."""
    for x in (-26, -8, 10, 28):
        figure.limb(S.SHADE, ((x, 8), (x - 6 + 4 * pose.limbs[0], 30), (x + 8, 46)), (9, 7, 6))
    tail = np.array([[-40, 2], [-70, -10], [-88, -40], [-82, -74], [-54, -94], [-24, -88]])
    tail = tail + np.array([[0, 0], [0, 0], [1, -1], [3, -2], [5, 0], [8, 4]]) * pose.tail
    for x, y in tail[:-1].tolist():
        figure.ellipse(S.BASE, x, y, 17)
        figure.ellipse(S.SECOND, x - 3, y - 3, 7)
    x, y = tail[-1].tolist()
    figure.ellipse(S.ACCENT, x, y, 15, 12)
    triangle(figure, S.ACCENT, (x + 8, y + 2), (x + 28, y + 24), 12)
    for dy, slot in ((-8, S.SHADE), (8, S.BASE)):
        lift = 6 * pose.limbs[1]
        figure.limb(slot, ((40, dy), (66, dy + 12), (84, dy - 12 + lift)), (13, 11, 12))
        cx, cy = 98, dy - 26 + lift
        figure.ellipse(slot, cx - 6, cy + 6, 19, 14, angle=-40)
        figure.blob(slot, ((cx - 12, cy - 2), (cx - 4, cy - 30), (cx + 6, cy - 34), (cx + 6, cy - 6)))
        figure.blob(slot, ((cx + 2, cy + 8), (cx + 22, cy - 8), (cx + 28, cy - 26), (cx + 12, cy - 10)))
    figure.ellipse(S.BASE, 0, 0, 50, 22)
    for dx in (-32, -16, 0, 16):
        figure.limb(S.SECOND, ((dx, -24), (dx + 3, 24)), 5, over=(S.BASE,))
    figure.ellipse(S.HEAD, 40, -1, 20, 19)
    bead(figure, 46, -8, 5)


def tick(figure: Figure, look: Look, pose: Pose) -> None:
    """A tick from above: a flat oval, short legs, a shield behind the tiny head."""
    for side in (-1, 1):
        for i, y in enumerate((-34, -14, 8, 30)):
            lean = -14 + 10 * i + 4 * pose.limbs[i]
            figure.limb(S.ACCENT, ((side * 34, y), (side * 66, y + lean), (side * 78, y + lean + 12)), (12, 10, 7))
    figure.limb(S.ACCENT, ((0, -44), (0, -72)), (18, 8))
    for side in (-1, 1):
        figure.limb(S.ACCENT, ((side * 8, -52), (side * 13, -70)), 7)
    figure.ellipse(S.BASE, 0, 12, 54 + 3 * pose.bend, 66)
    coat(figure, look, pose, Region(0, 20, 48, 56))
    figure.blob(S.SECOND, ((0, -52), (30, -30), (24, 0), (0, 14), (-24, 0), (-30, -30)))
    for side in (-1, 1):
        bead(figure, side * 14, -34, 4)


def centipede(figure: Figure, look: Look, pose: Pose) -> None:
    """A centipede from above, winding, a pair of legs to every ring."""
    t = np.linspace(0, 1, 15)
    y = (20 + 5 * pose.bend) * np.sin(2 * np.pi * (1.1 * t + 0.1 * pose.tail))
    path = np.stack([-96 + 178 * t, y], axis=1)
    for i, (x, py) in enumerate(path.tolist()):
        sway = 5 * pose.limbs[i % 4]
        for side in (-1, 1):
            figure.limb(
                S.SECOND,
                ((x, py), (x - 8 + sway * side, py + side * 24), (x - 16 + sway * side, py + side * 34)),
                (8, 7, 4),
            )
    for i, (x, py) in enumerate(path.tolist()):
        figure.ellipse(S.BASE if i % 2 else S.SHADE, x, py, 11, 13)
    hx, hy = (path[-1] + (14, 0)).tolist()
    for side in (-1, 1):
        figure.limb(
            S.SECOND, ((hx + 4, hy + side * 5), (hx + 24, hy + side * 18), (hx + 44, hy + side * 20)), (7, 5, 4)
        )
        figure.limb(S.SECOND, ((-102, path[0, 1]), (-130, path[0, 1] + side * 18)), (7, 4))
    figure.ellipse(S.ACCENT, hx, hy, 17, 15)
    for side in (-1, 1):
        bead(figure, hx + 6, hy + side * 7, 4)


def isopod(figure: Figure, look: Look, pose: Pose) -> None:
    """A woodlouse from the side: overlapping plates over many short legs."""
    for i, x in enumerate(range(-52, 60, 15)):
        figure.limb(S.SECOND, ((x, 18), (x + 4 * pose.limbs[i % 4], 40), (x + 8, 46)), (8, 6, 5))
    figure.limb(S.SECOND, ((66, 6), (88, -8 + 4 * pose.head), (104, 4)), (7, 6, 4))
    dome = arc(0, 24, 76, 58 + 3 * pose.bend, 180, 360, 22)
    figure.polygon(S.BASE, dome)
    for k in range(8):
        x = -64 + 17 * k
        figure.limb(S.ACCENT, ((x + 12, -44), (x + 5, -8), (x - 4, 26)), 5, over=(S.BASE,))
    for x in range(-66, 70, 17):
        figure.ellipse(S.BASE, x, 25, 10, 7)
    figure.ellipse(S.HEAD, 66, 14, 17, 16)
    bead(figure, 72, 8, 5)


def trilobite(figure: Figure, look: Look, pose: Pose) -> None:
    """A trilobite from above: a half-moon head, a ribbed body in three lobes."""
    for side in (-1, 1):
        for i in range(8):
            y = -12 + 11 * i
            figure.limb(S.SHADE, ((side * 20, y), (side * (58 - 4 * i), y + 8)), 8)
    figure.ellipse(S.BASE, 0, 28, 46 + 2 * pose.bend, 66)
    for i in range(9):
        figure.limb(S.ACCENT, ((-50, -8 + 11 * i), (0, -14 + 11 * i), (50, -8 + 11 * i)), 4, over=(S.BASE,))
    figure.ellipse(S.SECOND, 0, 28, 17, 60, over=(S.BASE, S.ACCENT))
    for i in range(8):
        figure.limb(S.SECOND_SHADE, ((-16, -6 + 11 * i), (16, -6 + 11 * i)), 3.5)
    head = np.concatenate([arc(0, -26, 62, 48, 180, 360, 18), [(66, 8), (46, -12), (0, -16), (-46, -12), (-66, 8)]])
    figure.polygon(S.HEAD, head)
    figure.ellipse(S.SECOND, 0, -40, 20, 24)
    for side in (-1, 1):
        figure.ellipse(S.BLACK, side * 36, -40, 10, 12)
        figure.ellipse(S.WHITE, side * 34, -44, 3.5)
