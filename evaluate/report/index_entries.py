"""What an evaluation says of the network it ran on, as plain data for the network's card on the Hub."""

from __future__ import annotations

import math
from typing import Any

from stackwalls.evaluate.report.table import TableRow
from stackwalls.evaluate.results import Results

SPLIT = "test"
"""The only split of STACK-MIX and STACK-GEN."""


def model_index(results: Results) -> dict[str, Any]:
    """Table 1 for a model card.

    Returns:
        "results": one dict a number, each the arguments of huggingface_hub's `EvalResult`: mu of every method on every
        dataset (with its standard deviation, count and chance level), and top-1 accuracy; what is undefined is left
        out. "table": Table 1 in Markdown. JSON values, for `hub_cards.save_model_folder`.
    """
    summary = results.summary
    entries = [_mu(row, results.wall.chance, str(results.wall)) for row in summary.rows if not math.isnan(row.mu.mean)]
    for name, accuracy in summary.accuracy.items():
        if accuracy.labelled:
            value = accuracy.correct / accuracy.labelled
            args = {"images": accuracy.labelled}
            entries.append(_entry(name, "accuracy", "Top-1 accuracy", value, args))
    return {"results": entries, "table": summary.markdown()}


def _mu(row: TableRow, chance: float, wall: str) -> dict[str, Any]:
    args: dict[str, Any] = {"method": row.method, "wall": wall, "chance": chance, "maps": row.mu.n, "nan": row.mu.nan}
    if not math.isnan(row.mu.std):
        args["std"] = row.mu.std
    return _entry(row.dataset, "mu", f"mu of {row.method} (lower is better)", row.mu.mean, args)


def _entry(dataset: str, kind: str, name: str, value: float, args: dict[str, Any]) -> dict[str, Any]:
    """One number; a dataset of the Hub (`user/name@revision`) is named by its id and its revision."""
    identifier, _, revision = dataset.partition("@")
    entry = {
        "task_type": "image-classification",
        "dataset_type": identifier,
        "dataset_name": identifier,
        "dataset_split": SPLIT,
        "metric_type": kind,
        "metric_name": name,
        "metric_value": value,
        "metric_args": args,
    }
    return entry | ({"dataset_revision": revision} if revision else {})
