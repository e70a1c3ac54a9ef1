"""What a training logs: one line of JSON at a time, in a file that a resumed run goes on with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stackwalls.model.errors import InputError

HISTORY_NAME = "history.jsonl"


class History:
    """The lines of one training.

    A line has `step` (optimiser steps done) and `epoch` (as a fraction); lines of the training have `loss` (the mean
    since the line before), `learning_rate`, `images_per_s` and `waiting` (share of the time spent waiting for
    pictures); lines of a validation have `train_loss` (the epoch's mean), `val_loss`, `top1`, `top5`.

    Args:
        path: the file.
        after: lines of later steps are dropped, as those of a run that was stopped after its last checkpoint.
    """

    def __init__(self, path: Path, after: int) -> None:
        self._path = path
        kept = [row for row in read_history(path)[0] if row["step"] <= after] if path.is_file() else []
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text("".join(_line(row) for row in kept), encoding="utf-8")
        temporary.replace(path)

    def add(self, row: dict[str, Any]) -> None:
        """Append a line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line(row))


def read_history(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """All lines of a history, and those of its validations alone.

    Args:
        path: a `history.jsonl`, or the folder that holds one.

    Raises:
        InputError: if there is none.
    """
    path = path / HISTORY_NAME if path.is_dir() else path
    if not path.is_file():
        raise InputError(f"There is no {HISTORY_NAME} at {path}: name a folder that `stackgen train` wrote.")
    rows: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break  # the last line of a run that was killed while it wrote
    return rows, [row for row in rows if "top1" in row]


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True) + "\n"
