"""Rodents, rabbits and hares, and the spiny ones."""

import numpy as np

from stackwalls.model.images.drawn.figure import Figure, Slot, arc
from stackwalls.model.images.drawn.looks import Look
from stackwalls.model.images.drawn.parts import bead, eye, furry, triangle
from stackwalls.model.images.drawn.patterns import Region, coat
from stackwalls.model.images.drawn.pose import Pose

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off

S = Slot


def rabbit(figure: Figure, look: Look, pose: Pose) -> None:
    """A sitting rabbit or hare; options `ears` (length), `eartip`, `chest` (slots), `leg` (length), `fur` (fluffy)."""
    reach, ears = look.number("leg", 16), look.number("ears", 62)
    figure.ellipse(look.slot("tailcolor", S.WHITE), -56, 30, 15 + pose.tail, 14)
    for dx, slot in ((10, S.SHADE), (0, S.LIMB)):
        figure.limb(
            slot, ((26 + dx, 20), (32 + dx, 50 + reach * 0.4), (36 + dx + 4 * pose.limbs[0], 56 + reach)), (17, 13, 12)
        )
        figure.ellipse(slot, 42 + dx + 4 * pose.limbs[0], 58 + reach, 12, 7)
    if look.word("fur", "smooth") == "fluffy":
        furry(figure, S.BASE, -6, 22, 56, 44, pose.noise, 11, 40)
    figure.blob(S.BASE, ((40, -14), (10, -26), (-36, -14), (-60, 24), (-46, 52), (0, 58), (40, 46), (48, 14)))
    coat(figure, look, pose, Region(-8, 16, 50, 40))
    if look.slot("chest"):
        figure.ellipse(look.slot("chest"), 40, 28, 15, 26, over=(S.BASE,))
    figure.ellipse(S.HEAD, -28, 32, 32, 29)
    figure.limb(S.LIMB, ((-30, 44), (-42, 50 + reach * 0.7), (-36, 56 + reach)), (30, 20, 15))
    figure.limb(S.LIMB, ((-38, 58 + reach), (-2, 60 + reach)), 15)
    hx, hy = 44, -34 + 4 * pose.head
    for dx, lean, slot in ((10, 10 + 6 * pose.limbs[1], S.SHADE), (-4, -8 + 6 * pose.limbs[2], S.BASE)):
        tip = (hx + dx - 6 + lean, hy - 22 - ears)
        figure.limb(slot, ((hx + dx, hy - 14), ((hx + dx + tip[0]) / 2, (hy - 14 + tip[1]) / 2), tip), (13, 21, 10))
        figure.limb(S.PINK, ((hx + dx, hy - 26), tip), (6, 5), over=(S.BASE,))
        if look.slot("eartip"):
            figure.ellipse(look.slot("eartip"), *tip, 11, 15, over=(slot, S.PINK))
    if look.word("fur", "smooth") == "fluffy":
        furry(figure, S.HEAD, hx, hy, 30, 26, pose.noise, 7, 24)
    figure.ellipse(S.HEAD, hx, hy, 31, 26)
    figure.ellipse(look.slot("muzzlecolor", S.LIGHT), hx + 20, hy + 9, 14, 12, over=(S.HEAD,))
    eye(figure, hx + 9, hy - 5, 8, look.slot("iris", S.WHITE))
    figure.ellipse(S.PINK, hx + 30, hy + 2, 4.5, 4)


def rodent(figure: Figure, look: Look, pose: Pose) -> None:
    """A rodent on all fours.

    Options: `long`, `high` (half axes of the body), `ears` (radius), `tail` (none, flat, bush, thin), `teeth`,
    `quills` (slot), `belly`, `blaze`, `muzzlecolor`, `feet` (slots), `snout` (length), `leg`, `fur` (fluffy).
    """
    long, high = look.number("long", 58), look.number("high", 38) * (1 + 0.05 * pose.bend)
    feet, reach = look.slot("feet", S.PINK), look.number("leg", 12)
    _rodent_tail(figure, look, pose, long)
    for x, swing, slot in (
        (-long * 0.4, 0, S.SHADE), (long * 0.66, 1, S.SHADE), (-long * 0.55, 2, feet), (long * 0.5, 3, feet),
    ):
        foot = (x + 4 * pose.limbs[swing], high * 0.8 + reach)
        figure.limb(slot, ((x, high * 0.5), foot), (17, 13))
        figure.ellipse(slot, foot[0] + 5, foot[1] + 2, 12, 6)
    if look.slot("quills"):
        _quills(figure, look.slot("quills"), pose, long, high)
    if look.word("fur", "smooth") == "fluffy":
        furry(figure, S.BASE, 0, 0, long, high, pose.noise, 8, 34)
    body = (
        (long * 0.95, high * 0.1), (long * 0.6, -high * 0.75), (0, -high), (-long * 0.75, -high * 0.55),
        (-long, high * 0.25), (-long * 0.7, high * 0.8), (0, high * 0.95), (long * 0.75, high * 0.8),
    )
    figure.blob(S.BASE, body)
    coat(figure, look, pose, Region(0, 0, long, high))
    if look.slot("belly"):
        figure.ellipse(look.slot("belly"), 4, high * 0.85, long * 0.8, high * 0.45, over=(S.BASE,))
    _rodent_head(figure, look, pose, long, high)


