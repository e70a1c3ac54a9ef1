"""`StepLoop`: optimizer steps under accelerate, with a history, checkpoints, and a stop between two steps.

Two trainings are made of it: that of a classifier (`trainer`), and those of the miniature's parts
(`stackgen/diffusion/miniature`). A resumed training ends with the same bits as one that was not stopped.
"""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from torch import nn

from stackwalls.model.errors import InputError, RunError
from stackwalls.model.files import take_lock
from stackwalls.model.runtime.device import find_precision
from stackwalls.model.runtime.signals import interruption
from stackwalls.model.training.checkpoint import Checkpoint, SaveTimes, random_states
from stackwalls.model.training.history import HISTORY_NAME, History, Progress
from stackwalls.model.training.spec import Running

_LOCK_NAME = ".lock"


class Stopped(RunError):  # noqa: N818 - not an error: the user asked for it
    """A training was stopped by Ctrl-C or SIGTERM, after it wrote a checkpoint."""

    exit_status = 130


def new_accelerator(precision: str, running: Running, folder: Path) -> Any:
    """Accelerate's `Accelerator`: device, precision, processes, accumulation, tracker.

    Raises:
        InputError: if the device or the tracker is not available.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, GradientState
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

    if running.device == "cuda" and not torch.cuda.is_available():
        raise InputError("There is no CUDA GPU that torch can use. Drop --device cuda.")
    device = torch.device(running.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if running.tracker is not None and running.tracker not in [str(name) for name in get_available_trackers()]:
        known = running.tracker in LOGGER_TYPE_TO_CLASS
        advice = f"pip install {running.tracker}" if known else f"expected {', '.join(LOGGER_TYPE_TO_CLASS)}"
        raise InputError(f"The tracker {running.tracker!r} is not {'installed' if known else 'known'}: {advice}.")
    # a second training in the same process may have another precision
    AcceleratorState._reset_state()
    GradientState._reset_state()
    return Accelerator(
        mixed_precision=find_precision(precision, device),
        gradient_accumulation_steps=running.accumulate,
        cpu=device.type == "cpu",
        log_with=running.tracker,
        project_dir=str(folder),
    )


class StepLoop(ABC):
    """One training. A subclass sets `described` and `steps`, calls `prepare`, and defines the abstract methods.

    Args:
        folder: for the checkpoint and `history.jsonl`.
        running: how this machine runs it.
        precision: of the passes, as in a recipe.
        report: called with one line about progress at a time, in the first process.

    Attributes:
        described: what the weights follow from, as JSON values; a checkpoint of something else is rejected.
        steps: of the whole training.
        steps_per_epoch: 0 for a training without epochs, whose last step is logged instead.
    """

    checkpoint_name = "checkpoint.pt"
    to_resume = "Run the same command again to resume."
    if_not_finite = "Train in another folder with a lower --learning-rate."
    clip_norm = 0.0
    steps_per_epoch = 0
    described: dict[str, Any]
    steps: int

    def __init__(self, folder: Path, running: Running, precision: str, report: Callable[[str], None]) -> None:
        self.folder, self.running = folder, running
        self.accelerator = new_accelerator(precision, running, folder)
        self.first = bool(self.accelerator.is_main_process)
        self.report = report if self.first else lambda _: None
        self.progress = Progress()
        self._lock: FileLock | None = None
        self._saved: int | None = None  # step of the last checkpoint
        self._save_times = SaveTimes()
        self._unread: list[torch.Tensor] = []

    @abstractmethod
    def learning_rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""

    @abstractmethod
    def loss(self, part: int) -> torch.Tensor:
        """The mean loss, `()`, of this process's share of one part of the step's batch."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """The weights, for a checkpoint."""

    @abstractmethod
    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned."""

    @abstractmethod
    def log(self) -> None:
        """Write a line of the history (see `write_line`)."""

    def after_update(self) -> None:  # noqa: B027 - nothing to do by default
        """Called after each optimizer step."""

    def end_epoch(self) -> None:  # noqa: B027 - likewise
        """Called after the last step of an epoch."""

    def find_checkpoint(self) -> Checkpoint | None:
        """The last checkpoint, if there is one.

        Raises:
            InputError: if it is one of another training.
        """
        path = self.folder / self.checkpoint_name
        found = Checkpoint.read(path) if os.path.lexists(path) else None
        if found is not None:
            found.check_same(self.described, path)
        return found

    def prepare(self, module: nn.Module, optimizer: torch.optim.Optimizer, found: Checkpoint | None) -> None:
        """Hand module and optimizer to accelerate, and restore a checkpoint."""
        if self.first:
            self.folder.mkdir(parents=True, exist_ok=True)
            busy = f"Another process trains in {self.folder}: wait until it is done, or choose another folder."
            self._lock = take_lock(self.folder / _LOCK_NAME, busy)
        # no process looks for the checkpoint any more when the first process writes one
        self.accelerator.wait_for_everyone()
        self.wrapped, self.optimizer = self.accelerator.prepare(module, optimizer)
        if found is not None:
            path = self.folder / self.checkpoint_name
            found.restore(path, self.load_state, self.optimizer, self.accelerator)
            self.progress, self._saved = Progress(**{"step": found.step, **found.progress}), found.step
            if not self.progress.step == found.step <= self.steps:
                raise InputError(f"{path} is of step {found.step} of {self.steps}: it is damaged. Remove it.")
            self.report(f"resuming after step {found.step} of {self.steps}")
        if self.first:
            self.history = History(self.folder / HISTORY_NAME, self.progress.step)

    def close(self) -> None:
        """Let go of the folder, which no other process may train in from `prepare` on."""
        if self._lock is not None:
            (self.folder / _LOCK_NAME).unlink(missing_ok=True)
            self._lock.release()
        self._lock = None

    def run(self) -> None:
        """Take all remaining steps.

        Raises:
            RunError: if a loss or a weight is not finite, or the disk is full; the last good checkpoint is kept.
            Stopped: after Ctrl-C or SIGTERM; a checkpoint is written.
        """
        with closing(self), interruption() as received:
            self.restart_clock()
            while self.progress.step < self.steps:
                self._step()
                self._after_step(bool(received))

    def _step(self) -> None:
        """One optimizer step."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(self.progress.step)
        losses = []
        for part in range(self.running.accumulate):
            with self.accelerator.accumulate(self.wrapped):
                loss = self.loss(part)
                self.accelerator.backward(loss)
                if self.clip_norm and self.accelerator.sync_gradients:
                    self.accelerator.clip_grad_norm_(self.wrapped.parameters(), self.clip_norm)
                self.optimizer.step()
                self.optimizer.zero_grad()
            losses.append(loss.detach())
        self._unread.append(torch.stack(losses).mean())  # stays on the device: reading it would wait for the step
        self.progress.step += 1
        self._timed_steps += 1
        self.after_update()

    def _after_step(self, interrupted: bool) -> None:
        """What is due after a step: a line, the end of an epoch, a checkpoint, a stop."""
        step, running, alone = self.progress.step, self.running, self.accelerator.num_processes == 1
        last = step == self.steps
        epoch = self.steps_per_epoch > 0 and step % self.steps_per_epoch == 0
        line = step % running.log_steps == 0 or (last and not epoch)
        save = running.checkpoint_steps > 0 and step % running.checkpoint_steps == 0
        due = self._save_times.due(running.checkpoint_minutes, epoch)
        # several processes agree on a stop and a checkpoint only here, where they wait for each other anyway
        if not (line or epoch or save or (alone and (interrupted or due))):
            return
        self._read_losses()
        stop, due = self._any(interrupted, due)
        if line:
            self.log()
        if epoch:
            self.end_epoch()
        if save or due or stop or last:
            with self._save_times.measured():
                self._save()
        self.restart_clock()
        if stop and not last:
            raise Stopped(f"Stopped after step {step} of {self.steps}. {self.to_resume}")

    def _read_losses(self) -> None:
        """Move the losses since the last reading to `progress`, averaged over the processes."""
        losses = self.accelerator.reduce(torch.stack(self._unread), "mean")
        self._unread = []
        self.progress.take(losses.tolist(), self._advice())

    def _advice(self) -> str:
        """What to do if a number is not finite."""
        kept = f"the checkpoint of step {self._saved} is intact"
        return f"{'there is no checkpoint yet' if self._saved is None else kept}. {self.if_not_finite}"

    def _any(self, *flags: bool) -> list[bool]:
        """Which of the flags are set on any process."""
        here = torch.tensor(flags, dtype=torch.int64, device=self.accelerator.device)
        return [bool(flag) for flag in self.accelerator.reduce(here, "sum").tolist()]

    def restart_clock(self) -> None:
        """Start timing again, after a pause such as a validation."""
        self._timed_since, self._timed_steps = time.perf_counter(), 0

    def seconds(self) -> float:
        """Seconds since the clock was restarted."""
        return max(time.perf_counter() - self._timed_since, 1e-9)

    def steps_per_second(self) -> float:
        """Since the clock was restarted."""
        return self._timed_steps / self.seconds()

    def write_line(self, row: dict[str, Any]) -> None:
        """Add a line to the history and the tracker."""
        if self.first:
            self.history.add({"step": self.progress.step, **row})
        self.accelerator.log(row, step=self.progress.step)

    def _save(self) -> None:
        """Write a checkpoint, provided that all weights are finite."""
        from accelerate.utils import gather_object

        if not all(bool(parameter.isfinite().all()) for parameter in self.wrapped.parameters()):
            raise RunError(f"A weight is not finite after step {self.progress.step}; {self._advice()}")
        states = gather_object([random_states()])
        if self.first:
            scaler = self.accelerator.scaler
            Checkpoint(
                self.described,
                self.progress.step,
                self.state(),
                self.optimizer.state_dict(),
                scaler.state_dict() if scaler is not None else None,
                states,
                asdict(self.progress),
            ).write(self.folder / self.checkpoint_name)
        self._saved = self.progress.step
