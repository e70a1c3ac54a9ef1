"""The expected score against its bounds while one number of the network changes, at the brightest unseen cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from stackwalls.model.errors import InputError
from stackwalls.model.theory.digits import padded
from stackwalls.model.theory.expectation import expected_gradcam, gradcam_lower_bound, patch_norms
from stackwalls.model.theory.gaussian import INEQUALITIES
from stackwalls.model.theory.monte_carlo import estimate_gradcam
from stackwalls.model.theory.one_convolution import OneConvolution

FILTERS = 64
"""V, unless it is what changes."""

HIDDEN_WIDTH = 4
"""Of each hidden dense layer, where there is more than one dense layer."""

SWEEPS: dict[str, tuple[float, ...]] = {
    "filters": (1, 2, 5, 10, 20, 30, 60, 120, 256),
    "kernel": (1, 2, 3, 5, 7),
    "tau": (0.25, 0.5, 1, 2, 4),
    "depth": (1, 2, 3, 4),
}
"""What changes: V (up to 20, the bound by Chebyshev's inequality says nothing), k, the weights' deviation, L."""


_SMALLEST = 16
"""Side of an image, in pixels, on which even a filter of 7 leaves rows that depend on dead pixels alone."""


@dataclass(frozen=True)
class SweepPoint:
    """One network shape, at the unseen cell with the largest patch norm.

    Attributes:
        parameter: what changes, a key of `SWEEPS`.
        value: its value.
        exact: the expected GradCAM score.
        bounds: inequality → lower bound.
        mean: the simulated score.
        standard_error: of `mean`.
    """

    parameter: str
    value: float
    exact: float
    bounds: dict[str, float]
    mean: float
    standard_error: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "bounds": dict(self.bounds)}


def _shape(parameter: str, value: float, channels: int, side: int) -> OneConvolution:
    kernel = int(value) if parameter == "kernel" else 2
    size = side + kernel - 1
    return OneConvolution(
        height=size,
        width=size,
        channels=channels,
        filters=int(value) if parameter == "filters" else FILTERS,
        kernel=kernel,
        hidden=(HIDDEN_WIDTH,) * (int(value) - 1) if parameter == "depth" else (),
        tau=value if parameter == "tau" else 1.0,
    )


def sweep(parameter: str, image: torch.Tensor, draws: int = 10_000, seed: int = 0) -> Iterator[SweepPoint]:
    """Simulate at every value of a parameter; every point has networks of its own.

    Args:
        parameter: a key of `SWEEPS`.
        image: `(C, H, H)`, H at least 16; padded so that the maps are H × H for every kernel.
        draws: networks a point.
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
        spec = _shape(parameter, value, image.shape[0], image.shape[1])
        picture = padded(image, spec.kernel)
        own_seed = np.random.SeedSequence((seed, list(SWEEPS).index(parameter), number)).generate_state(1)[0]
        estimate = estimate_gradcam(spec, picture, draws, int(own_seed))
        unseen = patch_norms(spec, picture)[spec.dead_start :]
        row, column = divmod(int(unseen.argmax()), spec.map_size[1])
        cell = spec.dead_start + row, column
        yield SweepPoint(
            parameter=parameter,
            value=value,
            exact=float(expected_gradcam(spec, picture)[cell]),
            bounds={name: float(gradcam_lower_bound(spec, picture, name)[cell]) for name in INEQUALITIES},
            mean=float(estimate.mean[cell]),
            standard_error=float(estimate.standard_error[cell]),
        )
