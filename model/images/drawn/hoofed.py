"""Hoofed animals: horses, cattle, sheep, goats, antelopes, camels, pigs, a hippopotamus."""

import numpy as np

from stackwalls.model.images.drawn.figure import Figure, Slot
from stackwalls.model.images.drawn.looks import Look
from stackwalls.model.images.drawn.parts import bead, furry, spikes, triangle
from stackwalls.model.images.drawn.patterns import Region, coat
from stackwalls.model.images.drawn.pose import Pose
from stackwalls.model.images.drawn.trunk import Trunk, draw_trunk

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off

S = Slot

BUILDS: dict[str, Trunk] = {
    "horse": Trunk(length=60, depth=30, leg=62, legwidth=13, neck=54, rise=54, neckwidth=26, tuck=0.7, rump=1.0),
    "cattle": Trunk(length=68, depth=37, leg=38, legwidth=17, neck=26, rise=16, neckwidth=40, tuck=0.9, rump=1.0),
    "sheep": Trunk(length=54, depth=34, leg=36, legwidth=12, neck=26, rise=42, neckwidth=26, tuck=0.95),
    "antelope": Trunk(length=52, depth=23, leg=58, legwidth=9, neck=42, rise=58, neckwidth=17, tuck=0.55),
    "camel": Trunk(length=58, depth=29, leg=70, legwidth=12, neck=62, rise=42, neckwidth=20, tuck=0.4),
    "pig": Trunk(length=66, depth=38, leg=22, legwidth=17, neck=14, rise=0, neckwidth=50, tuck=1.0, rump=0.9),
}
"""Name of a build in `species.tsv` → proportions, which single options override."""


def hoofed(figure: Figure, look: Look, pose: Pose) -> None:
    """A horse, ox, sheep, antelope or camel.

    Options: `build`, those of `trunk.draw_trunk`, and `face` (length of the head), `faceslope` (degrees), `jaw`
    (thickness), `horns` (see `_horns`), `hornsize`, `horncolor`, `muzzlecolor`, `blaze`, `mask`, `mane`, `beard`
    (slots), `ears` (length), `wool`, `stripes`.
    """
    trunk = Trunk.of(look, BUILDS[look.word("build", "horse")])
    x, y = draw_trunk(figure, look, pose, trunk, look.word("feet", "hoof"))
    _neck_hair(figure, look, pose, trunk, (x, y))
    slope = np.radians(look.number("faceslope", 48) + 6 * pose.head)
    length, jaw = look.number("face", 46), look.number("jaw", 1)
    tip = (x + 6 + length * np.cos(slope), y + length * np.sin(slope))
    kind = look.word("horns", "none")
    _ear(figure, look, x - 2, y - 4)
    if kind != "none":
        _horns(figure, look, kind, x + 2, y - 10, far=True)
    skin = look.slot("headcolor", S.HEAD)
    figure.limb(skin, ((x - 4, y - 2), ((x + tip[0]) / 2, (y + tip[1]) / 2), tip), (32 * jaw, 27 * jaw, 21 * jaw))
    _face(figure, look, x, y, tip, jaw)
    if kind != "none":
        _horns(figure, look, kind, x - 4, y - 10, far=False)
    bead(figure, x + 9 + 3 * jaw, y + 2, 5)


def _face(figure: Figure, look: Look, x: float, y: float, tip: tuple[float, float], jaw: float) -> None:
    skin = (S.HEAD, look.slot("headcolor", S.HEAD))
    muzzle, blaze, mask, beard, hair = (look.slot(k) for k in ("muzzlecolor", "blaze", "mask", "beard", "forelock"))
    stripe = look.slot("facestripes")
    for share in (0.2, 0.45, 0.7) if stripe else ():
        cx, cy = x + (tip[0] - x) * share, y + (tip[1] - y) * share
        figure.limb(stripe, ((cx - 12, cy + 12), (cx + 14, cy - 12)), 5, over=skin)
    if mask:
        figure.limb(mask, ((x + 8, y + 2), tip), 12 * jaw, over=skin)
    if blaze:
        figure.limb(blaze, ((x + 12, y - 12), (tip[0] + 9, tip[1] - 9)), 11 * jaw, over=skin)
    if muzzle:
        figure.ellipse(muzzle, tip[0] + 2, tip[1] + 2, 15 * jaw, 14 * jaw, over=skin)
    figure.ellipse(S.PUPIL, tip[0] + 4 * jaw, tip[1] - 3 * jaw, 3)
    figure.limb(S.EDGE, ((tip[0] + 5 * jaw, tip[1] + 6 * jaw), (tip[0] - 8 * jaw, tip[1] + 2)), 3)
    if beard:
        triangle(
            figure, beard, (tip[0] - 14, tip[1] + 8 * jaw), (tip[0] - 20, tip[1] + look.number("beardsize", 34)), 16
        )
    if hair:
        furry(figure, hair, x, y - 8, 20 * jaw, 15 * jaw, np.zeros(1), 6, 18)


