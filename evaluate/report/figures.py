"""Figures: the paper's Figure 1 (`teaser`) and Figures 7 to 9 (`overlays`), with the wall drawn in."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from stackwalls.evaluate.run.samples import Samples
from stackwalls.model import InputError, Wall, class_names

COLOURS = "viridis"
"""Perceptually uniform, readable without colour vision, and far from the wall's red."""

WALL_COLOUR = "#e3342f"

_CELL = 1.55
"""Width and height of a picture, in inches."""

_MAP_WEIGHT = 0.6
"""Share of the map's colour in an overlay; the rest is the image in grey."""

_PANEL = 2.4
"""The same in the teaser."""

_UNSEEN = 0.25
"""How much of the second image's light is left in the teaser's picture of what the network sees."""

_DPI = 160


def overlays(samples: Samples, wall: Wall) -> Figure:
    """One line an image: the image, then one overlay a method with its mu, the wall as a hatched red band.

    Args:
        samples: images with their maps.
        wall: the dead zone.

    Returns:
        A figure of its own; pyplot is not used.

    Source: the layout of Taimeskhanov et al. 2024, Figures 7 to 9.
    """
    lines, columns = max(len(samples), 1), 1 + len(samples.method)
    figure = Figure(figsize=(_CELL * columns + 0.2, (_CELL + 0.27) * lines + 0.4), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.05, wspace=0.02, hspace=0.02, rect=(0, 0, 1, 0.985))  # type: ignore[union-attr,call-arg]
    grid: NDArray[Any] = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for i in range(len(samples)):
        _draw_picture(grid[i, 0], samples.images[i], wall)
        _write_below(grid[i, 0], caption(int(samples.label[i]), int(samples.prediction[i])))
        for j in range(len(samples.method)):
            _draw_overlay(grid[i, j + 1], samples.images[i], samples.map_at(i, j), wall)
            mu = float(samples.mu[i, j])
            _write_below(grid[i, j + 1], "no mu" if np.isnan(mu) else f"mu × 100 = {100 * mu:.1f}")
    for axes, title in zip(grid[0], ["image", *samples.method], strict=True):
        axes.set_title(title, fontsize=9)
    return figure


def teaser(samples: Samples, wall: Wall, method: str, blind: bool = True) -> Figure:
    """One picture that shows the finding: the image, the part of it that the network sees, and a method's map.

    The image is the one whose mu is the median of the samples (the lower one of two): neither the worst nor the best.

    Args:
        samples: images with their maps.
        wall: the dead zone.
        method: whose map.
        blind: whether the network is; the figure of a baseline says that it sees the band.

    Raises:
        InputError: if there is no such method among the samples, or none of its maps has mu.

    Source: the layout of Taimeskhanov et al. 2024, Figure 1.
    """
    if method not in samples.method:
        raise InputError(f"There are no maps of {method!r}: expected one of {', '.join(samples.method)}.")
    column = samples.method.tolist().index(method)
    measured = np.flatnonzero(~np.isnan(samples.mu[:, column]))
    if not len(measured):
        raise InputError(f"None of the maps of {method} that were kept has mu: choose another method (--method).")
    middle = int(measured[np.argsort(samples.mu[measured, column], kind="stable")[(len(measured) - 1) // 2]])
    image, mu = samples.images[middle], samples.mu[middle, column]
    seen = image.copy()
    seen[wall.index(2)] = np.rint(seen[wall.index(2)] * _UNSEEN)
    figure = Figure(figsize=(3 * _PANEL + 0.2, _PANEL + 0.6), layout="constrained")
    axes: NDArray[Any] = figure.subplots(1, 3)
    for each in axes:
        each.set_axis_off()
    named = caption(int(samples.label[middle]), int(samples.prediction[middle]))
    _draw_picture(axes[0], image, wall, hatched=False)
    _draw_picture(axes[1], seen, wall)
    _draw_overlay(axes[2], image, samples.map_at(middle, column), wall, hatched=False)
    middle_title = "what the network sees" if blind else "the image without the band"
    for each, title in zip(axes, ("image", middle_title, method), strict=True):
        each.set_title(title, fontsize=10)
    _write_below(axes[0], named)
    _write_below(axes[1], f"{wall.size} {wall.axis} cannot reach it" if blind else "this network SEES the band")
    _write_below(axes[2], f"mu × 100 = {100 * mu:.1f}, chance {100 * wall.chance:.1f}")
    return figure


def overlay(image: NDArray[np.uint8], values: NDArray[Any]) -> NDArray[np.float64]:
    """A map in colour over the image in grey: `(H, W, 3)` uint8 and `(H, W)` in [0, 1] to `(H, W, 3)` in [0, 1]."""
    grey = (image.astype(np.float64) @ (0.299, 0.587, 0.114) / 255)[..., None]  # luma of ITU-R BT.601
    coloured = mpl.colormaps[COLOURS](np.asarray(values, dtype=np.float64))[..., :3]
    return np.asarray((1 - _MAP_WEIGHT) * grey + _MAP_WEIGHT * coloured)


def caption(label: int, prediction: int) -> str:
    """The label's name, and the prediction's where it is another; class indices of ImageNet-1k, -1 for no label."""
    names = class_names()

    def name(index: int) -> str:
        known = names[index] if 0 <= index < len(names) else f"class {index}"
        return known if len(known) <= 24 else known[:23] + "…"

    if label == prediction:
        return name(label)
    return f"seen as {name(prediction)}" if label < 0 else f"{name(label)},\nseen as {name(prediction)}"


def write_figure(figure: Figure, kind: str = "png") -> bytes:
    """The figure as a PNG or PDF file, the same bytes for the same figure.

    Raises:
        InputError: if `kind` is neither.
    """
    if kind not in ("png", "pdf"):
        raise InputError(f"Expected a figure's kind to be 'png' or 'pdf', but got {kind!r}.")
    metadata = {"Software": None} if kind == "png" else {"CreationDate": None, "Producer": None}
    file = io.BytesIO()
    figure.savefig(file, format=kind, dpi=_DPI, metadata=metadata)
    return file.getvalue()


def _draw_picture(axes: Axes, pixels: NDArray[Any], wall: Wall, hatched: bool = True) -> None:
    """Pixels with the wall; pixel row r covers r to r + 1 of the axis, so the band begins at its true row."""
    height, width = pixels.shape[:2]
    axes.imshow(pixels, extent=(0, width, height, 0), interpolation="nearest")
    if not hatched:
        band = None
    elif wall.axis == "rows":
        band = Rectangle((0, wall.start), width, wall.size)
    else:
        band = Rectangle((wall.start, 0), wall.size, height)
    if band is not None:
        band.set(fill=False, edgecolor=WALL_COLOUR, linewidth=0, hatch="//")
        axes.add_patch(band)
    for edge in (wall.start, wall.stop):
        if 0 < edge < wall.image_size:
            line = axes.axhline if wall.axis == "rows" else axes.axvline
            line(edge, color=WALL_COLOUR, linewidth=1.2)


def _draw_overlay(
    axes: Axes, image: NDArray[np.uint8], values: NDArray[np.float32] | None, wall: Wall, hatched: bool = True
) -> None:
    if values is None:
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.text(0.5, 0.5, "no map", ha="center", va="center", fontsize=8, color="0.45")
        return
    _draw_picture(axes, overlay(image, values), wall, hatched)


def _write_below(axes: Axes, text: str) -> None:
    axes.text(0.5, -0.03, text, transform=axes.transAxes, ha="center", va="top", fontsize=7)
