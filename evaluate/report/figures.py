"""Images with their maps: the paper's Figures 1 (`teaser`) and 7 to 9 (`overlays`), in files."""

import io
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from numpy.typing import NDArray

from stackwalls.evaluate.classes import IMAGENET_NAMES, ClassNames
from stackwalls.evaluate.measurements import Measurements
from stackwalls.evaluate.run.samples import Samples
from stackwalls.model import InputError, Wall

COLORS = "viridis"
"""Perceptually uniform, readable without color vision, and far from the wall's red."""

WALL_COLOR = "#e3342f"

IMAGES_PER_PAGE = 6
"""Images in a figure of overlays."""

_CELL, _PANEL = 1.55, 2.4
"""Width and height of an image in the overlays and in the teaser, in inches."""

_MAP_WEIGHT = 0.6
"""Share of the map's color in an overlay; the rest is the image in gray."""


class ShownFigure(Figure):
    """A figure that a notebook shows, also where pyplot, which would see to that, is not imported."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()


def results_figures(results: Measurements, method: str | None = None) -> Iterator[tuple[str, Figure]]:
    """(file name without suffix, figure): the teaser, and one or two pages of overlays per dataset.

    The first page shows a dataset's first images, the second more of them at equal distances over the rest. The teaser
    shows a map of `method`; by default GradCAM's, or that of the first method that has mu.

    Raises:
        InputError: if there are no maps of `method`.
    """
    datasets = results.summary.datasets
    first = results.samples.of(datasets[0])
    measured = [str(name) for name, mu in zip(first.method, first.mu.T, strict=True) if not np.isnan(mu).all()]
    shown = method or ("GradCAM" if "GradCAM" in measured else next(iter(measured), None))
    if shown is not None:
        yield f"teaser-{file_name(shown)}", teaser(first, results.wall, shown, results.blind, results.names)
    files = [file_name(dataset) for dataset in datasets]
    for number, (dataset, file) in enumerate(zip(datasets, files, strict=True), 1):
        own = file if files.count(file) == 1 else f"{file}-{number}"
        samples = results.samples.of(dataset)
        first_page = range(len(samples))[:IMAGES_PER_PAGE]
        yield f"overlays-{own}", overlays(samples.at(first_page), results.wall, results.names)
        if rest := range(len(samples))[IMAGES_PER_PAGE:]:
            count = min(IMAGES_PER_PAGE, len(rest))
            more = [rest[index * len(rest) // count] for index in range(count)]
            yield f"more-overlays-{own}", overlays(samples.at(more), results.wall, results.names)


def file_name(text: str) -> str:
    """A name as part of a file's: letters, digits, `+`, `.`, `_` and `-` are kept."""
    return re.sub(r"[^\w.+-]+", "-", text, flags=re.ASCII).strip("-.") or "unnamed"


def overlays(
    samples: Samples, wall: Wall, names: Mapping[str, ClassNames] | None = None, across: bool = False
) -> Figure:
    """One column per image: the image, its dead zone hatched in red, and below it one overlay per method with its mu.

    `names` are those of each dataset's classes (`Measurements.names`), ImageNet's by default. `across` makes it one row
    per image. The layout is that of Taimeskhanov et al. 2024, Figures 7 to 9. pyplot is not used.
    """
    shape = 1 + len(samples.method), max(len(samples), 1)
    lines, columns = shape[::-1] if across else shape
    figure = ShownFigure(figsize=(_CELL * columns + 0.2, (_CELL + 0.27) * lines + 0.4), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.05, wspace=0.02, hspace=0.02, rect=(0, 0, 1, 0.985))  # type: ignore[union-attr,call-arg]
    grid: NDArray[Any] = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    rows = grid.T if across else grid  # (1 + methods, images)
    for i in range(len(samples)):
        _draw_image(rows[0, i], samples.images[i], wall)
        _write_below(rows[0, i], _caption(samples, i, names))
        for j in range(len(samples.method)):
            _draw_overlay(rows[j + 1, i], samples.images[i], samples.map_at(i, j), wall)
            mu = float(samples.mu[i, j])
            _write_below(rows[j + 1, i], "no mu" if np.isnan(mu) else f"mu × 100 = {100 * mu:.1f}")
    for axes, name in zip(rows[:, 0], ["image", *samples.method], strict=True):
        if across:
            axes.set_title(name, fontsize=9)
        else:
            place = {"transform": axes.transAxes, "ha": "right", "va": "center"}
            axes.text(-0.05, 0.5, name, fontsize=9, rotation=90, **place)
    return figure


