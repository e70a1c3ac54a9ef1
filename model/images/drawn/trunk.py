"""The trunk of a four-legged animal from the side: body, legs, neck and tail, ready for a head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwalls.model.images.drawn.figure import Figure, Points, Slot, closed_curve
from stackwalls.model.images.drawn.looks import Look
from stackwalls.model.images.drawn.parts import curly, furry, ragged
from stackwalls.model.images.drawn.patterns import Region, coat
from stackwalls.model.images.drawn.pose import Pose

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off

S = Slot


@dataclass(frozen=True)
class Trunk:
    """Proportions of a trunk, in units of the figure; each is an option of the same name in `species.tsv`.

    Attributes:
        length: half length of the body.
        depth: half height of the body at the chest.
        leg: from the belly to the ground.
        legwidth: thickness of a leg above the foot.
        neck: length of the neck.
        rise: angle of the neck above the level, in degrees.
        neckwidth: thickness of the neck at the head.
        tuck: height of the belly before the hind legs, in parts of `depth` (small for a greyhound).
        rump: height of the croup, in parts of `depth` (above 1: higher than the shoulder).
    """

    length: float = 56
    depth: float = 25
    leg: float = 40
    legwidth: float = 13
    neck: float = 30
    rise: float = 50
    neckwidth: float = 24
    tuck: float = 0.75
    rump: float = 0.9

    @classmethod
    def of(cls, look: Look, default: Trunk | None = None) -> Trunk:
        """A look's proportions, `default` where it gives none."""
        known = default or cls()
        return cls(**{name: look.number(name, getattr(known, name)) for name in cls.__dataclass_fields__})


def draw_trunk(figure: Figure, look: Look, pose: Pose, trunk: Trunk, feet: str = "paw") -> tuple[float, float]:
    """Paint tail, legs, body, neck and coat; `feet`: paw, hoof, pad or none.

    Options: `tail` (see `_TAILS`), `fur` (smooth, wire, shaggy, curly, long), `tufts` (depth of ragged fur), `legs`,
    `socks`, `bib`, `belly`, `hump` (height) and the proportions of `Trunk`.

    Returns:
        Where the head joins the neck, (x, y).
    """
    depth = trunk.depth * (1 + 0.05 * pose.bend)
    fur = look.word("fur", "smooth")
    draw_tail(figure, look, pose, trunk)
    far, near = look.slot("farlegs", S.SHADE), look.slot("legs", S.LIMB)
    for near_side in (False, True):
        if near_side:
            _body(figure, look, pose, trunk, depth)
        slot = near if near_side else far
        swing = pose.limbs[2 * near_side : 2 * near_side + 2]
        _legs(figure, look, trunk, slot, swing, -4 if near_side else 11, feet)
    if fur == "long":
        _fringe(figure, pose, trunk, depth)
    angle = np.radians(trunk.rise - 7 * pose.head)
    root = (trunk.length * 0.62, -depth * 0.3)
    head = (trunk.length * 0.78 + trunk.neck * np.cos(angle), -depth * 0.5 - trunk.neck * np.sin(angle))
    wide = trunk.neckwidth
    figure.limb(
        S.BASE, (root, ((root[0] + head[0]) / 2 - 2, (root[1] + head[1]) / 2), head), (wide * 1.9, wide * 1.25, wide)
    )
    over = (S.BASE, S.LIMB) if look.number("coatlegs", 0) else (S.BASE,)
    coat(figure, look, pose, Region(0, 0, trunk.length, depth, over))
    _front(figure, look, trunk, depth, head)
    return float(head[0]), float(head[1])


def outline(trunk: Trunk, depth: float) -> Points:
    """Control points of the body."""
    n, d = trunk.length, depth
    return (
        (n * 1.0, -d * 0.15), (n * 0.7, -d * 0.98), (0, -d * 0.92), (-n * 0.68, -d * trunk.rump),
        (-n, -d * 0.3), (-n * 0.88, d * 0.55), (-n * 0.3, d * trunk.tuck), (n * 0.3, d * 0.98),
        (n * 0.84, d * 0.8),
    )


def _body(figure: Figure, look: Look, pose: Pose, trunk: Trunk, depth: float) -> None:
    fur, points = look.word("fur", "smooth"), outline(trunk, depth)
    hump = look.number("hump", 0)
    if hump:
        x = trunk.length * look.number("humpat", 0.45)
        wide = trunk.length * look.number("humpwide", 0.5)
        figure.blob(
            S.BASE,
            (
                (x - wide, -depth * 0.6), (x - wide * 0.4, -depth - hump), (x + wide * 0.4, -depth - hump),
                (x + wide, -depth * 0.6), (x, 0),
            ),
        )
    if fur in ("wire", "shaggy"):
        tufts = look.number("tufts", 4 if fur == "wire" else 11)
        curve = closed_curve(points)[:: 2 if fur == "shaggy" else 1]
        figure.polygon(S.BASE, ragged(curve, tufts, (0, 0), pose.noise))
    elif fur == "curly":
        curve = closed_curve(points)
        figure.polygon(S.BASE, curve)
        for x, y in curve[::3].tolist():
            figure.ellipse(S.BASE, x, y, 8)
    else:
        figure.blob(S.BASE, points)


