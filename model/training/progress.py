"""Where a training is: what it has lost since the last line of its history, its best validation, how fast it goes."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from stackwalls.model.errors import RunError


@dataclass
class Progress:
    """Counts and sums that a checkpoint keeps.

    Attributes:
        step: optimiser steps done.
        pending: losses since the last line of the history.
        epoch_loss: sum of the losses of this epoch so far.
        epoch_steps: their number.
        best: the best validation so far, with its step.
    """

    step: int = 0
    pending: list[float] = field(default_factory=list)
    epoch_loss: float = 0.0
    epoch_steps: int = 0
    best: dict[str, float] | None = None

    def take(self, losses: list[float], checkpoint_step: int | None, folder: str) -> None:
        """Enter the losses of the steps up to `step`.

        Raises:
            RunError: if one is not finite; the message names its step.
        """
        for before, loss in zip(range(len(losses) - 1, -1, -1), losses, strict=True):
            if not math.isfinite(loss):
                kept = (
                    f"the checkpoint of step {checkpoint_step} in {folder} is from before"
                    if checkpoint_step is not None
                    else "there is no checkpoint from before"
                )
                raise RunError(
                    f"The loss is {loss} at step {self.step - before}; {kept}. Train in another folder with a lower "
                    "--learning-rate, a longer --warm-up or --clip-norm 1."
                )
        self.pending += losses
        self.epoch_loss += sum(losses)
        self.epoch_steps += len(losses)

    def mean_pending(self) -> float:
        """Mean loss since the last line; the next line begins anew."""
        mean = sum(self.pending) / max(len(self.pending), 1)
        self.pending = []
        return mean

    def mean_epoch(self) -> float:
        """Mean loss of the epoch; the next one begins anew."""
        mean = self.epoch_loss / max(self.epoch_steps, 1)
        self.epoch_loss, self.epoch_steps = 0.0, 0
        return mean

    def to_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return asdict(self)


class Meter:
    """Pictures a second, and the share of the time that was spent waiting for them.

    Args:
        images_per_step: pictures of a step, over all processes.
    """

    def __init__(self, images_per_step: int) -> None:
        self._images = images_per_step
        self.restart(0.0)

    def restart(self, waited: float) -> None:
        """Begin anew: after a line of the history, or a pause such as a validation."""
        self._started, self._waited, self._steps = time.perf_counter(), waited, 0

    def step(self) -> None:
        """Count a step."""
        self._steps += 1

    def read(self, waited: float) -> dict[str, float]:
        """`images_per_s` and `waiting` since the last restart, given the seconds waited since the beginning."""
        seconds = max(time.perf_counter() - self._started, 1e-9)
        return {
            "images_per_s": round(self._steps * self._images / seconds, 2),
            "waiting": round((waited - self._waited) / seconds, 4),
        }
