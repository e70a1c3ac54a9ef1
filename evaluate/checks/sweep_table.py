"""Tables of several evaluations of the same methods, and that of one network explained at several layers."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stackwalls.evaluate.measurements import Measurements
from stackwalls.evaluate.report.formatting import (
    UNDEFINED,
    aligned,
    csv_text,
    markdown_table,
    markdown_text,
    mean_and_std,
    times_100,
)
from stackwalls.evaluate.report.table import TableRow
from stackwalls.model import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class SweepTable(ABC):
    """What several evaluations of the same methods found."""

    methods: tuple[str, ...]  # in the order of the first results
    notes: tuple[str, ...]  # what a reader must know of the runs

    @abstractmethod
    def blocks(self) -> dict[str, list[list[str]]]:
        """Title → cells; the first line of each is the heading."""

    @abstractmethod
    def records(self) -> list[dict[str, Any]]:
        """One dict per method and run, full precision, in [0, 1]."""

    def text(self) -> str:
        """For a terminal."""
        parts = [
            "\n".join([*([title] if title else []), *aligned(lines, left=1)]) for title, lines in self.blocks().items()
        ]
        return "\n\n".join([*parts, *(["\n".join(self.notes)] if self.notes else [])]) + "\n"

    def markdown(self) -> str:
        """As GitHub tables."""
        parts = []
        for title, lines in self.blocks().items():
            parts += [*([f"**{markdown_text(title)}**"] if title else []), markdown_table(lines)]
        return "\n\n".join([*parts, *map(markdown_text, self.notes)]) + "\n"

    def csv(self) -> str:
        """`records` as CSV; `nan` where a number does not exist."""
        return csv_text(self.records())


def methods_and_notes(results: Iterable[Measurements]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All methods of several evaluations, and all that a reader must know of these."""
    found = [one.summary for one in results]
    methods = dict.fromkeys(method for table in found for method in table.methods)
    notes = dict.fromkeys(note for table in found for note in table.notes)
    return tuple(methods), tuple(notes)


@dataclass(frozen=True)
class LayerTable(SweepTable):
    """Mu of every method at several layers of one network behind one wall."""

    layers: tuple[str, ...]  # in the order of their depth
    rows: Mapping[tuple[str, str], TableRow]  # (layer, method) → the row of that layer's results
    chance: float
    native_chances: Mapping[str, float]

    @classmethod
    def of(cls, results: Mapping[str, Measurements]) -> LayerTable:
        """From one evaluation at each layer, on the same set.

        Raises:
            InputError: if there are none, or they are not behind one wall, or on several sets.
        """
        if not results:
            raise InputError("There are no results to combine: name at least one layer.")
        walls = {found.wall for found in results.values()}
        sets = {found.summary.datasets for found in results.values()}
        if len(walls) > 1 or len(sets) > 1 or len(next(iter(sets))) > 1:
            raise InputError("Expected results of all layers on one set behind one wall.")
        rows = {(layer, row.method): row for layer, found in results.items() for row in found.summary.rows}
        methods, _ = methods_and_notes(results.values())
        told = [[note.replace(f"[{layer}]", "") for note in one.summary.notes] for layer, one in results.items()]
        natives = {layer: found.run.get("native_chance", found.wall.chance) for layer, found in results.items()}
        chance = next(iter(walls)).chance
        shared = tuple(note for note in told[0] if all(note in notes for notes in told))  # the others are of one layer
        return cls(methods, shared, tuple(results), rows, chance, natives)

    def blocks(self) -> dict[str, list[list[str]]]:
        """Mu and native mu × 100 with a row for each layer, and the chance level of each."""
        return {
            "mu × 100: mean ± std": self._lines("mu"),
            "native mu × 100, at the map's own resolution: mean ± std": self._lines("mu_native"),
        }

    def _lines(self, measure: str) -> list[list[str]]:
        lines = [["layer", *self.methods, "chance"]]
        for layer in self.layers:
            found = [self.rows.get((layer, method)) for method in self.methods]
            chance = self.chance if measure == "mu" else self.native_chances[layer]
            cells = [UNDEFINED if row is None else mean_and_std(getattr(row, measure)) for row in found]
            lines.append([layer, *cells, times_100(chance)])
        return lines

    def records(self) -> list[dict[str, Any]]:
        """One dict per layer and method, full precision, in [0, 1]."""
        records = []
        for layer, method in itertools.product(self.layers, self.methods):
            if (row := self.rows.get((layer, method))) is None:
                continue
            counts = {"n": row.mu.n, "nan": row.mu.nan, "failed": row.failed}
            mu = {"mu_mean": row.mu.mean, "mu_std": row.mu.std, "chance": self.chance}
            native = {"native_mu_mean": row.mu_native.mean, "native_mu_std": row.mu_native.std}
            chance = {"native_chance": self.native_chances[layer]}
            records.append({"layer": layer, "method": method, **counts, **mu, **native, **chance})
        return records

    def figure(self) -> Figure:
        """Mu by depth, one line per method."""
        from stackwalls.evaluate.report.figures import mu_by_depth

        means = {
            method: [
                self.rows[layer, method].mu.mean if (layer, method) in self.rows else math.nan for layer in self.layers
            ]
            for method in self.methods
        }
        return mu_by_depth(self.layers, means, self.chance)
