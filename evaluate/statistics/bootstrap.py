"""Bootstrap intervals of means: bias-corrected and accelerated (BCa), widened for few numbers.

Chosen by coverage: on skewed numbers in [0, 1], as mu is, BCa holds the true mean more often than plain percentiles do,
and both fall short for few numbers, because resampling draws from n numbers as if their spread were known. Asking BCa
for the level at which a normal interval would be as wide as Student's mends that.

Sources: Efron, "Better Bootstrap Confidence Intervals" (1987); the widening: Hesterberg, "What Teachers Should Know
About the Bootstrap" (2015), section 5.3.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from stackwalls.evaluate.statistics.interval import Interval
from stackwalls.model import InputError

LEVEL = 0.95
"""How often an interval should hold the true mean, where nothing else is asked for."""

MOST_DRAWS, FEWEST_DRAWS = 10_000, 2_000
"""Resamples; the more numbers there are, the fewer, down to a standard error of 6 % of the mean's own."""

_NUMBERS_DRAWN = 10**8
"""What resampling may draw in all, in seconds of time."""

_BLOCK = 2**22
"""Numbers held at a time: 32 MiB."""


def bootstrap_interval(values: ArrayLike, level: float = LEVEL, seed: int = 0, draws: int | None = None) -> Interval:
    """The interval of the mean of `(n,)` numbers.

    Args:
        values: finite numbers; NaN are counted and left out.
        level: how often such intervals should hold the true mean, in (0, 1).
        seed: of the resampling.
        draws: number of resamples; by default from 10,000 (few numbers) down to 2,000 (50,000 numbers).

    Raises:
        InputError: if `values` is no list of numbers, or `level` or `draws` is out of range.
    """
    numbers = _numbers("values", values)
    if numbers.ndim != 1:
        raise InputError(f"Expected `values` to be (n,) numbers, but got {numbers.shape}.")
    return bootstrap_intervals(numbers[:, None], level, seed, draws)[0]


def bootstrap_intervals(
    columns: ArrayLike, level: float = LEVEL, seed: int = 0, draws: int | None = None
) -> list[Interval]:
    """The intervals of the means of k columns, `(n, k)`; arguments and errors as of `bootstrap_interval`.

    Columns with numbers on the same rows are resampled together, which is what makes many of them quick.
    """
    values = _numbers("columns", columns)
    if values.ndim != 2:
        raise InputError(f"Expected `columns` to be (n, k) numbers, but got {values.shape}.")
    if not 0 < level < 1:
        raise InputError(f"Expected `level` to be between 0 and 1, but got {level}.")
    if draws is not None and draws < 1:
        raise InputError(f"Expected `draws` to be at least 1, but got {draws}.")
    known = ~np.isnan(values)
    found: dict[int, Interval] = {}
    for pattern in np.unique(known, axis=1).T:
        places = np.flatnonzero((known == pattern[:, None]).all(0))
        part, missing = values[pattern][:, places], int((~pattern).sum())
        ends = _ends(part, level, seed, draws)
        for place, column, (low, high) in zip(places, part.T, ends, strict=True):
            mean = float(column.mean()) if len(column) else math.nan
            found[int(place)] = Interval(mean, low, high, level, len(column), missing)
    return [found[place] for place in range(values.shape[1])]


def _numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"Expected `{name}` to be numbers: {error}.") from error
    if np.isinf(numbers).any():
        raise InputError(f"Expected `{name}` to be finite numbers, but got infinite ones.")
    return numbers


def default_draws(n: int) -> int:
    """How many resamples of n numbers are taken by default."""
    return min(MOST_DRAWS, max(FEWEST_DRAWS, _NUMBERS_DRAWN // max(n, 1)))


def resampled_means(values: NDArray[np.float64], draws: int, seed: int) -> NDArray[np.float64]:
    """Means `(draws, k)` of the columns of `(n, k)` over rows drawn with replacement; the rows are the same for all."""
    n = len(values)
    generator = np.random.default_rng(seed)
    means = np.empty((draws, values.shape[1]))
    step = max(1, _BLOCK // n)
    for start in range(0, draws, step):
        block = min(step, draws - start)
        rows = generator.integers(0, n, (block, n)) + n * np.arange(block)[:, None]
        counts = np.bincount(rows.ravel(), minlength=block * n).reshape(block, n)
        means[start : start + block] = counts.astype(np.float64) @ values / n
    return means


def _ends(values: NDArray[np.float64], level: float, seed: int, draws: int | None) -> list[tuple[float, float]]:
    n, k = values.shape
    if n < 2:
        return [(math.nan, math.nan)] * k
    means = resampled_means(values, draws or default_draws(n), seed)
    return [_bca(column, resampled, level) for column, resampled in zip(values.T, means.T, strict=True)]


def _bca(values: NDArray[np.float64], resampled: NDArray[np.float64], level: float) -> tuple[float, float]:
    if (values == values[0]).all():
        return float(values[0]), float(values[0])
    n, mean = len(values), values.mean()
    below = ((resampled < mean).mean() + (resampled <= mean).mean()) / 2
    margin = 0.5 / len(resampled)
    bias = special.ndtri(np.clip(below, margin, 1 - margin))
    deviations = values - mean
    deviations /= np.abs(deviations).max()  # of tiny ones the cubes would vanish
    # the jackknife's skewness has a closed form where the statistic is a mean
    acceleration = (deviations**3).sum() / (6 * (deviations**2).sum() ** 1.5)
    reach = math.sqrt(n / (n - 1)) * stats.t.ppf((1 + level) / 2, n - 1)
    shifted = bias + np.array([-reach, reach])
    ranks = special.ndtr(bias + shifted / np.maximum(1 - acceleration * shifted, 1e-9))
    low, high = np.quantile(resampled, ranks)
    return float(low), float(high)
