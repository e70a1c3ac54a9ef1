"""From a figure to pixels: polygons at twice the size into an image of palette entries, then a 2 × 2 mean."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from stackwalls.model.images.drawn.figure import Figure, turn

SUPERSAMPLING = 2
"""Painted pixels per output pixel along each axis; their mean smooths the edges."""

RIM = 1 / 110
"""Width of the dark rim around an animal, in parts of its longer side."""


@dataclass(frozen=True)
class Placed:
    """A figure turned and mirrored, not yet scaled.

    Attributes:
        figure: what to paint.
        points: the corners of all its polygons, `(n, 2)`, the smallest coordinates of the silhouette at 0.
        size: (width, height) of the silhouette in the figure's units.
    """

    figure: Figure
    points: NDArray[np.float64]
    size: tuple[float, float]


def place(figure: Figure, angle: float = 0.0, mirrored: bool = False) -> Placed:
    """Turn a figure by `angle` degrees clockwise, and mirror it left to right."""
    matrix = turn(angle) * ((-1.0, 1.0) if mirrored else (1.0, 1.0))
    points = np.concatenate(figure.polygons) @ matrix
    free = np.repeat([not over for over in figure.over], [len(p) for p in figure.polygons])
    low, high = points[free].min(axis=0), points[free].max(axis=0)
    width, height = (high - low).tolist()
    return Placed(figure, points - low, (width, height))


def paint(placed: Placed, colors: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """The animal alone, as small as it can be.

    Args:
        placed: the figure.
        colors: `(slots, 4)` uint8, the RGBA of each slot (see `looks.palette`).
        scale: output pixels per unit of the figure.

    Returns:
        `(h, w, 4)` uint8 RGB, multiplied by alpha, and alpha.
    """
    width, height = (side * scale * SUPERSAMPLING for side in placed.size)
    rim = max(1, round(max(width, height) * RIM))
    shape = (_even(int(width) + 2 * rim + 2), _even(int(height) + 2 * rim + 2))
    corners = placed.points * (scale * SUPERSAMPLING) + (rim + 0.5)
    entries = np.asarray(_fill(placed.figure, corners, shape))
    entries = entries + _rim(entries > 0, rim)
    pixels = np.take(np.ascontiguousarray(colors).view(np.uint32).ravel(), entries)
    large = Image.frombuffer("RGBX", shape, pixels, "raw", "RGBX", 0, 1)
    return np.asarray(large.reduce(SUPERSAMPLING))


def _even(side: int) -> int:
    return side + side % SUPERSAMPLING


def _fill(figure: Figure, corners: NDArray[np.float64], shape: tuple[int, int]) -> Image.Image:
    """Every polygon in order into an image of slots; those with an `over` are collected, then clipped to it."""
    canvas = Image.new("L", shape)
    canvas_draw = ImageDraw.Draw(canvas)
    layer, layer_draw = canvas, canvas_draw
    clip: tuple[int, ...] = ()
    start, flat = 0, corners.ravel().tolist()
    for polygon, slot, over in zip(figure.polygons, figure.slots, figure.over, strict=True):
        stop = start + 2 * len(polygon)
        if over != clip:
            if clip:
                _merge(canvas, layer, clip)
            layer = canvas.copy() if over else canvas
            layer_draw = ImageDraw.Draw(layer) if over else canvas_draw
            clip = over
        layer_draw.polygon(flat[start:stop], fill=slot)
        start = stop
    if clip:
        _merge(canvas, layer, clip)
    return canvas


def _merge(canvas: Image.Image, layer: Image.Image, over: tuple[int, ...]) -> None:
    """Take over from `layer`, a copy of `canvas` that was painted on, what covers one of the slots `over`."""
    canvas.paste(layer, None, canvas.point(_among(over)))


@lru_cache(maxsize=256)
def _among(slots: tuple[int, ...]) -> list[int]:
    """Lookup table: 255 for the slots given, else 0."""
    return [255 * (value in slots) for value in range(256)]


def _rim(inside: NDArray[np.bool_], width: int) -> NDArray[np.uint8]:
    """1 (`Slot.EDGE`) on the pixels around `inside` at most `width` away, else 0."""
    grown, reached = inside, 0
    while reached < width:
        step = min(2 * reached + 1, width - reached)
        tall = grown.copy()
        tall[step:] |= grown[:-step]
        tall[:-step] |= grown[step:]
        grown = tall.copy()
        grown[:, step:] |= tall[:, :-step]
        grown[:, :-step] |= tall[:, step:]
        reached += step
    return (grown ^ inside).view(np.uint8)
