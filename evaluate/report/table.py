"""Table 1: mu of every method on every dataset, with its interval and chance level, as text, Markdown and CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from stackwalls.evaluate.mu_metric import Summary, summarise
from stackwalls.evaluate.report.number_format import (
    UNDEFINED,
    interval_cell,
    mean_and_std,
    percent,
    times_100,
    times_chance,
)
from stackwalls.evaluate.report.paired_values import paired_values
from stackwalls.evaluate.report.table_text import aligned, beside, fitting, markdown_table
from stackwalls.evaluate.statistics import Interval, bootstrap_intervals

_WIDTH = 100
"""Of a terminal, in characters; datasets stand side by side as far as they fit."""

_BRIEF = {
    "mu × 100": "mu × 100",
    "95 % interval": "95 %",
    "n": "n",
    "NaN": "NaN",
    "failed": "failed",
    "native mu": "native",
}
"""What the terminal shows, under shorter headings; the other forms show everything."""


@dataclass(frozen=True)
class TableRow:
    """One method on one dataset. Shares and mu in [0, 1].

    Attributes:
        dataset: name.
        method: name.
        images: how many were tried: `mu.n + mu.nan + failed`.
        mu: of the maps that have one; `mu.nan` maps are zero everywhere.
        interval: of the mean of mu: the bootstrap's 95 % (`statistics.bootstrap`).
        mu_native: the same at the map's own resolution.
        failed: images on which the method failed or gave no valid map.
        lit: share of the maps with any positive value in the dead zone.
        energy: mean of the dead zone's share of the map's sum.
        pointing: mean of whether the map's maximum lies in the dead zone.
        seconds: median per image; a timing, so it is not part of the written tables.
    """

    dataset: str
    method: str
    images: int
    mu: Summary
    interval: Interval
    mu_native: Summary
    failed: int
    lit: float
    energy: float
    pointing: float
    seconds: float


@dataclass(frozen=True)
class Accuracy:
    """How many of a dataset's labelled images the network classifies as labelled."""

    labelled: int
    correct: int

    def __str__(self) -> str:
        if not self.labelled:
            return "no labels"
        return f"top-1 {percent(self.correct / self.labelled, 1)} of {self.labelled}"


