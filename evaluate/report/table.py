"""Table 1: mu of every method on every dataset, with its interval and chance level, in four forms of text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from stackwalls.evaluate.metrics import Summary, summarize
from stackwalls.evaluate.report.formatting import (
    UNDEFINED,
    aligned,
    csv_text,
    fitting,
    interval_cell,
    latex_table,
    latex_text,
    markdown_table,
    markdown_text,
    mean_and_std,
    percent,
    ratio,
    side_by_side,
    times_100,
)
from stackwalls.evaluate.statistics import FEWEST, Interval, bootstrap_intervals

_BRIEF = {"95 % interval": "95 %", "native mu": "native"} | {head: head for head in ("mu × 100", "n", "NaN", "failed")}
"""The columns that a terminal shows, and their shorter headings there."""


@dataclass(frozen=True)
class TableRow:
    """One method on one dataset. Shares and mu in [0, 1]."""

    dataset: str
    method: str
    images: int  # how many were tried: mu.n + mu.nan + failed
    mu: Summary  # of the maps that have one; mu.nan maps are zero everywhere
    interval: Interval  # 95 % interval of the mean of mu (statistics.bootstrap_interval)
    mu_native: Summary  # mu at the map's own resolution
    failed: int  # images on which the method failed or gave no valid map
    lit: float  # share of the maps with any positive value in the dead zone
    energy: float  # mean of the dead zone's share of the map's sum
    pointing: float  # share of the maps whose maximum is in the dead zone
    seconds: float  # median per image; a timing, so it is not part of the written tables

    @classmethod
    def of(cls, dataset: str, method: str, rows: pd.DataFrame, interval: Interval) -> TableRow:
        """From the per-image rows of one method on one dataset."""
        measured = rows[rows["error"].isna()]
        mu, native, energy, pointing = (summarize(measured[key]) for key in ("mu", "mu_native", "energy", "pointing"))
        lit = float(measured["lit"].mean()) if len(measured) else math.nan
        seconds = float(measured["seconds"].median()) if len(measured) else math.nan
        counts = len(rows), len(rows) - len(measured)
        return cls(
            dataset, method, counts[0], mu, interval, native, counts[1], lit, energy.mean, pointing.mean, seconds
        )


@dataclass(frozen=True)
class Accuracy:
    """How many of a dataset's labeled images the network classifies as labeled."""

    labeled: int
    correct: int

    def __str__(self) -> str:
        if not self.labeled:
            return "no labels"
        return f"top-1 {percent(self.correct / self.labeled, 1)} of {self.labeled}"

    @classmethod
    def of(cls, rows: pd.DataFrame) -> Accuracy:
        """From the per-image rows of one dataset: those of the method with the most images, as ids may repeat."""
        most = rows["method"].value_counts().idxmax()
        known = rows.loc[rows["method"] == most, "correct"].dropna()
        return cls(len(known), int(known.sum()))


