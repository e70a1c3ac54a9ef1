"""Fishes: bony fishes of every proportion, sharks, rays, eels and the lionfish."""

import numpy as np

from stackwalls.model.images.drawn.figure import Figure, Slot, arc
from stackwalls.model.images.drawn.looks import Look
from stackwalls.model.images.drawn.parts import bead, eye, spikes
from stackwalls.model.images.drawn.patterns import Region, coat
from stackwalls.model.images.drawn.pose import Pose

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off

S = Slot


def fish(figure: Figure, look: Look, pose: Pose) -> None:
    """A bony fish from the side.

    Options: `length`, `depth` (half axes), `tail` (forked, round, fan, sickle), `fins` (slot), `snout` (length of a
    beak), `jaw` (underbite), `barbels`, `scutes`, `dorsal` (low, tall, long, spiny, back), `eye` (radius).
    """
    length, depth = look.number("length", 62), look.number("depth", 30) * (1 + 0.06 * pose.bend)
    fins = look.slot("fins", S.ACCENT)
    swing = 8 * pose.tail
    _tail_fin(figure, look.word("tail", "forked"), look.slot("tailcolor", fins), length, depth, swing)
    _dorsal(figure, look.word("dorsal", "low"), fins, length, depth)
    figure.polygon(fins, ((-length * 0.1, depth * 0.8), (-length * 0.45, depth * 1.45), (-length * 0.5, depth * 0.5)))
    figure.polygon(fins, ((length * 0.35, depth * 0.8), (length * 0.1, depth * 1.4), (0, depth * 0.8)))
    snout = look.number("snout", 0)
    if snout:
        figure.limb(S.HEAD, ((length * 0.6, 0), (length + snout, depth * 0.12)), (depth * 1.1, depth * 0.3))
    body = (
        (length, depth * 0.08), (length * 0.72, -depth * 0.66), (length * 0.1, -depth),
        (-length * 0.55, -depth * 0.55), (-length * 0.95, -depth * 0.16), (-length * 0.95, depth * 0.16 + 2),
        (-length * 0.5, depth * 0.62), (length * 0.15, depth), (length * 0.72, depth * 0.7),
    )
    figure.blob(S.BASE, body)
    coat(figure, look, pose, Region(-2, 0, length, depth))
    _fish_head(figure, look, length, depth)
    fin = (length * 0.32, depth * 0.2)
    tip = (length * 0.0, depth * (0.55 + 0.2 * pose.limbs[0]))
    figure.blob(fins, (fin, (fin[0] - 10, fin[1] - 7), tip, (fin[0] - 8, fin[1] + 12)))


def _fish_head(figure: Figure, look: Look, length: float, depth: float) -> None:
    """Gill cover, mouth, eye, and what hangs from or stands on the head."""
    face = look.slot("face")
    if face:
        figure.ellipse(face, length * 0.95, 0, length * 0.42, depth * 1.2, over=(S.BASE,))
    gill = arc(length * 0.42, 0, depth * 0.35, depth * 0.62, -75, 75, 9)
    figure.limb(S.SHADE, gill[[0, 4, 8]], 3.5)
    radius = look.number("eye", 8)
    eye(figure, length * 0.68, -depth * 0.2, radius, look.slot("iris", S.WHITE))
    if look.number("jaw", 0):
        figure.limb(S.SHADE, ((length * 1.02, depth * 0.3), (length * 0.62, depth * 0.34)), 4)
        figure.limb(S.HEAD, ((length * 1.08, depth * 0.32), (length * 0.6, depth * 0.52)), (4, 9))
    else:
        figure.limb(S.SHADE, ((length * 0.99, depth * 0.26), (length * 0.8, depth * 0.34)), 3.5)
    for i in range(int(look.number("barbels", 0))):
        x = length * (0.9 + 0.08 * i)
        figure.limb(look.slot("fins", S.ACCENT), ((x, depth * 0.4), (x + 5, depth * 0.95)), 4)
    if look.number("scutes", 0):
        xs = np.linspace(-length * 0.75, length * 0.5, 7)
        ys = -depth * (1 - 0.55 * ((xs / length - 0.15) / 0.8) ** 2)
        spikes(figure, look.slot("fins", S.ACCENT), np.stack([xs, ys + 2], axis=1), 9, 13, 4)


def _tail_fin(figure: Figure, kind: str, slot: int, length: float, depth: float, swing: float) -> None:
    root, out, high = -length * 0.88, -length * 0.88 - max(26.0, depth * 0.9), max(26.0, depth * 0.95)
    if kind == "round":
        figure.blob(
            slot, ((root, -8), (out, -high * 0.7 + swing), (out - 7, swing), (out, high * 0.7 + swing), (root, 8))
        )
    elif kind == "fan":
        top, low = (out - 14, -high * 1.15 + swing), (out - 14, high * 1.15 + swing)
        figure.blob(
            slot,
            (
                (root, -6), top, (out - 2, -high * 0.25 + swing), (out - 26, swing),
                (out - 2, high * 0.3 + swing), low, (root, 6),
            ),
        )
    elif kind == "sickle":
        top, low = (out - 8, -high * 1.35 + swing), (out - 8, high * 1.35 + swing)
        figure.polygon(slot, ((root, -6), top, (out + 16, swing), low, (root, 6)))
    elif kind == "sturgeon":
        figure.polygon(
            slot, ((root + 4, -8), (out - 26, -high * 1.2 + swing), (out + 4, swing), (out + 4, high * 0.6), (root, 8))
        )
    else:
        top, low = (out, -high + swing), (out, high + swing)
        figure.polygon(slot, ((root + 6, -7), top, (out + 12, swing), low, (root + 6, 7)))


