"""The result in a sentence or two, for the top of the report and the end of the command."""

from __future__ import annotations

import math
from collections.abc import Sequence

from stackwalls.evaluate.report.table import Table, TableRow

_ROUNDING = 1e-9
"""A uniform map's mean is chance but for rounding."""


def headline(table: Table, model: str, blind: bool = True) -> str:
    """Which methods put weight where the network sees nothing, and which do no better than a uniform map.

    Of a network that is not blind it says nothing of the kind: what its maps show in the band may well be right.

    A method counts as putting weight there where its map does so at its own resolution: the seen row that upsampling
    draws over the wall is not held against it.
    """
    rows = [row for row in table.rows if row.mu.n]
    if not rows:
        return "No map could be measured: the table says how many failed and how many were zero everywhere."
    if not blind:
        return _of_a_baseline(table, rows, model)
    methods = list(dict.fromkeys(row.method for row in rows))
    wrong = list(dict.fromkeys(row.method for row in rows if _weight(row) > 0))
    right = [method for method in methods if method not in wrong]
    exception = f"; {_listed(right)} {_verb(right, 'does', 'do')} not" if right and wrong else ""
    sentences = [_first_sentence(methods, wrong, model) + exception + "."]
    if wrong:
        sentences.append(_range(table, [row for row in rows if row.method in wrong]))
    measured = {row.method for row in rows}
    if without := [name for name in dict.fromkeys(row.method for row in table.rows) if name not in measured]:
        sentences.append(f"No map of {_listed(without)} could be measured.")
    if lost := _no_better(table, rows):
        sentences.append(f"{_listed(lost)} {_verb(lost, 'does', 'do')} no better than a uniform map.")
    return " ".join(sentences)


def _of_a_baseline(table: Table, rows: Sequence[TableRow], model: str) -> str:
    return (
        f"{model} is NOT BLIND: it sees the band, so weight there is no error, and mu judges no method here. "
        f"{_range(table, rows, 'For comparison')}"
    )


def _no_better(table: Table, rows: Sequence[TableRow]) -> list[str]:
    """Methods whose mean is not below chance; with the dataset, where it is not so on every one of several."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.mu.mean >= table.chance * (1 - _ROUNDING):
            found.setdefault(row.method, []).append(row.dataset)
    everywhere = {method: sum(row.method == method for row in rows) for method in found}
    return [
        method if len(names) == everywhere[method] else f"{method} (on {' and '.join(names)})"
        for method, names in found.items()
    ]


def _weight(row: TableRow) -> float:
    native = row.mu_native.mean
    return row.mu.mean if math.isnan(native) else native


def _first_sentence(methods: Sequence[str], wrong: Sequence[str], model: str) -> str:
    where = f"where {model} provably sees nothing"
    if len(methods) == 1:
        return f"{methods[0]} puts weight {where}" if wrong else f"{methods[0]} puts no weight {where}"
    if not wrong:
        return f"None of {len(methods)} methods puts weight {where}"
    return f"{len(wrong)} of {len(methods)} methods {_verb(wrong, 'puts', 'put')} weight {where}"


def _range(table: Table, rows: Sequence[TableRow], where: str | None = None) -> str:
    low, high = (pick(rows, key=lambda row: row.mu.mean) for pick in (min, max))
    several = len(table.datasets) > 1

    def said(row: TableRow) -> str:
        name = f"{row.method}, {row.dataset}" if several else row.method
        return f"{100 * row.mu.mean:.1f} ({name})"

    span = f"{100 * low.mu.mean:.1f}" if low is high else f"from {said(low)} to {said(high)}"
    uniform = f"a uniform map has {100 * table.chance:.1f}"
    if where is not None:
        return f"{where}: mu × 100 is {span}; {uniform}."
    where = "There" if len({row.method for row in rows}) == 1 else "Where they do"
    return f"{where}, mu × 100 is {span}; right is 0, and {uniform}."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _verb(names: Sequence[str], one: str, several: str) -> str:
    return one if len(names) == 1 else several
