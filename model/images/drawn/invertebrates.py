"""Animals without backbone or joints: jellyfish, corals, worms, snails, slugs, starfish, urchins, a nautilus."""

import numpy as np

from stackwalls.model.images.drawn.figure import Figure, Slot, arc
from stackwalls.model.images.drawn.looks import Look
from stackwalls.model.images.drawn.parts import bead, eye, triangle
from stackwalls.model.images.drawn.patterns import Region, coat
from stackwalls.model.images.drawn.pose import Pose

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off

S = Slot


def jellyfish(figure: Figure, look: Look, pose: Pose) -> None:
    """A bell with frilled arms and trailing tentacles."""
    for i, x in enumerate((-50, -30, -10, 10, 30, 50)):
        sway = 9 * pose.limbs[i % 4] + 6 * pose.tail
        path = ((x, 10), (x + 10 + sway, 40), (x - 8, 68 - sway), (x + 8 + sway, 98 + (i % 3) * 8))
        figure.limb(S.ACCENT if i % 2 else S.SECOND, path, (9, 8, 7, 5))
    for x in (-18, 0, 18):
        figure.limb(S.SECOND, ((x, 4), (x - 6, 28), (x + 6 + 5 * pose.bend, 52), (x, 70)), (16, 15, 12, 6))
    squeeze = 3 * pose.bend
    dome = np.concatenate(
        [arc(0, 4, 68 + squeeze, 66 - squeeze, 180, 360, 20), arc(0, 4, 68 + squeeze, 12, 0, 180, 12)]
    )
    figure.polygon(S.BASE, dome)
    coat(figure, look, pose, Region(0, -24, 60, 34))
    for x in range(-56, 64, 16):
        figure.ellipse(S.LIGHT, x, 10, 9, 8)
    for x in (-22, 22):
        figure.ellipse(S.ACCENT, x, -24, 15, 11)
        figure.ellipse(S.BASE, x, -22, 8, 6)


def anemone(figure: Figure, look: Look, pose: Pose) -> None:
    """A column with a crown of fat tentacles."""
    figure.blob(S.SECOND, ((-34, -8), (-36, 30), (-48, 66), (0, 72), (48, 66), (36, 30), (34, -8)))
    for x in (-22, 0, 22):
        figure.limb(S.SECOND_SHADE, ((x, 6), (x * 1.3, 66)), 5, over=(S.SECOND,))
    for row, slot in ((0, S.SHADE), (1, S.BASE)):
        for i, angle in enumerate(np.linspace(188, 352, 11 - 2 * row).tolist()):
            a = np.radians(angle + 4 * pose.noise[i] + 4 * pose.tail)
            reach = (84 - 22 * row) * (1 + 0.08 * pose.limbs[i % 4])
            bow = 10 * (-1) ** i
            tip = (reach * 1.05 * np.cos(a), -6 + reach * np.sin(a))
            figure.limb(slot, ((22 * np.cos(a), -2), (tip[0] * 0.55 + bow * 0.5, tip[1] * 0.55), tip), (15, 14, 13))
            figure.ellipse(S.ACCENT, *tip, 8)
    figure.ellipse(S.BASE, 0, -4, 38, 14)
    figure.ellipse(S.ACCENT, 0, -6, 16, 6)


def brain_coral(figure: Figure, look: Look, pose: Pose) -> None:
    """A dome with winding grooves."""
    figure.polygon(S.BASE, arc(0, 40, 82, 88 + 3 * pose.bend, 180, 360, 24))
    figure.ellipse(S.SHADE, 0, 42, 84, 14)
    t = np.linspace(0, 1, 26)
    for row, level in enumerate((26, 6, -14, -34)):
        phase = 0.5 * row + 0.1 * pose.noise[row]
        y = level + 7 * np.sin(2 * np.pi * (5.5 * t + phase))
        path = np.stack([-88 + 176 * t, y], axis=1)
        figure.tube(S.SECOND, path, np.full(26, 7.0), over=(S.BASE,), caps=False)
    figure.limb(S.SECOND, ((-26, -36), (0, -44), (26, -36)), 6, over=(S.BASE,))