def _legs(
    figure: Figure, look: Look, trunk: Trunk, slot: int, swing: tuple[float, ...], shift: float, feet: str
) -> None:
    """One foreleg and one hind leg."""
    ground, width = trunk.depth + trunk.leg, trunk.legwidth
    step = min(9.0, trunk.leg * 0.25)
    fore, hind = trunk.length * 0.68 + shift, -trunk.length * 0.72 + shift
    front = (fore + step * swing[0], ground)
    back = (hind + step * swing[1] - 3, ground)
    hock = (hind - width * 0.6 + step * 0.4 * swing[1], trunk.depth + trunk.leg * 0.42)
    bushy = 1.5 if look.word("fur", "smooth") == "shaggy" else 1.0
    thigh = min(trunk.depth * 1.1, width * 2.4)
    figure.limb(
        slot,
        ((fore, trunk.depth * 0.2), (fore, trunk.depth + trunk.leg * 0.4), front),
        (width * 1.7, width * 1.1 * bushy, width * bushy),
    )
    figure.limb(
        slot,
        ((hind + 4, trunk.depth * 0.1), (hind + 7, trunk.depth * 0.85), hock, back),
        (thigh, thigh * 0.8, width * bushy, width * bushy),
    )
    socks = look.slot("socks")
    if socks and slot == look.slot("legs", S.LIMB):
        high = look.number("sockheight", 0.45)
        for x, y in (front, back):
            corners = (
                (x - width * 2, y - trunk.leg * high), (x + width * 2, y - trunk.leg * high),
                (x + width * 2, y + 20), (x - width * 2, y + 20),
            )
            figure.polygon(socks, corners, (slot,))
    for x, y in (front, back):
        _foot(figure, look, socks if socks and slot != S.SHADE else slot, x, y, width * bushy, feet)


def _foot(figure: Figure, look: Look, slot: int, x: float, y: float, width: float, feet: str) -> None:
    if feet == "paw":
        figure.ellipse(look.slot("paws", Slot(slot)), x + width * 0.3, y + width * 0.1, width * 0.85, width * 0.52)
    elif feet == "hoof":
        w = width * 0.62
        figure.polygon(
            look.slot("hooves", S.BLACK), ((x - w, y - 3), (x + w, y - 3), (x + w * 1.5, y + 9), (x - w * 1.1, y + 9))
        )
    elif feet == "pad":
        figure.ellipse(slot, x + 2, y + 2, width * 0.78, width * 0.45)
        for dx in (-0.4, 0.1, 0.6):
            figure.ellipse(S.BONE, x + 2 + width * dx, y + 4, width * 0.18, width * 0.16)


def _fringe(figure: Figure, pose: Pose, trunk: Trunk, depth: float) -> None:
    """Long hair under belly and chest."""
    xs = np.linspace(-trunk.length * 0.85, trunk.length * 0.95, 14)
    low = depth * 0.8 + np.where(np.arange(14) % 2, 13, 3) + 2 * pose.noise[:14]
    edge = np.stack([xs, low], axis=1)
    figure.polygon(S.BASE, np.concatenate([edge, [(trunk.length * 0.9, 0), (-trunk.length * 0.85, 0)]]))


def _front(figure: Figure, look: Look, trunk: Trunk, depth: float, head: tuple[float, float]) -> None:
    """Markings and hair of chest and neck: bib, ruff or mane, collar, crest on the neck."""
    bib, ruff, collar = look.slot("bib"), look.slot("ruff"), look.slot("collar")
    neck = ((trunk.length * 0.7 + head[0]) / 2, (head[1] - depth * 0.4) / 2)
    if collar:
        figure.limb(
            collar,
            ((neck[0] - 22, neck[1] - 12), (neck[0] + 4, neck[1] + 6), (neck[0] + 26, neck[1] + 20)),
            look.number("collarwidth", 15),
            over=(S.BASE, S.SECOND, S.ACCENT, S.EXTRA),
        )
    if ruff:
        size = look.number("ruffsize", 30)
        furry(figure, ruff, neck[0], neck[1] + 4, size, size * 1.05, np.zeros(1), 6, 28)
    if bib:
        figure.ellipse(
            bib,
            trunk.length * 0.98,
            depth * 0.15,
            trunk.depth * 0.62,
            depth * 0.95,
            over=(S.BASE, S.SECOND, S.ACCENT, S.EXTRA),
        )