def _ear(figure: Figure, look: Look, x: float, y: float) -> None:
    long = look.number("ears", 20)
    slot = look.slot("earcolor", S.SHADE)
    if look.number("earsdown", 0):
        figure.blob(slot, ((x + 2, y - 6), (x - long * 0.6, y - 10), (x - long, y + 6), (x - long * 0.5, y + 7)))
    else:
        figure.blob(
            slot,
            (
                (x - 6, y - 6), (x - 9, y - 12 - long * 0.5), (x - 4, y - 14 - long),
                (x + 5, y - 12 - long * 0.4), (x + 6, y - 6),
            ),
        )


def _neck_hair(figure: Figure, look: Look, pose: Pose, trunk: Trunk, head: tuple[float, float]) -> None:
    """A mane along the neck (upright or hanging), wool on the body, a beard of the throat."""
    mane = look.slot("mane")
    root = (trunk.length * 0.5, -trunk.depth * 0.95)
    if mane and look.word("manekind", "hang") == "upright":
        path = np.linspace((root[0] - 6, root[1] - 4), (head[0] - 14, head[1] - 12), 7)
        spikes(figure, mane, path, 11, 13, 4)
    elif mane and look.word("manekind", "hang") == "hang":
        middle = ((root[0] + head[0]) / 2 - 12, (root[1] + head[1]) / 2)
        points = ((head[0] + 2, head[1] - 16), middle, (root[0] + 8, root[1] + 14))
        figure.limb(mane, points, (13, 22, 13))
    elif mane:
        furry(figure, mane, (head[0] + root[0]) / 2, (head[1] + root[1]) / 2 + 12, 34, 38, pose.noise, 8, 26)
    wool = look.slot("wool")
    if wool:
        for u, v in (
            (-0.7, -0.6), (-0.3, -0.85), (0.1, -0.9), (0.5, -0.8), (0.8, -0.3), (0.75, 0.4), (-0.85, 0),
            (-0.7, 0.6), (-0.2, 0.8), (0.3, 0.8),
        ):
            figure.ellipse(wool, u * trunk.length, v * trunk.depth, 15)


def _horns(figure: Figure, look: Look, kind: str, x: float, y: float, far: bool) -> None:
    """Horns: short, ox, buffalo, bison, curl, swept, ibex, lyre, bent, straight."""
    slot = look.slot("horncolor", S.HORN)
    size = look.number("hornsize", 1)
    if kind == "curl":
        if far:
            return
        t = np.linspace(0, 1, 24)
        angle = np.radians(-100 - 430 * t)
        reach = 30 * size * (1 - 0.62 * t)
        path = np.stack([x - 16 + reach * np.cos(angle), y + 16 + reach * np.sin(angle)], axis=1)
        widths = np.linspace(17, 7, 24) * size
        figure.tube(S.EDGE, path, widths + 5)
        figure.tube(slot, path, widths)
        for i in range(3, 22, 3):
            ridge_x, ridge_y = path[i].tolist()
            figure.ellipse(S.EDGE, ridge_x, ridge_y, 2.2 * size)
        return
    points, thick = _HORNS[kind]
    shift = 10.0 if far else 0.0
    mirrored = -1 if far and kind in ("ox", "buffalo", "bison") else 1
    path_points = [(x + shift + mirrored * u * size, y + v * size) for u, v in points]
    figure.limb(slot, path_points, [w * max(0.8, size) for w in thick])
    for k in range(int(look.number("ridges", 0))):
        share = (k + 1) / (look.number("ridges", 0) + 1)
        i = int(share * (len(path_points) - 1))
        (ax, ay), (bx, by) = path_points[i], path_points[min(i + 1, len(path_points) - 1)]
        part = share * (len(path_points) - 1) - i
        figure.ellipse(S.EDGE, ax + (bx - ax) * part, ay + (by - ay) * part, 5.5, 2.5, over=(slot,))