def flatworm(figure: Figure, look: Look, pose: Pose) -> None:
    """A flat ribbon with a ruffled edge, from above."""
    t = np.linspace(0, 1, 40)
    bow = 18 * np.sin(2 * np.pi * (0.8 * t + 0.08 * pose.tail))
    path = np.stack([-92 + 184 * t, bow], axis=1)
    ruffle = 6 * np.sin(2 * np.pi * (7 * t + 0.3 * pose.bend))
    broad = 42 * np.sin(np.pi * (0.06 + 0.88 * t)) ** 0.6
    for slot, more in ((S.ACCENT, 12.0), (S.SECOND, 0.0), (S.BASE, -14.0)):
        figure.tube(slot, path, 2 * broad + more + ruffle, caps=False)
    figure.tube(S.SECOND, path[5:-5], np.full(30, 7.0))
    x, y = path[-2].tolist()
    for side in (-1, 1):
        figure.limb(S.ACCENT, ((x - 4, y + side * 8), (x + 16, y + side * 16)), (9, 6))
        bead(figure, x - 10, y + side * 6, 4)


def nematode(figure: Figure, look: Look, pose: Pose) -> None:
    """A smooth pale worm in an S, pointed at both ends."""
    t = np.linspace(0, 1, 44)
    wind = 2 * np.pi * (1.25 * t + 0.06 * pose.tail)
    path = np.stack([-84 + 168 * t, 46 * np.sin(wind)], axis=1)
    widths = 4 + 17 * np.sin(np.pi * np.clip(0.05 + 0.93 * t, 0, 1)) ** 0.5
    figure.tube(S.BASE, path, widths)
    figure.tube(S.SECOND, path[5:-4], widths[5:-4] * 0.35)
    x, y = path[-2].tolist()
    figure.ellipse(S.ACCENT, x, y, 5)


def snail(figure: Figure, look: Look, pose: Pose) -> None:
    """A snail; the spiral of its shell in the second color."""
    figure.blob(S.BASE, ((-96, 48), (-60, 30), (20, 24), (56, 2), (76, 4), (84, 26), (66, 46), (0, 52)))
    figure.limb(S.SHADE, ((-90, 48), (0, 50), (68, 46)), 6)
    for dx, dy in ((0, 0), (16, 8)):
        tip = (78 + dx + 5 * pose.head, -34 + dy)
        figure.limb(S.BASE, ((68 + dx * 0.6, 6), tip), (9, 6))
        figure.ellipse(S.PUPIL, *tip, 5.5)
    figure.limb(S.SHADE, ((78, 24), (86, 22)), 4)
    _spiral(figure, -18, -6, 50 + 2 * pose.bend, S.ACCENT, S.SECOND)


def _spiral(figure: Figure, x: float, y: float, radius: float, slot: int, line: int, turns: float = 2.3) -> None:
    figure.ellipse(slot, x, y, radius)
    t = np.linspace(0, 1, 40)
    angle = 2 * np.pi * turns * t + 0.6
    reach = radius * (0.92 - 0.86 * t)
    path = np.stack([x + reach * np.cos(angle), y + reach * np.sin(angle)], axis=1)
    figure.tube(line, path, np.linspace(radius * 0.2, radius * 0.1, 40))


def slug(figure: Figure, look: Look, pose: Pose) -> None:
    """A slug with its mantle and two eye stalks."""
    rise = 4 * pose.bend
    figure.blob(
        S.BASE, ((-112, 30), (-60, 2 - rise), (0, -12 - rise), (56, -10), (88, 0), (92, 22), (60, 34), (-40, 36))
    )
    coat(figure, look, pose, Region(-20, 12, 90, 24))
    figure.blob(S.SECOND, ((-8, -10), (26, -22), (58, -12), (60, 10), (26, 16), (-2, 10)))
    figure.limb(S.ACCENT, ((-106, 33), (0, 36), (84, 30)), 8)
    for dx in (0, 18):
        tip = (88 + dx + 4 * pose.head, -34 + dx * 0.5)
        figure.limb(S.BASE, ((76 + dx * 0.5, 2), tip), (10, 6))
        figure.ellipse(S.PUPIL, *tip, 5)


