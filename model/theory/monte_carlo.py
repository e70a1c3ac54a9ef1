"""The expected GradCAM map by simulation: many networks, their mean map, and its standard error."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch

from stackwalls.model.errors import InputError
from stackwalls.model.parallel import parallel_map
from stackwalls.model.theory.closed_forms import gradcam_map
from stackwalls.model.theory.one_convolution import OneConvolution

_BLOCK = 16
"""Networks drawn and evaluated together. Few, so that a block's maps stay near the processor. Each block
has a seed of its own, so this number belongs to what a seed means."""


@dataclass(frozen=True)
class Estimate:
    """The mean map over independent networks.

    Attributes:
        mean: `(h, w)` float64.
        standard_error: of the mean, `(h, w)` float64.
        draws: number of networks.
    """

    mean: torch.Tensor
    standard_error: torch.Tensor
    draws: int

    def deviation(self, reference: torch.Tensor) -> torch.Tensor:
        """How far the mean lies above `reference` `(h, w)`, in standard errors.

        Where no draw differs (a patch of zeros), 0 if mean and reference are equal and infinite if not.
        """
        difference = self.mean - reference
        return torch.where(difference == 0, 0.0, difference / self.standard_error)


@dataclass(frozen=True)
class _Moments:
    """Number, mean and sum of squared deviations of maps, float64."""

    count: int
    mean: torch.Tensor
    squares: torch.Tensor

    @classmethod
    def of(cls, maps: torch.Tensor) -> _Moments:
        """Of `(R, h, w)`."""
        maps = maps.to(torch.float64)
        mean = maps.mean(dim=0)
        return cls(len(maps), mean, (maps - mean).square().sum(dim=0))

    def __add__(self, other: _Moments) -> _Moments:
        """Of both together (Chan, Golub, LeVeque 1983)."""
        count, difference = self.count + other.count, other.mean - self.mean
        between = difference.square() * (self.count * other.count / count)
        return _Moments(count, self.mean + difference * (other.count / count), self.squares + other.squares + between)

    def estimate(self) -> Estimate:
        return Estimate(self.mean, (self.squares / (self.count - 1) / self.count).sqrt(), self.count)


def estimate_gradcam(
    spec: OneConvolution,
    image: torch.Tensor,
    draws: int = 10_000,
    seed: int = 0,
    *,
    filters: torch.Tensor | None = None,
    dtype: torch.dtype = torch.float32,
) -> Estimate:
    """Estimate the expected GradCAM map at initialisation, for class 0.

    Every weight of every network is drawn, and every network's map is that of `closed_forms.gradcam_map`.

    Args:
        spec: the shape and law of the networks.
        image: `(C, H, W)`.
        draws: number of networks, at least 2. The first ones are the same for any number.
        seed: not negative; the same seed gives the same result, whatever the number of threads.
        filters: `(V, C, k, k)` to hold fixed; drawn for each network by default.
        dtype: of the networks; sums are in float64 always.

    Raises:
        InputError: if `draws` or `seed` is out of range, or a shape does not fit `spec`.
    """
    if draws < 2 or seed < 0:
        raise InputError(f"Expected `draws` ≥ 2 and `seed` ≥ 0, but got {draws} and {seed}.")

    def simulate(block: int) -> _Moments:
        state = np.random.SeedSequence((seed, block)).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))
        networks = spec.draw(_BLOCK, generator, filters=filters, dtype=dtype)
        kept = min(_BLOCK, draws - block * _BLOCK)
        return _Moments.of(gradcam_map(networks, networks.features(image))[:kept])

    with parallel_map() as in_parallel:
        blocks: Iterator[_Moments] = in_parallel(simulate, range(math.ceil(draws / _BLOCK)))
        moments: _Moments = reduce(_Moments.__add__, blocks)
    return moments.estimate()
