"""Table 1: mu of every method on every dataset, with its chance level, as text, Markdown and CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from stackwalls.evaluate.mu_metric import Summary, summarise

UNDEFINED = "–"
"""What a table shows where a number does not exist."""

_DATASETS_PER_LINE = 2
"""Datasets side by side in the text form; more would not fit a terminal."""


@dataclass(frozen=True)
class TableRow:
    """One method on one dataset. Shares and mu in [0, 1].

    Attributes:
        dataset: name.
        method: name.
        images: how many were tried: `mu.n + mu.nan + failed`.
        mu: of the maps that have one; `mu.nan` maps are zero everywhere.
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
        chance: mu of a uniform map.
    """

    rows: tuple[TableRow, ...]
    accuracy: Mapping[str, Accuracy]
    chance: float

    @classmethod
    def of(cls, per_image: pd.DataFrame, chance: float) -> Table:
        """From the per-image rows (see `rows.ROW_SCHEMA`)."""
        groups = per_image.groupby(["dataset", "method"], sort=False)
        rows = [_row(str(dataset), str(method), group) for (dataset, method), group in groups]
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
        return ["mu × 100", "n", "NaN", *failed, "lit", "native mu"]

    def cells(self, dataset: str, method: str) -> list[str]:
        """One dataset's cells of a method's line, as `columns` heads them."""
        row = next((row for row in self.rows if (row.dataset, row.method) == (dataset, method)), None)
        if row is None:
            return [UNDEFINED] * len(self.columns())
        failed = [str(row.failed)] if "failed" in self.columns() else []
        lit, native = percent(row.lit), mean_and_std(row.mu_native)
        return [mean_and_std(row.mu), str(row.mu.n), str(row.mu.nan), *failed, lit, native]

    def chance_cells(self) -> list[str]:
        """The line below the methods: what a uniform map has."""
        empty = [""] * (len(self.columns()) - 3)
        return [f"{100 * self.chance:.1f}", *empty, percent(1), f"{100 * self.chance:.1f}"]

    def text(self) -> str:
        """For a terminal: datasets side by side, two a line, and what the columns mean."""
        groups = [self.datasets[i : i + _DATASETS_PER_LINE] for i in range(0, len(self.datasets), _DATASETS_PER_LINE)]
        lines = ["\n".join(_side_by_side(self, group)) for group in groups]
        return "\n\n".join([*lines, "\n".join(self.legend())]) + "\n"

    def markdown(self) -> str:
        """As a GitHub table; the dataset's name is part of its headings where there are several."""
        several = len(self.datasets) > 1
        heads = [f"{name}: {head}" if several else head for name in self.datasets for head in self.columns()]
        lines = [["method", *heads], ["---", *["---:"] * len(heads)]]
        lines += [
            [method, *(cell for name in self.datasets for cell in self.cells(name, method))] for method in self.methods
        ]
        lines.append(["*uniform map (chance)*", *self.chance_cells() * len(self.datasets)])
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        accuracy = [f"{name}: {accuracy}." for name, accuracy in self.accuracy.items()]
        return table + "\n\n" + "\n".join(f"- {line}" for line in [*accuracy, *self.legend()]) + "\n"

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
        lines = [
            f"mu × 100: mean ± std (unbiased) over n maps; a uniform map has {100 * self.chance:.1f} (chance).",
            "NaN: maps that are zero everywhere, which have no mu. "
            "lit: share of the maps with any positive value in the dead zone, be it by upsampling.",
            "native mu: mu × 100 of the map before upsampling, which draws the last row that is seen over the wall.",
        ]
        if "failed" in self.columns():
            lines.append("failed: images without a valid map; the per-image rows say why.")
        if any(math.isnan(value) for row in self.rows for value in (row.mu.std, row.mu_native.std)):
            lines.append(f"{UNDEFINED}: undefined (no mean of nothing, no std of fewer than two).")
        return lines


def mean_and_std(summary: Summary) -> str:
    """`22.7 ± 13.4`: both × 100, of equal width in a column."""
    mean, std = (UNDEFINED if math.isnan(value) else f"{100 * value:.1f}" for value in (summary.mean, summary.std))
    return f"{mean} ± {std:>4}"


def percent(share: float, digits: int = 0) -> str:
    """`98 %`, or what stands for undefined."""
    return UNDEFINED if math.isnan(share) else f"{100 * share:.{digits}f} %"


def _row(dataset: str, method: str, group: pd.DataFrame) -> TableRow:
    measured = group[group["error"].isna()]
    return TableRow(
        dataset=dataset,
        method=method,
        images=len(group),
        mu=summarise(measured["mu"]),
        mu_native=summarise(measured["mu_native"]),
        failed=len(group) - len(measured),
        lit=float(measured["lit"].mean()) if len(measured) else math.nan,
        energy=summarise(measured["energy"]).mean,
        pointing=summarise(measured["pointing"]).mean,
        seconds=float(measured["seconds"].median()) if len(measured) else math.nan,
    )


def _accuracy(group: pd.DataFrame) -> Accuracy:
    images = group.drop_duplicates("image_id")
    known = images["correct"].dropna()
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
        "chance": chance,
        "lit": row.lit,
        "native_mu_mean": row.mu_native.mean,
        "native_mu_std": row.mu_native.std,
        "energy_mean": row.energy,
        "pointing_mean": row.pointing,
    }


def _side_by_side(table: Table, datasets: Sequence[str]) -> list[str]:
    first = _aligned([["method"], *([method] for method in table.methods), ["chance"]], left=True)
    blocks = [["", *first]]
    for name in datasets:
        lines = _aligned(
            [table.columns(), *(table.cells(name, method) for method in table.methods), table.chance_cells()]
        )
        title = f"{name} ({table.accuracy[name]})"
        width = max(len(title), len(lines[0]))
        blocks.append([title.center(width), *(line.rjust(width) for line in lines)])
    return [" | ".join(parts).rstrip() for parts in zip(*_padded(blocks), strict=True)]


def _padded(blocks: Sequence[list[str]]) -> Iterator[list[str]]:
    for block in blocks:
        width = max(len(line) for line in block)
        yield [line.ljust(width) for line in block]


def _aligned(lines: Sequence[Sequence[str]], left: bool = False) -> list[str]:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    pad = str.ljust if left else str.rjust
    return ["  ".join(pad(cell, width) for cell, width in zip(line, widths, strict=True)) for line in lines]
