"""Intervals and tests on per-image numbers: pure, seeded functions of arrays.

NaN means no value: it is counted, and a pair with one is left out of that pair's numbers only.

Intervals are BCa (bias-corrected and accelerated; Efron, "Better Bootstrap Confidence Intervals", 1987): on skewed
numbers in [0, 1], as mu is, it contains the true mean more often than plain percentiles do. Both fall short for few
numbers, because resampling n numbers treats their spread as known. So BCa is asked for the level at which a normal
interval is as wide as Student's (Hesterberg, "What Teachers Should Know About the Bootstrap", 2015, section 5.3). The
ends equal those of `scipy.stats.bootstrap` for that level and seed; its jackknife takes n² numbers per column, a minute
for 50,000 images, but has a closed form for a mean.

The test flips signs (Fisher, "The Design of Experiments", 1935, section 21). If two methods were alike, the difference
on each image could as well have had the other sign; p is the share of random flips whose mean is at least as far from
0. It needs no distribution. `scipy.stats.permutation_test` gives the same p, 40 times slower for 1,000 images.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackwalls.model import InputError

LEVEL = 0.95  # how often an interval should contain the true mean, by default
FEWEST = 10  # numbers that have an interval: resampling fewer says too little about what others would be
_BLOCK = 2**22  # numbers held at a time: 32 MiB


@dataclass(frozen=True)
class Interval:
    """The mean of `n` numbers with the ends of its interval; `nan` others are NaN and left out."""

    mean: float  # NaN if there are no numbers
    low: float  # NaN if there are fewer than `FEWEST`, like `high`
    high: float
    level: float  # how often such intervals contain the true mean, such as 0.95
    n: int
    nan: int


@dataclass(frozen=True)
class PairedDifference(Interval):
    """The mean of first − second over the images that have both, with its interval; `nan` images lack one."""

    std: float  # of the differences, unbiased; NaN for fewer than two pairs
    above: float  # share of the pairs in which the first is greater, ties counting half

    @property
    def dropped(self) -> int:
        """Images for which one of the two has no value."""
        return self.nan

    @property
    def effect(self) -> float:
        """Effect size: the mean in standard deviations of the differences (Cohen's d_z); 0 if all are 0."""
        if self.std == 0:
            return math.copysign(math.inf, self.mean) if self.mean else 0.0
        return self.mean / self.std


@dataclass(frozen=True)
class RankAgreement:
    """How random subsets of so many images agree with all images."""

    images: int
    tau: float  # mean of Kendall's tau-b between the ranking by a subset's means and that by all
    same_order: float  # share of the subsets that rank the methods exactly as all images do
    same_first: float  # share in which the same method (or one that ties with it) has the lowest mean


def bootstrap_interval(values: ArrayLike, level: float = LEVEL, seed: int = 0, draws: int | None = None) -> Interval:
    """Compute the interval of the mean of `(n,)` numbers.

    Args:
        values: finite numbers; NaN are counted and left out.
        level: how often such intervals should contain the true mean, in (0, 1).
        seed: of the resampling.
        draws: number of resamples; by default from 10,000 (few numbers) down to 2,000 (50,000 numbers).

    Raises:
        InputError: if `values` is not a list of numbers, or `level` or `draws` is out of range.
    """
    return bootstrap_intervals(_numbers("values", values, 1)[:, None], level, seed, draws)[0]


def bootstrap_intervals(
    columns: ArrayLike, level: float = LEVEL, seed: int = 0, draws: int | None = None
) -> list[Interval]:
    """Compute the intervals of the means of k columns, `(n, k)`; arguments and errors as for `bootstrap_interval`.

    Columns with numbers in the same rows are resampled together, which makes many of them fast.
    """
    values = _numbers("columns", columns, 2)
    if not 0 < level < 1:
        raise InputError(f"Expected `level` to be between 0 and 1, but got {level}.")
    if draws is not None and draws < 1:
        raise InputError(f"Expected `draws` to be at least 1, but got {draws}.")
    known = ~np.isnan(values)
    found: dict[int, Interval] = {}
    for pattern in np.unique(known, axis=1).T:
        places = np.flatnonzero((known == pattern[:, None]).all(0))
        part = values[pattern][:, places]
        n = len(part)
        means = resampled_means(part, draws or default_draws(n), seed) if n >= FEWEST else part
        for place, column, resampled in zip(places, part.T, means.T, strict=True):
            ends = _bca(column, resampled, level) if n >= FEWEST else (math.nan, math.nan)
            found[int(place)] = Interval(float(column.mean()) if n else math.nan, *ends, level, n, len(values) - n)
    return [found[place] for place in range(values.shape[1])]


def paired_difference(
    first: ArrayLike, second: ArrayLike, level: float = LEVEL, seed: int = 0, draws: int | None = None
) -> PairedDifference:
    """Compare `(n,)` numbers with `(n,)` others; arguments and errors as for `bootstrap_interval`."""
    one, other = _numbers("first", first, 1), _numbers("second", second, 1)
    if one.shape != other.shape:
        raise InputError(f"Expected two lists of the same length, but got {one.shape} and {other.shape}.")
    return paired_differences((one - other)[:, None], level, seed, draws)[0]


def paired_differences(
    differences: ArrayLike, level: float = LEVEL, seed: int = 0, draws: int | None = None
) -> list[PairedDifference]:
    """Summarize k columns of differences `(n, k)`, NaN where one of the two has no value, as `bootstrap_intervals`."""
    values = _numbers("differences", differences, 2)
    found = []
    for column, interval in zip(values.T, bootstrap_intervals(values, level, seed, draws), strict=True):
        known = column[~np.isnan(column)]
        std = float(known.std(ddof=1)) if len(known) > 1 else math.nan
        above = float((known > 0).mean() + (known >= 0).mean()) / 2 if len(known) else math.nan
        found.append(PairedDifference(**vars(interval), std=std, above=above))
    return found


def _numbers(name: str, values: ArrayLike, dimensions: int) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"Expected `{name}` to be numbers: {error}.") from error
    if numbers.ndim != dimensions:
        shape = "(n,)" if dimensions == 1 else "(n, k)"
        raise InputError(f"Expected `{name}` to be {shape} numbers, but got {numbers.shape}.")
    if np.isinf(numbers).any():
        raise InputError(f"Expected `{name}` to be finite numbers, but got infinite ones.")
    return numbers


