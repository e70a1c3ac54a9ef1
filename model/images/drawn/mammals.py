"""Mammals with a shape of their own: pouched ones, a platypus, a sloth, an armadillo, a meerkat."""

from stackwalls.model.images.drawn.figure import Figure, Slot, arc
from stackwalls.model.images.drawn.looks import Look
from stackwalls.model.images.drawn.parts import bead, furry, triangle
from stackwalls.model.images.drawn.patterns import Region, coat
from stackwalls.model.images.drawn.pose import Pose

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off

S = Slot


def platypus(figure: Figure, look: Look, pose: Pose) -> None:
    """A platypus: flat bill, webbed feet, broad tail."""
    sway = 6 * pose.tail
    figure.blob(S.SHADE, ((-50, -10), (-84, -18 + sway), (-122, 0 + sway), (-118, 22 + sway), (-80, 26), (-50, 20)))
    for k in range(3):
        figure.limb(S.EDGE, ((-70 - 14 * k, -10 + sway), (-74 - 14 * k, 20 + sway)), 3, over=(S.SHADE,))
    for x, swing in ((-40, pose.limbs[0]), (34, pose.limbs[1])):
        figure.limb(S.SHADE, ((x, 16), (x - 4 + 4 * swing, 36)), (20, 14))
        for dx in (-14, 0, 14):
            figure.limb(S.ACCENT, ((x - 4 + 4 * swing, 38), (x + dx + 4 * swing, 48)), 8)
    figure.blob(
        S.BASE, ((62, 0), (36, -24), (-10, -30 - 2 * pose.bend), (-54, -18), (-66, 6), (-40, 26), (10, 28), (50, 22))
    )
    figure.ellipse(S.SECOND, 0, 26, 54, 15, over=(S.BASE,))
    hx, hy = 64, -4 + 4 * pose.head
    figure.blob(
        S.ACCENT,
        (
            (hx + 6, hy - 12), (hx + 34, hy - 6), (hx + 66, hy + 4), (hx + 66, hy + 18), (hx + 34, hy + 22),
            (hx + 4, hy + 20),
        ),
    )
    figure.limb(S.ACCENT_SHADE, ((hx + 10, hy + 10), (hx + 64, hy + 12)), 3.5)
    figure.ellipse(S.EDGE, hx + 50, hy + 1, 3, 2)
    figure.ellipse(S.HEAD, hx - 4, hy + 2, 27, 24)
    bead(figure, hx + 4, hy - 7, 5)


def wallaby(figure: Figure, look: Look, pose: Pose) -> None:
    """A kangaroo or wallaby, upright on its hind feet."""
    figure.limb(S.LIMB, ((-26, 40), (-62, 66), (-104, 72), (-138, 62 + 10 * pose.tail)), (36, 22, 15, 8))
    figure.limb(S.SHADE, ((4, 48), (18, 70), (6, 84)), (28, 16, 13))
    figure.limb(S.SHADE, ((4, 86), (42, 88)), 13)
    figure.blob(S.BASE, ((20, -44), (2, -40), (-24, 0), (-48, 46), (-28, 74), (8, 68), (26, 30), (30, -10)))
    coat(figure, look, pose, Region(-8, 16, 38, 56))
    figure.ellipse(S.SECOND, 18, 16, 15, 42, over=(S.BASE,))
    figure.ellipse(S.LIMB, -14, 50, 32, 30)
    figure.limb(S.LIMB, ((-2, 66), (4, 84), (-8, 92)), (18, 13, 12))
    figure.limb(look.slot("feet", S.SHADE), ((-10, 92), (36 + 4 * pose.limbs[1], 94)), 14)
    for dx, slot in ((8, S.SHADE), (0, S.LIMB)):
        figure.limb(
            slot, ((18 + dx, -18), (38 + dx, 0 + 4 * pose.limbs[0]), (46 + dx, 18 + 5 * pose.limbs[0])), (15, 11, 9)
        )
        figure.ellipse(look.slot("feet", S.SHADE), 47 + dx, 22 + 5 * pose.limbs[0], 7, 8)
    figure.limb(S.BASE, ((10, -24), (22, -50), (30, -66)), (34, 25, 22))
    hx, hy = 34, -76 + 4 * pose.head
    for dx, slot in ((8, S.SHADE), (-6, S.BASE)):
        figure.limb(slot, ((hx + dx - 6, hy - 10), (hx + dx - 12, hy - 32), (hx + dx - 8, hy - 50)), (11, 19, 7))
        figure.limb(S.PINK, ((hx + dx - 9, hy - 20), (hx + dx - 8, hy - 42)), (6, 4), over=(S.BASE,))
    figure.ellipse(S.HEAD, hx, hy, 22, 19)
    figure.limb(S.HEAD, ((hx + 6, hy + 4), (hx + 38, hy + 12)), (28, 17))
    if look.slot("cheek"):
        figure.limb(look.slot("cheek"), ((hx + 38, hy + 14), (hx, hy + 12)), 8, over=(S.HEAD,))
    figure.ellipse(S.BLACK, hx + 45, hy + 8, 7, 6)
    bead(figure, hx + 9, hy - 5, 5)


