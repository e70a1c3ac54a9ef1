"""The result in a sentence or two, for the top of the report and the end of the command."""

from __future__ import annotations

import math
from collections.abc import Sequence

from stackwalls.evaluate.table import Table, TableRow


def headline(table: Table, model: str) -> str:
    """Which methods put weight where the network sees nothing, and which do no better than a uniform map.

    A method counts as putting weight there where its map does so at its own resolution: the seen row that upsampling
    draws over the wall is not held against it.
    """
    rows = [row for row in table.rows if row.mu.n]
    if not rows:
        return "No map could be measured: the table says how many failed and how many were zero everywhere."
    methods = list(dict.fromkeys(row.method for row in rows))
    wrong = list(dict.fromkeys(row.method for row in rows if _weight(row) > 0))
    right = [method for method in methods if method not in wrong]
    exception = f"; {_listed(right)} {_verb(right, 'does', 'do')} not" if right and wrong else ""
    sentences = [_first_sentence(methods, wrong, model) + exception + "."]
    if wrong:
        sentences.append(_range(table, [row for row in rows if row.method in wrong]))
    if lost := list(dict.fromkeys(row.method for row in rows if row.mu.mean >= table.chance)):
        sentences.append(f"{_listed(lost)} {_verb(lost, 'does', 'do')} no better than a uniform map.")
    return " ".join(sentences)


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


def _range(table: Table, rows: Sequence[TableRow]) -> str:
    low, high = (pick(rows, key=lambda row: row.mu.mean) for pick in (min, max))
    several = len(table.datasets) > 1

    def said(row: TableRow) -> str:
        name = f"{row.method}, {row.dataset}" if several else row.method
        return f"{100 * row.mu.mean:.1f} ({name})"

    span = f"{100 * low.mu.mean:.1f}" if low is high else f"from {said(low)} to {said(high)}"
    where = "There" if len({row.method for row in rows}) == 1 else "Where they do"
    return f"{where}, mu × 100 is {span}; right is 0, and a uniform map has {100 * table.chance:.1f}."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _verb(names: Sequence[str], one: str, several: str) -> str:
    return one if len(names) == 1 else several
