"""The same methods behind walls on several sides: a map that never looks down has no leak at the bottom only."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stackwalls.evaluate.checks.sweep_table import SweepTable, methods_and_notes
from stackwalls.evaluate.measurements import Measurements
from stackwalls.evaluate.metrics import Summary
from stackwalls.evaluate.report.formatting import UNDEFINED, mean_and_std, ratio, times_100
from stackwalls.model import InputError, Wall


@dataclass(frozen=True)
class WallTable(SweepTable):
    """Mu of every method behind every wall."""

    walls: tuple[Wall, ...]  # in the order given, each with its own chance level
    cells: Mapping[tuple[Wall, str], Summary]  # (wall, method) → mu over all images of that wall's results
    wall_kind: str = "layers"  # a key of `WALL_KINDS_IN_WORDS`

    @classmethod
    def of(cls, results: Mapping[Wall, Measurements]) -> WallTable:
        """From one evaluation behind each wall, each on one dataset that was made for it.

        Raises:
            InputError: if there are none, they are of several networks or kinds of walls, or one was judged by another
                wall, or has several datasets.
        """
        if not results:
            raise InputError("There are no results to combine: name at least one wall.")
        if len(networks := dict.fromkeys(str(found.run["model"]) for found in results.values())) > 1:
            raise InputError(f"The results are of {', '.join(networks)}: expected one network behind all walls.")
        for wall, found in results.items():
            if found.wall != wall:
                raise InputError(f"The results given for {wall} were judged by {found.wall}.")
            if len(names := found.summary.datasets) > 1:
                raise InputError(f"The results for {wall} are on {', '.join(names)}: expected one set.")
        if len(kinds := {found.wall_kind for found in results.values()}) > 1:
            raise InputError(
                f"The results are behind walls of different kinds ({', '.join(sorted(kinds))}): combine one."
            )
        cells = {(wall, row.method): row.mu for wall, found in results.items() for row in found.summary.rows}
        return cls(*methods_and_notes(results.values()), tuple(results), cells, kinds.pop())

    def worst(self, method: str) -> float:
        """The largest mean of mu / chance over the walls: 1 or more if any side is lit like a uniform map's."""
        shares = [self.cells[wall, method].mean / wall.chance for wall in self.walls if (wall, method) in self.cells]
        return max((share for share in shares if not math.isnan(share)), default=math.nan)

    def blocks(self) -> dict[str, list[list[str]]]:
        """One: `lines`."""
        return {"": self.lines()}

    def lines(self) -> list[list[str]]:
        """Heading, mean ± std × 100 of each method behind each wall and its worst mean over chance, chance levels."""
        lines = [["method", *map(str, self.walls), "worst mu / chance"]]
        for method in self.methods:
            found = [self.cells.get((wall, method)) for wall in self.walls]
            cells = [UNDEFINED if summary is None else mean_and_std(summary) for summary in found]
            lines.append([method, *cells, ratio(self.worst(method))])
        return [*lines, ["chance", *(times_100(wall.chance) for wall in self.walls), "1.00"]]

    def records(self) -> list[dict[str, Any]]:
        """One dict per method and wall, full precision, in [0, 1]."""
        records = []
        for method, wall in itertools.product(self.methods, self.walls):
            mu = self.cells.get((wall, method), Summary(math.nan, math.nan, 0, 0))
            numbers = {"n": mu.n, "nan": mu.nan, "mu_mean": mu.mean, "mu_std": mu.std, "chance": wall.chance}
            records.append({"method": method, "wall": str(wall), **numbers, "wall_kind": self.wall_kind})
        return records