def draw_tail(figure: Figure, look: Look, pose: Pose, trunk: Trunk) -> None:
    """The tail that option `tail` names, in `tailcolor`, its end in `tailtip`."""
    kind = look.word("tail", "down")
    if kind == "none":
        return
    slot = look.slot("tailcolor", S.BASE)
    root = np.array([-trunk.length * 0.88, -trunk.depth * (trunk.rump - 0.3)])
    path, widths = _TAILS[kind]
    size = look.number("tailsize", 1)
    points = np.asarray(path, dtype=np.float64) * size
    points[1:] += np.stack([np.zeros(len(points) - 1), 7 * pose.tail * np.linspace(0.3, 1, len(points) - 1)], axis=1)
    points += root
    thick = np.asarray(widths) * look.number("tailwidth", 1)
    if kind in ("plume", "feather"):
        for (x, y), w in list(zip(points.tolist(), thick.tolist(), strict=True))[1:]:
            furry(figure, slot, x, y, w * 0.55, w * 0.55, pose.noise, 5, 16)
    figure.limb(slot, points, thick.tolist())
    _tail_end(figure, look, points, thick)


def _tail_end(figure: Figure, look: Look, points: NDArray[np.float64], thick: NDArray[np.float64]) -> None:
    x, y = points[-1].tolist()
    wide = float(thick.max())
    tip, tuft, rings = look.slot("tailtip"), look.slot("tuft"), look.slot("tailrings")
    if tip:
        figure.ellipse(tip, x, y, wide * 1.1, wide * 1.1, over=(look.slot("tailcolor", S.BASE),))
    if tuft:
        furry(figure, tuft, x, y, 9, 11, np.zeros(1), 5, 14)
    if rings:
        for k in range(1, len(points)):
            for share in (0.15, 0.65):
                cx, cy = (points[k - 1] + (points[k] - points[k - 1]) * share).tolist()
                dx, dy = (points[k] - points[k - 1]).tolist()
                scale = wide / (np.hypot(dx, dy) + 1e-9)
                figure.limb(
                    rings,
                    ((cx - dy * scale, cy + dx * scale), (cx + dy * scale, cy - dx * scale)),
                    6 * look.number("tailsize", 1),
                    over=(look.slot("tailcolor", S.BASE),),
                )
    if look.word("tail", "") == "pompon":
        curly(figure, look.slot("tailcolor", S.BASE), x, y, 12, 12, 6, 9)


_TAILS: dict[str, tuple[tuple[tuple[float, float], ...], tuple[float, ...]]] = {
    "down": (((6, 0), (-14, 10), (-24, 34), (-26, 56)), (15, 12, 10, 6)),
    "up": (((6, 0), (-16, -10), (-26, -34), (-24, -56)), (13, 11, 9, 6)),
    "sickle": (((6, 0), (-18, -8), (-30, -32), (-16, -54)), (15, 13, 11, 6)),
    "curl": (((4, 2), (-14, -14), (-12, -38), (10, -40), (14, -22)), (15, 15, 14, 13, 9)),
    "plume": (((4, 2), (-14, -16), (-10, -42), (14, -46), (26, -30)), (20, 26, 30, 28, 20)),
    "feather": (((6, 0), (-22, 2), (-46, -4), (-66, -14)), (16, 24, 24, 10)),
    "brush": (((6, 0), (-24, 10), (-48, 32), (-64, 58)), (14, 26, 30, 8)),
    "straight": (((6, 0), (-24, 0), (-52, -8)), (14, 11, 6)),
    "whip": (((6, 0), (-12, 18), (-20, 44), (-40, 60)), (11, 8, 6, 5)),
    "stub": (((6, 0), (-8, -10), (-12, -18)), (13, 12, 10)),
    "pompon": (((6, 0), (-10, -16), (-14, -34)), (9, 8, 8)),
    "tuft": (((6, 0), (-14, 8), (-20, 36), (-18, 62)), (9, 7, 6, 6)),
    "long": (((6, 0), (-30, 8), (-56, 36), (-88, 40)), (16, 14, 12, 8)),
    "catup": (((6, 4), (-20, 0), (-34, -30), (-26, -66)), (15, 14, 13, 11)),
    "fluff": (((6, 0), (-12, -2), (-18, -2)), (20, 24, 20)),
    "horse": (((6, 0), (-18, 10), (-26, 40), (-22, 74)), (16, 22, 24, 8)),
    "scut": (((8, 0), (-4, -8), (-8, -12)), (15, 15, 12)),
    "bush": (((6, 6), (-24, 4), (-44, -26), (-36, -64), (-14, -70)), (16, 34, 40, 36, 18)),
}
"""Kinds of tail: points from the root, to the left and down, and widths there."""