@dataclass(frozen=True)
class Table:
    """Table 1.

    Attributes:
        rows: by dataset, then method, in the order of the run.
        accuracy: dataset → how the network classifies it.
        chance: mu of a uniform map; its energy and pointing game are the square of it, the dead zone's share.
    """

    rows: tuple[TableRow, ...]
    accuracy: Mapping[str, Accuracy]
    chance: float

    @classmethod
    def of(cls, per_image: pd.DataFrame, chance: float) -> Table:
        """From the per-image rows (see `rows.ROW_SCHEMA`)."""
        groups = per_image.groupby(["dataset", "method"], sort=False)
        intervals = _intervals(per_image)
        rows = [_row(str(name), str(method), group, intervals[name, method]) for (name, method), group in groups]
        accuracy = {str(name): _accuracy(group) for name, group in per_image.groupby("dataset", sort=False)}
        order = list(dict.fromkeys(per_image["method"]))
        rows.sort(key=lambda row: (list(accuracy).index(row.dataset), order.index(row.method)))
        return cls(tuple(rows), accuracy, chance)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names, in the order of the run."""
        return tuple(self.accuracy)

    @property
    def methods(self) -> tuple[str, ...]:
        """Names, in the order of the run."""
        return tuple(dict.fromkeys(row.method for row in self.rows))

    def columns(self) -> list[str]:
        """Headings of one dataset's cells; "failed" only where something did."""
        failed = ["failed"] if any(row.failed for row in self.rows) else []
        shares = ["lit", "energy", "pointing"]
        return ["mu × 100", "95 % interval", "mu/chance", "n", "NaN", *failed, *shares, "native mu"]

    def cells(self, dataset: str, method: str) -> list[str]:
        """One dataset's cells of a method's line, as `columns` heads them."""
        row = self.find(dataset, method)
        if row is None:
            return [UNDEFINED] * len(self.columns())
        found = {
            "mu × 100": mean_and_std(row.mu),
            "95 % interval": interval_cell(row.interval),
            "mu/chance": times_chance(row.mu.mean, self.chance),
            "n": str(row.mu.n),
            "NaN": str(row.mu.nan),
            "failed": str(row.failed),
            "lit": percent(row.lit),
            "energy": percent(row.energy, 1),
            "pointing": percent(row.pointing),
            "native mu": mean_and_std(row.mu_native),
        }
        return [found[head] for head in self.columns()]

    def chance_cells(self) -> list[str]:
        """The line below the methods: what a uniform map has."""
        mu, share = times_100(self.chance), self.chance**2
        found = {"mu × 100": mu, "mu/chance": "1.00", "lit": "100 %", "native mu": mu}
        found |= {"energy": percent(share, 1), "pointing": percent(share)}
        return [found.get(head, "") for head in self.columns()]

    def find(self, dataset: str, method: str) -> TableRow | None:
        """The line of a method on a dataset, where there is one."""
        return next((row for row in self.rows if (row.dataset, row.method) == (dataset, method)), None)

    def text(self) -> str:
        """For a terminal: datasets side by side as far as they fit 100 columns, the main columns, what they mean."""
        blocks = [self._block(dataset) for dataset in self.datasets]
        names = ["", *aligned([["method"], *([method] for method in self.methods), ["chance"]], left=True)]
        tables = [beside([names, *group]) for group in fitting(names, blocks, _WIDTH)]
        return "\n\n".join("\n".join(lines) for lines in [*tables, self.brief_legend()]) + "\n"

    def _block(self, dataset: str) -> list[str]:
        """A dataset's title and lines, of the columns that the terminal shows."""
        places = [place for place, head in enumerate(self.columns()) if head in _BRIEF]
        lines = [[_BRIEF.get(head, "") for head in self.columns()]]
        lines += [self.cells(dataset, method) for method in self.methods] + [self.chance_cells()]
        native = self.columns().index("native mu")
        for line in lines:
            line[native] = line[native].partition(" ±")[0]
        body = aligned([[line[place] for place in places] for line in lines])
        title = f"{dataset} ({self.accuracy[dataset]})"
        width = max(len(title), len(body[0]))
        return [title.center(width), *(line.rjust(width) for line in body)]

    def markdown(self) -> str:
        """A GitHub table a dataset, and what the columns mean."""
        parts = []
        for dataset in self.datasets:
            lines = [["method", *self.columns()], ["---", *["---:"] * len(self.columns())]]
            lines += [[method, *self.cells(dataset, method)] for method in self.methods]
            lines.append(["*uniform map (chance)*", *self.chance_cells()])
            parts.append(f"**{dataset}** ({self.accuracy[dataset]})")
            parts.append(markdown_table(lines))
        return "\n\n".join([*parts, "\n".join(f"- {line}" for line in self.legend())]) + "\n"

    def csv(self) -> str:
        """One line a dataset and method, full precision, in [0, 1]; `nan` where a number does not exist."""
        file = io.StringIO()
        records = self.records()
        writer = csv.DictWriter(file, fieldnames=list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        return file.getvalue()

    def records(self) -> list[dict[str, Any]]:
        """The lines of `csv` as dicts."""
        return [_record(row, self.chance) for row in self.rows]

    def legend(self) -> list[str]:
        """What the columns mean, and what is undefined and why."""
        return [
            *self._first_words(),
            "95 % interval: of the mean, by bootstrap over the images (BCa). mu/chance: a uniform map has 1.",
            "lit: share of the maps with any positive value in the dead zone, be it by upsampling. energy: the dead "
            "zone's share of a map's sum. pointing: how often a map's maximum lies there.",
            *self._last_words(),
        ]

    def brief_legend(self) -> list[str]:
        """`legend` for the columns that the terminal shows."""
        return [
            *self._first_words(),
            "95 %: interval of the mean, by bootstrap over the images. More columns: table.md, table.csv, report.html.",
            *self._last_words(),
        ]

    def _first_words(self) -> list[str]:
        return [
            f"mu × 100: mean ± std (unbiased) over n maps; a uniform map has {times_100(self.chance)} (chance).",
            "NaN: maps that are zero everywhere, which have no mu.",
        ]

    def _last_words(self) -> list[str]:
        lines = ["native mu: mu × 100 before upsampling, which draws the last row that is seen over the wall."]
        if "failed" in self.columns():
            lines.append("failed: images without a valid map; the per-image rows say why.")
        if any(math.isnan(value) for row in self.rows for value in (row.mu.std, row.mu_native.std)):
            lines.append(f"{UNDEFINED}: undefined (no mean of nothing, no std of fewer than two).")
        return lines


def _intervals(per_image: pd.DataFrame) -> dict[tuple[Any, Any], Interval]:
    """(dataset, method) → interval of the mean of mu; a dataset's methods are resampled together."""
    found = {}
    for dataset, rows in per_image.groupby("dataset", sort=False):
        values = paired_values(rows)
        for method, interval in zip(values.columns, bootstrap_intervals(values), strict=True):
            found[dataset, method] = interval
    return found


def _row(dataset: str, method: str, group: pd.DataFrame, interval: Interval) -> TableRow:
    measured = group[group["error"].isna()]
    return TableRow(
        dataset=dataset,
        method=method,
        images=len(group),
        mu=summarise(measured["mu"]),
        interval=interval,
        mu_native=summarise(measured["mu_native"]),
        failed=len(group) - len(measured),
        lit=float(measured["lit"].mean()) if len(measured) else math.nan,
        energy=summarise(measured["energy"]).mean,
        pointing=summarise(measured["pointing"]).mean,
        seconds=float(measured["seconds"].median()) if len(measured) else math.nan,
    )


def _accuracy(group: pd.DataFrame) -> Accuracy:
    # any method's rows say it; ids may repeat
    most = group["method"].value_counts().idxmax()
    known = group.loc[group["method"] == most, "correct"].dropna()
    return Accuracy(len(known), int(known.sum()))


def _record(row: TableRow, chance: float) -> dict[str, Any]:
    return {
        "dataset": row.dataset,
        "method": row.method,
        "images": row.images,
        "n": row.mu.n,
        "nan": row.mu.nan,
        "failed": row.failed,
        "mu_mean": row.mu.mean,
        "mu_std": row.mu.std,
        "mu_low": row.interval.low,
        "mu_high": row.interval.high,
        "chance": chance,
        "mu_over_chance": row.mu.mean / chance if chance else math.nan,
        "lit": row.lit,
        "native_mu_mean": row.mu_native.mean,
        "native_mu_std": row.mu_native.std,
        "energy_mean": row.energy,
        "pointing_mean": row.pointing,
    }
