"""Cats great and small, bears and pandas: a trunk from the side, the face to the viewer."""

from stackwalls.model.images.drawn.figure import Figure, Slot
from stackwalls.model.images.drawn.looks import Look
from stackwalls.model.images.drawn.parts import bead, eye, furry, triangle
from stackwalls.model.images.drawn.patterns import Region, coat
from stackwalls.model.images.drawn.pose import Pose
from stackwalls.model.images.drawn.trunk import Trunk, draw_trunk

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off

S = Slot

CAT = Trunk(length=54, depth=24, leg=38, legwidth=14, neck=16, rise=34, neckwidth=34, tuck=0.75)
"""A house cat."""

BEAR = Trunk(length=64, depth=38, leg=32, legwidth=24, neck=16, rise=24, neckwidth=48, tuck=0.95, rump=0.95)
"""A brown bear."""


def cat(figure: Figure, look: Look, pose: Pose) -> None:
    """A cat from the side that looks at the viewer.

    Options: those of `trunk.draw_trunk`, and `skull` (size), `ears` (pointed, round, big, tufted), `earcolor`,
        `iris`,
    `muzzlecolor`, `mask`, `mane` (slots), `cheeks` (slot of whiskers of fur), `bars` (slot of stripes on the
    forehead), `tears` (slot of lines from the eyes), `flat` (a Persian's face), `facecoat` (spots on the face too).
    """
    x, y = draw_trunk(figure, look, pose, Trunk.of(look, CAT))
    y += 3 * pose.head
    size = look.number("skull", 1)
    mane = look.slot("mane")
    if mane:
        furry(figure, mane, x, y + 6, 52 * size, 54 * size, pose.noise, 7, 34)
    _cat_ears(figure, look, x, y, size)
    cheeks = look.slot("cheeks")
    for side in (-1, 1) if cheeks else ():
        points = ((0, -4), (42, 2), (30, 10), (40, 20), (24, 22), (26, 34), (0, 26))
        figure.polygon(cheeks, [(x + side * u * size, y + v * size) for u, v in points])
    figure.ellipse(look.slot("headcolor", S.HEAD), x, y, 35 * size, 30 * size)
    if look.number("facecoat", 0):
        coat(figure, look, pose, Region(x, y - 8, 32 * size, 18 * size, (S.HEAD,)))
    _cat_face(figure, look, x, y, size)


def _cat_ears(figure: Figure, look: Look, x: float, y: float, size: float) -> None:
    kind, slot = look.word("ears", "pointed"), look.slot("earcolor", S.SHADE)
    for side in (-1, 1):
        if kind == "round":
            figure.ellipse(slot, x + side * 25 * size, y - 25 * size, 13 * size, 13 * size)
            figure.ellipse(look.slot("innerear", S.PINK), x + side * 25 * size, y - 24 * size, 7 * size)
            continue
        high = {"big": 66, "pointed": 52, "tufted": 54}[kind]
        tip = (x + side * 30 * size, y - high * size)
        figure.polygon(slot, ((x + side * 7 * size, y - 22 * size), tip, (x + side * 34 * size, y - 8 * size)))
        inner = (
            (x + side * 14 * size, y - 24 * size), (tip[0] - side * 2 * size, tip[1] + 11 * size),
            (x + side * 29 * size, y - 14 * size),
        )
        figure.polygon(look.slot("innerear", S.PINK), inner)
        if kind == "tufted":
            triangle(figure, S.BLACK, (tip[0] - side * 2, tip[1] + 8), (tip[0] + side * 6, tip[1] - 22 * size), 11)


