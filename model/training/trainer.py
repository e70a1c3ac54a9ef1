"""Training of the masked VGG16 and its baseline, from the first step or a checkpoint to the certified network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from stackwalls.model.device import memory_errors
from stackwalls.model.errors import InputError
from stackwalls.model.images.labelled import LabelledImages
from stackwalls.model.networks.checkpoints import save_model
from stackwalls.model.networks.masked_vgg import MAP_SIZE, VISIBLE_ROWS, MaskedVGG16
from stackwalls.model.training.batch_order import BatchOrder
from stackwalls.model.training.checkpoint import random_states, set_random_states
from stackwalls.model.training.history import HISTORY_NAME
from stackwalls.model.training.loading import Loader, evaluation_batches
from stackwalls.model.training.loop import StepLoop
from stackwalls.model.training.network import TrainingNetwork, calibrate, compiles
from stackwalls.model.training.optimization import build_optimizer, learning_rate
from stackwalls.model.training.spec import Running, TrainingSpec
from stackwalls.model.training.training_data import TrainingData
from stackwalls.model.training.validation import Outcome, Validation, measure_outcome, validate

BEST = "checkpoints/best.safetensors"

_CALIBRATION = 64
"""Largest number of images on which the first weights are calibrated."""


def train(
    data: TrainingData,
    spec: TrainingSpec,
    out: Path,
    running: Running | None = None,
    *,
    resume: bool = False,
    report: Callable[[str], None] = lambda _: None,
) -> Outcome | None:
    """Train a network, or resume a training.

    Under `accelerate launch` or torchrun, every process calls this. The global random states are restored.

    Args:
        data: what to train and validate on.
        spec: recipe, wall and seed; these and the data alone determine the weights.
        out: folder for `checkpoints/` and `history.jsonl`.
        running: how this machine runs it.
        resume: resume from the last checkpoint in `out`, if there is one.
        report: called with one line about progress at a time.

    Returns:
        The best network, measured and certified; None in all processes but the first.

    Raises:
        InputError: if `out` holds a training and `resume` is not set, or a checkpoint of another training.
        RunError: if the loss is not finite, memory runs out, the disk is full, or an image is broken.
        Stopped: after Ctrl-C or SIGTERM; a checkpoint is written.
    """
    with _random_states_kept():
        training = _Training(data, spec, out, running or Running(), report)
        try:
            training.start(resume)
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


class _Training(StepLoop):
    checkpoint_name = "checkpoints/last.pt"
    to_resume = "Run the same command with --resume to continue."
    if_not_finite = "Train in another folder with a lower --learning-rate, a longer --warm-up or --clip-norm 1."

    def __init__(
        self, data: TrainingData, spec: TrainingSpec, out: Path, running: Running, report: Callable[[str], None]
    ) -> None:
        super().__init__(out, running, spec.recipe.precision, report)
        self.data, self.spec, self.recipe = data, spec, spec.recipe
        size = len(data.train.labels) if isinstance(data.train, LabelledImages) else data.train.size
        if size is None:
            raise InputError(f"{data.name} does not say how many images one pass has. Add --epoch-images N.")
        processes = (self.accelerator.process_index, self.accelerator.num_processes, running.accumulate)
        self.order = BatchOrder(size, self.recipe.batch_size, spec.seed, *processes)
        self.steps_per_epoch = self.order.steps_per_epoch
        self.steps = self.recipe.epochs * self.steps_per_epoch
        self.clip_norm = self.recipe.clip_norm
        self.described = {**spec.to_dict(), "precision": self.accelerator.mixed_precision, "data": data.to_dict()}
        cores = 0 if self.accelerator.device.type == "cpu" else min(8, torch.get_num_threads())
        self.workers = cores if running.workers is None else running.workers

    # ---- start -----------------------------------------------------------------------------------------------------

    def start(self, resume: bool) -> None:
        """Make the network and its optimizer, and restore a checkpoint."""
        if not resume and any((self.folder / name).exists() for name in (self.checkpoint_name, HISTORY_NAME)):
            raise InputError(f"{self.folder} already holds a training. Add --resume, or choose another folder.")
        found = self.find_checkpoint() if resume else None
        self.network = self._new_network(calibrated=found is None)
        self.prepare(self.network, build_optimizer(self.recipe, self.network.parameters()), found)
        config = {name: str(v) if isinstance(v, list) else v for name, v in self.recipe.to_dict().items()}
        self.accelerator.init_trackers("stackwalls", config)

    def _new_network(self, calibrated: bool) -> TrainingNetwork:
        """The network on its device, with first weights that follow from the seed and the data."""
        torch.manual_seed(self.spec.seed)
        model = MaskedVGG16(
            visible_rows=VISIBLE_ROWS if self.spec.masked else MAP_SIZE,
            num_classes=len(self.data.classes),
            width=self.recipe.width,
            classes=self.data.classes,
        )
        device, compiled = self.accelerator.device, self.running.compile
        network = TrainingNetwork(model, self.recipe.dropout, compiles(device) if compiled is None else compiled)
        if self.recipe.initialisation == "calibrated" and calibrated:
            order = BatchOrder(self.order.size, self.order.batch_size, self.order.seed)  # the same in every process
            images, _ = next(Loader(self.data, order, self.recipe, range(1), rows=network.rows))
            calibrate(network, images[:_CALIBRATION])
        return network.to(device)

    def state(self) -> dict[str, Any]:
        return self.network.model.state_dict()

    def load_state(self, state: dict[str, Any]) -> None:
        self.network.model.load_state_dict(state)

    # ---- steps -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        parts = 2 * self.order.accumulation
        too_large = (
            f"Out of memory with {self.order.piece} images at once. Run again with --resume and --accumulate {parts}, "
            "which gives the same result from half as many at once; a lower precision (--precision bf16) or --width "
            "is another training."
        )
        with memory_errors(too_large):
            self.loader = Loader(
                self.data,
                self.order,
                self.recipe,
                range(self.progress.step, self.steps),
                rows=self.network.rows,
                device=self.accelerator.device,
                workers=self.workers,
                gpu_decode=self.running.decode == "auto",
            )
            self.network.train()
            super().run()

    def learning_rate(self, step: int) -> float:
        return learning_rate(self.recipe, step, self.steps_per_epoch)

    def loss(self, part: int) -> torch.Tensor:
        images, positions = next(self.loader)  # (n, 3, rows, 224) uint8, (n,) int64
        self.network.place(self.spec.seed, self.progress.step, self.order.first(part), self.recipe.batch_size)
        logits = self.wrapped(images)  # (n, classes)
        return F.cross_entropy(logits.float(), positions, label_smoothing=self.recipe.label_smoothing)

    def end_epoch(self) -> None:
        """Validate, and keep the weights if they are the best so far."""
        found = self._validate()
        train_loss = self.progress.mean_epoch()
        self._write({"train_loss": train_loss, "val_loss": found.loss, "top1": found.top1, "top5": found.top5})
        self._say(f"validation top-1 {found.top1:.1%}, top-5 {found.top5:.1%}")
        best = self.progress.best
        if best is None or found.top1 > best["top1"]:
            self.progress.best = {"step": self.progress.step, **found.to_dict()}
            if self.first:
                save_model(self.network.model, self.folder / BEST, {"step": self.progress.step})

    def _validate(self) -> Validation:
        """Measure on all processes' shares of the validation images, in the training's precision."""
        self.network.eval()
        batches = evaluation_batches(
            self.data,
            self.order.piece,
            share=(self.order.rank, self.order.world),
            rows=self.network.rows,
            device=self.accelerator.device,
            workers=self.workers,
        )
        found = validate(self.network, batches, self._sum)
        self.network.train()
        return found

    def _sum(self, total: torch.Tensor) -> torch.Tensor:
        """Add up over the processes; one that had no images has its zeros on the CPU."""
        total = total.to(self.accelerator.device)
        return self.accelerator.reduce(total, "sum") if self.order.world > 1 else total

    # ---- output ----------------------------------------------------------------------------------------------------

    def restart_clock(self) -> None:
        super().restart_clock()
        self._waited = self.loader.waited

    def log(self) -> None:
        loss, speed = self.progress.mean_pending(), self.steps_per_second() * self.recipe.batch_size
        waiting = (self.loader.waited - self._waited) / self.seconds()
        rate = self.optimizer.param_groups[0]["lr"]
        row = {"loss": loss, "learning_rate": rate, "images_per_s": round(speed, 2), "waiting": round(waiting, 4)}
        self._write(row)
        self._say(f"loss {loss:.3f}, {speed:.0f} images/s, {waiting:.0%} of the time waiting for images")

    def _write(self, row: dict[str, Any]) -> None:
        self.write_line({"epoch": round(self.progress.step / self.steps_per_epoch, 4), **row})

    def _say(self, what: str) -> None:
        step = self.progress.step
        where = f"epoch {step / self.steps_per_epoch:.2f} of {self.recipe.epochs}, step {step} of {self.steps}"
        self.report(f"{where}: {what}")

    def outcome(self) -> Outcome | None:
        """The best weights, measured again as they are published."""
        self.accelerator.wait_for_everyone()
        if not self.first:
            return None
        best, device = self.progress.best or {}, self.accelerator.device
        return measure_outcome(self.folder / BEST, self.data, self.described, best, device, self.running.half)