def koala(figure: Figure, look: Look, pose: Pose) -> None:
    """A koala, sitting: tufted ears, a big black nose."""
    for side in (-1, 1):
        figure.limb(S.SHADE, ((side * 24, 64), (side * (54 + 3 * pose.limbs[0]), 74), (side * 50, 92)), (36, 30, 22))
    figure.ellipse(S.BASE, 0, 44, 50 + 2 * pose.bend, 52)
    figure.ellipse(S.SECOND, 0, 50, 32, 42, over=(S.BASE,))
    for side, swing in ((-1, pose.limbs[1]), (1, pose.limbs[2])):
        figure.limb(S.LIMB, ((side * 42, 20), (side * 56, 46), (side * (32 + 4 * swing), 68)), (26, 22, 18))
        for dx in (-7, 0, 7):
            triangle(
                figure, S.BLACK, (side * 32 + dx + 4 * swing * side, 72), (side * 30 + dx + 4 * swing * side, 84), 6
            )
    x, y = 3 * pose.head, -34
    for side in (-1, 1):
        furry(figure, S.BASE, x + side * 52, y - 18, 27, 27, pose.noise, 8, 24)
        furry(figure, S.SECOND, x + side * 53, y - 14, 16, 16, pose.noise, 6, 18)
    figure.ellipse(S.HEAD, x, y, 52, 44)
    figure.ellipse(S.SECOND, x, y + 32, 28, 15, over=(S.HEAD,))
    for side in (-1, 1):
        bead(figure, x + side * 24, y - 6, 6.5)
    figure.ellipse(S.BLACK, x, y + 6, 14, 22)
    figure.limb(S.EDGE, ((x - 12, y + 34), (x, y + 38), (x + 12, y + 34)), 3.5)


def sloth(figure: Figure, look: Look, pose: Pose) -> None:
    """A three-toed sloth, hanging by its arms and smiling."""
    for side, swing in ((-1, pose.limbs[0]), (1, pose.limbs[1])):
        hand = (side * (44 + 5 * swing), -112)
        figure.limb(S.SHADE, ((side * 24, 6), (side * 58, -48), hand), (30, 25, 20))
        foot = (side * (58 + 4 * swing), 92)
        figure.limb(S.SHADE, ((side * 22, 54), (side * 50, 66), foot), (32, 26, 19))
        for dx in (-8, 0, 8):
            triangle(figure, S.BONE, (hand[0] + dx, hand[1] - 4), (hand[0] + dx - side * 6, hand[1] - 30), 9)
            triangle(figure, S.BONE, (foot[0] + dx, foot[1] + 4), (foot[0] + dx + side * 6, foot[1] + 28), 9)
    furry(figure, S.BASE, 0, 34, 42, 54, pose.noise, 9, 34)
    coat(figure, look, pose, Region(0, 34, 40, 52))
    x, y = 4 * pose.head, -28
    furry(figure, S.HEAD, x, y, 37, 35, pose.noise, 6, 28)
    figure.ellipse(S.SECOND, x, y + 2, 29, 26)
    for side in (-1, 1):
        figure.limb(S.ACCENT, ((x + side * 7, y - 3), (x + side * 30, y + 6)), (13, 9))
        bead(figure, x + side * 12, y - 2, 5)
    figure.ellipse(S.BLACK, x, y + 8, 9, 6)
    figure.limb(S.EDGE, ((x - 16, y + 13), (x, y + 22), (x + 16, y + 13)), 4)


