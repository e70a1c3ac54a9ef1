"""Monkeys, apes and lemurs, sitting and facing the viewer, or hanging by an arm."""

import numpy as np

from stackwalls.model.images.drawn.figure import Figure, Slot
from stackwalls.model.images.drawn.looks import Look
from stackwalls.model.images.drawn.parts import bead, eye, furry
from stackwalls.model.images.drawn.patterns import Region, coat
from stackwalls.model.images.drawn.pose import Pose

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off

S = Slot


def primate(figure: Figure, look: Look, pose: Pose) -> None:
    """A monkey, ape or lemur from the front.

    Options: `hang` (by its arms), `wide` (of the body), `arm` (length), `armwidth`, `tail` (none, long, curl, ring,
    stub), `tailcolor`, `tailtip`, `limbs`, `hands`, `chest`, and those of the head (see `_head`).
    """
    wide, hang = look.number("wide", 34) * (1 + 0.04 * pose.bend), look.number("hang", 0) > 0
    limbs, hands = look.slot("limbs", S.LIMB), look.slot("hands", S.SECOND)
    _tail(figure, look, pose)
    _legs(figure, look, pose, limbs, wide, hang)
    if look.slot("cape"):
        furry(figure, look.slot("cape"), 0, 18, wide + 16, 48, pose.noise, 9, 26)
    if look.word("fur", "smooth") == "shaggy":
        furry(figure, S.BASE, 0, 26, wide + 3, 52, pose.noise, 8, 32)
    figure.ellipse(S.BASE, 0, 26, wide + 2, 52)
    chest = look.slot("chest")
    if chest:
        figure.ellipse(chest, 0, 26, wide * 0.68, 38, over=(S.BASE,))
    coat(figure, look, pose, Region(0, 26, wide, 50))
    _arms(figure, look, pose, limbs, hands, wide, hang)
    _head(figure, look, pose, 3 * pose.head, -46 + look.number("drop", 0))


def _legs(figure: Figure, look: Look, pose: Pose, slot: int, wide: float, hang: bool) -> None:
    hands = look.slot("feet", look.slot("hands", S.SECOND))
    for side, swing in ((-1, pose.limbs[0]), (1, pose.limbs[1])):
        if hang:
            foot = (side * (wide * 0.7 + 6 * swing), 118)
            figure.limb(slot, ((side * wide * 0.5, 56), (side * (wide + 4), 84), foot), (28, 20, 15))
        else:
            foot = (side * (wide + 12 + 3 * swing), 82)
            figure.limb(slot, ((side * wide * 0.5, 58), (side * (wide + 18), 48), foot), (34, 28, 18))
        figure.ellipse(hands, foot[0] + side * 5, foot[1] + 4, 15, 8)


def _arms(figure: Figure, look: Look, pose: Pose, slot: int, hands: int, wide: float, hang: bool) -> None:
    reach, width = look.number("arm", 78), look.number("armwidth", 19)
    for side, swing in ((-1, pose.limbs[2]), (1, pose.limbs[3])):
        shoulder = (side * (wide - 6), -8)
        if hang:
            hand = (side * (wide * 0.5 + 34) + 5 * swing, -14 - reach)
            elbow = (side * (wide + 30), -26 - reach * 0.32)
        else:
            hand = (side * (wide * 0.78 + 5 * swing), -8 + reach)
            elbow = (side * (wide + 14), -8 + reach * 0.48)
        figure.limb(slot, (shoulder, elbow, hand), (width * 1.35, width, width * 0.85))
        figure.ellipse(hands, *hand, width * 0.6, width * 0.55)


def _tail(figure: Figure, look: Look, pose: Pose) -> None:
    kind, slot = look.word("tail", "none"), look.slot("tailcolor", S.SHADE)
    sway = 8 * pose.tail
    if kind == "none":
        return
    width = look.number("tailwidth", 11)
    paths = {
        "long": ((16, 66), (62, 84), (88 + sway, 52), (84 + sway, 4), (98 + sway, -34)),
        "curl": ((16, 66), (66, 82), (92, 44 + sway), (82, 6), (58, 14), (64, 32)),
        "ring": ((16, 66), (64, 80), (86 + sway, 34), (80 + sway, -22), (92 + sway, -62)),
        "hang": ((16, 66), (56, 74), (78 + sway, 100), (84 + sway, 138)),
        "stub": ((20, 64), (44, 72 + sway * 0.4)),
    }
    path = np.array(paths[kind], dtype=np.float64)
    figure.limb(slot, path, width)
    rings, tip = look.slot("tailrings"), look.slot("tailtip")
    for k in range(1, len(path)) if rings else ():
        for share in (0.0, 0.5):
            a, b = path[k - 1], path[k]
            x, y = (a + (b - a) * share).tolist()
            dx, dy = ((b - a) / np.hypot(*(b - a)) * width).tolist()
            figure.limb(rings, ((x - dy, y + dx), (x + dy, y - dx)), 9, over=(slot,))
    if tip:
        x, y = path[-1].tolist()
        furry(figure, tip, x, y, width * 0.9, width * 1.1, np.zeros(1), 5, 16)


