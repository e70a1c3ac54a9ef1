"""Insects with broad wings: butterflies, dragonflies, damselflies, lacewings."""

from stackwalls.model.images.drawn.figure import Figure, Slot
from stackwalls.model.images.drawn.looks import Look
from stackwalls.model.images.drawn.parts import bead
from stackwalls.model.images.drawn.pose import Pose

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off

S = Slot


def butterfly(figure: Figure, look: Look, pose: Pose) -> None:
    """A butterfly from above, wings spread.

    Options: `rim` (slot, with `rimwidth`), `tips` (slot of the forewing's tips), `dots` (slot on the rim), `spots`
    (slot of one round spot on each forewing), `rings` (slot of eye spots on both), `band` (slot across the forewing),
    `hindband`, `veins` (slots), `tails` (short tails on the hindwing), `hind` (slot), `body` (slot).
    """
    spread = 1 + 0.07 * pose.bend
    for side in (-1, 1):
        _wings(figure, look, side * spread)
    body = look.slot("body", S.BLACK)
    for side in (-1, 1):
        sway = 4 * pose.head
        figure.limb(body, ((side * 3, -42), (side * 14, -66), (side * 24 + sway, -78)), (5, 4, 4))
        figure.ellipse(body, side * 24 + sway, -78, 5)
    figure.limb(body, ((0, -30), (0, 0), (0, 46)), (17, 16, 8))
    figure.ellipse(body, 0, -38, 12)
    for side in (-1, 1):
        bead(figure, side * 8, -41, 4)


def _wings(figure: Figure, look: Look, s: float) -> None:
    fore = ((s * 6, -26), (s * 46, -66), (s * 98, -80), (s * 108, -62), (s * 94, -24), (s * 60, 0), (s * 8, 4))
    hind = [(s * 6, 2), (s * 54, 0), (s * 82, 24), (s * 78, 54), (s * 52, 72), (s * 26, 58), (s * 6, 28)]
    rim, base, low = look.slot("rim"), S.BASE, look.slot("hind", S.BASE)
    if look.number("tails", 0):
        figure.limb(rim or low, ((s * 58, 60), (s * 66, 88)), (12, 7))
    share = 1 - look.number("rimwidth", 9) / 50
    for wing, slot, (cx, cy) in ((hind, low, (s * 40, 30)), (fore, base, (s * 52, -34))):
        figure.blob(rim or slot, wing)
        if rim:
            figure.blob(slot, [(cx + (x - cx) * share, cy + (y - cy) * share) for x, y in wing])
    skin = (S.BASE, low)
    _wing_marks(figure, look, s, skin)
    dots = look.slot("dots")
    for x, y in ((99, -70), (98, -50), (90, -30), (78, 30), (72, 50), (52, 64)) if dots else ():
        figure.ellipse(dots, s * x, y, 4.5)


def _wing_marks(figure: Figure, look: Look, s: float, skin: tuple[int, ...]) -> None:
    """What is painted on the wings inside their rim."""
    tips, band, hindband = look.slot("tips"), look.slot("band"), look.slot("hindband")
    if tips:
        figure.ellipse(tips, s * 100, -72, 34, 28, over=skin)
    if band:
        figure.limb(band, ((s * 44, -72), (s * 58, -34), (s * 88, -8)), 13, over=skin)
    if hindband:
        figure.limb(hindband, ((s * 84, 26), (s * 70, 54), (s * 34, 62)), 13, over=skin)
    veins = look.slot("veins")
    for x, y in ((96, -56), (82, -26), (74, 28), (56, 54), (30, 50)) if veins else ():
        figure.limb(veins, ((s * 10, -8 if y < 0 else 10), (s * x, y)), 4.5, over=skin)
    for key, places in (("spots", ((62, -40),)), ("twospots", ((62, -40), (70, -20)))):
        slot = look.slot(key)
        for x, y in places if slot else ():
            figure.ellipse(slot, s * x, y, 8)
    rings = look.slot("rings")
    for x, y, r in ((74, -44, 11), (62, 26, 9), (46, 46, 9)) if rings else ():
        figure.ellipse(rings, s * x, y, r)
        figure.ellipse(S.BLACK, s * x, y, r * 0.66)
        figure.ellipse(S.WHITE, s * x, y, r * 0.27)


