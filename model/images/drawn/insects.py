"""Insects, but for those with broad wings: beetles, flies, bees, ants, grasshoppers, mantises, stick insects."""

from stackwalls.model.images.drawn.figure import Figure, Slot, arc
from stackwalls.model.images.drawn.looks import Look
from stackwalls.model.images.drawn.parts import bead, eye, triangle
from stackwalls.model.images.drawn.patterns import Region, coat
from stackwalls.model.images.drawn.pose import Pose

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off

S = Slot


def beetle(figure: Figure, look: Look, pose: Pose) -> None:
    """A beetle from above.

    Options: `wide`, `long` (half axes of the wing cases), `thorax`, `head`, `legs` (slots), `thoraxwide`, `antennae`
    (length), `snout`, `horn`, `jaws` (lengths), `grooves` (slot), `seam` (slot), `leg` (length),
        `flat` (a cockroach).
    """
    wide, long = look.number("wide", 42) * (1 + 0.04 * pose.bend), look.number("long", 56)
    _six_legs(figure, look, pose, wide)
    _feelers(figure, look, pose)
    thorax = look.slot("thorax", S.ACCENT)
    figure.ellipse(look.slot("head", thorax), 0, -54, look.number("headwide", 20), 17)
    figure.ellipse(S.BASE, 0, 18, wide, long)
    coat(figure, look, pose, Region(0, 18, wide, long))
    grooves = look.slot("grooves")
    for x in (-0.66, -0.33, 0.33, 0.66) if grooves else ():
        figure.limb(
            grooves, ((x * wide * 0.8, 18 - long), (x * wide, 18), (x * wide * 0.7, 18 + long)), 3.5, over=(S.BASE,)
        )
    figure.limb(look.slot("seam", S.EDGE), ((0, 18 - long * 0.9), (0, 18 + long)), 4)
    figure.ellipse(thorax, 0, -30, look.number("thoraxwide", wide * 0.8), 19)
    if look.slot("collar"):
        for side in (-1, 1):
            figure.ellipse(look.slot("collar"), side * wide * 0.5, -34, 9)
    for side in (-1, 1):
        figure.ellipse(look.slot("eyes", S.PUPIL), side * (look.number("headwide", 20) - 5), -58, 7)
        figure.ellipse(S.WHITE, side * (look.number("headwide", 20) - 5), -60, 2.5)


def _six_legs(figure: Figure, look: Look, pose: Pose, wide: float) -> None:
    slot, reach, width = look.slot("legs", S.BLACK), look.number("leg", 38), look.number("legwidth", 8)
    for side in (-1, 1):
        for i, (y, lean) in enumerate(((-32, -26), (2, 4), (32, 30))):
            slant = lean + 5 * pose.limbs[i]
            knee = (side * (wide * 0.8 + reach * 0.6), y + slant * 0.5)
            foot = (side * (wide * 0.8 + reach), y + slant * 1.3)
            figure.limb(slot, ((side * wide * 0.5, y), knee, foot), (width, width, width * 0.6))


def _feelers(figure: Figure, look: Look, pose: Pose) -> None:
    length, sway = look.number("antennae", 30), 5 * pose.head
    slot = look.slot("legs", S.BLACK)
    for side in (-1, 1):
        if length > 70:
            path = (
                (side * 10, -62), (side * 34, -62 - length * 0.45), (side * 74 + sway, -62 - length * 0.4),
                (side * 96 + sway, -62 + length * 0.1),
            )
        else:
            path = (
                (side * 10, -62), (side * 18, -66 - length * 0.6), (side * 30 + sway, -64 - length),
                (side * 33 + sway, -64 - length),
            )
        figure.limb(slot, path, 5)
        if look.number("clubs", 0):
            figure.ellipse(slot, *path[-1], 7)
    snout, horn, jaws = look.number("snout", 0), look.number("horn", 0), look.number("jaws", 0)
    if snout:
        figure.limb(look.slot("head", look.slot("thorax", S.ACCENT)), ((0, -50), (0, -60 - snout)), (20, 10))
    if horn:
        figure.limb(look.slot("hornstuff", S.SHADE), ((0, -40), (0, -66 - horn * 0.5), (14, -66 - horn)), (22, 14, 7))
    for side in (-1, 1) if jaws else ():
        figure.limb(
            look.slot("jawstuff", S.BONE),
            ((side * 8, -62), (side * 14, -64 - jaws * 0.6), (side * 2, -64 - jaws)), (9, 8, 4),
        )


