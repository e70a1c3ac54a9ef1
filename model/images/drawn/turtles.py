"""Turtles of land and sea."""

import numpy as np

from stackwalls.model.images.drawn.figure import Figure, Slot, arc
from stackwalls.model.images.drawn.looks import Look
from stackwalls.model.images.drawn.parts import bead
from stackwalls.model.images.drawn.patterns import Region, coat
from stackwalls.model.images.drawn.pose import Pose

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off

S = Slot


def turtle(figure: Figure, look: Look, pose: Pose) -> None:
    """A turtle on land.

    Options: `high` (of the shell), `stripes` (on the neck), `rim`, `ear`, `web` (rays on the shell; slots).
    """
    high = look.number("high", 62)
    skin, rim = S.SECOND, look.slot("rim", S.SHADE)
    figure.polygon(skin, ((-66, 26), (-94, 36 + 4 * pose.tail), (-62, 38)))
    for x, swing in ((-44, pose.limbs[0]), (38, pose.limbs[1])):
        figure.limb(S.SECOND_SHADE, ((x + 14, 24), (x + 18 - 5 * swing, 54)), (22, 20))
        figure.limb(skin, ((x, 24), (x + 5 * swing, 58)), (24, 22))
    hx, hy = 92, 4 + 10 * pose.head
    figure.limb(skin, ((48, 22), (74, 20), (hx, hy)), (28, 23, 24))
    stripes = look.slot("stripes")
    for dy in (-7, 3) if stripes else ():
        figure.limb(stripes, ((52, 22 + dy), (74, 20 + dy), (hx + 6, hy + dy)), 4, over=(skin,))
    figure.ellipse(skin, hx + 4, hy, 21, 16)
    if look.slot("ear"):
        figure.ellipse(look.slot("ear"), hx - 8, hy, 9, 5)
    bead(figure, hx + 10, hy - 5, 5)
    figure.limb(S.SECOND_SHADE, ((hx + 24, hy + 5), (hx + 12, hy + 7)), 3)
    dome = np.concatenate([arc(-4, 26, 70, high, 180, 360, 24)])
    figure.polygon(S.BASE, dome)
    coat(figure, look, pose, Region(-4, 0, 66, high * 0.62))
    web = look.slot("web")
    for cx in (-38, 0, 36) if web else ():
        for angle in np.radians((-170, -130, -90, -50, -10)).tolist():
            figure.limb(
                web, ((cx, 10), (cx + 22 * np.cos(angle), 10 + high * 0.6 * np.sin(angle))), 4.5, over=(S.BASE,)
            )
    figure.limb(rim, ((-74, 28), (-4, 34), (66, 28)), 13)


def sea_turtle(figure: Figure, look: Look, pose: Pose) -> None:
    """A sea turtle from above, swimming on long flippers; option `ridges` (slot): a leatherback's keels."""
    beat = 10 * pose.limbs[0]
    for side in (-1, 1):
        figure.blob(
            S.SECOND,
            (
                (26, side * 30), (48, side * 40), (34 + beat, side * 84), (4 + beat, side * 106),
                (10 + beat, side * 74), (8, side * 36),
            ),
        )
        figure.blob(
            S.SECOND,
            ((-44, side * 22), (-34, side * 38), (-66 - beat * 0.4, side * 56), (-82, side * 50), (-62, side * 28)),
        )
    figure.polygon(S.SECOND_SHADE, ((-66, -7), (-90, 4 * pose.tail), (-66, 7)))
    hy = 5 * pose.head
    figure.ellipse(S.SECOND, 80, hy, look.number("headsize", 26), 19)
    for side in (-1, 1):
        bead(figure, 90, hy + side * 11, 5)
    figure.blob(S.BASE, ((64, 0), (46, -38), (0, -52), (-50, -30), (-76, 0), (-50, 30), (0, 52), (46, 38)))
    coat(figure, look, pose, Region(-4, 0, 62, 46))
    ridges = look.slot("ridges")
    for y in (-32, -16, 0, 16, 32) if ridges else ():
        figure.limb(ridges, ((54, y * 0.6), (0, y), (-66, y * 0.35)), 5, over=(S.BASE,))