def dragonfly(figure: Figure, look: Look, pose: Pose) -> None:
    """A dragonfly from above, four wings spread; options `thick` (of the tail), `tips` (slot on the wings)."""
    lift = 6 * pose.bend
    for side in (-1, 1):
        for root, tip in ((-26, -58 + lift), (-8, 6 - lift)):
            figure.blob(
                S.SECOND,
                (
                    (side * 6, root), (side * 60, (root + tip) / 2 - 12), (side * 112, tip - 6),
                    (side * 118, tip + 8), (side * 60, (root + tip) / 2 + 14), (side * 6, root + 12),
                ),
            )
            figure.limb(S.SECOND_SHADE, ((side * 8, root + 5), (side * 110, tip)), 3)
            if look.slot("tips"):
                figure.ellipse(look.slot("tips"), side * 98, tip + 1, 8, 6)
    thick = look.number("thick", 13)
    bend = 8 * pose.tail
    figure.limb(S.BASE, ((0, 0), (bend * 0.3, 50), (bend, 108)), (thick * 1.3, thick * 0.9, thick))
    for y in (26, 46, 66, 86):
        figure.limb(S.ACCENT, ((-12, y), (12 + bend * y / 108, y)), 5, over=(S.BASE,))
    figure.ellipse(S.BASE, 0, -16, 17, 26)
    for y in (-24, -8):
        figure.limb(S.ACCENT, ((-14, y), (14, y)), 4)
    figure.ellipse(S.ACCENT, 0, -44, 12, 9)
    for side in (-1, 1):
        figure.ellipse(S.EXTRA, side * 11, -49, 13, 12)
        figure.ellipse(S.WHITE, side * 9, -54, 3.5)


def damselfly(figure: Figure, look: Look, pose: Pose) -> None:
    """A damselfly from the side: a thin body, wings folded together above it."""
    bend = 6 * pose.tail
    for x in (40, 52, 62):
        figure.limb(S.ACCENT, ((x, 8), (x + 8, 26), (x + 2 + 4 * pose.limbs[0], 44)), (6, 5, 5))
    for tip, slot in (((-70, -52), S.SECOND_SHADE), ((-84, -34), S.SECOND)):
        lift = 5 * pose.bend
        figure.blob(
            slot,
            (
                (44, -8), (0, tip[1] * 0.7 + lift), (tip[0], tip[1] + lift), (tip[0] + 2, tip[1] + 18 + lift),
                (0, tip[1] * 0.3 + 4), (38, 2),
            ),
        )
    figure.limb(S.BASE, ((50, 0), (-40, 6 + bend * 0.4), (-118, 8 + bend)), (12, 9, 10))
    for x in (-98, -70, -42, -14, 14):
        figure.limb(S.ACCENT, ((x, -14), (x, 28)), 8, over=(S.BASE,))
    figure.ellipse(S.BASE, 50, 0, 21, 14)
    figure.limb(S.ACCENT, ((36, -6), (66, -6)), 5, over=(S.BASE,))
    figure.ellipse(S.HEAD, 76, -2 + 2 * pose.head, 12, 13)
    figure.ellipse(S.EXTRA, 80, -4 + 2 * pose.head, 10)
    figure.ellipse(S.WHITE, 82, -8 + 2 * pose.head, 3)


def lacewing(figure: Figure, look: Look, pose: Pose) -> None:
    """A lacewing from the side: large netted wings like a roof, long feelers."""
    lift = 5 * pose.bend
    for x in (34, 48, 60):
        figure.limb(S.ACCENT, ((x, 10), (x + 8, 26), (x + 4 * pose.limbs[0], 46)), (6, 5, 5))
    figure.limb(S.BASE, ((52, 0), (0, 10), (-60, 14)), (18, 17, 9))
    for sway in (0, 14):
        figure.limb(S.ACCENT, ((74, -12), (106, -34 - sway), (134, -30 - sway + 6 * pose.head)), (5, 4, 4))
    figure.ellipse(S.BASE, 50, -2, 20, 15)
    for dx, slot in ((10, S.SECOND_SHADE), (0, S.SECOND)):
        wing = (
            (50 + dx, -10), (0 + dx, -52 + lift), (-76 + dx, -50 + lift), (-116 + dx, -16), (-70 + dx, 10),
            (20 + dx, 6),
        )
        figure.blob(slot, wing)
    for y in (-36, -22, -8):
        figure.limb(S.ACCENT, ((44, -8), (-20, y), (-108, y * 0.7)), 3, over=(S.SECOND,))
    for x in (-84, -60, -36, -12, 12):
        figure.limb(S.ACCENT, ((x + 8, -56), (x - 4, 12)), 3, over=(S.SECOND,))
    figure.ellipse(S.HEAD, 74, -4, 15, 14)
    figure.ellipse(S.EXTRA, 79, -8, 8)
    figure.ellipse(S.WHITE, 81, -11, 2.5)