def dung_beetle(figure: Figure, look: Look, pose: Pose) -> None:
    """A dung beetle rolling its ball."""
    figure.ellipse(S.SECOND, 52, 10, 52, 52)
    coat(figure, look, pose, Region(52, 10, 52, 52, (S.SECOND,)))
    for x, reach in ((-54, -6), (-34, 0), (-14, 30)):
        figure.limb(S.ACCENT, ((x, 24), (x - 8, 44), (x + reach + 4 * pose.limbs[0], 64)), (11, 9, 6))
    figure.limb(S.ACCENT, ((-20, -6), (4, -22 + 4 * pose.limbs[1]), (20, -16)), (11, 9, 6))
    figure.ellipse(S.BASE, -46, 8, 44, 32, angle=12)
    figure.limb(S.ACCENT, ((-84, -6), (-46, -6), (-12, 14)), 4, over=(S.BASE,))
    figure.ellipse(S.HEAD, -86, 24 + 3 * pose.head, 21, 18)
    triangle(figure, S.ACCENT, (-94, 14), (-112, -10), 13)
    bead(figure, -94, 20, 5)


def fly(figure: Figure, look: Look, pose: Pose) -> None:
    """A fly from above: huge red eyes, two clear wings."""
    for side in (-1, 1):
        for i, (y, lean) in enumerate(((-22, -24), (0, 8), (18, 40))):
            figure.limb(
                S.ACCENT,
                ((side * 14, y), (side * 46, y + lean * 0.6), (side * 62, y + lean + 4 * pose.limbs[i])),
                (8, 7, 5),
            )
    figure.ellipse(S.BASE, 0, 40, 27, 38)
    for y in (24, 40, 56):
        figure.limb(S.ACCENT, ((-30, y), (30, y)), 6, over=(S.BASE,))
    figure.ellipse(S.HEAD, 0, -8, 29, 28)
    coat(figure, look, pose, Region(0, -8, 26, 26, (S.HEAD,)))
    spread = 6 * pose.bend
    for side in (-1, 1):
        figure.blob(
            S.SECOND,
            (
                (side * 12, -10), (side * (44 + spread), 16), (side * (62 + spread), 66),
                (side * (40 + spread), 84), (side * 16, 30),
            ),
        )
        for end in ((52, 62), (34, 70)):
            figure.limb(S.SECOND_SHADE, ((side * 14, -2), (side * (end[0] + spread), end[1])), 3)
    figure.ellipse(S.ACCENT, 0, -44, 22, 18)
    for side in (-1, 1):
        figure.ellipse(S.EXTRA, side * 19, -46, 17, 20)
        figure.ellipse(S.WHITE, side * 14, -54, 4)


def bee(figure: Figure, look: Look, pose: Pose) -> None:
    """A bee from the side: furry, banded, two wings raised."""
    beat = 8 * pose.limbs[0]
    for x in (-6, 14, 30):
        figure.limb(S.ACCENT, ((x, 20), (x - 8, 38), (x + 4 * pose.limbs[1], 52)), (8, 7, 6))
    figure.blob(S.SECOND, ((10, -18), (-40 + beat, -60), (-64 + beat, -92), (-26 + beat, -96), (14, -50)))
    figure.polygon(S.ACCENT, ((-78, 8), (-104, 16), (-78, 22)))
    figure.ellipse(S.BASE, -34, 6, 54, 34 + 2 * pose.bend, angle=-6)
    for x in (-66, -42, -18):
        figure.limb(S.ACCENT, ((x, -34), (x + 2, 46)), 12, over=(S.BASE,))
    figure.ellipse(S.BASE, 22, -4, 32, 30)
    for x, y in arc(22, -4, 32, 30, 180, 360, 11).tolist():
        figure.ellipse(S.BASE, x, y, 6)
    figure.blob(S.SECOND, ((16, -22), (2 + beat, -66), (18 + beat, -106), (48 + beat, -92), (34, -44)))
    figure.limb(S.ACCENT, ((60, -16), (70, -36), (86 + 4 * pose.head, -42)), (6, 5, 5))
    figure.limb(S.ACCENT, ((56, -16), (60, -40), (70 + 4 * pose.head, -54)), (6, 5, 5))
    figure.ellipse(S.ACCENT, 54, 0, 23, 23)
    eye(figure, 60, -4, 9)


