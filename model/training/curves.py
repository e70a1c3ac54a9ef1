"""Learning curves of one training or of several: loss and top-5 by epoch, as the paper's Figure 5."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stackwalls.model.errors import InputError
from stackwalls.model.training.history import read_history


def draw_curves(folders: Mapping[str, Path], out: Path) -> None:
    """Draw the histories of trainings side by side.

    Left, the mean training loss of each epoch (dotted) and the validation loss; right, the validation's top-5 and
    top-1 (dotted).

    Args:
        folders: by the name in the legend, a folder that holds `history.jsonl`.
        out: picture to write, `.png`, `.pdf` or `.svg`.

    Raises:
        InputError: if there is no history, or not one validation in it, or `out` is no picture's name.

    Source: Taimeskhanov, Sicre, Garreau 2024, Figure 5.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    if out.suffix not in (".png", ".pdf", ".svg"):
        raise InputError(f"Expected a picture's name (.png, .pdf or .svg), but got {out.name!r}.")
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    losses, accuracy = figure.subplots(1, 2)
    for number, (name, folder) in enumerate(folders.items()):
        rows = read_history(folder)[1]
        if not rows:
            raise InputError(f"The history in {folder} has no validation yet: it is measured at the end of an epoch.")
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
    temporary = out.with_name(f".{out.stem}.tmp{out.suffix}")
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(temporary, dpi=150)
    temporary.replace(out)