_HORNS: dict[str, tuple[tuple[tuple[float, float], ...], tuple[float, ...]]] = {
    "short": (((0, 0), (-2, -16), (4, -26)), (10, 8, 4)),
    "ox": (((0, 2), (-24, -10), (-40, -34), (-34, -54)), (14, 12, 9, 4)),
    "buffalo": (((4, 2), (-30, 2), (-62, -8), (-76, -34), (-62, -50)), (19, 18, 15, 11, 5)),
    "bison": (((-2, 4), (-18, 0), (-22, -20)), (13, 11, 4)),
    "ibex": (((0, 0), (-8, -38), (-36, -64), (-72, -58), (-90, -32)), (17, 16, 14, 10, 5)),
    "lyre": (((0, 0), (-14, -24), (-4, -50), (-14, -74), (-6, -88)), (10, 9, 8, 7, 4)),
    "bent": (((0, 0), (8, -24), (-4, -34), (-24, -48)), (12, 11, 10, 4)),
    "straight": (((0, 0), (-8, -30), (-20, -62)), (10, 8, 4)),
}
"""Kinds of horn: points from the root, drawn back to the left, and widths there."""


def pig(figure: Figure, look: Look, pose: Pose) -> None:
    """A pig or boar: a snout that ends in a disc.

    Options: those of `trunk.draw_trunk`, and `face` (length), `tusks` (size), `mane` (slot), `manesize`, `warts`,
    `ears` (up, down), `nose`, `muzzlecolor` (slots).
    """
    trunk = Trunk.of(look, BUILDS["pig"])
    x, y = draw_trunk(figure, look, pose, trunk, "hoof")
    mane = look.slot("mane")
    if mane:
        path = np.stack([np.linspace(-46, x - 4, 11), np.linspace(-trunk.depth * 0.95, y - 22, 11)], axis=1)
        spikes(figure, mane, path, look.number("manesize", 15), 14, 5)
    drop = 5 * pose.head
    tip = (x + look.number("face", 46), y + 16 + drop)
    figure.limb(S.HEAD, ((x - 4, y + 2), ((x + tip[0]) / 2, y + 8), tip), (58, 44, 30))
    if look.slot("muzzlecolor"):
        figure.limb(look.slot("muzzlecolor"), ((tip[0] - 16, tip[1] + 12), (x + 10, y + 26)), 13, over=(S.HEAD,))
    if look.number("warts", 0):
        figure.ellipse(S.SHADE, x + 20, y + 20, 9, 8)
        figure.ellipse(S.SHADE, x + 26, y - 8, 7, 6)
    tusks = look.number("tusks", 0)
    if tusks:
        figure.limb(
            S.BONE, ((tip[0] - 14, tip[1] + 8), (tip[0] - 2, tip[1] - 4), (tip[0] - 8, tip[1] - 30 * tusks)), (9, 8, 4)
        )
    figure.ellipse(look.slot("nose", S.PINK), tip[0] + 9, tip[1], 9, 16)
    for dy in (-6, 6):
        figure.ellipse(S.PUPIL, tip[0] + 11, tip[1] + dy, 2.5, 3.5)
    figure.limb(S.EDGE, ((tip[0] - 2, tip[1] + 14), (x + 18, y + 22)), 3)
    bead(figure, x + 18, y - 8, 5.5)
    if look.word("ears", "down") == "up":
        figure.polygon(look.slot("earcolor", S.SHADE), ((x - 18, y - 16), (x - 20, y - 52), (x + 6, y - 22)))
    else:
        figure.polygon(look.slot("earcolor", S.SHADE), ((x - 14, y - 26), (x + 10, y - 28), (x + 8, y + 4)))


