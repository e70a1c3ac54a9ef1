"""Crabs, lobsters, crayfish and a hermit crab."""

import numpy as np

from stackwalls.model.images.drawn.figure import Figure, Slot, arc
from stackwalls.model.images.drawn.looks import Look
from stackwalls.model.images.drawn.parts import bead, triangle
from stackwalls.model.images.drawn.patterns import Region, coat
from stackwalls.model.images.drawn.pose import Pose

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off

S = Slot


def crab(figure: Figure, look: Look, pose: Pose) -> None:
    """A crab from the front.

    Options: `wide`, `high` (half axes), `claw` (size), `bigclaw` (size of the right one), `legs` (length), `spiny`,
    `stalks` (length of the eye stalks), `clawcolor`, `tips` (slots), `teeth` (along the front), `pairs` (of
    walking legs that show).
    """
    wide, high = look.number("wide", 58), look.number("high", 40) * (1 + 0.05 * pose.bend)
    reach, width = look.number("legs", 46), look.number("legwidth", 11)
    for side in (-1, 1):
        for i in range(int(look.number("pairs", 4))):
            root = (side * (wide * 0.8 - 6 * i), 14 + 7 * i)
            knee = (side * (wide + reach * 0.55 - 8 * i), -4 + 17 * i + 4 * pose.limbs[i])
            foot = (side * (wide + reach * 0.7 - 13 * i), 44 + 9 * i)
            figure.limb(S.SHADE, (root, knee, foot), (width, width, width * 0.45))
            if look.number("spiny", 0):
                triangle(figure, S.SHADE, knee, (knee[0] + side * 4, knee[1] - 18), 11)
    size = look.number("claw", 1)
    _claw(figure, look, -1, wide, size, pose.limbs[0])
    _claw(figure, look, 1, wide, look.number("bigclaw", size), pose.limbs[1])
    stalk = look.number("stalks", 12)
    for side in (-1, 1):
        figure.limb(S.BASE, ((side * 16, -high * 0.6), (side * 18, -high - stalk)), 7)
        bead(figure, side * 18, -high - stalk, 7)
    shell = [(0, -high), (wide * 0.6, -high * 0.86), (wide, -high * 0.12), (wide * 0.7, high * 0.6), (0, high)]
    figure.blob(S.BASE, [*shell, *((-x, y) for x, y in shell[3:0:-1])])
    if look.number("spiny", 0):
        for x, y in arc(0, 0, wide * 0.62, high * 0.62, 190, 350, 7).tolist():
            triangle(figure, S.ACCENT, (x, y), (x * 1.25, y * 1.45), 14)
    for i in range(int(look.number("teeth", 0))):
        x = -wide * 0.85 + i * wide * 1.7 / (look.number("teeth", 1) - 1)
        y = -high * (0.94 - 0.75 * (x / wide) ** 2)
        triangle(figure, S.BASE, (x, y + 5), (x * 1.06, y - 9), 13)
    coat(figure, look, pose, Region(0, 0, wide * 0.85, high * 0.8))
    figure.limb(S.EDGE, ((-13, high * 0.45), (0, high * 0.56), (13, high * 0.45)), 4)


def _claw(figure: Figure, look: Look, side: int, wide: float, size: float, lift: float) -> None:
    slot, tips = look.slot("clawcolor", S.BASE), look.slot("tips")
    elbow = (side * (wide + 16), -18 + 4 * lift)
    figure.limb(S.SHADE, ((side * wide * 0.7, -2), elbow, (side * (wide + 10), -36)), (14, 14, 12))
    x, y = side * (wide + 6), -46 + 5 * lift - 8 * size
    figure.ellipse(slot, x, y, 21 * size, 19 * size)
    big = ((-4, -4), (14, -26), (4, -48), (-10, -40), (-18, -12))
    small = ((-2, -6), (-16, -28), (-22, -44), (-28, -30), (-22, -6))
    for finger in (big, small):
        points = [(x + side * u * size, y + v * size) for u, v in finger]
        figure.blob(slot, points)
    if tips:
        for u, v in ((4, -46), (-22, -42)):
            figure.ellipse(tips, x + side * u * size, y + v * size, 10 * size, 11 * size, over=(slot,))