def armadillo(figure: Figure, look: Look, pose: Pose) -> None:
    """An armadillo: a banded shell, long ears, a ringed tail."""
    figure.limb(S.SECOND, ((-60, 24), (-92, 34), (-126, 28 + 9 * pose.tail)), (20, 13, 6))
    for x in (-74, -88, -102):
        figure.limb(S.SHADE, ((x, 18), (x - 2, 46)), 5, over=(S.SECOND,))
    for x, swing in ((-36, pose.limbs[0]), (34, pose.limbs[1])):
        figure.limb(S.SECOND, ((x, 26), (x + 4 * swing, 50)), (22, 16))
        for dx in (-6, 3, 11):
            triangle(figure, S.BONE, (x + dx + 4 * swing, 52), (x + dx + 4 + 4 * swing, 62), 7)
    hx, hy = 74, 12 + 5 * pose.head
    for dx in (0, 12):
        figure.limb(S.SECOND, ((hx - 8 + dx, hy - 14), (hx - 16 + dx, hy - 40)), (14, 10))
    figure.limb(S.SECOND, ((hx - 18, hy - 2), (hx + 6, hy + 4), (hx + 40, hy + 16)), (34, 27, 10))
    bead(figure, hx + 6, hy - 3, 4.5)
    figure.polygon(S.BASE, arc(-4, 34, 68, 68 + 2 * pose.bend, 180, 360, 24))
    for k in range(6):
        x = -38 + 14 * k
        figure.limb(S.ACCENT, ((x + 5, -44), (x - 2, -4), (x - 3, 38)), 5.5, over=(S.BASE,))
    for x, y in ((-52, 18), (-50, 2), (44, 2), (50, 18), (-58, 30), (56, 30), (-42, -12)):
        figure.ellipse(S.ACCENT, x, y, 4, over=(S.BASE,))
    figure.limb(S.SHADE, ((-70, 34), (62, 34)), 9)


def meerkat(figure: Figure, look: Look, pose: Pose) -> None:
    """A meerkat standing guard on its hind legs."""
    figure.limb(S.LIMB, ((-16, 66), (-40, 84), (-72, 88 + 6 * pose.tail)), (15, 11, 7))
    figure.ellipse(S.ACCENT, -72, 88 + 6 * pose.tail, 8, 6)
    for x in (-12, 14):
        figure.limb(S.SHADE, ((x, 50), (x - 2, 76), (x + 8 + 3 * pose.limbs[0], 92)), (27, 17, 12))
    figure.blob(S.BASE, ((14, -46), (24, -10), (28, 40), (18, 76), (-16, 76), (-28, 40), (-22, -10), (-12, -46)))
    for y in (-6, 10, 26, 42):
        figure.limb(S.SHADE, ((-34, y + 6), (-8, y)), 6, over=(S.BASE,))
    figure.ellipse(S.SECOND, 12, 20, 15, 46, over=(S.BASE,))
    for x, reach in ((-4, 0), (16, 8)):
        figure.limb(S.LIMB, ((x - 6, -22), (x + 4, 0), (x + 14 + reach, 18 + 4 * pose.limbs[1])), (15, 11, 8))
    hx, hy = 6, -62 + 3 * pose.head
    for side in (-1, 1):
        figure.ellipse(S.ACCENT, hx + side * 26, hy - 2, 8, 9)
    figure.ellipse(S.HEAD, hx, hy, 27, 25)
    figure.limb(S.SECOND, ((hx + 6, hy + 9), (hx + 22, hy + 14)), (24, 15))
    for dx in (-8, 14):
        figure.ellipse(S.ACCENT, hx + dx, hy - 4, 9, 9)
        bead(figure, hx + dx, hy - 4, 5)
    figure.ellipse(S.BLACK, hx + 27, hy + 11, 6, 5)