def hippo(figure: Figure, look: Look, pose: Pose) -> None:
    """A hippopotamus."""
    trunk = Trunk(length=74, depth=46, leg=16, legwidth=26, neck=10, rise=0, neckwidth=66, tuck=1.0, rump=0.85)
    x, y = draw_trunk(figure, look, pose, trunk, "pad")
    drop = 5 * pose.head
    for dx in (-12, 10):
        figure.ellipse(S.SHADE, x + dx, y - 38, 10, 11)
        figure.ellipse(S.PINK, x + dx, y - 37, 5, 6)
    figure.limb(S.HEAD, ((x - 2, y - 4), (x + 34, y + 10 + drop)), (66, 50))
    figure.ellipse(S.HEAD, x + 54, y + 18 + drop, 38, 34)
    figure.ellipse(S.SECOND, x + 56, y + 30 + drop, 34, 19, over=(S.HEAD,))
    figure.limb(S.EDGE, ((x + 88, y + 24 + drop), (x + 54, y + 34 + drop), (x + 24, y + 24 + drop)), 4)
    for dx in (48, 74):
        figure.polygon(S.BONE, ((x + dx - 6, y + 30 + drop), (x + dx + 6, y + 30 + drop), (x + dx, y + 14 + drop)))
    for dx in (66, 82):
        figure.ellipse(S.EDGE, x + dx, y - 6 + drop, 4.5, 3.5)
    figure.ellipse(S.HEAD, x + 16, y - 30, 12, 10)
    bead(figure, x + 18, y - 30, 6)


def elephant(figure: Figure, look: Look, pose: Pose) -> None:
    """An elephant; options `ear` (size), `tusks` (length), `trunkup`, `domes`, `arch` (of the back)."""
    arch = look.number("arch", 0)
    for x, slot in ((-44, S.SHADE), (34, S.SHADE), (-60, S.LIMB), (18, S.LIMB)):
        sway = 6 * pose.limbs[0] * (1 if slot == S.LIMB else -1)
        figure.limb(slot, ((x, 14), (x, 50), (x + sway, 84)), (36, 29, 27))
        for dx in (-9, 0, 9):
            figure.ellipse(S.BONE, x + sway + dx, 92, 4.5, 4)
    figure.limb(S.SHADE, ((-72, -14), (-88, 14), (-86 + 6 * pose.tail, 44)), (8, 6, 5))
    figure.ellipse(S.EDGE, -86 + 6 * pose.tail, 50, 5, 9)
    figure.blob(
        S.BASE,
        (
            (62, -10), (40, -42 + arch * 0.4), (-12, -42 - arch), (-62, -36 + arch * 0.4), (-78, 0), (-64, 38),
            (0, 46), (50, 38),
        ),
    )
    coat(figure, look, pose, Region(-10, 0, 66, 42))
    _elephant_head(figure, look, pose, 70, -24 + 5 * pose.head)


def _elephant_head(figure: Figure, look: Look, pose: Pose, hx: float, hy: float) -> None:
    """Head, trunk, tusks on both sides of it, and one ear."""
    lift = look.number("trunkup", 0)
    curl = 9 * pose.limbs[1]
    trunk = (
        ((hx + 14, hy + 12), (hx + 46, hy + 26), (hx + 66, hy - 4), (hx + 62 + curl, hy - 44))
        if lift
        else ((hx + 18, hy + 10), (hx + 38, hy + 44), (hx + 34 + curl * 0.5, hy + 84), (hx + 46 + curl, hy + 102))
    )
    tusks = look.number("tusks", 40)
    figure.limb(
        S.BONE,
        ((hx + 20, hy + 26), (hx + 26 + tusks * 0.4, hy + 34 + tusks * 0.3), (hx + 30 + tusks, hy + 22 + tusks * 0.2)),
        (11, 10, 4),
    )
    figure.limb(S.HEAD, trunk, (38, 28, 20, 14))
    figure.ellipse(S.HEAD, hx, hy, 40, 38)
    for dx in (-12, 12) if look.number("domes", 0) else ():
        figure.ellipse(S.HEAD, hx + dx, hy - 26, 19, 17)
    if look.slot("freckles"):
        figure.ellipse(look.slot("freckles"), hx + 14, hy + 18, 14, 16, over=(S.HEAD,))
    figure.limb(
        S.BONE,
        ((hx + 14, hy + 28), (hx + 18 + tusks * 0.4, hy + 38 + tusks * 0.3), (hx + 20 + tusks, hy + 26 + tusks * 0.2)),
        (12, 11, 4),
    )
    e, flap = look.number("ear", 1), 5 * pose.limbs[2]
    outline = ((0, -30), (-34 - flap, -42), (-48 - flap, -12), (-38, 26), (-14, 44), (2, 12))
    ear = [(hx - 4 + u * e, hy + 2 + v * e) for u, v in outline]
    figure.blob(look.slot("earcolor", S.SHADE), ear)
    bead(figure, hx + 16, hy - 8, 5)
