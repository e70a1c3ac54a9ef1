"""Mu and related metrics: how much of a saliency map is in the part of the image that the network does not see.

Pure functions of maps `(N, H, W)` and a wall: arrays for arrays, tensors for tensors. What is undefined (mu of a map
that is zero everywhere) is NaN, never 0. `MuMetric` summarizes mu over a stream of maps.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from stackwalls.model import Box, InputError, Wall

Array = TypeVar("Array", NDArray[Any], torch.Tensor)
"""What comes in goes out: arrays for arrays, tensors for tensors."""


def mu(maps: Array, wall: Wall) -> Array:
    """The norm of a map in the dead zone over that of the whole map: ‖Λ restricted to the dead zone‖₂ / ‖Λ‖₂.

    Args:
        maps: `(N, H, W)` array or tensor of real numbers ≥ 0; only their ratios matter.
        wall: at the maps' resolution, `H = W = wall.image_size` (`wall.rescaled(size)` gives another).

    Returns:
        `(N,)` float64 in [0, 1], on the maps' device (on the CPU if that has no float64); NaN for a map that is zero
        everywhere. A uniform map has `wall.chance`.

    Raises:
        InputError: if `maps` has another shape or type, or holds NaN, infinite or negative values.

    Source: Taimeskhanov et al. 2024, Eq. 7.
    """
    return _like(maps, lambda values: _dead_share(values, wall, power=2).sqrt(), wall)


def energy_share(maps: Array, wall: Wall) -> Array:
    """The dead zone's share of a map's sum: ‖Λ restricted to the dead zone‖₁ / ‖Λ‖₁.

    Arguments, result and errors as for `mu`; a uniform map has `wall.share`.
    """
    return _like(maps, lambda values: _dead_share(values, wall, power=1), wall)


def dead_zone_lit(maps: Array, wall: Wall) -> Array:
    """Whether a map has any positive value in the dead zone.

    Arguments and errors as for `mu`. Returns `(N,)` bool; False for a map that is zero everywhere.
    """
    return _like(maps, lambda values: _over(values > 0, wall.dead) > 0, wall)


def pointing_game(maps: Array, wall: Wall) -> Array:
    """Whether a map's maximum is in the dead zone: 1.0 or 0.0, or between if several pixels share the maximum.

    Arguments and errors as for `mu`. Returns `(N,)` float64, the dead zone's share of the pixels that have the maximum
    (a tie favors no side); NaN for a map that is zero everywhere.

    Source: after the pointing game of Zhang et al., "Top-Down Neural Attention by Excitation Backprop" (2018), with the
    dead zone in the object's place.
    """

    def share(values: torch.Tensor) -> torch.Tensor:
        highest = values.amax((1, 2), keepdim=True)
        at_highest = ((values == highest) & (highest > 0)).double()
        return _over(at_highest, wall.dead) / at_highest.sum((1, 2))

    return _like(maps, share, wall)


def dead_cells(wall: Wall, height: int, width: int) -> NDArray[np.float64]:
    """The dead share of every cell of a map of the image, `(height, width)` in [0, 1].

    A cell covers `image_size / height` × `image_size / width` pixels. The wall may cut it: with `bottom:54`, row 10 of
    14 covers pixel rows 160 to 175, of which 6 of 16 are dead.
    """

    def overlap(cells: int, start: int, stop: int) -> NDArray[np.float64]:
        edges = np.arange(cells + 1) * (wall.image_size / cells)
        covered: NDArray[np.float64] = np.minimum(edges[1:], stop) - np.maximum(edges[:-1], start)
        return np.maximum(covered, 0) / np.diff(edges)

    shares = [np.outer(overlap(height, box.top, box.bottom), overlap(width, box.left, box.right)) for box in wall.dead]
    return np.asarray(sum(shares))


def mu_native(raw: Array, wall: Wall, final: bool = False, dead: NDArray[Any] | None = None) -> Array:
    """Mu at the map's own resolution, without the upsampling that spreads a map over the wall.

    A CAM has as few as 7 × 7 cells, and bilinear upsampling draws the last row that is seen into the dead zone. Here
    each cell counts with the pixels that it stands for: mu of the map after ReLU and min–max (as for `mu`) with every
    cell blown up to its block of pixels. Cells that the wall cuts count by their dead share (`dead_cells`), so the
    chance level is `wall.chance` here too.

    Args:
        raw: `(N, h, w)` array or tensor, the low-resolution map before ReLU.
        wall: in pixels of the image.
        final: whether the map is taken as it is, without min–max, because it was upsampled like that.
        dead: `(h, w)` dead share of each cell, if it does not follow from the pixels; for maps of this shape only. The
            chance level is the square root of its mean then.

    Returns:
        `(N,)` float64 in [0, 1]; NaN where nothing is positive after ReLU and min–max.

    Raises:
        InputError: if `raw` is not `(N, h, w)` finite real numbers.
    """

    def measure(values: torch.Tensor) -> torch.Tensor:
        positive = values.clamp_min(0)
        shifted = _over_maximum(positive if final else positive - positive.amin((1, 2), keepdim=True))
        energies = shifted.square()
        given = dead is not None and dead.shape == values.shape[1:]
        shares = dead if given else dead_cells(wall, *values.shape[1:])
        share = torch.from_numpy(np.asarray(shares, dtype=np.float64)).to(energies.device)
        dead_energy, seen_energy = (energies * share).sum((1, 2)), (energies * (1 - share)).sum((1, 2))
        return (dead_energy / (dead_energy + seen_energy)).sqrt()

    return _like(raw, measure, None)


def map_fault(values: NDArray[Any], shape: tuple[int, int]) -> str | None:
    """What is wrong with one saliency map, in words, or None: it must be `shape`, finite and ≥ 0."""
    if values.shape != shape:
        return f"the map is {values.shape}, not {shape}"
    if np.isnan(values).any():
        return "the map holds NaN"
    if not np.isfinite(values).all():
        return "the map holds infinite values"
    if (values < 0).any():
        return (
            f"the map holds negative values (down to {float(values.min()):.3g}): Configured(method, reduce='sum') "
            "counts them as 0, reduce='sum-abs' as absolute values"
        )
    return None


def is_signed(fault: str | None) -> bool:
    """Whether `map_fault` found negative values: nobody said what becomes of those of an attribution."""
    return fault is not None and "the map holds negative values" in fault


@dataclass(frozen=True)
class Summary:
    """Mean and unbiased standard deviation (divided by n − 1) of `n` numbers; `nan` others are NaN and left out.

    The mean of none and the deviation of fewer than two are NaN.
    """

    mean: float
    std: float
    n: int
    nan: int


def summarize(values: Iterable[float]) -> Summary:
    """The `Summary` of numbers, in float64."""
    numbers = np.asarray(list(values), dtype=np.float64)
    known = numbers[~np.isnan(numbers)]
    mean = float(known.mean()) if len(known) else math.nan
    std = float(known.std(ddof=1)) if len(known) > 1 else math.nan
    return Summary(mean, std, len(known), len(numbers) - len(known))


class MuMetric:
    """The `Summary` of mu over batches of maps at the wall's resolution; keeps one number per map.

    Example:
        metric = MuMetric(wall)
        for maps in batches:
            metric.update(maps)
        metric.compute().mean
    """

    def __init__(self, wall: Wall) -> None:
        self.wall = wall
        self.reset()

    def reset(self) -> None:
        """Forget every map."""
        self._values: list[float] = []

    def update(self, maps: Any) -> None:
        """Add `(N, H, W)` maps; arguments and errors as for `mu`; after an error nothing is added."""
        self._values += mu(maps, self.wall).tolist()

    def compute(self) -> Summary:
        """Summarize every map since the last reset."""
        return summarize(self._values)


def _like(maps: Array, measure: Callable[[torch.Tensor], torch.Tensor], wall: Wall | None) -> Array:
    """Measure maps as float64 tensors; an array for an array. Without a wall, any sign and size."""
    if wall is not None and not isinstance(wall, Wall):
        raise InputError(f"Expected `wall` to be a Wall, such as Wall.parse('bottom:54'), but got {wall!r:.80}.")
    values = _as_double(maps)
    if values.ndim != 3 or 0 in values.shape[1:]:
        raise InputError(f"Expected `maps` to be (N, H, W), but got {tuple(values.shape)}.")
    _refuse("finite numbers", "NaN or infinite values", ~values.isfinite())
    if wall is not None:
        if values.shape[1:] != (wall.image_size, wall.image_size):
            raise InputError(
                f"Expected `maps` to be (N, {wall.image_size}, {wall.image_size}), the resolution of the wall {wall}, "
                f"but got {tuple(values.shape)}: upsample the maps, or rescale the wall with `wall.rescaled(size)`."
            )
        _refuse("numbers ≥ 0", "negative values", values < 0)
    measured = measure(values)
    return measured if isinstance(maps, torch.Tensor) else measured.numpy()


def _as_double(maps: Any) -> torch.Tensor:
    if not isinstance(maps, np.ndarray | torch.Tensor):
        raise InputError(f"Expected `maps` to be a numpy array or a torch tensor, but got {type(maps).__name__}.")
    if maps.is_complex() if isinstance(maps, torch.Tensor) else maps.dtype.kind not in "biuf":
        raise InputError(f"Expected `maps` to be real numbers, but got {maps.dtype}.")
    if isinstance(maps, np.ndarray):
        return torch.from_numpy(np.array(maps, dtype=np.float64))
    # Apple's GPUs have no float64
    return maps.detach().to("cpu" if maps.device.type == "mps" else maps.device).double()


def _refuse(expected: str, found: str, wrong: torch.Tensor) -> None:
    faulty = wrong.flatten(1).any(1).nonzero()
    if len(faulty):
        where = f"in {len(faulty)} of {len(wrong)} maps (the first: {int(faulty[0])})"
        raise InputError(f"Expected `maps` to hold {expected}, but got {found} {where}.")


def _over_maximum(values: torch.Tensor) -> torch.Tensor:
    """Maps ≥ 0 scaled to maximum 1: squares neither overflow nor vanish; zero maps stay zero."""
    highest = values.amax((1, 2), keepdim=True)
    return values / highest.where(highest > 0, 1)


def _dead_share(values: torch.Tensor, wall: Wall, power: int) -> torch.Tensor:
    energies = _over_maximum(values) ** power
    dead, seen = _over(energies, wall.dead), _over(energies, wall.seen)
    return dead / (dead + seen)


def _over(values: torch.Tensor, boxes: Iterable[Box]) -> torch.Tensor:
    """The sum of `(N, H, W)` over rectangles that do not overlap, `(N,)`."""
    return torch.stack([values[(..., *box.slices)].sum((1, 2)) for box in boxes]).sum(0)
