"""The expected GradCAM map by simulation: many random networks on a digit, at one shape or in a sweep of shapes."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from stackwalls.model.errors import InputError, RunError
from stackwalls.model.hub.failures import first_line
from stackwalls.model.runtime.parallel import parallel_map
from stackwalls.model.theory.closed_forms import gradcam_map
from stackwalls.model.theory.expectation import INEQUALITIES, expected_gradcam, gradcam_lower_bound, patch_norms
from stackwalls.model.theory.one_convolution import OneConvolution

SIDE = 28
"""Height and width of a digit in pixels, as in MNIST."""

SWEEPS: dict[str, tuple[float, ...]] = {
    "filters": (1, 2, 5, 10, 20, 30, 60, 120, 256),
    "kernel": (1, 2, 3, 5, 7),
    "tau": (0.25, 0.5, 1, 2, 4),
    "depth": (1, 2, 3, 4),
}
"""What is varied: V (up to 20, the bound by Chebyshev's inequality is 0), k, the weights' deviation, L."""

_FILTERS, _HIDDEN_WIDTH = 64, 4
"""V, unless it is varied, and the width of each hidden dense layer, if there is more than one dense layer."""

_SMALLEST = 16
"""Side of an image, in pixels, on which even filters of 7 × 7 leave rows that depend on dead pixels alone."""

_BLOCK = 16
"""Networks drawn together, from a seed of their own; few, so that their maps stay in the processor's cache."""

_MNIST = "ylecun/mnist"


def small_digit(digit: int = 8) -> torch.Tensor:
    """scikit-learn's first such digit, enlarged from 8 × 8: `(1, 28, 28)` float64 in [0, 1], bright on black.

    Raises:
        InputError: if `digit` is not 0 to 9.
    """
    from sklearn.datasets import load_digits

    if digit not in range(10):
        raise InputError(f"Expected a digit from 0 to 9, but got {digit}.")
    digits = load_digits()
    small = digits.images[digits.target == digit][0].astype(np.float32) / 16  # their brightest value
    large = Image.fromarray(small).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.asarray(large, dtype=np.float64).clip(0, 1)).unsqueeze(0)


def mnist_digit(index: int) -> torch.Tensor:
    """Digit 0 to 9999 of MNIST's test set, from the Hugging Face Hub: `(1, 28, 28)` float64 in [0, 1], bright on black.

    Raises:
        InputError: if there is no image of that index.
        RunError: if the dataset cannot be loaded.
    """
    from datasets import load_dataset

    try:
        data = load_dataset(_MNIST, split="test")
    except Exception as error:  # whatever the reason, the digits of scikit-learn need no network
        raise RunError(
            f"Cannot load {_MNIST} from the Hugging Face Hub: {first_line(error)}. "
            "Leave out --mnist to use scikit-learn's digits."
        ) from error
    if not 0 <= index < len(data):
        raise InputError(f"Expected an image of MNIST's test set, 0 to {len(data) - 1}, but got {index}.")
    pixels = np.asarray(data[index]["image"].convert("L"), dtype=np.float64) / 255
    return torch.from_numpy(pixels).unsqueeze(0)


def padded(image: torch.Tensor, kernel: int) -> torch.Tensor:
    """Zeros above and to the right of `(C, H, W)`, so that filters of `kernel` give maps of H × W.

    As in the authors' notebook (MagamedT/cam-can-see-through-walls, figure_code/mnist_experiment.ipynb).
    """
    return F.pad(image, (0, kernel - 1, kernel - 1, 0))


@dataclass(frozen=True)
class Estimate:
    """The mean map of `draws` independent networks, and its standard error: `(h, w)` float64."""

    mean: torch.Tensor
    standard_error: torch.Tensor
    draws: int

    def deviation(self, reference: torch.Tensor) -> torch.Tensor:
        """How far the mean is above `reference` `(h, w)`, in standard errors.

        If all draws agree (a patch of zeros): 0 if mean and reference are equal, infinite if not.
        """
        difference = self.mean - reference
        return torch.where(difference == 0, 0.0, difference / self.standard_error)


_Moments = tuple[int, torch.Tensor, torch.Tensor]
"""Number, mean and sum of squared deviations of maps, float64."""


def _moments(maps: torch.Tensor) -> _Moments:
    """Of `(R, h, w)`."""
    maps = maps.to(torch.float64)
    mean = maps.mean(dim=0)
    return len(maps), mean, (maps - mean).square().sum(dim=0)


