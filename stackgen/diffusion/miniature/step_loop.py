"""`StepLoop`: optimiser steps on accelerate, with averaged weights, that go on after any interruption."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stackwalls.model import InputError, RunError
from stackwalls.model.training import Stopped
from stackwalls.model.training.checkpoint import Checkpoint
from stackwalls.model.training.interruption import Interruption
from stackwalls.model.training.optimisation import find_precision, set_learning_rate

HISTORY = "history.jsonl"

_WARM_UP = 200
"""Steps in which the learning rate rises."""

_FALL = 0.35
"""Share of the steps at the end in which it falls, linearly, to `_LAST`; a longer training changes nothing before."""

_LAST = 0.02
_AVERAGE = 0.999
_LOG_STEPS = 100
_CHECKPOINT_SECONDS = 120.0


def rate_at(step: int, steps: int) -> float:
    """The learning rate of a step (from 0), in parts of the highest."""
    return min((step + 1) / _WARM_UP, max(_LAST, min(1.0, (steps - step) / (_FALL * steps))))


class StepLoop:
    """Trains one module, whose `forward(generator)` gives the loss of one batch of this process.

    Everything random of a step comes from a generator that is seeded by the seed, the step and the process, so a
    training that goes on from a checkpoint does what it would have done.

    Args:
        module: with trainable parameters; given the device by accelerate.
        folder: for `checkpoint.pt` and `history.jsonl`.
        described: what the weights follow from; a checkpoint of something else is refused.
        learning_rate: the highest.
        seed: of the steps.
        report: told about progress, a line at a time.
    """

    def __init__(
        self,
        module: nn.Module,
        folder: Path,
        described: dict[str, Any],
        *,
        learning_rate: float,
        seed: int,
        report: Callable[[str], None],
    ) -> None:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState, GradientState

        # a second training in one process may have another precision
        AcceleratorState._reset_state()
        GradientState._reset_state()
        cpu = not torch.cuda.is_available()
        self.accelerator = Accelerator(
            mixed_precision=find_precision("auto", torch.device("cpu" if cpu else "cuda")), cpu=cpu
        )
        self.folder, self.described, self.seed, self.report = folder, described, seed, report
        self.learning_rate = learning_rate
        parameters = [each for each in module.parameters() if each.requires_grad]
        optimizer = torch.optim.AdamW(parameters, learning_rate, betas=(0.9, 0.99), weight_decay=1e-2, fused=True)
        self.step = 0
        self.module = module
        self.average = copy.deepcopy(module).requires_grad_(False)
        self.wrapped, self.optimizer = self.accelerator.prepare(module, optimizer)
        self.average.to(self.accelerator.device)

    def run(self, steps: int) -> nn.Module:
        """Train up to so many steps, from the last checkpoint if there is one.

        Returns:
            The module with averaged weights.

        Raises:
            RunError: if the loss is not finite; the last checkpoint stays.
            Stopped: after Ctrl-C or SIGTERM; a checkpoint is written.
        """
        self._go_on()
        losses: list[torch.Tensor] = []
        began = saved = time.monotonic()
        first = self.step
        with Interruption() as interruption:
            while self.step < steps and not interruption.asked:
                losses.append(self._one(steps))
                if self.step % _LOG_STEPS == 0 or self.step == steps:
                    speed = (self.step - first) / (time.monotonic() - began)
                    self._log(torch.stack(losses).mean(), speed, steps)
                    losses.clear()
                if time.monotonic() - saved > _CHECKPOINT_SECONDS:
                    self._save()
                    saved = time.monotonic()
        self._save()
        if self.step < steps:
            raise Stopped(f"Stopped at step {self.step} of {steps}: the same command goes on from there.")
        return self.average.eval()

    def _one(self, steps: int) -> torch.Tensor:
        rank = self.accelerator.process_index
        number = (self.seed * 1_000_003 + self.step) * 1_009 + rank
        generator = torch.Generator().manual_seed(number)
        set_learning_rate(self.optimizer, self.learning_rate * rate_at(self.step, steps))
        with self.accelerator.autocast():
            loss: torch.Tensor = self.wrapped(generator)
        self.optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_([each for each in self.wrapped.parameters() if each.requires_grad], 1.0)
        self.optimizer.step()
        self.step += 1
        kept = min(_AVERAGE, self.step / (self.step + 20))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.module.parameters()), 1 - kept)
        return loss.detach().float()

    def _log(self, loss: torch.Tensor, speed: float, steps: int) -> None:
        value = float(loss)
        if not value < float("inf"):  # NaN is refused too
            raise RunError(f"The loss is not finite ({value}) before step {self.step}: the last checkpoint stays.")
        if self.accelerator.is_main_process:
            self.report(f"step {self.step} of {steps}, loss {value:.4f}, {speed:.2f} steps/s")
            line = {"step": self.step, "loss": round(value, 5), "steps_per_second": round(speed, 3)}
            with self._history.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    @property
    def _history(self) -> Path:
        return self.folder / HISTORY

    @property
    def _path(self) -> Path:
        return self.folder / "checkpoint.pt"

    def _save(self) -> None:
        if not self.accelerator.is_main_process:
            return
        state = {"module": self.module.state_dict(), "average": self.average.state_dict()}
        Checkpoint(self.described, self.step, state, self.optimizer.state_dict()).write(self._path)

    def _go_on(self) -> None:
        if not self._path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            return
        found = Checkpoint.read(self._path)
        if found.described != self.described:
            raise InputError(f"{self._path} is of a training with other settings: choose another --out.")
        self.module.load_state_dict(found.model["module"])
        self.average.load_state_dict(found.model["average"])
        self.optimizer.load_state_dict(found.optimizer)
        self.step = found.step
        if self.accelerator.is_main_process and self._history.exists():  # what a killed run wrote after its checkpoint
            lines = self._history.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if json.loads(line)["step"] <= self.step]
            self._history.write_text("".join(kept), encoding="utf-8")
