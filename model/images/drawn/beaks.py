"""Bills, by kind, pointing to the right from where they leave the head."""

from stackwalls.model.images.drawn.figure import Figure, Slot

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off


def beak(figure: Figure, kind: str, slot: int, x: float, y: float) -> None:
    """A bill with its root at (x, y), which the head drawn after it overlaps.

    Args:
        figure: what to add it to.
        kind: a key of `STROKES` or `SHAPES`.
        slot: its color.
        x: of the root.
        y: of the root.

    Raises:
        KeyError: if there is no such kind.
    """
    if kind in STROKES:
        length, thick, drop = STROKES[kind]
        figure.limb(slot, ((x - 6, y), (x + length * 0.5, y), (x + length, y + drop)), (thick, thick * 0.75, 3))
        return
    for own, points in SHAPES[kind]:
        place = [(x + u, y + v) for u, v in points]
        if len(points) < 5:
            figure.polygon(own or slot, place)
        else:
            figure.blob(own or slot, place)
    if kind in _DARK_TIPS:
        dx, dy, rx, ry = _DARK_TIPS[kind]
        figure.ellipse(Slot.BLACK, x + dx, y + dy, rx, ry, over=(slot,))


STROKES: dict[str, tuple[float, float, float]] = {
    "thin": (20, 7, 1),
    "needle": (40, 7, 0),
    "long": (48, 9, 4),
    "dagger": (44, 13, 2),
    "curved": (36, 10, 15),
    "short": (14, 8, 1),
}
"""Length, thickness and drop of the tip of the bills that are one stroke."""

_OWN = Slot.CLEAR

SHAPES: dict[str, tuple[tuple[Slot, tuple[tuple[float, float], ...]], ...]] = {
    "cone": ((_OWN, ((-6, -8), (17, 2), (-6, 9))),),
    "heavy": ((_OWN, ((-6, -12), (14, -4), (22, 6), (-6, 12))),),
    "hook": ((_OWN, ((-6, -11), (10, -9), (24, 4), (21, 17), (12, 8), (-6, 8))),),
    "parrot": (
        (_OWN, ((-6, -16), (16, -12), (26, 8), (17, 26), (11, 12), (-6, 12))),
        (Slot.HORN, ((-5, 12), (4, 9), (13, 16), (4, 23), (-4, 20))),
    ),
    "toucan": (
        (_OWN, ((-6, -17), (34, -20), (70, 2), (74, 18), (40, 13), (-6, 14))),
        (Slot.SHADE, ((-4, 2), (40, 0), (64, 8), (40, 3), (-4, 5))),
    ),
    "casque": (
        (_OWN, ((-6, -10), (30, -8), (60, 24), (48, 22), (20, 12), (-6, 11))),
        (Slot.EXTRA, ((-12, -10), (2, -30), (32, -26), (40, -10), (14, -8))),
    ),
    "spoon": (
        (_OWN, ((-6, -5), (44, 10), (44, 17), (-6, 6))),
        (_OWN, ((37, 12), (54, 5), (70, 15), (66, 28), (46, 26))),
    ),
    "bent": ((_OWN, ((-6, -9), (20, -9), (32, 8), (28, 28), (16, 14), (-6, 10))),),
    "flat": ((_OWN, ((-6, -9), (14, -2), (34, 1), (36, 9), (12, 11), (-6, 10))),),
    "pouch": (
        (_OWN, ((-6, -9), (79, 26), (77, 34), (-6, 4))),
        (Slot.EXTRA, ((-6, 2), (70, 30), (44, 44), (8, 34), (-10, 14))),
    ),
}
"""Polygons (under five corners) and blobs of the other bills; `CLEAR` stands for the bill's own color."""

_DARK_TIPS: dict[str, tuple[float, float, float, float]] = {"toucan": (74, 14, 16, 16), "bent": (30, 24, 11, 14)}
"""Center and half axes of a black tip."""
