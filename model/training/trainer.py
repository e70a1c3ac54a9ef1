"""The training loop: from the first step, or from a checkpoint, to the last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from stackwalls.model.errors import InputError, RunError
from stackwalls.model.images.labelled import LabelledImages
from stackwalls.model.networks.checkpoints import save_model
from stackwalls.model.training.building import accelerator_for, build_network
from stackwalls.model.training.checkpoint import Checkpoint, check_same, random_states, set_random_states
from stackwalls.model.training.data.batch_order import BatchOrder
from stackwalls.model.training.data.loading import Loader, evaluation_batches
from stackwalls.model.training.failures import memory_errors
from stackwalls.model.training.history import HISTORY_NAME, History
from stackwalls.model.training.interruption import Interruption
from stackwalls.model.training.optimisation import build_optimizer, learning_rate, set_learning_rate
from stackwalls.model.training.outcome import Outcome, measure_outcome
from stackwalls.model.training.progress import Meter, Progress
from stackwalls.model.training.saving import SaveTimes
from stackwalls.model.training.spec import Running, TrainingSpec
from stackwalls.model.training.training_data import TrainingData
from stackwalls.model.training.validation import Validation, counts, validation_of

LAST = "checkpoints/last.pt"
BEST = "checkpoints/best.safetensors"


class Stopped(RunError):  # noqa: N818 - no error: what was asked for
    """A training was stopped by Ctrl-C or SIGTERM, after it wrote a checkpoint."""

    exit_status = 130


def train(
    data: TrainingData,
    spec: TrainingSpec,
    out: Path,
    running: Running | None = None,
    *,
    resume: bool = False,
    report: Callable[[str], None] = lambda _: None,
) -> Outcome | None:
    """Train a network, or go on with a training.

    Under `accelerate launch` or torchrun, every process calls this; the global random states come back as they were.

    Args:
        data: what to learn from and to measure on.
        spec: recipe, wall and seed; the weights follow from these and the data alone.
        out: folder for `checkpoints/` and `history.jsonl`.
        running: how this machine runs it.
        resume: go on from the last checkpoint in `out`, if there is one.
        report: told about progress, a line at a time.

    Returns:
        The best network, measured and certified; None on all processes but the first.

    Raises:
        InputError: if `out` holds a training and `resume` is not set, or a checkpoint of another one.
        RunError: if the loss is not finite, memory or disk is full, or a picture is broken.
        Stopped: after Ctrl-C or SIGTERM; a checkpoint is written.
    """
    with _random_states_kept():
        training = _Training(data, spec, out, running or Running(), report)
        try:
            training.begin(resume)
            training.run()
            return training.outcome()
        finally:
            training.accelerator.end_training()


@contextmanager
def _random_states_kept() -> Iterator[None]:
    states = random_states()
    try:
        yield
    finally:
        set_random_states(states)


class _Training:
    def __init__(
        self, data: TrainingData, spec: TrainingSpec, out: Path, running: Running, report: Callable[[str], None]
    ) -> None:
        self.data, self.spec, self.out, self.running = data, spec, out, running
        self.accelerator = accelerator_for(spec, running, out)
        self.first = bool(self.accelerator.is_main_process)
        self.report = report if self.first else lambda _: None
        size = len(data.train.labels) if isinstance(data.train, LabelledImages) else data.train.size
        if size is None:
            raise InputError(f"{data.name} does not say how many pictures one pass has: add --epoch-images N.")
        processes = (self.accelerator.process_index, self.accelerator.num_processes, running.accumulation)
        self.order = BatchOrder(size, spec.recipe.batch_size, spec.seed, *processes)
        self.steps = spec.recipe.epochs * self.order.steps_per_epoch
        cores = 0 if self.accelerator.device.type == "cpu" else min(8, torch.get_num_threads())
        self.workers = cores if running.workers is None else running.workers
        self.progress, self.saved, self.save_times = Progress(), None, SaveTimes()
        self.described = {**spec.to_dict(), "precision": self.accelerator.mixed_precision, "data": data.to_dict()}
        self.unread: list[torch.Tensor] = []

    saved: int | None

    # ---- begin -----------------------------------------------------------------------------------------------------

    def begin(self, resume: bool) -> None:
        """Make the network and its optimiser, and put a checkpoint's state into them."""
        path = self.out / LAST
        if not resume and (path.exists() or (self.out / HISTORY_NAME).exists()):
            raise InputError(f"{self.out} holds a training already: go on with --resume, or name another folder.")
        found = Checkpoint.read(path) if resume and path.exists() else None
        if found is not None:
            check_same(path, found.described, self.described)
        # nobody looks for the checkpoint any more when the first one is written
        self.accelerator.wait_for_everyone()
        self.network = build_network(
            self.data, self.spec, self.order, self.accelerator.device, self.running.compiled, begun=found is not None
        )
        optimizer = build_optimizer(self.spec.recipe, self.network.parameters())
        self.wrapped, self.optimizer = self.accelerator.prepare(self.network, optimizer)
        if found is not None:
            self._restore(found)
        if self.first:
            self.out.mkdir(parents=True, exist_ok=True)
        config = {name: str(v) if isinstance(v, list) else v for name, v in self.spec.recipe.to_dict().items()}
        self.accelerator.init_trackers("stackwalls", config)
        if self.first:
            self.history = History(self.out / HISTORY_NAME, self.progress.step)

    def _restore(self, found: Checkpoint) -> None:
        self.network.model.load_state_dict(found.model)
        self.optimizer.load_state_dict(found.optimizer)
        if self.accelerator.scaler is not None and found.scaler is not None:
            self.accelerator.scaler.load_state_dict(found.scaler)
        if len(found.random) == self.order.world:
            set_random_states(found.random[self.order.rank])
        self.progress, self.saved = Progress(**found.progress), found.step
        self.report(f"going on after step {found.step} of {self.steps}")

    # ---- steps -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """All steps that are left, with history, validations and checkpoints."""
        steps = range(self.progress.step, self.steps)
        options: dict[str, Any] = {"rows": self.network.rows, "device": self.accelerator.device}
        with Interruption() as interruption, memory_errors(self.order.piece, self.order.accumulation):
            loader = Loader(
                self.data,
                self.order,
                self.spec.recipe,
                steps,
                workers=self.workers,
                gpu_decode=self.running.gpu_decode,
                **options,
            )
            self.meter = Meter(self.spec.recipe.batch_size)
            self.network.train()
            for _ in steps:
                self._step(loader)
                self._after_step(loader, interruption)

    def _step(self, loader: Loader) -> None:
        """One optimiser step."""
        recipe, step = self.spec.recipe, self.progress.step
        set_learning_rate(self.optimizer, learning_rate(recipe, step, self.order.steps_per_epoch))
        losses = []
        for part in range(self.order.accumulation):
            pictures, positions = next(loader)  # (n, 3, H, 224) uint8, (n,)
            self.network.place(self.spec.seed, step, self.order.first(part), recipe.batch_size)
            with self.accelerator.accumulate(self.wrapped):
                logits = self.wrapped(pictures)
                loss = F.cross_entropy(logits.float(), positions, label_smoothing=recipe.label_smoothing)
                self.accelerator.backward(loss)
                if recipe.clip_norm and self.accelerator.sync_gradients:
                    self.accelerator.clip_grad_norm_(self.wrapped.parameters(), recipe.clip_norm)
                self.optimizer.step()
                self.optimizer.zero_grad()
            losses.append(loss.detach())
        self.unread.append(torch.stack(losses).mean())  # stays on the device: reading it would wait for the step
        self.progress.step = step + 1
        self.meter.step()

    def _after_step(self, loader: Loader, interruption: Interruption) -> None:
        """What is due after a step: a line, a validation, a checkpoint, the end."""
        step, running = self.progress.step, self.running
        line = step % running.log_steps == 0
        epoch = step % self.order.steps_per_epoch == 0
        save = running.checkpoint_steps > 0 and step % running.checkpoint_steps == 0
        alone = self.order.world == 1
        if not (line or epoch or save or (alone and interruption.asked)):
            return
        self._read_losses()
        due = self.save_times.due(running.checkpoint_minutes, epoch)
        stop, due = self._any(interruption.asked, due)
        if line:
            self._log({"loss": self.progress.mean_pending(), **self._speed(loader)})
        if epoch:
            self._validate()
        if save or due or stop or step == self.steps:
            with self.save_times.measured():
                self._save()
        if epoch or line:
            self.meter.restart(loader.waited)
        if stop and step < self.steps:
            raise Stopped(f"stopped after step {step} of {self.steps}: the same command with --resume goes on.")

    def _read_losses(self) -> None:
        """Losses since the last reading, averaged over the processes."""
        losses = torch.stack(self.unread)
        self.unread = []
        mean = self.accelerator.reduce(losses, "mean") if self.order.world > 1 else losses
        self.progress.take(mean.tolist(), self.saved, str(self.out))

    def _any(self, *flags: bool) -> list[bool]:
        """Which of the flags are set on any process."""
        if self.order.world == 1:
            return list(flags)
        here = torch.tensor(flags, dtype=torch.int64, device=self.accelerator.device)
        return [bool(flag) for flag in self.accelerator.reduce(here, "sum").tolist()]

    # ---- what is written -------------------------------------------------------------------------------------------

    def _speed(self, loader: Loader) -> dict[str, float]:
        rate = self.optimizer.param_groups[0]["lr"]
        return {"learning_rate": rate, **self.meter.read(loader.waited)}

    def _log(self, row: dict[str, Any]) -> None:
        step = self.progress.step
        row = {"step": step, "epoch": round(step / self.order.steps_per_epoch, 4), **row}
        if self.first:
            self.history.add(row)
        self.accelerator.log({key: value for key, value in row.items() if key != "step"}, step=step)
        where = f"epoch {row['epoch']:.2f} of {self.spec.recipe.epochs}, step {step} of {self.steps}:"
        if "loss" in row:
            speed = f"{row['images_per_s']:.0f} images/s, {row['waiting']:.0%} of the time waiting for pictures"
            self.report(f"{where} loss {row['loss']:.3f}, {speed}")
        else:
            self.report(f"{where} validation top-1 {row['top1']:.1%}, top-5 {row['top5']:.1%}")

    def _validate(self) -> None:
        found = self._measured()
        row = {"val_loss": found.loss, "top1": found.top1, "top5": found.top5}
        self._log({"train_loss": self.progress.mean_epoch(), **row})
        best = self.progress.best
        if best is None or found.top1 > best["top1"]:
            self.progress.best = {"step": self.progress.step, **found.to_dict()}
            if self.first:
                save_model(self.network.model, self.out / BEST, {"step": self.progress.step})

    def _measured(self) -> Validation:
        """On all processes' shares of the validation pictures, in the training's precision."""
        share = (self.order.rank, self.order.world)
        options: dict[str, Any] = {"rows": self.network.rows, "device": self.accelerator.device}
        self.network.eval()
        batches = evaluation_batches(self.data, self.order.piece, share=share, workers=self.workers, **options)
        total = counts(self.network, batches).to(self.accelerator.device)
        self.network.train()
        return validation_of(self.accelerator.reduce(total, "sum") if self.order.world > 1 else total)

    def _save(self) -> None:
        """Write a checkpoint, of weights that are all finite."""
        if not all(bool(parameter.isfinite().all()) for parameter in self.network.parameters()):
            raise RunError(
                f"A weight is not finite after step {self.progress.step}; no checkpoint was written over that of step "
                f"{self.saved}. Train in another folder with a lower --learning-rate or --clip-norm 1."
            )
        states = [random_states()]
        if self.order.world > 1:
            from accelerate.utils import gather_object

            states = gather_object(states)
        if self.first:
            scaler = self.accelerator.scaler
            Checkpoint(
                self.described,
                self.progress.step,
                self.network.model.state_dict(),
                self.optimizer.state_dict(),
                scaler.state_dict() if scaler is not None else None,
                states,
                self.progress.to_dict(),
            ).write(self.out / LAST)
        self.saved = self.progress.step

    def outcome(self) -> Outcome | None:
        """The best weights, measured again as they are published."""
        self.accelerator.wait_for_everyone()
        if not self.first:
            return None
        best, device = self.progress.best or {}, self.accelerator.device
        return measure_outcome(self.out / BEST, self.data, self.described, best, device, self.running.half)
