"""Ground birds: cocks, grouse, quails, a peacock."""

import numpy as np

from stackwalls.model.images.drawn.beaks import beak
from stackwalls.model.images.drawn.figure import Figure, Slot, arc
from stackwalls.model.images.drawn.looks import Look
from stackwalls.model.images.drawn.parts import bead, bird_leg
from stackwalls.model.images.drawn.patterns import Region, coat
from stackwalls.model.images.drawn.pose import Pose

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off

S = Slot


def fowl(figure: Figure, look: Look, pose: Pose) -> None:
    """A ground bird: plump body, small head.

    Options: `tail` (sickle, fan, short, lyre), `comb` (size), `wattle` (slot), `neck` (length), `legs`, `wing`,
    `breast`, `head`, `brow`, `throat`, `crest`, `sac` (slot of a blown-up air sac).
    """
    swing = 4 * pose.limbs[0]
    legs = look.slot("legs", S.ACCENT)
    reach = look.number("leg", 30)
    bird_leg(figure, legs, (-6, 28), (-8 + swing, 32 + reach), 6)
    bird_leg(figure, legs, (10, 28), (12 - swing, 32 + reach), 6)
    _fowl_tail(figure, look, pose)
    neck = look.number("neck", 34)
    hx, hy = 46 + 3 * pose.head, -14 - neck + 4 * pose.head
    figure.ellipse(S.BASE, 0, 0, 52, 35 * (1 + 0.05 * pose.bend), angle=-8)
    figure.limb(look.slot("hackle", S.BASE), ((22, 4), (38, -18), (hx, hy)), (48, 34, 24))
    for key, (x, y, rx, ry) in {"breast": (34, 4, 24, 26), "belly": (0, 24, 40, 18)}.items():
        slot = look.slot(key)
        if slot:
            figure.ellipse(slot, x, y, rx, ry, over=(S.BASE,))
    coat(figure, look, pose, Region(0, 0, 52, 35))
    if look.slot("sac"):
        figure.ellipse(look.slot("sac"), 44, -10, 15, 17)
    _fowl_head(figure, look, hx, hy)
    wing = look.slot("wing", S.SHADE)
    figure.blob(wing, ((22, -10), (20, 10), (-6, 20), (-42, 14), (-30, -8), (0, -18)))
    if look.slot("wingbar"):
        figure.limb(look.slot("wingbar"), ((4, -18), (-2, 2), (-10, 20)), 9, over=(wing,))


def _fowl_head(figure: Figure, look: Look, x: float, y: float) -> None:
    comb, wattle, crest = look.number("comb", 0), look.slot("wattle"), look.number("crest", 0)
    for i in range(4 if comb else 0):
        figure.ellipse(S.EXTRA, x - 14 + 9 * i, y - 16 - comb * (0.4 if i in (0, 3) else 0.7), comb * 0.55, comb * 0.8)
    if crest:
        figure.limb(
            look.slot("cap", S.HEAD),
            ((x - 2, y - 12), (x + 2, y - 18 - crest * 0.6), (x + 14, y - 18 - crest)), (7, 6, 9),
        )
    beak(figure, "cone", look.slot("beakcolor", S.HORN), x + 15, y + 1)
    head = look.slot("head", S.HEAD)
    figure.ellipse(head, x, y, 19, 18)
    for key, (dx, dy, rx, ry) in {
        "cap": (-2, -13, 18, 9),
        "face": (8, 2, 12, 11),
        "throat": (8, 14, 14, 9),
        "brow": (6, -9, 13, 5),
    }.items():
        slot = look.slot(key)
        if slot:
            figure.ellipse(slot, x + dx, y + dy, rx, ry)
    if wattle:
        figure.ellipse(wattle, x + 14, y + 22, 7, 12)
    bead(figure, x + 8, y - 4, 4.5)


def _fowl_tail(figure: Figure, look: Look, pose: Pose) -> None:
    kind, slot = look.word("tail", "short"), look.slot("tailcolor", S.ACCENT)
    swing = 5 * pose.tail
    if kind == "sickle":
        for i, reach in enumerate((0, 14, 28)):
            figure.limb(
                slot if i != 1 else S.SECOND,
                (
                    (-34, -6), (-66 - reach * 0.3, -62 - reach + swing), (-104 + reach * 0.2, -50 - reach),
                    (-112 + reach * 0.4, -6 - reach),
                ),
                (22, 20, 14, 5),
            )
    elif kind == "fan":
        for angle in np.radians(np.linspace(165, 250, 6)).tolist():
            figure.limb(slot, ((-34, 0), (-34 + 58 * np.cos(angle), 58 * np.sin(angle) + swing)), (12, 17))
        if look.slot("tailtip"):
            rim = arc(-34, swing, 54, 54, 165, 250, 7)
            figure.limb(look.slot("tailtip"), rim, 8)
    elif kind == "lyre":
        for curl in (-1, 1):
            figure.limb(
                slot,
                ((-36, 0), (-70, -12 + swing), (-92, -14 + curl * 26 + swing), (-84, -14 + curl * 44)),
                (20, 15, 13, 7),
            )
        figure.ellipse(S.WHITE, -48, 6, 15, 13)
    elif kind == "tuft":
        figure.blob(slot, ((-36, -12), (-70, -26 + swing), (-78, 0), (-60, 14), (-34, 12)))
    else:
        figure.polygon(slot, ((-38, -14), (-70, 2 + swing), (-66, 18 + swing), (-36, 16)))


def peacock(figure: Figure, look: Look, pose: Pose) -> None:
    """A peacock from the front, its train spread."""
    for x in (-8, 10):
        bird_leg(figure, S.HORN, (x, 50), (x, 88), 5)
    center = (0.0, 34.0)
    spread = 100 + 3 * pose.bend
    for ring, slot in ((spread, S.SECOND), (spread * 0.8, S.SECOND_SHADE)):
        figure.polygon(slot, np.concatenate([arc(*center, ring, ring, 170, 370, 21), [center]]))
    for ring, offset in ((92, 0), (72, 8), (52, 0)):
        for x, y in arc(*center, ring, ring, 178 + offset, 362 - offset, 11 if ring > 60 else 8).tolist():
            figure.ellipse(S.ACCENT, x, y, 8.5)
            figure.ellipse(S.BASE, x, y, 5)
    figure.blob(S.BASE, ((0, -22), (16, 10), (24, 44), (0, 66), (-24, 44), (-16, 10)))
    hx = 4 * pose.head
    for dx in (-10, 0, 10):
        figure.limb(S.BASE, ((hx, -32), (hx + dx, -58)), 3.5)
        figure.ellipse(S.BASE, hx + dx, -58, 4.5)
    figure.ellipse(S.HEAD, hx, -28, 17, 18)
    for side in (-1, 1):
        figure.ellipse(S.WHITE, hx + side * 9, -30, 7, 6)
        bead(figure, hx + side * 9, -30, 4)
    figure.polygon(S.BONE, ((hx - 5, -24), (hx + 5, -24), (hx, -12)))
