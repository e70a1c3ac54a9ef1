"""Dogs of every breed, wolves, foxes and hyenas: a trunk and a head in profile."""

import numpy as np

from stackwalls.model.images.drawn.figure import Figure, Slot
from stackwalls.model.images.drawn.looks import Look
from stackwalls.model.images.drawn.parts import bead, curly, furry, rimmed, triangle
from stackwalls.model.images.drawn.pose import Pose
from stackwalls.model.images.drawn.trunk import Trunk, draw_trunk

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off

S = Slot
_SKIN = (S.HEAD, S.SECOND, S.ACCENT, S.EXTRA)

BUILDS: dict[str, Trunk] = {
    "medium": Trunk(),
    "hound": Trunk(length=58, depth=26, leg=46, legwidth=13, neck=34, tuck=0.7),
    "slim": Trunk(length=58, depth=24, leg=62, legwidth=9, neck=44, rise=56, neckwidth=16, tuck=0.1, rump=0.85),
    "stocky": Trunk(length=52, depth=30, leg=32, legwidth=17, neck=22, rise=40, neckwidth=34, tuck=0.8),
    "heavy": Trunk(length=62, depth=34, leg=40, legwidth=19, neck=28, rise=42, neckwidth=36, tuck=0.9),
    "tall": Trunk(length=60, depth=30, leg=62, legwidth=14, neck=42, rise=54, neckwidth=26, tuck=0.55),
    "low": Trunk(length=66, depth=25, leg=16, legwidth=17, neck=26, rise=48, neckwidth=28, tuck=0.95),
    "terrier": Trunk(length=46, depth=24, leg=36, legwidth=13, neck=28, rise=58, neckwidth=22, tuck=0.8),
    "shortleg": Trunk(length=50, depth=24, leg=20, legwidth=14, neck=24, rise=54, neckwidth=24, tuck=0.95),
    "toy": Trunk(length=38, depth=20, leg=26, legwidth=10, neck=20, rise=60, neckwidth=20, tuck=0.85),
    "weasel": Trunk(length=70, depth=16, leg=15, legwidth=12, neck=28, rise=36, neckwidth=20, tuck=1.0, rump=1.1),
    "badger": Trunk(length=64, depth=28, leg=12, legwidth=18, neck=16, rise=12, neckwidth=32, tuck=1.0),
    "fluffy": Trunk(length=52, depth=32, leg=32, legwidth=14, neck=24, rise=46, neckwidth=34, tuck=1.0),
}
"""Name of a build in `species.tsv` → proportions, which single options override."""


def dog(figure: Figure, look: Look, pose: Pose) -> None:
    """A dog, wolf, fox or hyena from the side.

    Options: `build`, those of `trunk.draw_trunk`, and of the head: `skull` (size), `muzzle`, `snout` (its length and
    thickness), `ears` (see `_ear`), `earcolor`, `mask`, `muzzlecolor`, `blaze`, `eyepatch`, `cheek`, `brow`,
        `beard`,
    `topknot`, `fringe` (slots), `jowl`, `wrinkles`, `iris`, `headcolor`.
    """
    trunk = Trunk.of(look, BUILDS[look.word("build", "medium")])
    x, y = draw_trunk(figure, look, pose, trunk)
    size = look.number("skull", 1)
    _ear(figure, look, x - 2, y, size, far=True)
    _head(figure, look, pose, x, y, size)
    _ear(figure, look, x - 8, y, size, far=False)