def _cat_face(figure: Figure, look: Look, x: float, y: float, size: float) -> None:
    skin = (S.HEAD, look.slot("headcolor", S.HEAD))
    mask, muzzle, bars, tears = (look.slot(key) for key in ("mask", "muzzlecolor", "bars", "tears"))
    flat = 6 * size if look.number("flat", 0) else 0.0
    if mask:
        figure.ellipse(mask, x, y + 5 * size, 24 * size, 24 * size, over=skin)
    for dx in (-14, 0, 14) if bars else ():
        figure.limb(bars, ((x + dx * size, y - 30 * size), (x + dx * 0.8 * size, y - 14 * size)), 6 * size, over=skin)
    for side in (-1, 1) if bars else ():
        for dy in (0, 11):
            figure.limb(
                bars,
                ((x + side * 36 * size, y + dy * size), (x + side * 24 * size, y + (dy + 3) * size)),
                5 * size,
                over=skin,
            )
    for side in (-1, 1) if muzzle else ():
        figure.ellipse(muzzle, x + side * 8 * size, y + 15 * size, 11 * size, 10 * size)
        if look.number("chin", 1):
            figure.ellipse(muzzle, x, y + 23 * size, 9 * size, 8 * size)
    for side in (-1, 1):
        eye(
            figure,
            x + side * 13 * size,
            y - 4 * size,
            8.5 * size,
            look.slot("iris", S.WHITE),
            slit=look.slot("iris") != 0,
        )
        if tears:
            figure.limb(tears, ((x + side * 9 * size, y + 3 * size), (x + side * 12 * size, y + 24 * size)), 5 * size)
    nose = y + 8 * size - flat
    figure.polygon(look.slot("nose", S.PINK), ((x - 7 * size, nose), (x + 7 * size, nose), (x, nose + 8 * size)))
    figure.limb(
        S.EDGE, ((x - 11 * size, nose + 10 * size), (x, nose + 15 * size), (x + 11 * size, nose + 10 * size)), 3 * size
    )


def bear(figure: Figure, look: Look, pose: Pose) -> None:
    """A bear or panda from the side that looks at the viewer.

    Options: those of `trunk.draw_trunk`, and `skull`, `ears` (radius), `earcolor`, `muzzlecolor`, `muzzle` (size),
    `eyepatch`, `cheek`, `brow`, `headcolor`, `band` (slot across the shoulders), `vee` (slot on the chest).
    """
    trunk = Trunk.of(look, BEAR)
    x, y = draw_trunk(figure, look, pose, trunk)
    if look.slot("band"):
        across = ((trunk.length * 0.6, -trunk.depth * 1.5), (trunk.length * 0.66, trunk.depth * 1.4))
        figure.limb(look.slot("band"), across, 40, over=(S.BASE,))
    y += 4 * pose.head
    _bear_head(figure, look, pose, x, y, look.number("skull", 1))
    vee, size = look.slot("vee"), look.number("skull", 1)
    if vee:
        bars = ((x - 30 * size, y + 34 * size), (x - 6, y + 58 * size), (x + 12 * size, y + 38 * size))
        figure.limb(vee, bars, 8, over=(S.BASE,))


def _bear_head(figure: Figure, look: Look, pose: Pose, x: float, y: float, size: float) -> None:
    ear = look.number("ears", 12)
    for side in (-1, 1):
        figure.ellipse(look.slot("earcolor", S.SHADE), x + side * 27 * size, y - 25 * size, ear * size)
        figure.ellipse(look.slot("innerear", S.SHADE), x + side * 26 * size, y - 23 * size, ear * 0.5 * size)
    if look.word("fur", "smooth") == "shaggy":
        furry(figure, look.slot("headcolor", S.HEAD), x, y + 4, 38 * size, 34 * size, pose.noise, 7, 28)
    figure.ellipse(look.slot("headcolor", S.HEAD), x, y, 36 * size, 32 * size)
    skin = (S.HEAD, look.slot("headcolor", S.HEAD))
    patch, cheek, brow = look.slot("eyepatch"), look.slot("cheek"), look.slot("brow")
    for side in (-1, 1):
        if cheek:
            figure.ellipse(cheek, x + side * 24 * size, y + 8 * size, 14 * size, 17 * size, over=skin)
        if brow:
            figure.ellipse(brow, x + side * 14 * size, y - 15 * size, 8 * size, 5 * size)
        if patch:
            figure.ellipse(patch, x + side * 14 * size, y - 2 * size, 11 * size, 13 * size, angle=side * 30)
        bead(figure, x + side * 13 * size, y - 5 * size, 5 * size)
    snout = look.number("muzzle", 1) * size
    figure.ellipse(look.slot("muzzlecolor", S.LIGHT), x, y + 14 * size, 18 * snout, 15 * snout)
    figure.ellipse(S.BLACK, x, y + 7 * size, 8 * size, 6 * size)
    figure.limb(S.EDGE, ((x - 9 * size, y + 17 * size), (x, y + 22 * size), (x + 9 * size, y + 17 * size)), 3 * size)
