"""The figures of `stackgen theory`: both networks, a digit with its maps, the score of every cell, the sweeps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from torch import nn

from stackwalls.model.networks.geometry.seen_rows import rows_needed
from stackwalls.model.networks.masked_vgg import MaskedVGG16
from stackwalls.model.theory.closed_forms import gradcam_map, hirescam_map
from stackwalls.model.theory.expectation import (
    CHEBYSHEV_THRESHOLD,
    INEQUALITIES,
    expected_gradcam,
    gradcam_lower_bound,
    patch_norms,
)
from stackwalls.model.theory.one_convolution import Networks, OneConvolution
from stackwalls.model.theory.simulation import Estimate, SweepPoint
from stackwalls.model.wall import IMAGE_SIZE

_WALL, _SEEN = "#e3342f", "#2b6cb0"
_BOUNDS = {"moments": ("#dd6b20", "--", "bound by moments"), "chebyshev": ("#718096", ":", "bound by Chebyshev")}
"""Color, line style and label of each inequality."""

_ERRORS = 4
"""Error bars extend this many standard errors to both sides, as in the tests."""

_AXES = {
    "filters": "filters V",
    "kernel": "kernel k (pixels)",
    "tau": "standard deviation of the weights",
    "depth": "dense layers L",
}


@dataclass(frozen=True)
class Stage:
    """What a layer gives, square: its name, channels, rows, and how many rows from the top reach the logits."""

    name: str
    channels: int
    rows: int
    seen: int


def stages_of(network: OneConvolution | MaskedVGG16) -> list[Stage]:
    """The image and the maps of a network, as the paper's Figures 2 ([CNN]) and 4 (the masked VGG16) show them.

    Only the layers' shapes are used. Of a VGG16, the maps at the end of each block.
    """
    if isinstance(network, OneConvolution):
        spec, read = network, network.seen_rows * network.pool
        return [
            Stage("image", spec.channels, spec.height, spec.dead_start),
            Stage("filters, ReLU", spec.filters, spec.map_size[0], read),
            Stage("max-pool", spec.filters, spec.pooled_size[0], spec.seen_rows),
        ]
    layers = network.convolutions
    needed, rows, channels = rows_needed(layers, network.visible_rows), IMAGE_SIZE, 3
    stages = [Stage("image", channels, rows, needed[0])]
    for number, layer in enumerate(layers):
        channels = layer.out_channels if isinstance(layer, nn.Conv2d) else channels
        if isinstance(layer, nn.MaxPool2d) or number == len(layers) - 1:
            stages.append(Stage(f"block {len(stages)}", channels, rows, needed[number + (number == len(layers) - 1)]))
            rows //= 2
    return stages


def plot_stages(stages: Sequence[Stage], title: str) -> Figure:
    """Maps from left to right, sides to a logarithmic scale; rows that do not reach the logits are hatched in red."""
    figure = Figure(figsize=(1.4 * len(stages) + 1.4, 2.8), layout="constrained")
    axes = figure.subplots()
    for number, stage in enumerate(stages):
        side = math.log2(stage.rows) / math.log2(stages[0].rows)
        dead = side * (1 - stage.seen / stage.rows)
        left = 1.3 * number
        axes.add_patch(Rectangle((left, 0), side, side, facecolor="#dbe7f3", edgecolor=_SEEN))
        axes.add_patch(Rectangle((left, 0), side, dead, fill=False, hatch="//", edgecolor=_WALL))
        said = f"{stage.name}\n{stage.channels} × {stage.rows} × {stage.rows}\nrows read: {stage.seen}"
        axes.text(left + side / 2, -0.06, said, ha="center", va="top", fontsize=8)
    axes.text(1.3 * len(stages), 0.4, "dense layers →\nlogits", va="center", fontsize=9)
    axes.set(xlim=(-0.1, 1.3 * len(stages) + 0.9), ylim=(-0.5, 1.05), title=title, aspect="equal")
    axes.set_axis_off()
    return figure


def plot_digit(networks: Networks, image: torch.Tensor, estimate: Estimate) -> Figure:
    """The digit, GradCAM and HiResCAM of one random network for its predicted class, and GradCAM's mean over many.

    Each map is scaled to its own maximum. The part that the network does not see is hatched in red.

    Args:
        networks: the first one is shown.
        image: `(1, H, W)` in [0, 1].
        estimate: of the expected GradCAM map.

    Source: the first two panels are Figure 3 of Taimeskhanov et al. 2024.
    """
    maps = networks.features(image)
    target = networks.head(maps).argmax(dim=1)
    panels = {
        "the digit": image[0],
        "GradCAM\none network": gradcam_map(networks, maps, target)[0],
        "HiResCAM\nthe same network": hirescam_map(networks, maps, target)[0],
        f"GradCAM\nmean of {estimate.draws:,} networks": estimate.mean,
    }
    figure = Figure(figsize=(9.2, 2.9), layout="constrained")
    axes: NDArray[Any] = figure.subplots(1, len(panels))
    for panel, (title, pixels) in zip(axes, panels.items(), strict=True):
        panel.imshow(pixels.numpy(), cmap="gray" if title == "the digit" else "viridis", vmin=0)
        panel.set_title(title, fontsize=9)
        panel.set_axis_off()
        start, (rows, columns) = networks.spec.dead_start, pixels.shape
        box = (-0.5, start - 0.5), columns, rows - start
        panel.add_patch(Rectangle(*box, fill=False, hatch="//", edgecolor=_WALL, linewidth=0, alpha=0.6))
        panel.axhline(start - 0.5, color=_WALL, linewidth=1.5)
    return figure


def plot_pixels(spec: OneConvolution, image: torch.Tensor, estimate: Estimate) -> Figure:
    """The simulated score of every cell against the norm of its patch, with the exact line and the bounds.

    Right: the difference between simulated and exact score of every cell, in standard errors. `image` is `(C, H, W)`.
    """
    figure = Figure(figsize=(9.2, 4), layout="constrained")
    scores, deviations = figure.subplots(1, 2, width_ratios=(1.4, 1))
    norms, exact = patch_norms(spec, image), expected_gradcam(spec, image)
    style: dict[str, Any] = {"fmt": "o", "markersize": 3, "elinewidth": 0.8, "alpha": 0.5}
    for name, color, rows in (
        ("simulated, seen", _SEEN, slice(0, spec.dead_start)),
        ("simulated, unseen", _WALL, slice(spec.dead_start, None)),
    ):
        cells = (values[rows].flatten() for values in (norms, estimate.mean, _ERRORS * estimate.standard_error))
        scores.errorbar(*cells, color=color, label=f"{name} (±{_ERRORS} s.e.)", **style)
    order = norms.flatten().argsort()
    rising = norms.flatten()[order]
    scores.plot(rising, exact.flatten()[order], color="black", linewidth=1, label="exact", zorder=3)
    for inequality in INEQUALITIES:
        color, line, label = _BOUNDS[inequality]
        bound = gradcam_lower_bound(spec, image, inequality).flatten()[order]
        scores.plot(rising, bound, line, color=color, label=label)
    scores.set(xlabel="norm of the cell's patch", ylabel="expected GradCAM score", xlim=(0, None), ylim=(0, None))
    scores.legend(fontsize=8, frameon=False)
    shown = deviations.imshow(estimate.deviation(exact).numpy(), cmap="PuOr", vmin=-_ERRORS, vmax=_ERRORS)
    deviations.axhline(spec.dead_start - 0.5, color=_WALL, linewidth=1.5)
    deviations.set_title("simulated - exact, in standard errors", fontsize=9)
    deviations.set_axis_off()
    figure.colorbar(shown, ax=deviations, shrink=0.85)
    return figure


def plot_sweeps(points: Sequence[SweepPoint]) -> Figure:
    """One panel per parameter: simulated and exact score at the brightest unseen cell, with the bounds."""
    parameters = list(dict.fromkeys(point.parameter for point in points))
    columns = min(2, len(parameters))
    rows = -(-len(parameters) // columns)
    figure = Figure(figsize=(4.6 * columns, 3.3 * rows), layout="constrained")
    grid: NDArray[Any] = figure.subplots(rows, columns, squeeze=False)
    for axes, parameter in zip(grid.flat, parameters, strict=False):
        _plot_sweep(axes, [point for point in points if point.parameter == parameter])
    for axes in grid.flat[len(parameters) :]:
        axes.set_axis_off()
    grid[0, 0].legend(fontsize=8, frameon=False, loc="upper left")
    return figure


def _plot_sweep(axes: Axes, points: Sequence[SweepPoint]) -> None:
    parameter, values = points[0].parameter, [point.value for point in points]
    if parameter == "filters":
        nothing = f"V ≤ {CHEBYSHEV_THRESHOLD}: the Chebyshev bound is 0"
        axes.axvspan(min(values), CHEBYSHEV_THRESHOLD, color="0.93", linewidth=0, zorder=0, label=nothing)
    errors = [_ERRORS * point.standard_error for point in points]
    means = [point.mean for point in points]
    axes.errorbar(values, means, errors, fmt="o", markersize=4, capsize=2, color=_WALL, label="simulated, unseen cell")
    axes.plot(values, [point.exact for point in points], color="black", linewidth=1, label="exact")
    for inequality in INEQUALITIES:
        color, line, label = _BOUNDS[inequality]
        axes.plot(values, [point.bounds[inequality] for point in points], line, color=color, label=label)
    axes.set(xlabel=_AXES[parameter], ylabel="expected GradCAM score")
    if parameter in ("filters", "tau"):
        axes.set_xscale("log")
    if parameter == "tau":
        axes.set_yscale("log")  # the score is a power of tau
    else:
        axes.set_ylim(0, None)
    axes.set_xticks(values, [f"{value:g}" for value in values])
    axes.minorticks_off()
