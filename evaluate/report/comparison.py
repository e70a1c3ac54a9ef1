"""Methods and networks compared image by image: every pair of methods, and a masked network with its baseline."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from stackwalls.evaluate.measurements import Measurements
from stackwalls.evaluate.report.formatting import (
    csv_text,
    difference_cells,
    markdown_table,
    markdown_text,
    p_cell,
    times_100,
)
from stackwalls.evaluate.report.table import paired_values
from stackwalls.evaluate.statistics import (
    PairedDifference,
    RankAgreement,
    holm_adjusted,
    paired_differences,
    rank_agreement,
    sign_flip_tests,
)
from stackwalls.model import InputError


@dataclass(frozen=True)
class MethodPair:
    """Two methods on one dataset."""

    first: str
    second: str
    difference: PairedDifference  # of mu, first − second, over the images on which both have one
    p: float  # of the paired sign-flip test; NaN without a pair
    adjusted: float  # p after Holm's correction over the dataset's pairs


def compare_methods(per_image: pd.DataFrame, dataset: str) -> tuple[MethodPair, ...]:
    """Every pair of methods on one dataset of the per-image rows (`ROW_SCHEMA`), in the order of the run."""
    values = paired_values(per_image[per_image["dataset"] == dataset])
    pairs = list(itertools.combinations(values.columns, 2))
    if not pairs:
        return ()
    differences = np.column_stack([values[first] - values[second] for first, second in pairs])
    p_values = sign_flip_tests(differences)
    found = zip(pairs, paired_differences(differences), p_values, holm_adjusted(p_values), strict=True)
    return tuple(MethodPair(str(a), str(b), mean, float(p), float(adjusted)) for (a, b), mean, p, adjusted in found)


def rank_stability(per_image: pd.DataFrame, dataset: str) -> list[RankAgreement]:
    """How well subsets of the images rank the methods as all images do (`statistics.rank_agreement`).

    Only images on which every method was run count, as a ranking on others is not fair. Methods without any mu are left
    out; with fewer than two there is nothing to rank.
    """
    rows = per_image[per_image["dataset"] == dataset]
    fewest = int(rows["method"].value_counts().min())
    values = paired_values(rows).to_numpy()[:fewest]
    values = values[:, ~np.isnan(values).all(0)]
    return rank_agreement(values) if values.shape[1] > 1 else []


@dataclass(frozen=True)
class BaselineRow:
    """One method on one dataset, on both networks."""

    dataset: str
    method: str
    masked: float  # mean mu on the network behind the wall, over the images that have one on both
    baseline: float  # mean mu on the other network, over the same images
    difference: PairedDifference  # masked − baseline
    p: float  # of the paired sign-flip test
    adjusted: float  # p after Holm's correction over all rows


@dataclass(frozen=True)
class BaselineComparison:
    """Masked − baseline: two networks on the same images, method by method."""

    masked: str  # the first network's name
    baseline: str  # the second's
    baseline_blind: bool  # whether the second is proven blind too
    rows: tuple[BaselineRow, ...]  # per dataset and method that both have
    alike: Mapping[str, tuple[int, int]]  # dataset → on how many images both predict the same class, and of how many

    @classmethod
    def of(cls, masked: Measurements, baseline: Measurements) -> BaselineComparison:
        """Compare on the images and methods that both have.

        Raises:
            InputError: if the walls differ, nothing is common, or the first network is the one that sees.
        """
        first, second = str(masked.run["model"]), str(baseline.run["model"])
        if masked.wall != baseline.wall:
            raise InputError(
                f"{first} was measured by the wall {masked.wall}, {second} by {baseline.wall}: evaluate both with the "
                "same wall (`--wall`)."
            )
        if baseline.blind and not masked.blind:
            raise InputError(
                f"{first} sees behind the wall, {second} does not: name the results of the blind network first."
            )
        joined = _joined(masked.per_image, baseline.per_image)
        if joined.empty:
            raise InputError("The two results have no image and method in common: evaluate both on the same datasets.")
        return cls(first, second, baseline.blind, _rows(joined), _alike(joined))

    def columns(self) -> list[str]:
        """Headings of `cells`; mu × 100."""
        return [self.masked, self.baseline, "difference", "95 % interval", "p (Holm)", "pairs", "dropped"]

    def cells(self, row: BaselineRow) -> list[str]:
        """A row as text, under `columns`."""
        means = (times_100(row.masked), times_100(row.baseline), *difference_cells(row.difference))
        return [*means, p_cell(row.adjusted), str(row.difference.n), str(row.difference.dropped)]

    def markdown(self) -> str:
        """A GitHub table that is readable in a terminal too."""
        lines = [["dataset", "method", *self.columns()], *([r.dataset, r.method, *self.cells(r)] for r in self.rows)]
        return f"{markdown_table(lines, left=2, align=True)}\n\n" + "\n".join(map(markdown_text, self.legend())) + "\n"

    def legend(self) -> list[str]:
        """What is compared, and what differs."""
        sees = "is blind too" if self.baseline_blind else "sees behind the wall"
        said = (
            f"mu × 100 of {self.masked} minus that of {self.baseline}, which {sees}, image by image. p: sign-flip "
            "test, Holm-corrected over all rows. Dropped: images without mu on one of the two networks."
        )
        same = "{}: both networks predict the same class for {} of {} images."
        return [said, *(same.format(dataset, *counts) for dataset, counts in self.alike.items())]

    def csv(self) -> str:
        """`records` as CSV; `nan` where a number does not exist."""
        return csv_text(self.records())

    def records(self) -> list[dict[str, Any]]:
        """One dict per row, full precision, in [0, 1]."""
        records: list[dict[str, Any]] = []
        for row in self.rows:
            of_row, apart = {"dataset": row.dataset, "method": row.method}, row.difference
            means = {"masked_mu_mean": row.masked, "baseline_mu_mean": row.baseline, "difference": apart.mean}
            spread = {f"difference_{name}": getattr(apart, name) for name in ("low", "high", "std")}
            tested = {"effect": apart.effect, "p": row.p, "p_holm": row.adjusted}
            records.append(of_row | means | spread | tested | {"pairs": apart.n, "dropped": apart.dropped})
        return records


_KEY = ["dataset", "image_id", "method"]


def _joined(masked: pd.DataFrame, baseline: pd.DataFrame) -> pd.DataFrame:
    """Rows of the same dataset, image and method; an id that comes twice is matched in its order."""
    numbered = [frame.assign(copy=frame.groupby(_KEY, sort=False).cumcount()) for frame in (masked, baseline)]
    kept = [frame[[*_KEY, "copy", "mu", "prediction"]] for frame in numbered]
    return kept[0].merge(kept[1], on=[*_KEY, "copy"], suffixes=("", "_baseline"), sort=False)


def _rows(joined: pd.DataFrame) -> tuple[BaselineRow, ...]:
    found = []
    for (dataset, method), group in joined.groupby(["dataset", "method"], sort=False):
        first, second = (group[name].to_numpy(dtype=np.float64) for name in ("mu", "mu_baseline"))
        differences = (first - second)[:, None]
        both = ~np.isnan(differences[:, 0])
        masked, baseline = (float(each[both].mean()) if both.any() else math.nan for each in (first, second))
        difference, p = paired_differences(differences)[0], float(sign_flip_tests(differences)[0])
        found.append(BaselineRow(str(dataset), str(method), masked, baseline, difference, p, math.nan))
    adjusted = holm_adjusted([row.p for row in found])
    return tuple(replace(row, adjusted=float(p)) for row, p in zip(found, adjusted, strict=True))


def _alike(joined: pd.DataFrame) -> dict[str, tuple[int, int]]:
    images = joined.drop_duplicates(["dataset", "image_id", "copy"])
    same = images["prediction"] == images["prediction_baseline"]
    return {str(name): (int(group.sum()), len(group)) for name, group in same.groupby(images["dataset"], sort=False)}
