"""Results as the entries of a model card on the Hub: plain data for `hub_cards.save_model_folder`."""

import math
from typing import Any

from stackwalls.evaluate.measurements import Measurements

SPLIT = "test"
"""The only split of STACK-MIX and STACK-GEN."""


def model_index(results: Measurements) -> dict[str, Any]:
    """Table 1 for a model card, in Markdown ("table"), and as arguments of huggingface_hub's `EvalResult` ("results").

    The results are mu of every method on every dataset (with its standard deviation, count and chance level), and top-1
    accuracy; undefined numbers are left out.
    """
    wall, entries = results.wall, []
    for row in results.summary.rows:
        if not math.isnan(row.mu.mean):
            args = {"method": row.method, "wall": str(wall), "chance": wall.chance, "maps": row.mu.n, "nan": row.mu.nan}
            args["wall_kind"] = results.summary.wall_kind
            std = {} if math.isnan(row.mu.std) else {"std": row.mu.std}
            name = f"mu of {row.method} (lower is better)"
            entries.append(_entry(row.dataset, "mu", name, row.mu.mean, args | std))
    for dataset, accuracy in results.summary.accuracy.items():
        if accuracy.labeled:
            share, counts = accuracy.correct / accuracy.labeled, {"images": accuracy.labeled}
            entries.append(_entry(dataset, "accuracy", "Top-1 accuracy", share, counts))
    return {"results": entries, "table": results.summary.markdown()}


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
