"""Are the differences between methods more than chance? Every pair of them, on the same images."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stackwalls.evaluate.report.paired_values import on_all_methods, paired_values
from stackwalls.evaluate.statistics import (
    PairedDifference,
    RankAgreement,
    holm_adjusted,
    paired_differences,
    rank_agreement,
    sign_flip_tests,
)


@dataclass(frozen=True)
class MethodPair:
    """Two methods on one dataset.

    Attributes:
        first: name.
        second: name.
        difference: of mu, first − second, over the images on which both have one.
        p: of the paired sign-flip test; NaN without a pair.
        adjusted: the same by Holm's correction over the dataset's pairs.
    """

    first: str
    second: str
    difference: PairedDifference
    p: float
    adjusted: float


def compare_methods(per_image: pd.DataFrame, dataset: str) -> tuple[MethodPair, ...]:
    """Every pair of methods, in the order of the run.

    Args:
        per_image: the per-image rows (`rows.ROW_SCHEMA`).
        dataset: which of them.
    """
    values = paired_values(per_image[per_image["dataset"] == dataset])
    pairs = list(itertools.combinations(values.columns, 2))
    if not pairs:
        return ()
    differences = np.column_stack([values[first] - values[second] for first, second in pairs])
    p_values = sign_flip_tests(differences)
    found = zip(pairs, paired_differences(differences), p_values, holm_adjusted(p_values), strict=True)
    return tuple(
        MethodPair(str(first), str(second), difference, float(p), float(adjusted))
        for (first, second), difference, p, adjusted in found
    )


def rank_stability(per_image: pd.DataFrame, dataset: str) -> list[RankAgreement]:
    """How well fewer images rank the methods as all do (`statistics.rank_agreement`), over images that all came to.

    Methods without any mu are left out; there is nothing to rank with fewer than two.
    """
    values = on_all_methods(per_image[per_image["dataset"] == dataset])
    values = values[:, ~np.isnan(values).all(0)]
    return rank_agreement(values) if values.shape[1] > 1 else []