@dataclass(frozen=True)
class Table:
    """Table 1."""

    rows: tuple[TableRow, ...]  # by dataset, then method, in the order of the run
    accuracy: Mapping[str, Accuracy]  # dataset → the network's accuracy on it
    chance: float  # mu of a uniform map; its energy and pointing are the square of it, the dead zone's share
    notes: tuple[str, ...] = ()  # what a reader must know of the run (`provenance.notes`), the kind of wall included
    wall_kind: str = "layers"  # for `records`: a key of `WALL_KINDS_IN_WORDS`; "none" if the network is not blind
    native_chance: float | None = None  # native mu of a uniform map, where that is not `chance`

    @classmethod
    def of(
        cls,
        per_image: pd.DataFrame,
        chance: float,
        notes: Sequence[str] = (),
        wall_kind: str = "layers",
        native_chance: float | None = None,
    ) -> Table:
        """From the per-image rows (see `ROW_SCHEMA`)."""
        rows, accuracy = [], {}
        order = list(dict.fromkeys(per_image["method"]))
        for dataset, own in per_image.groupby("dataset", sort=False):
            accuracy[str(dataset)] = Accuracy.of(own)
            values = paired_values(own)  # a dataset's methods are resampled together
            intervals = dict(zip(map(str, values.columns), bootstrap_intervals(values), strict=True))
            groups = sorted(own.groupby("method", sort=False), key=lambda group: order.index(group[0]))
            rows += [TableRow.of(str(dataset), str(name), group, intervals[str(name)]) for name, group in groups]
        return cls(tuple(rows), accuracy, chance, tuple(notes), wall_kind, native_chance)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names, in the order of the run."""
        return tuple(self.accuracy)

    @property
    def methods(self) -> tuple[str, ...]:
        """Names, in the order of the run."""
        return tuple(dict.fromkeys(row.method for row in self.rows))

    def find(self, dataset: str, method: str) -> TableRow | None:
        """The row of a method on a dataset, if there is one."""
        return next((row for row in self.rows if (row.dataset, row.method) == (dataset, method)), None)

    def columns(self) -> list[str]:
        """Headings of one dataset's cells; "failed" only if anything failed."""
        failed = ["failed"] if any(row.failed for row in self.rows) else []
        shares = ["lit", "energy", "pointing"]
        return ["mu × 100", "95 % interval", "mu/chance", "n", "NaN", *failed, *shares, "native mu"]

    def cells(self, dataset: str, method: str) -> list[str]:
        """One dataset's cells of a method's row, under `columns`."""
        row = self.find(dataset, method)
        if row is None:
            return [UNDEFINED] * len(self.columns())
        found = {
            "mu × 100": mean_and_std(row.mu),
            "95 % interval": interval_cell(row.interval),
            "mu/chance": ratio(self._over_chance(row)),
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
        """The last row: a uniform map."""
        mu, share = times_100(self.chance), self.chance**2
        native = mu if self.native_chance is None else times_100(self.native_chance)
        found = {"mu × 100": mu, "mu/chance": "1.00", "lit": "100 %", "native mu": native}
        found |= {"energy": percent(share, 1), "pointing": percent(share)}
        return [found.get(head, "") for head in self.columns()]

    def _over_chance(self, row: TableRow) -> float:
        return row.mu.mean / self.chance if self.chance else math.nan

    def text(self) -> str:
        """For a terminal: the main columns, datasets side by side as far as 100 characters allow, and a legend."""
        blocks = [self._block(dataset) for dataset in self.datasets]
        names = ["", *aligned([["method"], *([method] for method in self.methods), ["chance"]], left=1)]
        tables = [side_by_side([names, *group]) for group in fitting(names, blocks, 100)]
        said = [*self.legend(brief=True), "More columns: table.md, table.csv, report.html.", *self.notes]
        return "\n\n".join("\n".join(lines) for lines in [*tables, said]) + "\n"

    def _brief_lines(self, dataset: str) -> list[list[str]]:
        """A dataset's heading and rows, of the columns that a terminal shows."""
        lines = [self.cells(dataset, method) for method in self.methods] + [self.chance_cells()]
        cells = [dict(zip(self.columns(), line, strict=True)) for line in lines]
        for line in cells:
            line["native mu"] = line["native mu"].partition(" ±")[0]
        shown = [head for head in self.columns() if head in _BRIEF]
        return [[_BRIEF[head] for head in shown], *([line[head] for head in shown] for line in cells)]

    def _block(self, dataset: str) -> list[str]:
        body = aligned(self._brief_lines(dataset))
        title = f"{dataset} ({self.accuracy[dataset]})"
        width = max(len(title), len(body[0]))
        return [title.center(width), *(line.rjust(width) for line in body)]

    def markdown(self) -> str:
        """A GitHub table per dataset, and what the columns mean."""
        parts = []
        for dataset, accuracy in self.accuracy.items():
            lines = [["method", *self.columns()], *([name, *self.cells(dataset, name)] for name in self.methods)]
            lines.append(["*uniform map (chance)*", *self.chance_cells()])
            parts += [f"**{markdown_text(dataset)}** ({accuracy})", markdown_table(lines)]
        said = [f"- {markdown_text(line)}" for line in (*self.legend(), *self.notes)]
        return "\n\n".join([*parts, "\n".join(said)]) + "\n"

    def latex(self) -> str:
        """A LaTeX `table` per dataset that needs no package, of the columns that a terminal shows."""
        parts = ["% by stackwalls"]
        for dataset, accuracy in self.accuracy.items():
            head, *lines = self._brief_lines(dataset)
            names = [[name] for name in (*self.methods, "chance")]
            cells = [["method", *head], *(name + line for name, line in zip(names, lines, strict=True))]
            said = latex_text(" ".join([f"{dataset} ({accuracy}).", *self.legend(brief=True), *self.notes]))
            body = ["\\centering", f"\\caption{{{said}}}", latex_table(cells)]
            parts += ["\n".join([r"\begin{table}", *body, r"\end{table}"])]
        return "\n\n".join(parts) + "\n"

    def csv(self) -> str:
        """`records` as CSV; `nan` where a number does not exist."""
        return csv_text(self.records())

    def records(self) -> list[dict[str, Any]]:
        """One dict per dataset and method, in [0, 1] at full precision."""
        records: list[dict[str, Any]] = []
        for row in self.rows:
            names = {"dataset": row.dataset, "method": row.method}
            counts = {"images": row.images, "n": row.mu.n, "nan": row.mu.nan, "failed": row.failed}
            mu = {
                "mu_mean": row.mu.mean,
                "mu_std": row.mu.std,
                "mu_low": row.interval.low,
                "mu_high": row.interval.high,
            }
            chance = {"chance": self.chance, "mu_over_chance": self._over_chance(row)}
            native = {"native_mu_mean": row.mu_native.mean, "native_mu_std": row.mu_native.std}
            others = {"energy_mean": row.energy, "pointing_mean": row.pointing}
            kind = {"wall_kind": self.wall_kind}
            records.append({**names, **counts, **mu, **chance, "lit": row.lit, **native, **others, **kind})
        return records

    def legend(self, brief: bool = False) -> list[str]:
        """What the columns mean, in a terminal if `brief`, and what is undefined and why."""
        lines = [
            f"mu × 100: mean ± std (unbiased) over n maps; a uniform map has {times_100(self.chance)} (chance).",
            "NaN: all-zero maps, which have no mu.",
        ]
        if brief:
            lines.append("95 %: bootstrap interval of the mean.")
        else:
            lines += [
                "95 % interval: of the mean, by bootstrap over the images (BCa). mu/chance: 1 for a uniform map.",
                "lit: share of maps with any positive value in the dead zone, including those lit only by upsampling. "
                "energy: share of a map's sum in the dead zone. pointing: share of maps whose maximum is there.",
            ]
        lines.append("native mu: at the map's own resolution. Upsampling smears visible cells across the wall.")
        if any(0 < row.mu.n < FEWEST for row in self.rows):
            lines.append(f"n < {FEWEST}: too few maps for an interval.")
        if "failed" in self.columns():
            lines.append("failed: images without a valid map; the per-image rows say why.")
        if any(math.isnan(value) for row in self.rows for value in (row.mu.std, row.mu_native.std)):
            lines.append(f"{UNDEFINED}: undefined (the mean of no values, or the std of fewer than two).")
        return lines


def paired_values(rows: pd.DataFrame) -> pd.DataFrame:
    """One dataset's mu side by side, as paired statistics need it.

    Args:
        rows: the per-image rows of one dataset; each method's images are the dataset's first ones, in its order.

    Returns:
        Float64, one row per image position and one column per method in the order of the run; NaN where the method
        failed, has no value, or was not run on the image.
    """
    position = rows.groupby("method", sort=False).cumcount()
    wide = rows.assign(position=position).pivot(index="position", columns="method", values="mu")
    return wide[list(dict.fromkeys(rows["method"]))].astype("float64")