def ant(figure: Figure, look: Look, pose: Pose) -> None:
    """An ant from the side: three beads on six legs, elbowed feelers."""
    for i, (root, foot) in enumerate(((-8, -52), (2, -6), (14, 44))):
        sway = 5 * pose.limbs[i]
        figure.limb(S.ACCENT, ((root, 4), ((root + foot) / 2 - 2, -22), (foot + sway, 46)), (9, 8, 6))
        figure.limb(S.BASE, ((root + 4, 6), ((root + foot) / 2 + 14, -16), (foot + 16 + sway, 50)), (10, 9, 7))
    figure.ellipse(S.BASE, -56, 0, 44, 31, angle=8)
    for x in (-76, -56, -36):
        figure.limb(S.ACCENT, ((x, -34), (x + 2, 34)), 5, over=(S.BASE,))
    figure.ellipse(S.HEAD, 4, -4, 25, 19)
    figure.ellipse(S.BASE, -18, 0, 10, 10)
    hx, hy = 50, -12 + 4 * pose.head
    for dx in (0, 10):
        figure.limb(S.ACCENT, ((hx + 8, hy - 14), (hx + 16 + dx, hy - 44), (hx + 52 + dx, hy - 40)), 6)
    for dy in (6, 16):
        figure.limb(S.ACCENT, ((hx + 18, hy + 8), (hx + 38, hy + dy), (hx + 36, hy + 24)), (10, 8, 4))
    figure.ellipse(S.BASE, hx, hy, 28, 24)
    eye(figure, hx + 8, hy - 6, 7)


def grasshopper(figure: Figure, look: Look, pose: Pose) -> None:
    """A grasshopper or cricket from the side.

    Options: `antennae` (length), `wing` (slot), `round` (a cricket's round head), `tails` (slot of its two bristles).
    """
    bristle, wing = look.slot("tails"), look.slot("wing", S.SECOND)
    for dy in (-8, 8) if bristle else ():
        figure.limb(bristle, ((-70, 0), (-112, dy * 2)), (6, 4))
    for x in (18, 38):
        figure.limb(S.SHADE, ((x, 12), (x + 12, 28), (x + 6 + 5 * pose.limbs[0], 50)), (9, 8, 6))
    figure.blob(S.BASE, ((62, -4), (40, -20), (-20, -14), (-92, 4), (-20, 18), (40, 18)))
    coat(figure, look, pose, Region(-16, 2, 70, 16))
    figure.blob(wing, ((30, -18), (-40, -16), (-108, 2), (-60, 8), (20, 2)))
    figure.ellipse(S.SHADE, 34, -2, 19, 20)
    reach, sway = look.number("antennae", 44), 6 * pose.head
    for lift in (0, 14):
        figure.limb(
            S.ACCENT,
            (
                (66, -22), (76 + reach * 0.3, -34 - reach * 0.4 - lift),
                (74 + reach * 0.9, -30 - reach * 0.5 - lift + sway),
            ),
            (5, 5, 4),
        )
    if look.number("round", 0):
        figure.ellipse(S.HEAD, 62, -6, 24, 23)
    else:
        figure.blob(S.HEAD, ((44, -22), (66, -30), (82, -10), (76, 20), (60, 22), (46, 12)))
    eye(figure, 69, -12, 8)
    knee = (-50, -62 + 5 * pose.limbs[1])
    figure.limb(S.ACCENT, (knee, (-58, 0), (-84, 52)), (8, 7, 6))
    figure.limb(S.ACCENT, ((-84, 52), (-66, 54)), 6)
    figure.limb(S.LIGHT, ((8, 8), (-20, -28), knee), (26, 20, 9))
    figure.limb(S.ACCENT, ((0, 2), (-24, -30), (-48, -58)), 4)


def walking_stick(figure: Figure, look: Look, pose: Pose) -> None:
    """A stick insect: a twig with six thin legs."""
    lean = 6 * pose.bend
    for i, x in enumerate((44, 4, -34)):
        out = 44 + 5 * pose.limbs[i]
        for side in (-1, 1):
            knee = (x + (16 if i < 1 else -12), side * out * 0.7)
            figure.limb(
                S.SECOND, ((x, -x * lean / 90), knee, (knee[0] + (18 if i < 1 else -26), side * out * 1.3)), (6, 6, 4.5)
            )
    figure.limb(S.BASE, ((-104, lean), (0, 0), (76, -lean)), (9, 12, 11))
    for x in (-80, -56, -32, -8, 16, 40, 60):
        figure.ellipse(S.SHADE, x, -x * lean / 90, 5.5, 7)
    for side in (-1, 1):
        figure.limb(S.SECOND, ((84, -lean + side * 2), (118, -lean + side * 12), (140, -lean + side * 10)), (5, 4, 4))
    figure.ellipse(S.HEAD, 82, -lean, 13, 10)
    bead(figure, 86, -lean - 4, 4)


