"""Birds of trees and fields: songbirds, parrots, hummingbirds, birds of prey and owls."""

import numpy as np

from stackwalls.model.images.drawn.beaks import beak
from stackwalls.model.images.drawn.figure import Figure, Slot
from stackwalls.model.images.drawn.looks import Look
from stackwalls.model.images.drawn.parts import bead, bird_leg, eye, furry
from stackwalls.model.images.drawn.patterns import Region, coat
from stackwalls.model.images.drawn.pose import Pose

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off

S = Slot


def songbird(figure: Figure, look: Look, pose: Pose) -> None:
    """A perching bird from the side.

    Options: `beak`, `beakcolor`, `lean` (degrees), `plump`, `tail` (length), `tailshape` (plain, fan, long, cocked),
    `crest` (height), `wing`, `wingbar`, `breast`, `belly`, `cap`, `mask`, `cheek`, `throat`, `nape`, `head`, `legs`,
    `rump`, `brow` (slots).
    """
    lean, plump = look.number("lean", 22) + 5 * pose.bend, look.number("plump", 1) * (1 + 0.05 * pose.bend)
    legs = look.slot("legs", S.HORN)
    swing = 3 * pose.limbs[0]
    bird_leg(figure, legs, (-4, 24), (-4 + swing, 64), 5)
    _tail(figure, look, pose)
    figure.ellipse(S.BASE, 0, 0, 46, 31 * plump, angle=-lean)
    _underside(figure, look, plump)
    coat(figure, look, pose, Region(0, 0, 46, 31))
    hx, hy = 35 + 2 * pose.head, -32 + 4 * pose.head
    beak(figure, look.word("beak", "cone"), look.slot("beakcolor", S.HORN), hx + 20, hy + 1)
    _head(figure, look, hx, hy)
    _folded_wing(figure, look, pose)
    bird_leg(figure, legs, (8, 26), (10 - swing, 66), 5)


def _tail(figure: Figure, look: Look, pose: Pose) -> None:
    length, slot = look.number("tail", 40), look.slot("tailcolor", look.slot("wing", S.ACCENT))
    up = {"cocked": -0.75, "long": 0.5}.get(look.word("tailshape", "plain"), 0.34) - 0.1 * pose.tail
    root, tip = (-30, 14), (-38 - length, 14 + length * up)
    wide = {"fan": 34.0, "long": 13.0}.get(look.word("tailshape", "plain"), 18.0)
    dx, dy = 0.3 * up * wide, 0.5 * wide
    figure.polygon(
        slot,
        ((root[0], root[1] - 10), (tip[0] + dx, tip[1] - dy), (tip[0] - dx, tip[1] + dy), (root[0] + 4, root[1] + 10)),
    )
    edge = look.slot("tailtip")
    if edge:
        figure.limb(edge, ((tip[0] + dx, tip[1] - dy), (tip[0] - dx, tip[1] + dy)), 9)
    rump = look.slot("rump")
    if rump:
        figure.ellipse(rump, -34, 12, 14, 12)


def _underside(figure: Figure, look: Look, plump: float) -> None:
    for key, (x, y, rx, ry) in {
        "belly": (-4, 22 * plump, 40, 20),
        "breast": (26, 4, 26, 26 * plump),
        "flank": (0, 14, 30, 14),
        "vent": (-30, 24, 22, 16),
    }.items():
        slot = look.slot(key)
        if slot:
            figure.ellipse(slot, x, y, rx, ry, over=(S.BASE, S.SECOND, S.ACCENT, S.EXTRA, S.WHITE))


def _head(figure: Figure, look: Look, x: float, y: float) -> None:
    """Round head with its markings; the crest stands behind it."""
    crest = look.number("crest", 0)
    slot = look.slot("cap", look.slot("head", S.HEAD))
    if crest:
        figure.polygon(slot, ((x + 12, y - 16), (x - 18, y - 16 - crest), (x - 22, y - 2)))
    figure.ellipse(look.slot("head", S.HEAD), x, y, 24, 23)
    skin = (S.HEAD, look.slot("head", S.HEAD))
    cap, nape, throat = look.slot("cap"), look.slot("nape"), look.slot("throat")
    if nape:
        figure.ellipse(nape, x - 20, y + 8, 13, 17, over=skin)
    if throat:
        figure.ellipse(throat, x + 10, y + 18, 17, 14, over=(*skin, S.BASE, S.SECOND, S.ACCENT, S.EXTRA, S.WHITE))
    if cap:
        figure.ellipse(cap, x - 3, y - 20, 26, 19, over=skin)
    for key, (dx, dy, rx, ry) in {"mask": (12, 0, 19, 8), "cheek": (0, 6, 11, 8), "brow": (4, -11, 19, 3.5)}.items():
        marking = look.slot(key)
        if marking:
            figure.ellipse(marking, x + dx, y + dy, rx, ry)
    iris = look.slot("iris")
    if iris:
        eye(figure, x + 9, y - 4, 6.5, iris)
    else:
        bead(figure, x + 9, y - 4, 5.2)