def _dorsal(figure: Figure, kind: str, slot: int, length: float, depth: float) -> None:
    if kind == "tall":
        top = -depth * 1.75
        figure.polygon(
            slot,
            (
                (length * 0.45, -depth * 0.7), (length * 0.05, top), (-length * 0.35, top * 0.9),
                (-length * 0.5, -depth * 0.4),
            ),
        )
    elif kind == "long":
        figure.blob(
            slot,
            (
                (length * 0.5, -depth * 0.7), (length * 0.3, -depth * 1.3), (-length * 0.5, -depth * 1.15),
                (-length * 0.75, -depth * 0.2),
            ),
        )
    elif kind == "spiny":
        xs = np.linspace(-length * 0.4, length * 0.45, 7)
        spikes(figure, slot, np.stack([xs, -depth * (0.95 - 0.5 * (xs / length) ** 2)], axis=1), depth * 0.6, 13, 7)
    elif kind == "two":
        for x in (0.25, -0.45):
            y = -depth * (0.8 if x > 0 else 0.5)
            figure.polygon(
                slot, ((length * (x + 0.14), y), (length * (x - 0.05), y - depth * 0.9), (length * (x - 0.14), y))
            )
    elif kind == "back":
        figure.polygon(
            slot, ((-length * 0.5, -depth * 0.4), (-length * 0.74, -depth * 1.5), (-length * 0.8, -depth * 0.2))
        )
    else:
        figure.polygon(
            slot, ((length * 0.3, -depth * 0.8), (-length * 0.05, -depth * 1.5), (-length * 0.4, -depth * 0.6))
        )


def shark(figure: Figure, look: Look, pose: Pose) -> None:
    """A shark from the side; option `head`: pointed, blunt, hammer."""
    swing = 7 * pose.tail
    figure.polygon(S.BASE, ((-70, -6), (-112, -52 + swing), (-90, -2 + swing), (-104, 32 + swing), (-72, 6)))
    figure.polygon(S.BASE, ((20, -20), (-8, -62), (-24, -18)))
    figure.polygon(S.SHADE, ((-50, 10), (-62, 28), (-38, 12)))
    figure.polygon(S.SHADE, ((-48, -12), (-66, -26), (-60, -8)))
    blunt = 10.0 if look.word("head", "pointed") == "blunt" else 0.0
    nose = 4 * pose.head
    body = (
        (96, nose - 2), (70 + blunt, -19 - blunt * 0.4), (20, -26), (-40, -15), (-80, -5), (-80, 5), (-40, 13),
        (20, 24), (72 + blunt, 18),
    )
    figure.blob(S.BASE, body)
    coat(figure, look, pose, Region(0, 0, 88, 26))
    if look.word("head", "pointed") == "hammer":
        figure.limb(S.HEAD, ((84, -34), (92, 0), (84, 36)), (15, 21, 15))
        bead(figure, 84, -34, 6)
        bead(figure, 84, 36, 6)
        figure.limb(S.PUPIL, ((62, 12), (76, 12)), 3.5)
    else:
        mouth = ((90, 9), (66, 13), (58, 6))
        figure.limb(S.PUPIL, mouth, 4)
        for x in (84, 77, 70):
            figure.polygon(S.WHITE, ((x - 3, 11), (x, 17), (x + 3, 10)))
        bead(figure, 72, -7, 5)
    for x in (36, 43, 50):
        figure.limb(S.EDGE, ((x, -9), (x - 3, 6)), 2.5)
    figure.blob(S.SHADE, ((32, 12), (14, 12), (-10, 46 + 6 * pose.limbs[0]), (6, 36)))