def sea_slug(figure: Figure, look: Look, pose: Pose) -> None:
    """A bright sea slug with horns and a plume of gills."""
    figure.blob(S.ACCENT, ((-100, 30), (-70, 14), (0, 6), (70, 6), (100, 26), (60, 44), (-60, 44)))
    for i, angle in enumerate((-150, -125, -100, -75, -50)):
        a = np.radians(angle + 5 * pose.tail)
        figure.limb(
            S.SECOND,
            ((-50, 0), (-50 + 30 * np.cos(a), -14 + 24 * np.sin(a)), (-50 + 38 * np.cos(a), -18 + 40 * np.sin(a))),
            (8, 11, 5),
        )
        figure.ellipse(S.ACCENT, -50 + 40 * np.cos(a), -18 + 42 * np.sin(a), 4 + i % 2)
    figure.blob(S.BASE, ((-90, 20), (-56, -10), (0, -18 - 3 * pose.bend), (60, -12), (92, 14), (60, 30), (-50, 32)))
    coat(figure, look, pose, Region(0, 4, 80, 20))
    for dx in (0, 20):
        figure.limb(S.SECOND, ((58 + dx, -2), (66 + dx + 4 * pose.head, -42)), (12, 9))
    bead(figure, 78, 8, 4.5)


def chiton(figure: Figure, look: Look, pose: Pose) -> None:
    """A chiton from above: eight plates in a leathery girdle."""
    figure.ellipse(S.ACCENT, 0, 0, 96, 54 + 2 * pose.bend)
    for x, y in arc(0, 0, 86, 46, 0, 360, 33)[:-1].tolist():
        figure.ellipse(S.EXTRA, x, y, 4)
    for k in range(8):
        x = -70 + 19 * k
        half = 38 * np.sqrt(max(0.15, 1 - ((x + 4) / 84) ** 2))
        plate = ((x - 8, -half), (x + 10, -half * 0.86), (x + 20, 0), (x + 10, half * 0.86), (x - 8, half), (x + 2, 0))
        figure.polygon(S.SECOND if k % 2 else S.BASE, plate)
    coat(figure, look, pose, Region(0, 0, 70, 12))


def sea_cucumber(figure: Figure, look: Look, pose: Pose) -> None:
    """A warty sausage with a ring of feathery tentacles around its mouth."""
    for angle in (-64, -32, 0, 32, 64):
        a = np.radians(angle + 6 * pose.head)
        tip = (88 + 34 * np.cos(a), -2 + 38 * np.sin(a))
        figure.limb(S.SECOND, ((80, -2), tip), (7, 6))
        for dx, dy in ((6, -7), (9, 1), (5, 8)):
            figure.limb(S.SECOND, (tip, (tip[0] + dx, tip[1] + dy)), 5)
    rise = 6 * pose.bend
    figure.limb(S.BASE, ((-84, 6), (-30, -4 - rise), (30, -4 - rise), (80, 0)), (40, 56, 56, 40))
    figure.limb(S.SHADE, ((-84, 22), (0, 24 - rise), (80, 16)), 8, over=(S.BASE,))
    for row, y in enumerate((-22, -4)):
        for x in range(-78, 82, 24):
            triangle(
                figure,
                S.ACCENT,
                (x + 12 * row, y + 2 - rise * (1 - abs(x) / 90)),
                (x + 12 * row - 3, y - 16 - rise * (1 - abs(x) / 90)), 13,
            )


def conch(figure: Figure, look: Look, pose: Pose) -> None:
    """A conch: a spired shell with knobs and a wide pink lip."""
    lean = 3 * pose.bend
    figure.blob(
        S.BASE,
        (
            (-96, -6 + lean), (-52, -26), (-8, -46), (36, -40), (64, -12), (98, 34 - lean), (40, 44), (-10, 36),
            (-50, 18),
        ),
    )
    for x, height, width in ((-66, 17, 15), (-46, 24, 19), (-20, 33, 22), (10, 37, 24), (36, 31, 22)):
        top = -12 - 0.5 * height
        triangle(figure, S.ACCENT, (x, top), (x - 8, top - height * 0.85), width)
    for x in (-70, -50, -24):
        figure.limb(S.ACCENT, ((x, -26), (x + 16, 2), (x + 10, 26)), 5, over=(S.BASE,))
    coat(figure, look, pose, Region(0, -10, 66, 30))
    figure.blob(S.SECOND, ((-22, 24), (4, 2), (50, -8), (84, 20), (96, 34), (56, 44), (10, 42)))
    figure.blob(S.SECOND_SHADE, ((0, 26), (24, 12), (58, 10), (80, 30), (44, 34)))