def _head(figure: Figure, look: Look, pose: Pose, x: float, y: float, size: float) -> None:
    muzzle, thick = look.number("muzzle", 32) * size, look.number("snout", 1) * size
    skin = look.slot("headcolor", S.HEAD)
    tip = (x + 12 * size + muzzle, y + 11 * size)
    fur = look.word("fur", "smooth")
    if look.slot("topknot") and fur == "curly":
        curly(figure, look.slot("topknot"), x - 3, y - 18 * size, 17 * size, 14 * size, 6, 11)
    figure.ellipse(skin, x, y, 25 * size, 23 * size)
    if fur == "shaggy" or look.number("wooly", 0):
        furry(figure, skin, x - 2, y + 2, 27 * size, 26 * size, pose.noise, 6, 24)
    figure.limb(
        skin,
        ((x + 2, y + 5 * size), (x + 10 * size + muzzle * 0.5, y + 8 * size), tip),
        (31 * thick, 24 * thick, 17 * thick),
    )
    if look.number("jowl", 0):
        figure.blob(
            skin,
            (
                (x + 10 * size, y + 8 * size), (tip[0] + 4, tip[1] + 2), (tip[0] - 2, tip[1] + 20 * size),
                (x + 14 * size, y + 26 * size),
            ),
        )
    _face(figure, look, pose, (x, y), tip, size)
    figure.ellipse(look.slot("nose", S.BLACK), tip[0] + 6 * thick, tip[1] - 5 * thick, 7.5 * size, 6 * size)
    figure.limb(S.EDGE, ((tip[0] + 3, tip[1] + 5 * thick), (x + 16 * size, y + 16 * size)), 3)
    for k in range(3 if look.number("wrinkles", 0) else 0):
        figure.limb(S.SHADE, ((x + 4 + 7 * k, y - 17 + 3 * k), (x + 10 + 7 * k, y - 9 + 3 * k)), 3.5)
    iris = look.slot("iris")
    if iris:
        figure.ellipse(iris, x + 10 * size, y - 6 * size, 6.5 * size)
        figure.ellipse(S.PUPIL, x + 10 * size, y - 6 * size, 3.4 * size)
    else:
        bead(figure, x + 10 * size, y - 6 * size, 5.5 * size)
    if look.slot("fringe"):
        furry(figure, look.slot("fringe"), x + 2, y - 13 * size, 24 * size, 15 * size, pose.noise, 5, 20)
    brow = look.slot("tufts_brow")
    if brow:
        triangle(figure, brow, (x + 8 * size, y - 15 * size), (x + 28 * size, y - 6 * size), 13 * size)


def _face(
    figure: Figure, look: Look, pose: Pose, head: tuple[float, float], tip: tuple[float, float], size: float
) -> None:
    """Markings of the face, then its beard."""
    x, y = head
    skin = (look.slot("headcolor", S.HEAD), *_SKIN)
    for key, (dx, dy, rx, ry) in {
        "cheek": (2, 14, 17, 12),
        "eyepatch": (2, -7, 19, 14),
        "cap": (-4, -16, 26, 15),
    }.items():
        slot = look.slot(key)
        if slot:
            figure.ellipse(slot, x + dx * size, y + dy * size, rx * size, ry * size, over=skin)
    under, blaze, mask = look.slot("muzzlecolor"), look.slot("blaze"), look.slot("mask")
    if blaze:
        figure.limb(
            blaze,
            ((tip[0], tip[1] - 4), (x + 18 * size, y - 4 * size), (x + 2 * size, y - 24 * size)),
            (14 * size, 10 * size, 7 * size),
            over=skin,
        )
    if under:
        figure.limb(under, ((x + 16 * size, y + 16 * size), (tip[0] + 8, tip[1] + 6 * size)), 18 * size, over=skin)
    if mask:
        figure.ellipse(mask, (x + tip[0]) / 2 + 12 * size, tip[1], (tip[0] - x) / 2 + 8 * size, 19 * size, over=skin)
    if look.slot("brow"):
        figure.ellipse(look.slot("brow"), x + 11 * size, y - 15 * size, 5.5 * size, 4.5 * size)
    beard = look.slot("beard")
    if beard:
        long = look.number("beardsize", 1) * size
        points = (
            (x + 18 * size, y + 4 * size), (tip[0] + 8, tip[1] - 2), (tip[0] + 6, tip[1] + 18 * long),
            (tip[0] - 4, tip[1] + 12 * long), (tip[0] - 10, tip[1] + 24 * long),
            (tip[0] - 18, tip[1] + 12 * long), (x + 14 * size, y + 20 * size),
        )
        figure.polygon(beard, points)


