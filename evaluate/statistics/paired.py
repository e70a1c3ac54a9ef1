"""Differences on the same images: of two methods, or of one method on two networks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stackwalls.evaluate.statistics.bootstrap import LEVEL, bootstrap_intervals
from stackwalls.model import InputError


@dataclass(frozen=True)
class PairedDifference:
    """Mean of first − second over the images that have both.

    Attributes:
        mean: of the differences; NaN if there is no pair.
        low: lower end of its interval; NaN for fewer than two pairs.
        high: upper end; NaN likewise.
        level: of the interval.
        std: of the differences, unbiased; NaN for fewer than two pairs.
        above: share of the pairs in which the first is greater, equal ones counting half.
        n: pairs.
        dropped: images of which one of the two has no value.
    """

    mean: float
    low: float
    high: float
    level: float
    std: float
    above: float
    n: int
    dropped: int

    @property
    def effect(self) -> float:
        """Effect size: the mean in standard deviations of the differences (Cohen's d_z); 0 where all are 0."""
        if self.std == 0:
            return math.copysign(math.inf, self.mean) if self.mean else 0.0
        return self.mean / self.std


def paired_difference(
    first: ArrayLike, second: ArrayLike, level: float = LEVEL, seed: int = 0, draws: int | None = None
) -> PairedDifference:
    """Of `(n,)` and `(n,)` numbers; arguments as of `bootstrap_interval`.

    Raises:
        InputError: if they have not the same length, or an argument is out of range.
    """
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.ndim != 1 or one.shape != other.shape:
        raise InputError(f"Expected two lists of the same length, but got {one.shape} and {other.shape}.")
    return paired_differences((one - other)[:, None], level, seed, draws)[0]


def paired_differences(
    differences: ArrayLike, level: float = LEVEL, seed: int = 0, draws: int | None = None
) -> list[PairedDifference]:
    """Of k columns of differences `(n, k)`, NaN where one of the two has no value; else as `bootstrap_intervals`."""
    values = np.asarray(differences, dtype=np.float64)
    found = []
    for column, interval in zip(values.T, bootstrap_intervals(values, level, seed, draws), strict=True):
        known = column[~np.isnan(column)]
        std = float(known.std(ddof=1)) if len(known) > 1 else math.nan
        above = float((known > 0).mean() + (known >= 0).mean()) / 2 if len(known) else math.nan
        ends = (interval.mean, interval.low, interval.high, level)
        found.append(PairedDifference(*ends, std, above, interval.n, interval.nan))
    return found
