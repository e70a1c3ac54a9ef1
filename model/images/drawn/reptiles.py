"""Reptiles on four legs: lizards, a chameleon, crocodiles, a triceratops."""

import numpy as np

from stackwalls.model.images.drawn.figure import Figure, Slot, arc
from stackwalls.model.images.drawn.looks import Look
from stackwalls.model.images.drawn.parts import bead, eye, spikes, triangle
from stackwalls.model.images.drawn.patterns import Region, coat
from stackwalls.model.images.drawn.pose import Pose

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off

S = Slot


def lizard(figure: Figure, look: Look, pose: Pose) -> None:
    """A lizard from the side.

    Options: `thick` (half height), `tail` (length), `crest` (height of the spikes), `frill` (radius), `dewlap`
    (slot), `head` (slot), `headsize`, `bands` (of the tail, slot), `tongue` (forked), `leg` (length).
    """
    thick, tail = look.number("thick", 16) * (1 + 0.06 * pose.bend), look.number("tail", 90)
    reach = look.number("leg", 32)
    _lizard_legs(figure, S.SHADE, pose.limbs[2:], reach, 10)
    curl = 16 * pose.tail
    tip = (-44 - tail, 6 - 14 + curl)
    spine = ((-30, 2), (-44 - tail * 0.4, 14), (-44 - tail * 0.75, 10 + curl * 0.3), tip)
    tail_slot = look.slot("tailcolor", S.LIMB)
    figure.limb(tail_slot, spine, (thick * 1.5, thick * 1.0, thick * 0.6, 4))
    for i in range(5 if look.slot("bands") else 0):
        x = -52 - tail * 0.17 * i
        figure.limb(look.slot("bands"), ((x, -30), (x - 4, 40)), 7, over=(tail_slot,))
    crest = look.number("crest", 0)
    if crest:
        xs = np.linspace(-84, 46, 13)
        spikes(figure, S.ACCENT, np.stack([xs, -thick + 3 + 0.004 * (xs - 10) ** 2], axis=1), crest, 11, 5)
    hx, hy = 72, -14 + 6 * pose.head
    frill = look.number("frill", 0)
    if frill:
        figure.polygon(S.ACCENT, _frill(hx - 12, hy + 2, frill))
        figure.polygon(S.EXTRA, _frill(hx - 10, hy + 2, frill * 0.72))
    figure.blob(
        S.BASE, ((58, hy + 2), (30, -thick), (-10, -thick * 1.05), (-46, -4), (-46, 8), (-8, thick), (34, thick * 0.9))
    )
    coat(figure, look, pose, Region(0, 0, 50, thick))
    _lizard_head(figure, look, hx, hy, pose)
    _lizard_legs(figure, S.LIMB, pose.limbs[:2], reach, 0)


def _frill(x: float, y: float, radius: float) -> np.ndarray:
    points = arc(x, y, radius * 0.8, radius, 0, 360, 25)[:-1]
    points[::2] = (points[::2] - (x, y)) * 0.88 + (x, y)
    return points


def _lizard_legs(figure: Figure, slot: int, swings: tuple[float, ...], reach: float, shift: float) -> None:
    for x, swing in zip((-28 + shift, 36 + shift), swings, strict=True):
        foot = (x + 6 + 8 * swing, reach)
        figure.limb(slot, ((x, 4), (x - 12, 6 + reach * 0.45), foot), (13, 10, 9))
        for dx, dy in ((-4, 5), (6, 6), (14, 2)):
            figure.limb(slot, (foot, (foot[0] + dx, foot[1] + dy)), 4.5)


def _lizard_head(figure: Figure, look: Look, x: float, y: float, pose: Pose) -> None:
    size = look.number("headsize", 1)
    dewlap = look.slot("dewlap")
    if dewlap:
        figure.ellipse(dewlap, x - 10, y + 18 * size, 16 * size, 15 * size)
    if look.number("tongue", 0):
        tip = (x + 50 * size, y + 6)
        figure.limb(S.PINK, ((x + 24 * size, y + 4), tip), 4)
        for dy in (-6, 6):
            figure.limb(S.PINK, (tip, (tip[0] + 9, tip[1] + dy)), 3.5)
    slot = look.slot("head", S.HEAD)
    head = ((-24, 0), (-10, -13), (12, -12), (30, 0), (28, 8), (6, 14), (-18, 12))
    figure.blob(slot, [(x + u * size, y + v * size) for u, v in head])
    figure.limb(S.SHADE, ((x + 30 * size, y + 4 * size), (x + 4 * size, y + 6 * size)), 3)
    eye(figure, x + 6 * size, y - 5 * size, 6, look.slot("iris", S.WHITE))