def teaser(
    samples: Samples, wall: Wall, method: str, blind: bool = True, names: Mapping[str, ClassNames] | None = None
) -> Figure:
    """The finding in three panels: the image, a method's map before upsampling, and the map over the image.

    The image is the one with the median mu of the samples (the lower one of two): neither the worst nor the best. If
    the network is not `blind`, the figure says that it sees the dead zone too. `names`: see `overlays`. Layout:
    Taimeskhanov et al. 2024, Figure 1.

    Raises:
        InputError: if there is no such method among the samples, or none of its maps has mu.
    """
    if method not in samples.method:
        raise InputError(f"There are no maps of {method!r}: expected one of {', '.join(samples.method)}.")
    column = samples.method.tolist().index(method)
    measured = np.flatnonzero(~np.isnan(samples.mu[:, column]))
    if not len(measured):
        raise InputError(f"None of the stored maps of {method} has mu: choose another method (--method).")
    middle = int(measured[np.argsort(samples.mu[measured, column], kind="stable")[(len(measured) - 1) // 2]])
    image, mu = samples.images[middle], samples.mu[middle, column]
    cells = samples.cells[middle, column]
    low = cells if cells.any() else samples.maps[middle, column]  # made at the image's resolution
    figure = ShownFigure(figsize=(3 * _PANEL + 0.2, _PANEL + 0.6), layout="constrained")
    panels: NDArray[Any] = figure.subplots(1, 3)
    _draw_image(panels[0], image, wall, hatched=False)
    _draw_image(panels[1], mpl.colormaps[COLORS](low), wall, hatched=False)
    _draw_overlay(panels[2], image, samples.map_at(middle, column), wall)
    titles = ("image", f"{method} before upsampling" if cells.any() else method, "over the image")
    captions = (
        _caption(samples, middle, names),
        "outlined: what it cannot see" if blind else "this network SEES what is outlined",
        f"mu × 100 = {100 * mu:.1f}, chance {100 * wall.chance:.1f}",
    )
    for axes, title, below in zip(panels, titles, captions, strict=True):
        axes.set_axis_off()
        axes.set_title(title, fontsize=10)
        _write_below(axes, below)
    return figure


def overlay(image: NDArray[np.uint8], values: NDArray[Any]) -> NDArray[np.float64]:
    """A map in color over the image in gray: `(H, W, 3)` uint8 and `(H, W)` in [0, 1] to `(H, W, 3)` in [0, 1]."""
    gray = (image.astype(np.float64) @ (0.299, 0.587, 0.114) / 255)[..., None]  # luma of ITU-R BT.601
    colored = mpl.colormaps[COLORS](np.asarray(values, dtype=np.float64))[..., :3]
    return np.asarray((1 - _MAP_WEIGHT) * gray + _MAP_WEIGHT * colored)


def mu_by_depth(layers: Sequence[str], means: Mapping[str, Sequence[float]], chance: float) -> Figure:
    """Mean mu × 100 of each method at each layer, from the image to the logits; the chance level is dashed.

    Args:
        layers: in order.
        means: method → one mean in [0, 1] per layer; NaN where there is none.
        chance: mu of a uniform map.
    """
    figure = ShownFigure(figsize=(5 + 0.06 * len(layers), 3.4), layout="constrained")
    axes = figure.subplots()
    axes.axhline(100 * chance, color="0.45", linestyle="--", linewidth=1)
    colors = mpl.colormaps["tab10"].colors  # type: ignore[attr-defined]
    ends = {"chance": (100 * chance, "0.35")}
    for number, (method, values) in enumerate(means.items()):
        color = colors[number % len(colors)]
        shown = 100 * np.asarray(values, dtype=np.float64)
        line = ("-", "-.", ":")[number // len(colors) % 3]
        axes.plot(range(len(layers)), shown, line, color=color, marker="o", markersize=3, linewidth=1.4)
        if len(known := shown[~np.isnan(shown)]):
            ends[method] = (float(known[-1]), color)
    axes.set(ylim=(0, None), ylabel="mean mu × 100", xlabel="layer, from the image to the logits")
    axes.set_xticks(range(len(layers)), layers, rotation=0 if max(map(len, layers)) < 5 else 45, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    names = sorted(ends, key=lambda name: ends[name][0])
    heights = _spread([ends[name][0] for name in names], axes.get_ylim()[1])
    for name, height in zip(names, heights, strict=True):
        style: dict[str, Any] = {"color": ends[name][1], "fontsize": 9, "va": "center"}
        axes.text(1.02, height, name, transform=axes.get_yaxis_transform(), **style)
    return figure


def _spread(heights: Sequence[float], top: float) -> list[float]:
    """Rising heights of labels, moved apart to a line each, up to `top` where that is possible."""
    step = min(0.065 * top, top / max(len(heights), 1))
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + step) if placed else height)
    limit = top
    for index in reversed(range(len(placed))):
        placed[index] = min(placed[index], limit)
        limit = placed[index] - step
    return placed


def _caption(samples: Samples, index: int, names: Mapping[str, ClassNames] | None) -> str:
    own = (names or {}).get(str(samples.dataset[index]), IMAGENET_NAMES)
    return own.caption(int(samples.label[index]), int(samples.prediction[index]))


def write_figure(figure: Figure, kind: str = "png") -> bytes:
    """The figure as a PNG or PDF file, the same bytes for the same figure.

    Raises:
        InputError: if `kind` is neither.
    """
    if kind not in ("png", "pdf"):
        raise InputError(f"Expected a figure's kind to be 'png' or 'pdf', but got {kind!r}.")
    metadata = {"Software": None} if kind == "png" else {"CreationDate": None, "Producer": None}
    file = io.BytesIO()
    figure.savefig(file, format=kind, dpi=160, metadata=metadata)
    return file.getvalue()


def _draw_image(axes: Axes, pixels: NDArray[Any], wall: Wall, hatched: bool = True) -> None:
    """Pixels of any number with the wall; pixel row r covers r to r + 1 of the axis: the wall begins at its true row.

    Not `hatched`, the dead zone is outlined: what a map shows there stays visible.
    """
    side = wall.image_size
    axes.imshow(pixels, extent=(0, side, side, 0), interpolation="nearest")
    style: dict[str, Any] = {"fill": False, "edgecolor": WALL_COLOR, "linewidth": 1.2}
    paths = [Path([*corners, corners[0]], closed=True) for corners in outline(wall)]
    axes.add_patch(PathPatch(Path.make_compound_path(*paths), hatch="//" if hatched else None, **style))


def outline(wall: Wall) -> list[list[tuple[int, int]]]:
    """The outline of the dead zone: the corners (x, y) of each polygon, clockwise; counterclockwise around a hole."""
    edges: dict[tuple[int, int], list[tuple[int, int]]] = {}
    rows, columns = (sorted({edge for box in wall.dead for edge in box[first::2]}) for first in (0, 1))
    dead = np.pad(wall.mask()[np.ix_(rows[:-1], columns[:-1])], 1)
    for i, (top, bottom) in enumerate(itertools.pairwise(rows), 1):
        for j, (left, right) in enumerate(itertools.pairwise(columns), 1):
            if dead[i, j]:
                around = ((i - 1, j), (i, j + 1), (i + 1, j), (i, j - 1))
                corners = ((left, top), (right, top), (right, bottom), (left, bottom), (left, top))
                for beside, (start, stop) in zip(around, itertools.pairwise(corners), strict=True):
                    if not dead[beside]:
                        edges.setdefault(start, []).append(stop)
    found = []
    while edges:
        path = [next(iter(edges))]
        while stops := edges.get(path[-1]):
            path.append(stops.pop())
            if not stops:
                del edges[path[-2]]
        turns = zip([path[-2], *path], path[:-1], path[1:], strict=False)
        found.append([at for before, at, after in turns if before[0] != after[0] and before[1] != after[1]])
    return found


def svg_path(wall: Wall) -> str:
    """The outline of the dead zone as an SVG path, in pixels of the image."""
    return "".join(f"M{'L'.join(f'{x},{y}' for x, y in corners)}Z" for corners in outline(wall))


def _draw_overlay(axes: Axes, image: NDArray[np.uint8], values: NDArray[np.float32] | None, wall: Wall) -> None:
    if values is None:
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.text(0.5, 0.5, "no map", ha="center", va="center", fontsize=8, color="0.45")
    else:
        _draw_image(axes, overlay(image, values), wall, hatched=False)


def _write_below(axes: Axes, text: str) -> None:
    axes.text(0.5, -0.03, text, transform=axes.transAxes, ha="center", va="top", fontsize=7)