def default_draws(n: int) -> int:
    """Resamples of n numbers, at most a few seconds' work; 2,000 have a standard error of 6 % of the mean's own."""
    return min(10_000, max(2_000, 10**8 // max(n, 1)))


def resampled_means(values: NDArray[np.float64], draws: int, seed: int) -> NDArray[np.float64]:
    """Means `(draws, k)` of the columns of `(n, k)` over rows drawn with replacement, the same rows for all columns."""
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


def _bca(values: NDArray[np.float64], resampled: NDArray[np.float64], level: float) -> tuple[float, float]:
    from scipy import special

    n, mean = len(values), values.mean()
    if (values == values[0]).all():
        return float(values[0]), float(values[0])
    below = ((resampled < mean).mean() + (resampled <= mean).mean()) / 2
    bias = special.ndtri(np.clip(below, 0.5 / len(resampled), 1 - 0.5 / len(resampled)))
    deviations = (values - mean) / np.abs(values - mean).max()  # cubes of tiny ones would vanish
    # the jackknife's skewness, in closed form because the statistic is a mean
    acceleration = (deviations**3).sum() / (6 * (deviations**2).sum() ** 1.5)
    reach = math.sqrt(n / (n - 1)) * special.stdtrit(n - 1, (1 + level) / 2)  # Student's quantile
    shifted = bias + np.array([-reach, reach])
    ranks = special.ndtr(bias + shifted / np.maximum(1 - acceleration * shifted, 1e-9))
    low, high = np.quantile(resampled, ranks)
    return float(low), float(high)


def sign_flip_test(differences: ArrayLike, flips: int = 10_000, seed: int = 0) -> float:
    """The two-sided p-value of `(n,)` paired differences; arguments and errors as for `sign_flip_tests`."""
    return float(sign_flip_tests(_numbers("differences", differences, 1)[:, None], flips, seed)[0])


def sign_flip_tests(differences: ArrayLike, flips: int = 10_000, seed: int = 0) -> NDArray[np.float64]:
    """Two-sided p-values `(k,)` of k columns of paired differences `(n, k)`.

    Args:
        differences: first − second, image by image; NaN (one of the two has no value) is left out.
        flips: how many to draw; if there are no more than that in all, each is taken once and p is exact.
        seed: of the flips, which are the same for all columns.

    Returns:
        p in (0, 1], never 0: the differences as given count as a flip. NaN for a column without a pair.

    Raises:
        InputError: if `differences` is not `(n, k)` finite numbers, or `flips` is below 1.
    """
    values = _numbers("differences", differences, 2)
    if flips < 1:
        raise InputError(f"Expected `flips` to be at least 1, but got {flips}.")
    summands = np.nan_to_num(values)  # flipping a 0 does not change the sum
    used = summands[(summands != 0).any(1)]
    exact = len(used) <= math.log2(flips)
    total = used.sum(0)
    threshold = np.abs(total) - 1e-12 * np.abs(used).sum(0)  # sums in another order count as equal
    count, tried = np.zeros(values.shape[1], dtype=np.int64), 2 ** len(used) if exact else flips
    for kept in _kept_signs(len(used), tried, exact, seed):
        count += (np.abs(2 * (kept @ used) - total) >= threshold).sum(0)
    p = count / tried if exact else (count + 1) / (tried + 1)
    return np.where(np.isnan(values).all(0), np.nan, p)


def _kept_signs(n: int, tried: int, exact: bool, seed: int) -> Iterator[NDArray[np.float64]]:
    """Blocks `(b, n)` of 1 (the sign is kept) and 0 (it is flipped), `tried` rows in all."""
    generator = np.random.default_rng(seed)
    step = max(1, _BLOCK // max(n, 1))
    for start in range(0, tried, step):
        block = min(step, tried - start)
        if exact:
            yield ((np.arange(start, start + block)[:, None] >> np.arange(n)) & 1).astype(np.float64)
        else:
            width = -(-n // 32) * 4  # whole words of the generator: blocks of any size draw the same signs
            bits = np.frombuffer(generator.bytes(block * width), dtype=np.uint8).reshape(block, width)
            yield np.unpackbits(bits, axis=1, count=n).astype(np.float64)


def holm_adjusted(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust `(k,)` p-values for being many: if no difference exists, any is below α with probability at most α.

    NaN means no test: it stays NaN and does not count.

    Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure" (1979).
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    tests = np.flatnonzero(~np.isnan(p))
    order = tests[np.argsort(p[tests], kind="stable")]
    scaled = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return adjusted


def rank_agreement(
    values: ArrayLike, sizes: Sequence[int] | None = None, subsets: int = 1000, seed: int = 0
) -> list[RankAgreement]:
    """How well subsets of n images agree with all N on the order of k methods by their means.

    Subsets are drawn without replacement from the N images, so agreement is 1 at n = N and somewhat too high close to
    it. Means leave NaN out, as the table's do; a subset in which a method has no value agrees with nothing.

    `values` is `(N, k)`, NaN where there is no value. `subsets` are drawn of each of `sizes`, from 1 to N; by default
    these are steps from 5 to 20,000 below N, and N.

    Raises:
        InputError: if there are fewer than two methods, or a size is out of range.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2 or not len(table):
        raise InputError(f"Expected `values` to be (images, methods) of two methods or more, but got {table.shape}.")
    n = len(table)
    usual = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
    sizes = [*(size for size in usual if size < n), n] if sizes is None else list(sizes)
    if wrong := [size for size in sizes if not 1 <= size <= n]:
        raise InputError(f"Expected `sizes` to be from 1 to {n}, the number of images, but got {wrong[0]}.")
    generator = np.random.default_rng(seed)
    reference = _means(table)
    found = []
    for size in sizes:
        drawn = 1 if size == n else subsets  # there is one subset of all images
        chosen = (generator.choice(n, size, False, shuffle=False) for _ in range(drawn))
        found.append(_agreement(size, np.array([_means(table[rows]) for rows in chosen]), reference))
    return found


def _means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nansum(values, 0) / (~np.isnan(values)).sum(0))


def _agreement(size: int, means: NDArray[np.float64], reference: NDArray[np.float64]) -> RankAgreement:
    one, other = np.triu_indices(len(reference), 1)
    signs = np.nan_to_num(np.sign(means[:, one] - means[:, other]))  # (subsets, pairs); 0: a tie, or no value
    expected = np.nan_to_num(np.sign(reference[one] - reference[other]))
    untied = np.sqrt((signs != 0).sum(1) * (expected != 0).sum())
    with np.errstate(invalid="ignore"):
        tau = (signs * expected).sum(1) / untied  # tau-b; NaN where all are tied
    complete = ~np.isnan(means).any(1)
    same = complete & (signs == expected).all(1)
    lowest = np.where(np.isnan(means), np.inf, means).min(1)
    first = complete & (np.nanmin(np.where(reference == np.nanmin(reference), means, np.inf), 1) <= lowest)
    known = ~np.isnan(tau)
    return RankAgreement(size, float(tau[known].mean()) if known.any() else math.nan, same.mean(), first.mean())