def _ear(figure: Figure, look: Look, x: float, y: float, size: float, far: bool) -> None:
    """Ears: pricked, bat, fox, round, semi, button, hang, long, feather, rose, butterfly, tiny."""
    kind = look.word("ears", "hang")
    upright = kind in _UPRIGHT
    if far and not upright:
        return
    slot = look.slot("earcolor", S.SHADE)
    if upright:
        wide, high, round_tip = _UPRIGHT[kind]
        x, y = x + (17 if far else 0) * size, y - 12 * size
        wide, high = wide * size, high * size
        if round_tip:
            tall = (
                (x - wide, y + 4), (x - wide * 0.9, y - high * 0.8), (x, y - high),
                (x + wide * 0.9, y - high * 0.7), (x + wide, y + 4),
            )
            rimmed(figure, slot, tall)
        else:
            rimmed(figure, slot, ((x - wide, y + 6), (x - wide * 0.3, y - high), (x + wide, y + 2)), smooth=False)
        if kind == "butterfly":
            furry(figure, slot, x - wide * 0.6, y - high * 0.3, wide * 0.9, high * 0.6, np.zeros(1), 6, 18)
        if kind == "semi":
            figure.polygon(
                S.EDGE, ((x - wide * 0.5, y - high * 0.72), (x - wide * 0.2, y - high), (x + wide, y - high * 0.5))
            )
        elif not far:
            figure.polygon(
                look.slot("innerear", S.PINK),
                ((x - wide * 0.45, y + 2), (x - wide * 0.2, y - high * 0.68), (x + wide * 0.5, y)),
            )
        return
    _hanging_ear(figure, kind, slot, x, y, size)


def _hanging_ear(figure: Figure, kind: str, slot: int, x: float, y: float, size: float) -> None:
    if kind == "button":
        flap = ((x - 11 * size, y - 20 * size), (x + 14 * size, y - 24 * size), (x + 16 * size, y - 2 * size))
        rimmed(figure, slot, flap, smooth=False)
    elif kind == "rose":
        rimmed(
            figure,
            slot,
            (
                (x + 6 * size, y - 16 * size), (x - 12 * size, y - 24 * size), (x - 26 * size, y - 12 * size),
                (x - 8 * size, y - 6 * size),
            ),
        )
    else:
        long, wide = (side * size for side in _HANGING[kind])
        rimmed(
            figure,
            slot,
            (
                (x + 2, y - 17 * size), (x - wide, y - 8), (x - wide * 1.1, y - 14 * size + long * 0.7),
                (x - wide * 0.3, y - 14 * size + long), (x + wide * 0.7, y - 14 * size + long * 0.75),
                (x + wide * 0.6, y - 6),
            ),
        )
        if kind == "feather":
            for dy, dx in ((0.5, -0.7), (0.75, -0.5), (0.95, 0.0), (0.85, 0.5)):
                figure.ellipse(slot, x + dx * wide, y - 12 * size + long * dy, wide * 0.55)


_HANGING: dict[str, tuple[float, float]] = {
    "hang": (34, 12),
    "long": (62, 14),
    "feather": (46, 17),
    "short": (24, 12),
}
"""Length and half width of ears that hang."""

_UPRIGHT: dict[str, tuple[float, float, bool]] = {
    "pricked": (12, 28, False),
    "fox": (13, 36, False),
    "small": (9, 18, False),
    "bat": (14, 42, True),
    "huge": (17, 54, False),
    "round": (16, 30, True),
    "semi": (12, 26, False),
    "butterfly": (15, 34, True),
    "tiny": (8, 14, True),
}
"""Half width, height and whether the tip is round, of ears that stand."""
