"""Amphibians: salamanders, newts and frogs."""

import numpy as np

from stackwalls.model.images.drawn.figure import Figure, Slot, arc
from stackwalls.model.images.drawn.looks import Look
from stackwalls.model.images.drawn.parts import bead
from stackwalls.model.images.drawn.patterns import Region, coat
from stackwalls.model.images.drawn.pose import Pose

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off

S = Slot


def salamander(figure: Figure, look: Look, pose: Pose) -> None:
    """A salamander or newt from above; options `gills`, `thick`, `fin` (slot of a tail fin), `stripe`, `tail`."""
    thick = look.number("thick", 30)
    t = np.linspace(0, 1, 26)
    tail = look.number("tail", 100)
    y = 14 * np.sin(2 * np.pi * (0.9 * t + 0.05 * pose.tail)) * (1 - t) + 10 * pose.tail * (1 - t) ** 2
    path = np.stack([-36 - tail + (92 + tail) * t, y], axis=1)
    widths = thick * np.minimum(1, 0.16 + 1.9 * t)
    for x, side, swing in ((-20, -1, 0), (-20, 1, 1), (40, -1, 2), (40, 1, 3)):
        root = (x, side * thick * 0.3 + 4)
        knee = (x - 6 + 8 * pose.limbs[swing], side * (thick * 0.5 + 20))
        foot = (knee[0] + 16, knee[1] + side * 8)
        figure.limb(S.SHADE, (root, knee, foot), (13, 10, 9))
        for dx, dy in ((10, 0), (7, 8), (-2, 10)):
            figure.limb(S.SHADE, (foot, (foot[0] + dx, foot[1] + side * dy)), 5)
    if look.slot("fin"):
        figure.tube(look.slot("fin"), path[:15], widths[:15] + 13)
    figure.tube(S.BASE, path, widths)
    if look.slot("stripe"):
        figure.tube(look.slot("stripe"), path[4:], widths[4:] * 0.36)
    coat(figure, look, pose, Region(-14, 4, 72, 22))
    hx, hy = 66, float(y[-1]) + 3 * pose.head
    for side in (-1, 1) if look.number("gills", 0) else ():
        for angle in (100, 130, 160):
            a = np.radians(angle)
            figure.limb(
                S.ACCENT, ((hx - 2, hy + side * 12), (hx + 44 * np.cos(a), hy + side * (8 + 40 * np.sin(a)))), (9, 7)
            )
    figure.ellipse(S.HEAD, hx, hy, 26, thick * 0.72)
    coat(figure, look, pose, Region(hx - 6, hy, 16, thick * 0.5, (S.HEAD,)))
    for side in (-1, 1):
        figure.ellipse(look.slot("eyelid", S.HEAD), hx + 9, hy + side * thick * 0.46, 8)
        bead(figure, hx + 10, hy + side * thick * 0.46, 5)
    figure.limb(S.EDGE, arc(hx, hy, 21, thick * 0.5, -40, 40, 5), 3)


def frog(figure: Figure, look: Look, pose: Pose) -> None:
    """A frog from the front; options `pads` (round finger tips), `iris`, `drum` (slot), `stripe`, `tail`."""
    wide = 1 + 0.05 * pose.bend
    pads = look.number("pads", 0)
    feet = look.slot("feet", S.SHADE)
    if look.number("tail", 0):
        figure.limb(S.SHADE, ((46, 52), (72, 62), (92, 52 + 6 * pose.tail)), (20, 15, 7))
    for side in (-1, 1):
        figure.ellipse(S.SHADE, side * 58 * wide, 30, 30, 34, angle=side * 24)
        _toes(figure, feet, side * 62 * wide, 66, side, pads)
    figure.ellipse(S.BASE, 0, 22, 56 * wide, 44)
    figure.ellipse(S.SECOND, 0, 38, 42 * wide, 34, over=(S.BASE,))
    coat(figure, look, pose, Region(0, 6, 58, 40, (S.BASE, S.SHADE)))
    for side, swing in ((-1, pose.limbs[0]), (1, pose.limbs[1])):
        figure.limb(S.LIMB, ((side * 34, 24), (side * (44 + 3 * swing), 46), (side * 28, 66)), (22, 16, 13))
        _toes(figure, feet, side * 28, 68, side, pads)
    y = -22 + 3 * pose.head
    figure.ellipse(S.HEAD, 0, y, 58 * wide, 30)
    if look.slot("stripe"):
        for side in (-1, 1):
            figure.limb(look.slot("stripe"), ((side * 26, y - 16), (side * 56, y + 8)), 10, over=(S.HEAD,))
    figure.ellipse(S.SECOND, 0, y + 20, 46, 13, over=(S.HEAD,))
    figure.limb(S.EDGE, ((-44 * wide, y + 4), (0, y + 15), (44 * wide, y + 4)), 4)
    for side in (-1, 1):
        if look.slot("drum"):
            figure.ellipse(look.slot("drum"), side * 47, y - 2, 9)
        figure.ellipse(S.HEAD, side * 32, y - 24, 20)
        figure.ellipse(look.slot("iris", S.ACCENT), side * 32, y - 26, 14)
        figure.ellipse(S.PUPIL, side * 32, y - 26, 10, 5)
        figure.ellipse(S.PUPIL, side * 6, y - 6, 2.5)


def _toes(figure: Figure, slot: int, x: float, y: float, side: int, pads: float) -> None:
    for dx in (-14, -2, 11):
        tip = (x + side * 4 + dx, y + 9)
        figure.limb(slot, ((x, y), tip), 7)
        if pads:
            figure.ellipse(S.EXTRA, *tip, 6)