def _head(figure: Figure, look: Look, pose: Pose, x: float, y: float) -> None:
    """The head.

    Options: `skull` (size), `ears` (radius; 0 for none), `tufts`, `ruff`, `cap`, `beard`, `brow` (slots of hair),
    `face`, `muzzle` (slots of skin), `headcolor`, `heart` (a face of two discs), `nose` (size of a proboscis),
    `long` (a baboon's muzzle), `stripe` (slot down the nose), `flanges` (slot of an orangutan's cheeks), `crest`
    (height), `sac` (slot of a throat sac), `iris`, `rings` (slot around the eyes).
    """
    size = look.number("skull", 1)
    ears, tufts, ruff, sac = look.number("ears", 12), look.slot("tufts"), look.slot("ruff"), look.slot("sac")
    if sac:
        figure.ellipse(sac, x, y + 38 * size, 27, 21)
    if ruff:
        furry(figure, ruff, x, y + 5, 46 * size, 40 * size, pose.noise, 8, 30)
    for side in (-1, 1):
        if ears:
            ear_slot = look.slot("earcolor", S.SECOND)
            figure.ellipse(ear_slot, x + side * 35 * size, y + 2, ears * size, ears * 1.15 * size)
        if tufts:
            furry(figure, tufts, x + side * 36 * size, y - 4, 17 * size, 21 * size, pose.noise, 7, 20)
    flanges = look.slot("flanges")
    if flanges:
        figure.ellipse(flanges, x, y + 4, 47 * size, 36 * size)
    crest = look.number("crest", 0)
    skin = look.slot("headcolor", S.HEAD)
    if crest:
        top = y - 30 * size - crest
        dome = ((x - 26 * size, y - 12), (x - 14, top), (x + 14, top), (x + 26 * size, y - 12))
        figure.blob(look.slot("cap", skin), dome)
    figure.ellipse(skin, x, y, 36 * size, 34 * size)
    cap = look.slot("cap")
    if cap:
        figure.ellipse(cap, x, y - 22 * size, 34 * size, 20 * size, over=(skin,))
    _face(figure, look, pose, x, y, size)


def _face(figure: Figure, look: Look, pose: Pose, x: float, y: float, s: float) -> None:
    face, muzzle = look.slot("face", S.SECOND), look.slot("muzzle", look.slot("face", S.SECOND))
    beard, brow, rings, stripe = (look.slot(key) for key in ("beard", "brow", "rings", "stripe"))
    if beard:
        furry(figure, beard, x, y + 26 * s, 25 * s, 22 * s, pose.noise, 8, 20)
    if look.number("heart", 0):
        for side in (-1, 1):
            figure.ellipse(face, x + side * 12 * s, y - 3 * s, 16 * s, 17 * s)
        figure.ellipse(face, x, y + 10 * s, 20 * s, 17 * s)
    else:
        figure.ellipse(face, x, y + 3 * s, 25 * s, 25 * s)
    long = look.number("long", 0)
    figure.ellipse(muzzle, x, y + (17 + long * 0.4) * s, (18 + long * 0.1) * s, (13 + long * 0.5) * s)
    if stripe:
        figure.limb(stripe, ((x, y - 26 * s), (x, y + (10 + long * 0.7) * s)), 9 * s)
    for side in (-1, 1):
        ex, ey = x + side * 12.5 * s, y - 3 * s
        if rings:
            figure.ellipse(rings, ex, ey, 11 * s)
        if look.slot("iris"):
            eye(figure, ex, ey, 8 * s, look.slot("iris"))
        else:
            bead(figure, ex, ey, 6 * s)
    if brow:
        figure.limb(brow, ((x - 24 * s, y - 13 * s), (x, y - 16 * s), (x + 24 * s, y - 13 * s)), 9 * s)
    _mouth(figure, look, x, y, s, long)


def _mouth(figure: Figure, look: Look, x: float, y: float, s: float, long: float) -> None:
    nose = look.number("nose", 0)
    low = y + (20 + long * 0.8) * s
    figure.limb(S.EDGE, ((x - 11 * s, low), (x, low + 5 * s), (x + 11 * s, low)), 3.5 * s)
    if nose:
        figure.blob(
            look.slot("nosecolor", S.ACCENT),
            (
                (x - 5, y - 2), (x + 5, y - 2), (x + 11 * nose, y + 22 * nose), (x, y + 30 * nose),
                (x - 11 * nose, y + 22 * nose),
            ),
        )
    else:
        for side in (-1, 1):
            figure.ellipse(S.EDGE, x + side * 4 * s, y + (11 + long * 0.5) * s, 2.6 * s, 3.2 * s)