def lobster(figure: Figure, look: Look, pose: Pose) -> None:
    """A lobster from above, claws up; options `claw` (size, 0 for a spiny lobster), `antennae` (slot), `spiny`."""
    for side in (-1, 1):
        for i, y in enumerate((-30, -16, -2, 12)):
            figure.limb(
                S.SHADE,
                ((side * 12, y), (side * 42, y - 8 + 7 * i + 3 * pose.limbs[i]), (side * 52, y + 12 + 5 * i)),
                (8, 7, 4),
            )
    feelers, sway, claw = look.slot("antennae", S.ACCENT), 6 * pose.head, look.number("claw", 1)
    for side in (-1, 1):
        if claw:
            figure.limb(feelers, ((side * 6, -66), (side * 12, -104), (side * 18 + sway, -128)), (5, 5, 4))
        else:
            path = ((side * 10, -64), (side * 34, -92), (side * 62 + sway, -130), (side * 72 + sway, -150))
            figure.limb(feelers, path, (13, 11, 8, 5))
            figure.limb(S.SECOND, path[1:3], 4)
        _pincer(figure, look, side, claw, pose.limbs[0])
    curl = 5 * pose.tail
    for angle in (-58, -28, 0, 28, 58):
        a = np.radians(angle + 90)
        figure.ellipse(S.ACCENT, curl + 20 * np.cos(a), 98 + 18 * np.sin(a), 20, 11, angle=angle + 90)
    for k in range(5):
        figure.ellipse(S.BASE if k % 2 else S.SHADE, curl * k / 5, 28 + 15 * k, 25 - 2 * k, 13)
    figure.blob(S.BASE, ((0, -76), (16, -56), (25, -14), (22, 26), (-22, 26), (-25, -14), (-16, -56)))
    coat(figure, look, pose, Region(0, -14, 22, 40))
    for k in range(4 if look.number("spiny", 0) else 0):
        for side in (-1, 1):
            triangle(figure, S.SECOND, (side * 10, -44 + 16 * k), (side * 18, -58 + 16 * k), 9)
    for side in (-1, 1):
        bead(figure, side * 13, -60, 5.5)


def _pincer(figure: Figure, look: Look, side: int, size: float, lift: float) -> None:
    if not size:
        return
    slot = look.slot("clawcolor", S.BASE)
    grow = size * (1.12 if side > 0 else 0.95)
    figure.limb(S.SHADE, ((side * 16, -44), (side * 42, -60), (side * 46, -78)), (12, 13, 12))
    x, y = side * 48, -84 + 4 * lift
    figure.ellipse(slot, x, y - 10 * grow, 17 * grow, 21 * grow, angle=side * 10)
    for finger in (((8, -12), (16, -36), (4, -60), (-4, -28)), ((-8, -12), (-20, -34), (-14, -52), (-4, -26))):
        figure.blob(slot, [(x + side * u * grow, y + v * grow) for u, v in finger])


def hermit_crab(figure: Figure, look: Look, pose: Pose) -> None:
    """A hermit crab: a whorled shell with legs, claw and eyes coming out to the right."""
    for x, foot in ((30, 44), (48, 72), (60, 96)):
        figure.limb(S.BASE, ((x - 10, 20), (x + 12, 22 + 4 * pose.limbs[0]), (foot, 58)), (14, 12, 6))
    figure.blob(
        S.SECOND, ((46, 16), (36, -40), (-4, -60), (-44, -44), (-72, -62), (-96, -56), (-84, -20), (-56, 30), (0, 42))
    )
    for path in (
        ((-56, -52), (-60, -10), (-44, 36)), ((-20, -58), (-28, -8), (-10, 40)),
        ((-80, -62), (-84, -30), (-70, 8)),
    ):
        figure.limb(S.ACCENT, path, 7, over=(S.SECOND,))
    coat(figure, look, pose, Region(-20, -10, 56, 44, (S.SECOND,)))
    for dx in (0, 14):
        figure.limb(S.BASE, ((44 + dx, 2), (54 + dx, -34 + 4 * pose.head)), 6)
        bead(figure, 54 + dx, -38 + 4 * pose.head, 7)
    for lift in (-4, 12):
        figure.limb(S.EXTRA, ((58, 4), (90, -24 + lift), (112, -14 + lift)), (5, 4, 4))
    figure.ellipse(S.BASE, 48, 14, 22, 20)
    x, y = 76, 26 + 4 * pose.limbs[1]
    figure.ellipse(S.BASE, x, y, 24, 19)
    figure.blob(S.BASE, ((x + 6, y - 12), (x + 34, y - 20), (x + 44, y - 6), (x + 20, y + 2)))
    figure.blob(S.BASE, ((x + 6, y + 4), (x + 36, y + 6), (x + 40, y + 14), (x + 14, y + 18)))