def _together(a: _Moments, b: _Moments) -> _Moments:
    """The moments of both groups (Chan, Golub, LeVeque 1983)."""
    count, difference = a[0] + b[0], b[1] - a[1]
    between = difference.square() * (a[0] * b[0] / count)
    return count, a[1] + difference * (b[0] / count), a[2] + b[2] + between


def estimate_gradcam(
    spec: OneConvolution,
    image: torch.Tensor,
    draws: int = 10_000,
    seed: int = 0,
    filters: torch.Tensor | None = None,
) -> Estimate:
    """Estimate the expected GradCAM map at initialization, for class 0.

    Args:
        spec: shape of the networks and law of their weights.
        image: `(C, H, W)`.
        draws: number of networks, at least 2. The first ones are the same for any number.
        seed: not negative; the same seed gives the same result for any number of threads.
        filters: `(V, C, k, k)` to hold fixed; by default drawn for each network.

    Raises:
        InputError: if `draws` or `seed` is out of range, or a shape does not fit `spec`.
    """
    if draws < 2 or seed < 0:
        raise InputError(f"Expected `draws` ≥ 2 and `seed` ≥ 0, but got {draws} and {seed}.")

    def simulate(block: int) -> _Moments:
        state = np.random.SeedSequence((seed, block)).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))
        networks = spec.draw(_BLOCK, generator, filters=filters, dtype=torch.float32)
        kept = min(_BLOCK, draws - block * _BLOCK)
        return _moments(gradcam_map(networks, networks.features(image))[:kept])

    with parallel_map() as in_parallel:
        count, mean, squares = reduce(_together, in_parallel(simulate, range(math.ceil(draws / _BLOCK))))
    return Estimate(mean, (squares / (count - 1) / count).sqrt(), count)


@dataclass(frozen=True)
class SweepPoint:
    """One network shape, at the unseen cell with the largest patch norm.

    Attributes:
        parameter: what is varied, a key of `SWEEPS`.
        value: of the parameter.
        exact: the expected GradCAM score.
        bounds: inequality → lower bound of `exact`.
        mean: the simulated score.
        standard_error: of `mean`.
    """

    parameter: str
    value: float
    exact: float
    bounds: dict[str, float]
    mean: float
    standard_error: float


def sweep(parameter: str, image: torch.Tensor, draws: int = 10_000, seed: int = 0) -> Iterator[SweepPoint]:
    """Simulate at every value of a parameter, with other networks at every point.

    Args:
        parameter: a key of `SWEEPS`.
        image: `(C, H, H)`, H at least 16; padded so that the maps are H × H for every kernel.
        draws: networks per point.
        seed: not negative.

    Raises:
        InputError: if the parameter is unknown, the image too small or not square, `draws` < 2 or `seed` < 0.
    """
    if parameter not in SWEEPS:
        raise InputError(f"Unknown parameter {parameter!r}: expected one of {', '.join(SWEEPS)}.")
    if image.ndim != 3 or image.shape[1] != image.shape[2] or image.shape[1] < _SMALLEST or seed < 0:
        raise InputError(
            f"Expected `image` to be (C, H, H) with H ≥ {_SMALLEST}, and `seed` ≥ 0, "
            f"but got {tuple(image.shape)} and {seed}."
        )
    for number, value in enumerate(SWEEPS[parameter]):
        kernel = int(value) if parameter == "kernel" else 2
        large = padded(image, kernel)
        channels, height, width = large.shape
        filters = int(value) if parameter == "filters" else _FILTERS
        hidden = (_HIDDEN_WIDTH,) * (int(value) - 1) if parameter == "depth" else ()
        tau = value if parameter == "tau" else 1.0
        spec = OneConvolution(height, width, channels, filters, kernel, hidden=hidden, tau=tau)
        own_seed = np.random.SeedSequence((seed, list(SWEEPS).index(parameter), number)).generate_state(1)[0]
        estimate = estimate_gradcam(spec, large, draws, int(own_seed))
        unseen = patch_norms(spec, large)[spec.dead_start :]
        row, column = divmod(int(unseen.argmax()), spec.map_size[1])
        cell = spec.dead_start + row, column
        bounds: dict[str, float] = {name: float(gradcam_lower_bound(spec, large, name)[cell]) for name in INEQUALITIES}
        exact, mean, error = (
            float(scores[cell]) for scores in (expected_gradcam(spec, large), estimate.mean, estimate.standard_error)
        )
        yield SweepPoint(parameter, value, exact, bounds, mean, error)
