"""Are 100 images enough? How often fewer images rank the methods as all of them do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackwalls.model import InputError

SUBSETS = 1000
"""Random subsets of each size."""

SIZES = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
"""Sizes of the subsets, as far as there are images."""


@dataclass(frozen=True)
class RankAgreement:
    """How random subsets of one size agree with all images.

    Attributes:
        images: in a subset.
        tau: mean of Kendall's tau-b between the ranking by a subset's means and that by all.
        same_order: share of the subsets that rank the methods exactly as all images do.
        same_first: share in which the same method (or one that ties with it) has the lowest mean.
    """

    images: int
    tau: float
    same_order: float
    same_first: float


def rank_agreement(
    values: ArrayLike, sizes: Sequence[int] | None = None, subsets: int = SUBSETS, seed: int = 0
) -> list[RankAgreement]:
    """How well subsets of n images agree with all N on the order of k methods by their means.

    Subsets are drawn without replacement from the N images, so agreement is 1 at n = N and somewhat too high close to
    it. Means leave NaN out, as the table's do; a subset in which a method has no value agrees with nothing.

    Args:
        values: `(N, k)`, one row per image and one column per method; NaN where there is no value.
        sizes: numbers of images, each of 1 to N; by default `SIZES` below N, and N.
        subsets: of each size.
        seed: of the drawing.

    Raises:
        InputError: if there are fewer than two methods, or a size is out of range.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2 or not len(table):
        raise InputError(f"Expected `values` to be (images, methods) of two methods or more, but got {table.shape}.")
    n = len(table)
    sizes = [*(size for size in SIZES if size < n), n] if sizes is None else list(sizes)
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
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        means: NDArray[np.float64] = np.where(known, values, 0).sum(0) / known.sum(0)
    return means


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
