"""The result in a sentence or two, for the top of the report and the end of the command."""

import math
from collections.abc import Sequence

from stackwalls.evaluate.report.table import Table, TableRow


def headline(table: Table, model: str, blind: bool = True) -> str:
    """Which methods highlight pixels that the network cannot see, and which are no better than a uniform map.

    A method counts as highlighting them if its map does so at its own resolution: the visible cells that upsampling
    smears across the wall are not held against it, but named. For a network that is not blind no method is judged.
    """
    rows = [row for row in table.rows if row.mu.n]
    if not rows:
        return "No map could be measured: the table says how many failed and how many are zero everywhere."
    if not blind:
        return (
            f"{model} is NOT BLIND: it sees behind the wall, so saliency there is not an error, and mu does not judge "
            f"methods. For comparison, mean mu × 100 {_range(table, rows)}; a uniform map has {100 * table.chance:.1f}."
        )
    native = [row.mu.mean if math.isnan(row.mu_native.mean) else row.mu_native.mean for row in rows]
    methods, wrong = _methods(rows), _methods([row for row, mean in zip(rows, native, strict=True) if mean > 0])
    smeared = _methods([row for row in rows if row.mu.mean > 0 and row.method not in wrong])
    sentences = [_verdict(methods, wrong, smeared, model)]
    if wrong:
        whose = "Its" if len(wrong) == 1 else "Their"
        span = _range(table, [row for row in rows if row.method in wrong])
        sentences.append(f"{whose} mean mu × 100 {span}; 0 is correct, and a uniform map has {100 * table.chance:.1f}.")
    if unmeasured := [method for method in table.methods if method not in methods]:
        sentences.append(f"No map of {_listed(unmeasured)} could be measured.")
    if lost := _no_better(table, rows):
        sentences.append(f"{_listed(lost)} {'is' if len(lost) == 1 else 'are'} no better than a uniform map.")
    return " ".join(sentences)


def _methods(rows: Sequence[TableRow]) -> list[str]:
    return list(dict.fromkeys(row.method for row in rows))


def _verdict(methods: Sequence[str], wrong: Sequence[str], smeared: Sequence[str], model: str) -> str:
    what, native = f"pixels that {model} provably cannot see", "at the map's own resolution"
    if not wrong:
        who = f"{methods[0]} highlights no" if len(methods) == 1 else f"None of {len(methods)} methods highlights"
        but = f" {native}; upsampling smears {_listed(smeared)} across the wall" if smeared else ""
        return f"{who} {what}{but}."
    who = methods[0] if len(methods) == 1 else f"{len(wrong)} of {len(methods)} methods"
    clean = [method for method in methods if method not in (*wrong, *smeared)]
    others = ((clean, ""), (smeared, f" {native}"))
    exceptions = [
        f"; {_listed(names)} {'does' if len(names) == 1 else 'do'} not{where}" for names, where in others if names
    ]
    return f"{who} {'highlights' if len(wrong) == 1 else 'highlight'} {what}{''.join(exceptions)}."


def _range(table: Table, rows: Sequence[TableRow]) -> str:
    low, high = (pick(rows, key=lambda row: row.mu.mean) for pick in (min, max))
    if low is high:
        return f"is {100 * low.mu.mean:.1f}"
    of = "{0.method}, {0.dataset}" if len(table.datasets) > 1 else "{0.method}"
    return "ranges from " + " to ".join(f"{100 * row.mu.mean:.1f} ({of.format(row)})" for row in (low, high))


def _no_better(table: Table, rows: Sequence[TableRow]) -> list[str]:
    """Methods whose mean is not below chance, with the datasets unless that is so on all of them."""
    least, found = table.chance * (1 - 1e-9), []  # a uniform map's mean mu has a rounding error
    lost = [row for row in rows if row.mu.mean >= least]
    for method in _methods(lost):
        names = [row.dataset for row in lost if row.method == method]
        everywhere = len(names) == sum(row.method == method for row in rows)
        found.append(method if everywhere else f"{method} (on {_listed(names)})")
    return found


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
