"""Whether a mean difference may be chance: the paired sign-flip test, and Holm's correction for many tests.

If two methods were alike, the difference on each image could as well have had the other sign. So signs are flipped at
random, and p is the share of flips whose mean is at least as far from 0. The test needs no distribution, and tests the
mean, which the table prints. `scipy.stats.permutation_test` gives the same p, but takes 40 times as long for 1,000
images. Source: Fisher, "The Design of Experiments" (1935), section 21.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackwalls.model import InputError

FLIPS = 10_000
"""Drawn at random; all 2ⁿ if there are no more."""

_BLOCK = 2**22
"""Signs held at a time: 32 MiB."""

_ROUNDING = 1e-12
"""Sums that differ only in the order of their terms count as equal."""


def sign_flip_test(differences: ArrayLike, flips: int = FLIPS, seed: int = 0) -> float:
    """The two-sided p-value of `(n,)` paired differences; arguments and errors as for `sign_flip_tests`."""
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1:
        raise InputError(f"Expected `differences` to be (n,) numbers, but got {values.shape}.")
    return float(sign_flip_tests(values[:, None], flips, seed)[0])


def sign_flip_tests(differences: ArrayLike, flips: int = FLIPS, seed: int = 0) -> NDArray[np.float64]:
    """Two-sided p-values `(k,)` of k columns of paired differences `(n, k)`.

    Args:
        differences: first − second, image by image; NaN (one of the two has no value) is left out.
        flips: how many to draw; if there are no more than that in all, each is taken once and p is exact.
        seed: of the flips, which are the same for all columns.

    Returns:
        p in (0, 1]: the differences as given count as one of the flips, and p is never 0. NaN for a column without a
        pair.

    Raises:
        InputError: if `differences` is not `(n, k)`, or `flips` is below 1.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 2:
        raise InputError(f"Expected `differences` to be (n, k) numbers, but got {values.shape}.")
    if flips < 1:
        raise InputError(f"Expected `flips` to be at least 1, but got {flips}.")
    known = ~np.isnan(values)
    summands = np.where(known, values, 0)  # flipping a 0 does not change the sum
    used = summands[(summands != 0).any(1)]
    exact = len(used) <= math.log2(flips)
    total = used.sum(0)
    threshold = np.abs(total) - _ROUNDING * np.abs(used).sum(0)
    count, tried = np.zeros(values.shape[1], dtype=np.int64), 2 ** len(used) if exact else flips
    for kept in _kept_signs(len(used), tried, exact, seed):
        count += (np.abs(2 * (kept @ used) - total) >= threshold).sum(0)
    p = count / tried if exact else (count + 1) / (tried + 1)
    return np.where(known.any(0), p, np.nan)


def holm_adjusted(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values for being many: if no difference exists, any is below α with probability at most α.

    Args:
        p_values: `(k,)` in [0, 1]; NaN means no test: it stays NaN and does not count.

    Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure" (1979).
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    tests = np.flatnonzero(~np.isnan(p))
    order = tests[np.argsort(p[tests], kind="stable")]
    scaled = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return adjusted


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
