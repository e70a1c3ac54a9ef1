"""Mammals of the sea: whales, a dugong, a sea lion."""

from stackwalls.model.images.drawn.figure import Figure, Slot
from stackwalls.model.images.drawn.looks import Look
from stackwalls.model.images.drawn.parts import bead
from stackwalls.model.images.drawn.patterns import Region, coat
from stackwalls.model.images.drawn.pose import Pose

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off

S = Slot


def whale(figure: Figure, look: Look, pose: Pose) -> None:
    """A whale; options `fin` (height on the back), `blunt`, `patch` (slot behind the eye), `grooves`, `barnacles`."""
    sway = 9 * pose.tail
    figure.blob(
        S.SHADE, ((-88, 0), (-112, -20 + sway), (-142, -36 + sway), (-128, -6 + sway), (-140, 22 + sway), (-110, 12))
    )
    fin = look.number("fin", 0)
    if fin:
        figure.polygon(S.BASE, ((22, -30), (-2, -36 - fin), (-20, -26)))
    else:
        for x in (-30, -44, -58):
            figure.ellipse(S.BASE, x, -23 + (-x - 30) * 0.35, 9, 8)
    blunt = 10.0 if look.number("blunt", 0) else 0.0
    lift = 3 * pose.bend
    figure.blob(
        S.BASE,
        (
            (112, -2), (84 + blunt, -28 - lift), (20, -37 - lift), (-50, -20), (-102, -4), (-102, 8), (-50, 20),
            (10, 36), (80 + blunt, 28),
        ),
    )
    coat(figure, look, pose, Region(0, 0, 104, 34))
    if look.number("grooves", 0):
        for dy in (18, 26):
            figure.limb(S.SHADE, ((104, dy - 8), (60, dy), (20, dy + 2)), 3, over=(S.BASE, S.SECOND))
    for x, y in (
        ((96, -14), (104, -4), (78, -24), (64, -18), (88, 10), (40, -28)) if look.number("barnacles", 0) else ()
    ):
        figure.ellipse(S.WHITE, x, y, 5, 4.5)
    figure.limb(S.EDGE, ((110, 6), (84, 12), (66, 6)), 3.5)
    patch = look.slot("patch")
    if patch:
        figure.ellipse(patch, 62, -14, 19, 9, angle=12)
        figure.ellipse(look.slot("saddle", S.SHADE), -16, -28, 24, 9, over=(S.BASE,))
    bead(figure, 76, -2, 5)
    figure.blob(S.SHADE, ((44, 14), (24, 20), (-4, 52 + 7 * pose.limbs[0]), (12, 58 + 7 * pose.limbs[0]), (40, 34)))


def dugong(figure: Figure, look: Look, pose: Pose) -> None:
    """A dugong: a heavy sausage with a snout turned down and a whale's tail."""
    sway = 9 * pose.tail
    figure.polygon(S.SHADE, ((-78, 0), (-116, -36 + sway), (-108, 2 + sway), (-120, 34 + sway), (-76, 12)))
    figure.blob(S.BASE, ((70, -18), (30, -36), (-30, -30), (-86, -4), (-86, 8), (-30, 34), (30, 38), (72, 24)))
    coat(figure, look, pose, Region(-6, 0, 80, 36))
    hx, hy = 78, -2 + 5 * pose.head
    figure.ellipse(S.HEAD, hx, hy, 32, 28)
    figure.limb(S.SECOND, ((hx + 14, hy + 8), (hx + 28, hy + 32)), (34, 30))
    for dx in (22, 32):
        figure.ellipse(S.EDGE, hx + dx - 4, hy + 8, 3, 2.5)
    figure.limb(S.EDGE, ((hx + 14, hy + 40), (hx + 40, hy + 40)), 3.5)
    for dx, dy in ((20, 28), (30, 26), (36, 34), (24, 36)):
        figure.ellipse(S.EDGE, hx + dx, hy + dy, 2)
    bead(figure, hx + 6, hy - 6, 4.5)
    figure.blob(S.SHADE, ((44, 16), (24, 22), (6, 58 + 7 * pose.limbs[0]), (22, 62 + 7 * pose.limbs[0]), (44, 34)))


def sea_lion(figure: Figure, look: Look, pose: Pose) -> None:
    """A sea lion sitting up on its flippers."""
    figure.blob(S.SHADE, ((-66, 44), (-106, 34 + 6 * pose.tail), (-124, 50), (-104, 60), (-66, 62)))
    figure.blob(S.BASE, ((30, -66), (42, -20), (44, 30), (20, 62), (-50, 66), (-84, 54), (-56, 30), (-14, 2), (8, -50)))
    coat(figure, look, pose, Region(0, 20, 60, 46))
    figure.ellipse(S.SECOND, 36, 0, 17, 48, over=(S.BASE,))
    figure.blob(S.SHADE, ((30, 16), (46, 34), (66 + 5 * pose.limbs[0], 66), (30, 72), (14, 40)))
    hx, hy = 32, -72 + 4 * pose.head
    figure.ellipse(S.HEAD, hx, hy, 28, 25)
    figure.limb(S.HEAD, ((hx + 8, hy + 2), (hx + 36, hy - 4)), (32, 22))
    figure.ellipse(S.BLACK, hx + 46, hy - 8, 7, 6)
    for dy in (2, 9):
        figure.limb(S.EDGE, ((hx + 34, hy + dy), (hx + 56, hy + dy + 8)), 2.5)
    figure.ellipse(S.SHADE, hx - 16, hy + 2, 5, 8)
    bead(figure, hx + 12, hy - 8, 6)