def chameleon(figure: Figure, look: Look, pose: Pose) -> None:
    """A true chameleon: high body, casque, turret eye, coiled tail."""
    t = np.linspace(0, 1, 30)
    turns = 2.0 * np.pi * 1.5 * t + 0.4 * pose.tail
    radius = 30 * (1 - 0.8 * t)
    coil = np.stack([-66 + radius * np.sin(turns) - 6, 22 - radius * np.cos(turns) + 6], axis=1)
    figure.tube(S.SHADE, coil, np.linspace(17, 7, 30))
    for x, slot in ((-20, S.SHADE), (34, S.SHADE), (-28, S.LIMB), (24, S.LIMB)):
        sway = 6 * pose.limbs[0]
        figure.limb(slot, ((x, 14), (x - 10, 34), (x + 6 + sway, 52)), (13, 9, 8))
        figure.limb(slot, ((x + 6 + sway, 52), (x + 16 + sway, 58)), 8)
    figure.blob(S.BASE, ((56, -4), (34, -32), (0, -42), (-36, -28), (-60, 0), (-40, 18), (0, 26), (40, 18)))
    coat(figure, look, pose, Region(-4, -6, 54, 32))
    hx, hy = 66, -12 + 4 * pose.head
    figure.blob(
        S.HEAD,
        (
            (hx - 30, hy + 14), (hx - 26, hy - 32), (hx - 8, hy - 26), (hx + 26, hy + 4), (hx + 16, hy + 18),
            (hx - 10, hy + 20),
        ),
    )
    figure.limb(S.SHADE, ((hx + 24, hy + 10), (hx - 4, hy + 12)), 3)
    figure.ellipse(S.SECOND, hx + 2, hy - 6, 12)
    bead(figure, hx + 4, hy - 7, 5)


def crocodile(figure: Figure, look: Look, pose: Pose) -> None:
    """A crocodile or alligator; options `snout` (length), `snoutwidth`, `gape` (how far the mouth is open)."""
    snout, wide, gape = look.number("snout", 62), look.number("snoutwidth", 13), look.number("gape", 12) + 4 * pose.head
    swing = 10 * pose.tail
    for x in (-38, 34):
        figure.limb(S.SHADE, ((x + 14, 10), (x + 8, 24), (x + 20, 38)), (16, 12, 9))
    figure.limb(S.LIMB, ((-40, 4), (-80, 12), (-122, 10 + swing * 0.3), (-160, 2 + swing)), (34, 24, 15, 5))
    xs = np.linspace(-140, 36, 15)
    ys = np.where(xs < -50, -11 - (xs + 50) * 0.14, -20 + 0.003 * (xs - 0) ** 2)
    spikes(figure, S.SHADE, np.stack([xs, ys + 6 + swing * 0.1 * (xs < -110)], axis=1), 10, 15, 2)
    figure.blob(S.BASE, ((58, -10), (20, -21), (-30, -19), (-64, 0), (-30, 20), (24, 21), (56, 12)))
    coat(figure, look, pose, Region(-10, 0, 62, 20, (S.BASE, S.LIMB)))
    figure.limb(S.HEAD, ((54, 8), (70 + snout, 8 + gape)), (20, wide))
    for x in np.linspace(78, 62 + snout, 6).tolist():
        drop = gape * (x - 54) / (16 + snout)
        triangle(figure, S.WHITE, (x + 4, 3 + drop), (x + 4, -7 + drop), 8)
    figure.limb(S.HEAD, ((52, -6), (84, -8), (70 + snout, -8 - gape * 0.7)), (28, 17, wide))
    for x in np.linspace(76, 66 + snout, 6).tolist():
        rise = gape * 0.7 * max(0.0, (x - 84) / (snout - 14))
        triangle(figure, S.WHITE, (x, -3 - rise), (x, 7 - rise), 8)
    figure.ellipse(S.HEAD, 64, -18, 10, 9)
    eye(figure, 65, -19, 6, S.EXTRA, slit=True)
    figure.ellipse(S.PUPIL, 68 + snout, -11 - gape * 0.7, 2.5)
    for x, swing in ((-44, pose.limbs[0]), (30, pose.limbs[1])):
        figure.limb(S.LIMB, ((x, 8), (x - 12, 24), (x + 4 + 6 * swing, 42)), (19, 14, 10))
        figure.limb(S.LIMB, ((x + 4 + 6 * swing, 42), (x + 18 + 6 * swing, 44)), 8)


def triceratops(figure: Figure, look: Look, pose: Pose) -> None:
    """A triceratops."""
    for x, slot in ((-44, S.SHADE), (30, S.SHADE), (-58, S.LIMB), (18, S.LIMB)):
        sway = 5 * pose.limbs[0] * (1 if slot == S.LIMB else -1)
        figure.limb(slot, ((x, 20), (x, 50), (x + sway, 78)), (32, 22, 22))
    figure.limb(S.LIMB, ((-60, 4), (-96, 20), (-132, 44 + 8 * pose.tail)), (44, 24, 6))
    figure.ellipse(S.BASE, -16, 6, 66, 42)
    coat(figure, look, pose, Region(-16, 6, 66, 42))
    hx, hy = 70, 6 + 5 * pose.head
    plate = arc(hx - 22, hy - 18, 46, 54, 100, 300, 15)
    figure.polygon(S.SECOND, plate)
    for x, y in plate[::2].tolist():
        figure.ellipse(S.ACCENT, x, y, 8)
    triangle(figure, S.BONE, (hx - 2, hy - 24), (hx + 52, hy - 76), 16)
    figure.blob(
        S.HEAD,
        (
            (hx - 34, hy - 26), (hx, hy - 34), (hx + 30, hy - 8), (hx + 50, hy + 14), (hx + 44, hy + 32),
            (hx + 10, hy + 28), (hx - 28, hy + 22),
        ),
    )
    triangle(figure, S.BONE, (hx - 10, hy - 24), (hx + 34, hy - 86), 17)
    triangle(figure, S.BONE, (hx + 32, hy - 4), (hx + 48, hy - 26), 15)
    figure.blob(S.BONE, ((hx + 38, hy + 6), (hx + 54, hy + 14), (hx + 48, hy + 36), (hx + 38, hy + 26)))
    eye(figure, hx + 6, hy - 8, 7)
