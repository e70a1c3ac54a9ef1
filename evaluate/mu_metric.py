"""Mu over a stream of maps: update, compute, reset, in constant memory."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stackwalls.evaluate.metrics import mu
from stackwalls.model import Wall


@dataclass(frozen=True)
class Summary:
    """Mean and spread of a list of numbers.

    Attributes:
        mean: over those that are not NaN; NaN if there are none.
        std: unbiased (divided by n − 1), over the same; NaN if there are fewer than two.
        n: how many are not NaN.
        nan: how many are NaN.
    """

    mean: float
    std: float
    n: int
    nan: int


def summarise(values: Iterable[float]) -> Summary:
    """Mean, unbiased standard deviation, n and NaN count of numbers (in float64)."""
    numbers = np.asarray(list(values), dtype=np.float64)
    known = numbers[~np.isnan(numbers)]
    mean = float(known.mean()) if len(known) else math.nan
    std = float(known.std(ddof=1)) if len(known) > 1 else math.nan
    return Summary(mean, std, len(known), len(numbers) - len(known))


class MuMetric:
    """Mean, unbiased standard deviation, n and NaN count of mu over batches of maps.

    Args:
        wall: the wall at the maps' resolution.

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
        self._n = self._nan = 0
        self._mean = self._squares = 0.0

    def update(self, maps: Any) -> None:
        """Add `(N, H, W)` maps; arguments and errors as for `mu`; after an error nothing is added."""
        values = mu(maps, self.wall)
        new = summarise(np.asarray(values if isinstance(values, np.ndarray) else values.cpu()))
        self._nan += new.nan
        if not new.n:
            return
        # Chan, Golub, LeVeque 1979: mean and sum of squared deviations of two parts from those of each
        total = self._n + new.n
        difference = new.mean - self._mean
        within = new.std**2 * (new.n - 1) if new.n > 1 else 0.0
        self._squares += within + difference**2 * self._n * new.n / total
        self._mean += difference * new.n / total
        self._n = total

    def compute(self) -> Summary:
        """Summarize every map since the last reset."""
        mean = self._mean if self._n else math.nan
        std = math.sqrt(self._squares / (self._n - 1)) if self._n > 1 else math.nan
        return Summary(mean, std, self._n, self._nan)
