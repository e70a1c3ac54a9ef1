"""Masked − unmasked: two evaluations on the same images, one of a network behind the wall, one of a baseline."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from stackwalls.evaluate.report.number_format import difference_cell, p_cell, times_100
from stackwalls.evaluate.report.table_text import markdown_table
from stackwalls.evaluate.statistics import PairedDifference, holm_adjusted, paired_differences, sign_flip_tests
from stackwalls.model import InputError

if TYPE_CHECKING:
    from stackwalls.evaluate.results import Results


@dataclass(frozen=True)
class BaselineRow:
    """One method on one dataset, on both networks.

    Attributes:
        dataset: name.
        method: name.
        masked: mean mu on the network behind the wall, over the images that have one on both.
        baseline: mean mu on the other network, over the same images.
        difference: masked − baseline.
        p: of the paired sign-flip test.
        adjusted: the same by Holm's correction over all rows.
    """

    dataset: str
    method: str
    masked: float
    baseline: float
    difference: PairedDifference
    p: float
    adjusted: float


@dataclass(frozen=True)
class BaselineComparison:
    """Two networks, method by method.

    Attributes:
        masked: the first network's name.
        baseline: the second network's name.
        baseline_blind: whether the second is proven blind too.
        rows: what they have in common.
        alike: dataset → how many of its images both networks put into the same class, and of how many.
    """

    masked: str
    baseline: str
    baseline_blind: bool
    rows: tuple[BaselineRow, ...]
    alike: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, masked: Results, baseline: Results) -> BaselineComparison:
        """Compare on the images and methods that both have.

        Raises:
            InputError: if the walls differ, nothing is common, or the first network is the one that sees.
        """
        if masked.wall != baseline.wall:
            raise InputError(
                f"{masked.run['model']} was measured by the wall {masked.wall}, {baseline.run['model']} by "
                f"{baseline.wall}: evaluate both with the same wall (`--wall`)."
            )
        blind = [bool(results.run.get("blind", True)) for results in (masked, baseline)]
        if blind == [False, True]:
            raise InputError(
                f"{masked.run['model']} sees what lies behind the wall, {baseline.run['model']} does not: name the "
                "results of the blind network first."
            )
        joined = _joined(masked.per_image, baseline.per_image)
        if joined.empty:
            raise InputError("The two results have no image and method in common: evaluate both on the same datasets.")
        names = (str(masked.run["model"]), str(baseline.run["model"]))
        return cls(*names, blind[1], _rows(joined), _alike(joined))

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names, in the order of the first evaluation."""
        return tuple(dict.fromkeys(row.dataset for row in self.rows))

    def of_dataset(self, dataset: str) -> list[BaselineRow]:
        """One dataset's rows."""
        return [row for row in self.rows if row.dataset == dataset]

    def cells(self, row: BaselineRow) -> list[str]:
        """A row in words, as `columns` heads them."""
        ends = (times_100(row.masked), times_100(row.baseline), *difference_cell(row.difference))
        return [*ends, p_cell(row.adjusted), str(row.difference.n), str(row.difference.dropped)]

    def columns(self) -> list[str]:
        """Headings of `cells`; mu × 100."""
        return [self.masked, self.baseline, "difference", "95 % interval", "p (Holm)", "pairs", "dropped"]

    def markdown(self) -> str:
        """As a GitHub table; readable in a terminal too."""
        lines = [["dataset", "method", *self.columns()]]
        lines += [[row.dataset, row.method, *self.cells(row)] for row in self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        padded = [
            [
                cell.ljust(width) if i < 2 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ]
            for line in lines
        ]
        rule = ["-" * width if i < 2 else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
        return f"{markdown_table([padded[0], rule, *padded[1:]])}\n\n" + "\n".join(self.legend()) + "\n"

    def legend(self) -> list[str]:
        """What is compared, and what is not the same."""
        sees = "is blind too" if self.baseline_blind else "sees the band"
        lines = [
            f"mu × 100 of {self.masked} minus that of {self.baseline}, which {sees}, image by image; p by sign flips, "
            "Holm-corrected over all rows. Dropped: images without mu on one of the two.",
        ]
        for dataset, (same, count) in self.alike.items():
            lines.append(f"{dataset}: both networks put {same} of {count} images into the same class.")
        return lines

    def csv(self) -> str:
        """One line a row, full precision, in [0, 1]; `nan` where a number does not exist."""
        file = io.StringIO()
        records = self.records()
        writer = csv.DictWriter(file, fieldnames=list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        return file.getvalue()

    def records(self) -> list[dict[str, Any]]:
        """The lines of `csv` as dicts."""
        return [
            {
                "dataset": row.dataset,
                "method": row.method,
                "masked_mu_mean": row.masked,
                "baseline_mu_mean": row.baseline,
                "difference": row.difference.mean,
                "difference_low": row.difference.low,
                "difference_high": row.difference.high,
                "difference_std": row.difference.std,
                "effect": row.difference.effect,
                "p": row.p,
                "p_holm": row.adjusted,
                "pairs": row.difference.n,
                "dropped": row.difference.dropped,
            }
            for row in self.rows
        ]


_KEY = ["dataset", "image_id", "method"]


def _joined(masked: pd.DataFrame, baseline: pd.DataFrame) -> pd.DataFrame:
    """Rows of the same dataset, image and method; an id that comes twice is matched in its order."""
    numbered = [frame.assign(copy=frame.groupby(_KEY, sort=False).cumcount()) for frame in (masked, baseline)]
    kept = [frame[[*_KEY, "copy", "mu", "prediction"]] for frame in numbered]
    return kept[0].merge(kept[1], on=[*_KEY, "copy"], suffixes=("", "_baseline"), sort=False)


def _rows(joined: pd.DataFrame) -> tuple[BaselineRow, ...]:
    found = []
    for (dataset, method), group in joined.groupby(_KEY[::2], sort=False):
        first, second = (group[name].to_numpy(dtype=np.float64) for name in ("mu", "mu_baseline"))
        differences = (first - second)[:, None]
        both = ~np.isnan(differences[:, 0])
        on_masked, on_baseline = (float(each[both].mean()) if both.any() else math.nan for each in (first, second))
        difference, p = paired_differences(differences)[0], float(sign_flip_tests(differences)[0])
        found.append(BaselineRow(str(dataset), str(method), on_masked, on_baseline, difference, p, math.nan))
    adjusted = holm_adjusted([row.p for row in found])
    return tuple(replace(row, adjusted=float(p)) for row, p in zip(found, adjusted, strict=True))


def _alike(joined: pd.DataFrame) -> dict[str, tuple[int, int]]:
    images = joined.drop_duplicates(["dataset", "image_id", "copy"])
    same = images["prediction"] == images["prediction_baseline"]
    return {str(name): (int(group.sum()), len(group)) for name, group in same.groupby(images["dataset"], sort=False)}