def mantis(figure: Figure, look: Look, pose: Pose) -> None:
    """A mantis: raised long thorax, three-cornered head, folded forelegs."""
    for x, foot in ((-34, -52), (-14, 0), (-6, 26)):
        figure.limb(S.SHADE, ((x, 24), ((x + foot) / 2 - 10, 46), (foot + 5 * pose.limbs[0], 84)), (8, 7, 5))
    figure.blob(S.BASE, ((2, 8), (-30, 2), (-82, 34), (-112, 62 + 5 * pose.tail), (-70, 58), (-10, 36)))
    figure.blob(S.SECOND, ((0, 8), (-40, 4), (-118, 46 + 5 * pose.tail), (-70, 42), (-14, 24)))
    figure.limb(S.BASE, ((-8, 24), (12, -16), (30, -56)), (21, 16, 13))
    for dx, slot in ((10, S.SHADE), (0, S.LIMB)):
        grip = 5 * pose.limbs[1]
        figure.limb(slot, ((26 + dx, -44), (56 + dx, -20), (62 + dx, -14)), (12, 13, 10))
        figure.limb(slot, ((60 + dx, -14), (78 + dx, -58 + grip)), (14, 11))
        figure.limb(slot, ((78 + dx, -58 + grip), (62 + dx, -38), (60 + dx, -28)), (9, 7, 4))
        for k in range(3):
            triangle(figure, slot, (64 + dx + 5 * k, -26 - 11 * k), (52 + dx + 5 * k, -30 - 11 * k), 7)
    hx, hy = 34, -70 + 4 * pose.head
    for side in (-1, 1):
        figure.limb(
            S.ACCENT,
            ((hx + side * 5, hy - 12), (hx + side * 18 + 6, hy - 48), (hx + side * 24 + 14, hy - 58)),
            (5, 4, 4),
        )
    figure.blob(
        S.HEAD,
        ((hx - 25, hy - 15), (hx, hy - 18), (hx + 25, hy - 15), (hx + 8, hy + 14), (hx, hy + 20), (hx - 8, hy + 14)),
    )
    for side in (-1, 1):
        figure.ellipse(S.ACCENT, hx + side * 21, hy - 12, 10, 12)
        figure.ellipse(S.PUPIL, hx + side * 21, hy - 12, 3.5)


def cicada(figure: Figure, look: Look, pose: Pose) -> None:
    """A cicada from above: blunt head, wide-set eyes, clear wings held like a roof."""
    for side in (-1, 1):
        for i, y in enumerate((-34, -20, -6)):
            figure.limb(S.ACCENT, ((side * 20, y), (side * 48, y - 6 + 10 * i + 4 * pose.limbs[i])), (9, 6))
    figure.ellipse(S.BASE, 0, 26, 27, 58)
    for y in (10, 28, 46, 64):
        figure.limb(S.ACCENT, ((-30, y), (30, y)), 6, over=(S.BASE,))
    spread = 6 * pose.bend
    for side in (-1, 1):
        figure.blob(
            S.SECOND,
            (
                (side * 22, -22), (side * (50 + spread), 4), (side * (56 + spread), 70),
                (side * (32 + spread), 112), (side * 16, 60), (side * 10, 0),
            ),
        )
        for end in ((46, 80), (30, 96), (50, 50)):
            figure.limb(S.EXTRA, ((side * 20, -14), (side * (end[0] + spread) * 0.95, end[1])), 3.5)
    figure.ellipse(S.HEAD, 0, -30, 36, 26)
    coat(figure, look, pose, Region(0, -28, 34, 22, (S.HEAD,)))
    figure.ellipse(S.BASE, 0, -52, 34, 15)
    for side in (-1, 1):
        figure.ellipse(S.EXTRA, side * 34, -54, 10)
        figure.ellipse(S.PUPIL, side * 35, -55, 4)


def leafhopper(figure: Figure, look: Look, pose: Pose) -> None:
    """A leafhopper from the side: a wedge that tapers to the wing tips."""
    for x in (-20, 14, 36):
        figure.limb(S.ACCENT, ((x, 20), (x - 14, 36 + 4 * pose.limbs[0]), (x - 6, 54)), (8, 7, 5))
    figure.blob(S.EXTRA, ((60, 16), (20, 26), (-50, 24), (-60, 8), (40, -4)))
    figure.blob(S.BASE, ((54, -26), (10, -36), (-60, -8), (-108, 26 + 3 * pose.tail), (-50, 22), (30, 14)))
    coat(figure, look, pose, Region(-20, -4, 76, 26))
    hx, hy = 66, -6 + 2 * pose.head
    figure.limb(S.ACCENT, ((hx + 14, hy - 2), (hx + 40, hy - 16)), (5, 3.5))
    figure.blob(
        S.HEAD, ((hx - 18, hy - 24), (hx + 8, hy - 20), (hx + 26, hy + 4), (hx + 8, hy + 22), (hx - 14, hy + 20))
    )
    figure.ellipse(S.ACCENT, hx + 6, hy - 4, 9, 11)
    figure.ellipse(S.WHITE, hx + 8, hy - 8, 3)