def nautilus(figure: Figure, look: Look, pose: Pose) -> None:
    """A chambered nautilus: striped coil, hood and short tentacles."""
    for i, y in enumerate((22, 32, 42, 52, 60)):
        sway = 6 * pose.limbs[i % 4]
        figure.limb(S.ACCENT, ((44 - i * 4, y), (66, y + 2 + sway * 0.5), (92 - 4 * i, y + 8 + sway)), (10, 8, 5))
    figure.ellipse(S.BASE, -10, 0, 68, 62)
    figure.blob(S.BASE, ((20, -56), (62, -20), (66, 24), (30, 46), (-10, 20)))
    for k in range(6):
        a = np.radians(150 + 34 * k)
        mid = (-10 + 44 * np.cos(a), 44 * np.sin(a))
        tip = (-10 + 74 * np.cos(a + 0.3), 68 * np.sin(a + 0.3))
        figure.limb(
            S.SECOND, ((-6 + 20 * np.cos(a - 0.2), 18 * np.sin(a - 0.2)), mid, tip), (6, 11, 13), over=(S.BASE,)
        )
    t = np.linspace(0, 1, 22)
    angle = 2 * np.pi * 1.15 * t + 0.5
    coil = np.stack([-8 + (28 - 22 * t) * np.cos(angle), 4 + (26 - 20 * t) * np.sin(angle)], axis=1)
    figure.tube(S.EDGE, coil, np.full(22, 5.0))
    figure.blob(S.SECOND_SHADE, ((26, -14), (58, -14), (72, 16), (58, 40), (34, 44), (24, 18)))
    eye(figure, 50, 18, 9)


def starfish(figure: Figure, look: Look, pose: Pose) -> None:
    """Five tapering arms with knobs."""
    angles = np.radians(np.arange(5) * 72 - 90)
    for i, a in enumerate(angles.tolist()):
        bent = a + 0.12 * pose.limbs[i % 4]
        tip = (92 * np.cos(bent), 92 * np.sin(bent))
        figure.limb(S.BASE, ((0, 0), (44 * np.cos(a), 44 * np.sin(a)), tip), (56, 38, 13))
    figure.ellipse(S.BASE, 0, 0, 33)
    for a in angles.tolist():
        for reach, r in ((16, 6), (34, 6), (52, 5), (68, 4.5), (82, 3.5)):
            figure.ellipse(S.SECOND, reach * np.cos(a), reach * np.sin(a), r)
        for reach in (30, 50):
            for side in (-0.34, 0.34):
                figure.ellipse(
                    S.SECOND, reach * np.cos(a + side * 30 / reach), reach * np.sin(a + side * 30 / reach), 3.2
                )


def urchin(figure: Figure, look: Look, pose: Pose) -> None:
    """A ball of long spines."""
    for ring, (count, reach, slot) in enumerate(((24, 94, S.SHADE), (18, 80, S.BASE))):
        for i in range(count):
            a = 2 * np.pi * (i + 0.5 * ring) / count + 0.06 * pose.noise[i]
            length = reach * (1 + 0.07 * pose.noise[(i + 9) % 64])
            triangle(figure, slot, (30 * np.cos(a), 30 * np.sin(a)), (length * np.cos(a), length * np.sin(a)), 13)
    figure.ellipse(S.BASE, 0, 0, 44, 42)
    for k in range(5):
        a = 2 * np.pi * k / 5 - np.pi / 2
        for reach in (12, 24, 36):
            figure.ellipse(S.SECOND, reach * np.cos(a), reach * np.sin(a), 4.5)
    figure.ellipse(S.SECOND, 0, 0, 7)