def ray(figure: Figure, look: Look, pose: Pose) -> None:
    """A ray from above, head to the right; option `shape`: diamond (with a whip) or disc (with a fish's tail)."""
    disc = look.word("shape", "diamond") == "disc"
    lift = 4 * pose.bend
    swing = 16 * pose.tail
    if disc:
        figure.limb(S.BASE, ((-40, 0), (-75, swing * 0.3), (-108, swing * 0.7)), (30, 18, 10))
        figure.blob(
            look.slot("fins", S.SHADE), ((-96, swing * 0.6), (-124, -24 + swing), (-118, swing), (-124, 24 + swing))
        )
        for side in (-1, 1):
            figure.ellipse(S.SHADE, -52, side * 20, 18, 13, angle=side * 20)
        figure.ellipse(S.BASE, 0, 0, 60 + lift, 58 - lift)
    else:
        figure.limb(S.SHADE, ((-40, 0), (-85, -swing), (-140, swing)), (11, 8, 4))
        figure.polygon(S.ACCENT, ((-90, -swing - 3), (-106, -swing - 14), (-103, -swing + 3)))
        wings = ((66, 0), (40, -22), (4, -76 + lift), (-34, -44), (-52, 0), (-34, 44), (4, 76 - lift), (40, 22))
        figure.blob(S.BASE, wings)
    coat(figure, look, pose, Region(0, 0, 56, 54))
    for side in (-1, 1):
        figure.ellipse(S.HEAD, 36, side * 13, 9, 8)
        bead(figure, 38, side * 13, 5.5)
    if disc:
        for side in (-1, 1):
            figure.ellipse(S.ACCENT, -6, side * 24, 13, 13)
            figure.ellipse(S.SECOND, -6, side * 24, 8, 8)
            figure.ellipse(S.PUPIL, -6, side * 24, 4, 4)


def eel(figure: Figure, look: Look, pose: Pose) -> None:
    """A long winding fish with a fin all along its back."""
    t = np.linspace(0, 1, 34)
    y = (22 + 5 * pose.bend) * np.sin(2 * np.pi * (1.15 * t + 0.1 * pose.tail)) * (1 - 0.25 * t)
    path = np.stack([-100 + 190 * t, y], axis=1)
    widths = 6 + 21 * np.minimum(1, 1.5 * t)
    figure.tube(S.ACCENT, path - (0, 5), widths + 7)
    figure.tube(S.BASE, path, widths)
    figure.tube(S.SECOND, path[8:] + np.array((0, 7)), widths[8:] * 0.42, over=(S.BASE,))
    x, y0 = path[-1].tolist()
    figure.ellipse(S.HEAD, x + 10, y0, 23, 15)
    figure.limb(S.PUPIL, ((x + 14, y0 + 5), (x + 31, y0 + 3)), 3)
    eye(figure, x + 15, y0 - 5, 5.5)
    figure.blob(S.ACCENT, ((x - 14, y0 + 4), (x - 30, y0 - 4), (x - 34, y0 + 12), (x - 22, y0 + 13)))


def lionfish(figure: Figure, look: Look, pose: Pose) -> None:
    """A striped fish in a fan of long spines."""
    fan = np.linspace(-150, -35, 8) + 4 * pose.bend
    for i, angle in enumerate(np.radians(fan).tolist()):
        tip = (14 + 74 * np.cos(angle), 4 + 72 * np.sin(angle))
        figure.limb(S.SECOND if i % 2 else S.BASE, ((10, -8), tip), (9, 5))
        figure.ellipse(S.BASE, (10 + tip[0]) / 2, (tip[1] - 8) / 2, 4)
    for angle in np.radians(np.linspace(70, 150, 5) + 5 * pose.limbs[0]).tolist():
        figure.limb(S.SECOND, ((24, 8), (20 + 66 * np.cos(angle), 10 + 62 * np.sin(angle))), (12, 6))
        figure.limb(S.BASE, ((22, 26), (20 + 60 * np.cos(angle), 10 + 56 * np.sin(angle))), 4)
    _tail_fin(figure, "round", S.SECOND, 60, 26, 8 * pose.tail)
    figure.blob(S.BASE, ((64, 4), (46, -20), (0, -26), (-52, -8), (-52, 10), (0, 24), (46, 22)))
    coat(figure, look, pose, Region(0, 0, 60, 26))
    figure.limb(S.BASE, ((40, -14), (50, -32)), 5)
    eye(figure, 44, -4, 7)
    figure.limb(S.PUPIL, ((62, 8), (50, 12)), 3)


def puffer(figure: Figure, look: Look, pose: Pose) -> None:
    """A ball with short spines, small fins and a beak."""
    radius = 54 + 4 * pose.bend
    _tail_fin(figure, "round", S.ACCENT, 62, 20, 6 * pose.tail)
    for x, y in arc(0, 0, radius, radius * 0.9, 0, 360, 27)[:-1].tolist():
        figure.polygon(
            S.SHADE,
            (
                (x * 0.97 - y * 0.08, y * 0.97 + x * 0.08), (x * 1.2, y * 1.2),
                (x * 0.97 + y * 0.08, y * 0.97 - x * 0.08),
            ),
        )
    figure.polygon(S.ACCENT, ((-30, -40), (-44, -70), (-52, -30)))
    figure.ellipse(S.BASE, 0, 0, radius, radius * 0.9)
    coat(figure, look, pose, Region(-4, -8, radius, radius * 0.8))
    figure.ellipse(S.WHITE, 6, 40, radius * 0.8, 24, over=(S.BASE,))
    figure.ellipse(S.HEAD, radius - 2, 8, 11, 10)
    figure.limb(S.PUPIL, ((radius - 1, 9), (radius + 9, 9)), 3)
    eye(figure, 30, -14, 12, look.slot("iris", S.WHITE))
    figure.blob(S.ACCENT, ((2, 0), (-22, -14), (-26, 14), (-2, 14)))
