"""The same methods behind walls on several sides: a map that never looks down has no leak at the bottom alone."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stackwalls.evaluate.mu_metric import Summary
from stackwalls.evaluate.report.number_format import UNDEFINED, mean_and_std
from stackwalls.evaluate.report.table_text import markdown_table
from stackwalls.evaluate.results import Results
from stackwalls.model import InputError, Wall


@dataclass(frozen=True)
class WallTable:
    """Mu of every method behind every wall.

    Attributes:
        walls: in the order given, each with its own chance level.
        cells: (wall, method) → mu over all images of that wall's results.
        methods: in the order of the first results.
    """

    walls: tuple[Wall, ...]
    cells: Mapping[tuple[Wall, str], Summary]
    methods: tuple[str, ...]

    @classmethod
    def of(cls, results: Mapping[Wall, Results]) -> WallTable:
        """From one evaluation behind each wall, each on one dataset that was made for it.

        Raises:
            InputError: if there are none, or one was judged by another wall, or has several datasets.
        """
        if not results:
            raise InputError("There are no results to put together: name at least one wall.")
        for wall, found in results.items():
            if found.wall != wall:
                raise InputError(f"The results given for {wall} were judged by {found.wall}.")
            if len(found.summary.datasets) > 1:
                raise InputError(
                    f"The results for {wall} are on {', '.join(found.summary.datasets)}: expected one set."
                )
        methods = dict.fromkeys(method for found in results.values() for method in found.summary.methods)
        cells = {(wall, row.method): row.mu for wall, found in results.items() for row in found.summary.rows}
        return cls(tuple(results), cells, tuple(methods))

    def worst(self, method: str) -> float:
        """The largest mean of mu / chance over the walls: below 1 only if no side is lit like a uniform map's."""
        shares = [self._over_chance(wall, method) for wall in self.walls]
        known = [share for share in shares if not math.isnan(share)]
        return max(known) if known else math.nan

    def _over_chance(self, wall: Wall, method: str) -> float:
        summary = self.cells.get((wall, method))
        return math.nan if summary is None else summary.mean / wall.chance

    def headings(self) -> list[str]:
        """Of the table."""
        return ["method", *map(str, self.walls), "worst mu / chance"]

    def lines(self) -> list[list[str]]:
        """Mean ± std × 100 behind each wall, and the worst mean in parts of its chance level; chance at the end."""
        lines = []
        for method in self.methods:
            known = [self.cells.get((wall, method)) for wall in self.walls]
            cells = [UNDEFINED if summary is None else mean_and_std(summary) for summary in known]
            worst = self.worst(method)
            lines.append([method, *cells, UNDEFINED if math.isnan(worst) else f"{worst:.2f}"])
        return [*lines, ["chance", *(f"{100 * wall.chance:.1f}" for wall in self.walls), "1.00"]]

    def text(self) -> str:
        """For a terminal."""
        lines = [self.headings(), *self.lines()]
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        rows = [[line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])] for line in lines]
        return "\n".join("  ".join(row) for row in rows) + "\n"

    def markdown(self) -> str:
        """As a GitHub table."""
        lines = [self.headings(), ["---", *["---:"] * (len(self.walls) + 1)], *self.lines()]
        return markdown_table(lines) + "\n"

    def csv(self) -> str:
        """One line a method and wall, full precision, in [0, 1]."""
        file = io.StringIO()
        writer = csv.DictWriter(
            file, ["method", "wall", "n", "nan", "mu_mean", "mu_std", "chance"], lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(self._record(wall, method) for method in self.methods for wall in self.walls)
        return file.getvalue()

    def _record(self, wall: Wall, method: str) -> dict[str, Any]:
        mu = self.cells.get((wall, method), Summary(math.nan, math.nan, 0, 0))
        return {
            "method": method,
            "wall": str(wall),
            "n": mu.n,
            "nan": mu.nan,
            "mu_mean": mu.mean,
            "mu_std": mu.std,
            "chance": wall.chance,
        }
