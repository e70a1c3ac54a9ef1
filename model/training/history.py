"""The history of a training: its losses so far, the lines of JSON that a resumed run appends to, and their curves."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackwalls.model.documents import COUNT, each, read_lines
from stackwalls.model.errors import InputError, RunError
from stackwalls.model.files import whole_file, write_whole

HISTORY_NAME = "history.jsonl"
_FIGURES = (".png", ".pdf", ".svg")

_VALUE = {"type": ["number", "null"], "minimum": -1e15, "maximum": 1e15}
_VALIDATED = ("epoch", "val_loss", "train_loss", "top1", "top5")
_LINE = each(_VALUE, "object") | {
    "required": ["step"],
    "properties": {"step": COUNT},
    "if": {"required": ["top1"]},
    "then": {"required": list(_VALIDATED)},
}
"""A line of numbers; one of a validation has all of its values."""


@dataclass
class Progress:
    """Counts and sums that a checkpoint keeps.

    Attributes:
        step: optimizer steps done.
        pending: losses since the last line of the history.
        epoch_loss: sum of the losses of this epoch so far.
        epoch_steps: number of these losses.
        best: the best validation so far, with its step.
    """

    step: int = 0
    pending: list[float] = field(default_factory=list)
    epoch_loss: float = 0.0
    epoch_steps: int = 0
    best: dict[str, float] | None = None

    def take(self, losses: list[float], advice: str) -> None:
        """Add the losses of the steps up to `step`.

        Raises:
            RunError: if one is not finite; the message names its step and ends with `advice`.
        """
        for before, loss in zip(range(len(losses) - 1, -1, -1), losses, strict=True):
            if not math.isfinite(loss):
                raise RunError(f"The loss is {loss} at step {self.step - before}; {advice}")
        self.pending += losses
        self.epoch_loss += sum(losses)
        self.epoch_steps += len(losses)

    def mean_pending(self) -> float:
        """Mean loss since the last line; starts the next line."""
        mean = sum(self.pending) / max(len(self.pending), 1)
        self.pending = []
        return mean

    def mean_epoch(self) -> float:
        """Mean loss of the epoch; starts the next epoch."""
        mean = self.epoch_loss / max(self.epoch_steps, 1)
        self.epoch_loss, self.epoch_steps = 0.0, 0
        return mean


class History:
    """Writes the lines of one training.

    Every line has `step` (optimizer steps done). In a training of the masked VGG16 it also has `epoch` (a fraction);
    training lines have `loss` (mean since the previous line), `learning_rate`, `images_per_s` and `waiting` (share of
    the time spent waiting for images); validation lines have `train_loss` (mean of the epoch), `val_loss`, `top1` and
    `top5`.

    Args:
        path: the file; its folder is created.
        after: lines of later steps are dropped: a run was stopped after it wrote them, and repeats these steps.
    """

    def __init__(self, path: Path, after: int) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = [row for row in read_history(path) if row["step"] <= after] if os.path.lexists(path) else []
        write_whole(path, "".join(map(_line, kept)).encode())

    def add(self, row: dict[str, Any]) -> None:
        """Append a line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line(row))


def read_history(path: Path) -> list[dict[str, Any]]:
    """All lines of a `history.jsonl`, or of the one in a folder.

    Raises:
        InputError: if there is no such file, or a line of it is damaged; but the last one may be cut short.
    """
    path = path / HISTORY_NAME if path.is_dir() else path
    if not os.path.lexists(path):
        raise InputError(f"There is no {HISTORY_NAME} at {path}. Name a folder that `stackgen train` wrote.")
    rows = read_lines(path, _LINE)
    return [{name: math.nan if value is None else value for name, value in row.items()} for row in rows]


def _line(row: dict[str, Any]) -> str:
    """With null for numbers that JSON does not have."""
    plain = {name: value if math.isfinite(value) else None for name, value in row.items()}
    return json.dumps(plain, sort_keys=True) + "\n"


def draw_curves(folders: Mapping[str, Path], out: Path) -> None:
    """Draw the learning curves of several trainings in one figure, as in Figure 5 of Taimeskhanov et al. 2024.

    Left: the validation loss and the mean training loss of each epoch (dotted). Right: top-5 and top-1 (dotted).

    Args:
        folders: label in the legend → folder that holds `history.jsonl`.
        out: figure to write, `.png`, `.pdf` or `.svg`.

    Raises:
        InputError: if there is no history, or no validation in it, or `out` has another suffix.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    if out.suffix not in _FIGURES:
        raise InputError(f"Expected a figure's file name ({', '.join(_FIGURES)}), but got {out.name!r}.")
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    losses, accuracy = figure.subplots(1, 2)
    for number, (name, folder) in enumerate(folders.items()):
        rows = [row for row in read_history(folder) if "top1" in row]
        if not rows:
            raise InputError(f"The history in {folder} has no validation yet. Each epoch ends with one.")
        epochs = [row["epoch"] for row in rows]
        style = {"color": f"C{number}", "marker": "o" if len(rows) < 15 else "", "markersize": 3}
        losses.plot(epochs, [row["val_loss"] for row in rows], label=f"{name}, validation", **style)
        losses.plot(epochs, [row["train_loss"] for row in rows], label=f"{name}, training", linestyle=":", **style)
        accuracy.plot(epochs, [100 * row["top5"] for row in rows], label=f"{name}, top-5", **style)
        accuracy.plot(epochs, [100 * row["top1"] for row in rows], label=f"{name}, top-1", linestyle=":", **style)
    losses.set(xlabel="epoch", ylabel="cross-entropy (nats)", ylim=(0, None))
    accuracy.set(xlabel="epoch", ylabel="validation accuracy (%)", ylim=(0, 101))
    for axes in (losses, accuracy):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, frameon=False)
    out.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(out) as file:
        figure.savefig(file, dpi=150, format=out.suffix[1:])