def _folded_wing(figure: Figure, look: Look, pose: Pose) -> None:
    slot = look.slot("wing", S.ACCENT)
    droop = 4 * pose.limbs[1]
    outline = ((18, -10), (20, 6), (0, 18), (-30, 24 + droop), (-62, 28 + droop), (-34, 8), (-10, -14))
    figure.blob(slot, outline)
    bar, second = look.slot("wingbar"), look.slot("wingtip")
    if second:
        figure.ellipse(second, -48, 26 + droop, 24, 14, over=(slot,))
    if bar:
        figure.limb(bar, ((8, -14), (2, 4), (-8, 20)), 8, over=(slot,))
        if look.number("bars", 1) > 1:
            figure.limb(bar, ((-14, -10), (-20, 6), (-28, 22)), 7, over=(slot,))


def parrot(figure: Figure, look: Look, pose: Pose) -> None:
    """An upright bird with a hooked bill.

    Options: `tail`, `crest` (lengths), `tailcolor`, `head`, `face`, `iris`, `beakcolor`, `collar`, `breast`, `wing`,
    `wingbar`, `wingtip` (slots).
    """
    tail = look.number("tail", 60)
    lean = 4 * pose.bend
    for side in (-1, 1):
        x = -22 - tail * 0.35 + side * 5
        figure.polygon(
            look.slot("tailcolor", S.ACCENT),
            ((-18, 30), (x - 5, 44 + tail + 3 * pose.tail), (x + 8, 44 + tail), (4, 40)),
        )
    for x in (2, 18):
        figure.limb(S.HORN, ((x, 46), (x + 6, 60)), 9)
    figure.ellipse(S.BASE, 0, 4, 31, 50, angle=14 + lean)
    breast = look.slot("breast")
    if breast:
        figure.ellipse(breast, 16, 2, 22, 34, angle=14, over=(S.BASE,))
    coat(figure, look, pose, Region(4, 6, 32, 48))
    _parrot_head(figure, look, 16 + 2 * pose.head, -46 + 3 * pose.head)
    wing = look.slot("wing", S.SHADE)
    figure.blob(wing, ((-8, -26), (12, -8), (10, 24), (-14, 62), (-34, 78), (-30, 30), (-26, -6)))
    for key, y in (("wingbar", 14), ("wingtip", 56)):
        slot = look.slot(key)
        if slot:
            figure.ellipse(slot, -14, y, 40, 15 if key == "wingbar" else 22, over=(wing,))


def _parrot_head(figure: Figure, look: Look, hx: float, hy: float) -> None:
    crest = look.number("crest", 0)
    if crest:
        for angle in np.radians((-150, -128, -106, -84)).tolist():
            figure.limb(
                S.ACCENT,
                ((hx - 6, hy - 14), (hx - 8 + crest * np.cos(angle), hy - 16 + crest * np.sin(angle))), (10, 6),
            )
    beak(figure, "parrot", look.slot("beakcolor", S.HORN), hx + 18, hy)
    figure.ellipse(look.slot("head", S.HEAD), hx, hy, 27, 26)
    face = look.slot("face")
    if face:
        figure.ellipse(face, hx + 12, hy + 2, 14, 13)
    collar = look.slot("collar")
    if collar:
        figure.limb(collar, ((hx - 24, hy + 18), (hx, hy + 28), (hx + 22, hy + 20)), 11)
    eye(figure, hx + 9, hy - 3, 6.5, look.slot("iris", S.WHITE))


def hummingbird(figure: Figure, look: Look, pose: Pose) -> None:
    """A small bird hovering with a long thin bill and both wings raised."""
    up = 10 * pose.limbs[0]
    figure.blob(S.SHADE, ((2, -14), (-2, -50), (14, -98 + up), (26, -70), (18, -20)))
    figure.polygon(S.ACCENT, ((-34, 36), (-74, 62 + 6 * pose.tail), (-62, 78 + 6 * pose.tail), (-48, 84), (-22, 44)))
    figure.ellipse(S.BASE, -6, 14, 42, 21, angle=-42)
    figure.ellipse(S.WHITE, 6, 26, 30, 12, angle=-42, over=(S.BASE,))
    hx, hy = 28, -26 + 3 * pose.head
    figure.limb(S.PUPIL, ((hx + 10, hy), (hx + 40, hy - 6), (hx + 78, hy - 8 + 4 * pose.head)), (7, 5, 3.5))
    figure.ellipse(S.HEAD, hx, hy, 20, 19)
    figure.ellipse(S.SECOND, hx + 8, hy + 14, 17, 12, over=(S.HEAD, S.BASE, S.WHITE))
    bead(figure, hx + 8, hy - 4, 5)
    figure.blob(S.ACCENT, ((8, 6), (-22, -26), (-74, -74 + up), (-78, -54 + up), (-40, -6), (-8, 20)))
    figure.blob(S.LIGHT, ((-12, -2), (-34, -24), (-72, -64 + up), (-44, -22)), over=(S.ACCENT,))