def _quills(figure: Figure, slot: int, pose: Pose, long: float, high: float) -> None:
    for ring, shade in ((1.0, S.BLACK), (0.75, slot)):
        for i, (x, y) in enumerate(arc(-8, 4, long * 1.0, high, 172, 318, 19).tolist()):
            lean = np.radians(172 + 8 * i - 16 + 4 * pose.noise[i])
            reach = 46 * ring
            triangle(figure, shade, (x + 12, y + 8), (x + reach * np.cos(lean), y + reach * np.sin(lean)), 10)


def _rodent_tail(figure: Figure, look: Look, pose: Pose, long: float) -> None:
    kind, slot, sway = look.word("tail", "none"), look.slot("tailcolor", S.SHADE), 6 * pose.tail
    if kind == "flat":
        figure.blob(
            slot,
            (
                (-long * 0.8, 12), (-long - 26, 8 + sway), (-long - 64, 18 + sway), (-long - 62, 36 + sway),
                (-long - 20, 34), (-long * 0.7, 28),
            ),
        )
        for k in range(4):
            x = -long - 12 - 13 * k
            figure.limb(S.EDGE, ((x, 4), (x - 10, 42)), 2.5, over=(slot,))
            figure.limb(S.EDGE, ((x - 10, 4), (x, 42)), 2.5, over=(slot,))
    elif kind == "bush":
        path = (
            (-long * 0.7, 16), (-long - 22, 6), (-long - 30 + sway, -40), (-long - 4 + sway, -78),
            (-long + 28 + sway, -72),
        )
        for (x, y), r in zip(path[1:], (19, 25, 25, 15), strict=True):
            furry(figure, slot, x, y, r, r, pose.noise, 6, 18)
        figure.limb(slot, path, (22, 38, 48, 44, 22))
        figure.limb(look.slot("tailtip", S.LIGHT), path[1:], (8, 12, 12, 5), over=(slot,))
    elif kind == "thin":
        figure.limb(slot, ((-long * 0.8, 16), (-long - 30, 24), (-long - 66, 12 + sway)), (14, 10, 6))


def _rodent_head(figure: Figure, look: Look, pose: Pose, long: float, high: float) -> None:
    size, snout, ear = look.number("skull", 1), look.number("snout", 20), look.number("ears", 12)
    x, y = long * 0.84, -high * 0.3 + 4 * pose.head
    figure.ellipse(look.slot("earcolor", S.SHADE), x + 6, y - 20 * size, ear * 0.9, ear)
    figure.ellipse(S.HEAD, x, y, 30 * size, 27 * size)
    figure.limb(S.HEAD, ((x + 6, y + 5), (x + 14 + snout, y + 10)), (38 * size, 22 * size))
    skin = (S.HEAD,)
    for key, (dx, dy, rx, ry) in {
        "muzzlecolor": (16 + snout, 10, 17, 15),
        "cheek": (6, 14, 17, 12),
        "eyepatch": (8, -5, 15, 12),
        "cap": (-6, -16, 26, 14),
    }.items():
        slot = look.slot(key)
        if slot:
            figure.ellipse(slot, x + dx, y + dy, rx * size, ry * size, over=skin)
    if look.slot("blaze"):
        figure.limb(look.slot("blaze"), ((x + 14 + snout, y), (x + 6, y - 30 * size)), 13 * size, over=skin)
    if look.number("teeth", 0):
        figure.polygon(
            S.BONE,
            ((x + 16 + snout, y + 16), (x + 26 + snout, y + 16), (x + 24 + snout, y + 30), (x + 16 + snout, y + 30)),
        )
    figure.ellipse(look.slot("nose", S.BLACK), x + 22 + snout, y + 5, 6, 5)
    bead(figure, x + 12, y - 5, 5.5)
    figure.ellipse(look.slot("earcolor", S.SHADE), x - 10, y - 20 * size, ear, ear * 1.1)
    figure.ellipse(look.slot("innerear", S.PINK), x - 9, y - 19 * size, ear * 0.55, ear * 0.6)


def echidna(figure: Figure, look: Look, pose: Pose) -> None:
    """An echidna: a dome of spines and a thin snout."""
    for x in (-34, 26):
        figure.limb(S.SHADE, ((x, 24), (x + 4 * pose.limbs[0], 46)), (22, 17))
        for dx in (-6, 3, 12):
            triangle(figure, S.BONE, (x + dx, 48), (x + dx + 4, 62), 7)
    figure.limb(S.ACCENT, ((44, 16), (76, 18), (112, 26 + 5 * pose.head)), (40, 20, 8))
    bead(figure, 70, 8, 5)
    for ring, slot in ((1.0, S.SECOND), (0.72, S.BASE), (0.44, S.SECOND)):
        for i, (x, y) in enumerate(arc(-6, 30, 62 * ring, 52 * ring, 176, 352, 15).tolist()):
            a = np.radians(184 + 10 * i + 5 * pose.noise[i])
            triangle(figure, slot, (x, y), (x + 34 * np.cos(a) - 8, y + 32 * np.sin(a)), 13)
        figure.polygon(S.BASE, arc(-6, 32, 62 * ring, 52 * ring, 172, 368, 18))