def raptor(figure: Figure, look: Look, pose: Pose) -> None:
    """A bird of prey, perched; options `head`, `breast`, `legs`, `ruff` (slots), `bald` (a vulture), `tailcolor`."""
    figure.polygon(
        look.slot("tailcolor", S.SHADE), ((-26, 30), (-50 + 4 * pose.tail, 104), (-26 + 4 * pose.tail, 108), (4, 46))
    )
    legs = look.slot("legs", S.ACCENT)
    for x in (-2, 18):
        figure.limb(S.SHADE, ((x, 40), (x + 4, 68)), (24, 12))
        figure.limb(legs, ((x + 4, 68), (x + 4, 80)), 8)
        for dx in (-8, 2, 12):
            figure.limb(legs, ((x + 4, 80), (x + 4 + dx, 86)), 6)
    figure.ellipse(S.BASE, 0, 6, 36, 54, angle=10 + 3 * pose.bend)
    breast = look.slot("breast")
    if breast:
        figure.ellipse(breast, 18, 8, 24, 40, angle=10, over=(S.BASE,))
    coat(figure, look, pose, Region(10, 6, 34, 48))
    bald = look.number("bald", 0) > 0
    hx, hy = (34, -50 + 6 * pose.head) if bald else (18, -50 + 3 * pose.head)
    head = look.slot("head", S.HEAD)
    if bald:
        figure.limb(head, ((10, -20), (24, -42), (hx - 2, hy)), (30, 20, 18))
        furry(figure, look.slot("ruff", S.WHITE), 6, -26, 32, 17, pose.noise, 6)
    beak(figure, "hook", look.slot("beakcolor", S.ACCENT), hx + (12 if bald else 20), hy + 2)
    figure.ellipse(head, hx, hy, 18 if bald else 25, 16 if bald else 24)
    if not bald:
        figure.ellipse(head, hx - 8, hy + 18, 24, 20)
    eye(figure, hx + 8, hy - 3, 6, look.slot("iris", S.WHITE))
    figure.limb(S.EDGE, ((hx, hy - 10), (hx + 16, hy - 8)), 4)
    figure.blob(
        look.slot("wing", S.SHADE), ((-12, -28), (10, -14), (8, 20), (-18, 70), (-42, 88), (-40, 30), (-32, -10))
    )


def soaring(figure: Figure, look: Look, pose: Pose) -> None:
    """A bird of prey in the air, from below: spread wings and a forked tail."""
    lift = 8 * pose.bend
    for side in (-1, 1):
        hand = (
            (side * 8, -22), (side * 52, -46 + lift), (side * 112, -34 + lift), (side * 124, -8 + lift),
            (side * 96, 0 + lift), (side * 50, 12), (side * 8, 22),
        )
        figure.blob(S.BASE, hand)
        figure.blob(
            S.SECOND,
            ((side * 62, -16 + lift), (side * 90, -22 + lift), (side * 92, -6 + lift), (side * 66, 2)),
            over=(S.BASE,),
        )
        figure.ellipse(S.ACCENT, side * 112, -14 + lift, 18, 22, over=(S.BASE, S.SECOND))
    swing = 6 * pose.tail
    figure.polygon(S.EXTRA, ((-12, 32), (-32 + swing, 92), (swing, 68), (32 + swing, 92), (12, 32)))
    figure.ellipse(S.BASE, 0, 8, 18, 40)
    coat(figure, look, pose, Region(0, 8, 18, 38))
    figure.ellipse(look.slot("head", S.HEAD), 0, -36, 15, 16)
    figure.polygon(look.slot("beakcolor", S.HORN), ((-6, -46), (6, -46), (0, -64)))
    for side in (-1, 1):
        bead(figure, side * 8, -40, 4)


def owl(figure: Figure, look: Look, pose: Pose) -> None:
    """An owl from the front, with discs around its eyes."""
    figure.polygon(S.SHADE, ((-22, 60), (-18, 96), (18, 96), (22, 60)))
    figure.ellipse(S.BASE, 0, 24, 52 + 2 * pose.bend, 62)
    figure.ellipse(S.SECOND, 0, 34, 34, 52, over=(S.BASE,))
    coat(figure, look, pose, Region(0, 34, 40, 52, (S.BASE, S.SECOND)))
    for side in (-1, 1):
        figure.blob(S.SHADE, ((side * 40, -16), (side * 56, 10), (side * 52, 56), (side * 34, 84), (side * 34, 30)))
        figure.limb(S.ACCENT, ((side * 14, 84), (side * 14, 92)), 14)
    turn = 5 * pose.head
    figure.ellipse(S.HEAD, turn, -36, 56, 46)
    for side in (-1, 1):
        x = turn * 1.3 + side * 23
        for radius, slot in ((25, S.SECOND), (19, S.SHADE), (14, S.SECOND)):
            figure.ellipse(slot, x, -34, radius)
        eye(figure, x, -34, 10, S.ACCENT)
    figure.polygon(S.ACCENT, ((turn - 7, -28), (turn + 7, -28), (turn, -8)))
    figure.polygon(S.WHITE, ((turn - 12, -8), (turn + 12, -8), (turn, 2)))
