"""Training of a classifier, from the first step or a checkpoint to the certified network."""

import math
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import nn

from stackwalls.model.errors import InputError
from stackwalls.model.networks.attention.walled_transformer import WalledTransformer
from stackwalls.model.networks.masked_vgg import MaskedVGG16
from stackwalls.model.networks.registry import load_model
from stackwalls.model.networks.walled_model import Walled
from stackwalls.model.networks.walled_network import WalledNetwork
from stackwalls.model.preprocessing import Transform
from stackwalls.model.runtime.device import memory_errors
from stackwalls.model.training.batch_order import BatchOrder
from stackwalls.model.training.checkpoint import random_states, set_random_states
from stackwalls.model.training.first_weights import calibrate
from stackwalls.model.training.history import HISTORY_NAME
from stackwalls.model.training.loading import Loader, evaluation_batches
from stackwalls.model.training.loop import StepLoop
from stackwalls.model.training.network import TrainingNetwork, compiles
from stackwalls.model.training.spec import Recipe, Running, TrainingSpec
from stackwalls.model.training.start import starting_network
from stackwalls.model.training.training_data import TrainingData
from stackwalls.model.training.validation import Outcome, measure_outcome, validate
from stackwalls.model.wall import IMAGE_SIZE

BEST = "checkpoints/best"

_CALIBRATION = 64
"""Largest number of images on which the first weights are calibrated."""


def train(
    data: TrainingData,
    spec: TrainingSpec,
    out: str | Path,
    running: Running | None = None,
    *,
    resume: bool = False,
    report: Callable[[str], None] = lambda _: None,
) -> Outcome | None:
    """Train a network, or resume a training.

    Under `accelerate launch` or torchrun, every process calls this. The global random states are restored.

    Args:
        data: what to train and validate on.
        spec: with the data, all that determines the weights.
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
    with ExitStack() as at_the_end:
        at_the_end.callback(set_random_states, random_states())
        training = _Training(data, spec, Path(out), running or Running(), report)
        at_the_end.callback(training.accelerator.end_training)
        at_the_end.callback(training.close)
        training.start(resume)
        training.run()
        return training.outcome()


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """The learning rate of optimizer step `step`, counted from 0."""
    total = recipe.epochs * steps_per_epoch
    rising = round(recipe.warm_up * total)
    if step < rising:
        return recipe.learning_rate * (step + 1) / (rising + 1)
    if recipe.schedule == "step":
        return recipe.learning_rate * recipe.step_factor ** (step // steps_per_epoch // recipe.step_epochs)
    return recipe.learning_rate * (1 + math.cos(math.pi * (step - rising) / max(total - rising, 1))) / 2


def build_optimizer(recipe: Recipe, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimizer of a recipe, with one fused kernel for all parameters if the device has it."""
    parameters = list(parameters)
    fused, rate, decay = parameters[0].device.type in ("cpu", "cuda"), recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(parameters, rate, (recipe.momentum, 0.999), weight_decay=decay, fused=fused)
    return torch.optim.SGD(parameters, rate, recipe.momentum, weight_decay=decay, fused=fused)


class _Training(StepLoop):
    checkpoint_name = "checkpoints/last.pt"
    to_resume = "Run the same command with --resume to continue."
    if_not_finite = "Train in another folder with a lower --learning-rate, a longer --warm-up or --clip-norm 1."

    def __init__(
        self, data: TrainingData, spec: TrainingSpec, out: Path, running: Running, report: Callable[[str], None]
    ) -> None:
        super().__init__(out, running, spec.recipe.precision, report)
        self.data, self.spec, self.recipe = data, spec, spec.recipe
        if data.size is None:
            raise InputError(f"{data.name} does not say how many images one pass has. Add --epoch-images N.")
        processes = (self.accelerator.process_index, self.accelerator.num_processes, running.accumulate)
        self.order = BatchOrder(data.size, self.recipe.batch_size, spec.seed, *processes)
        self.steps_per_epoch = self.order.steps_per_epoch
        self.steps = self.recipe.epochs * self.steps_per_epoch
        self.clip_norm = self.recipe.clip_norm

    def _loading(self) -> dict[str, Any]:
        """What the batches of training and of validation have in common."""
        device, workers = self.accelerator.device, self.running.workers
        cores = 0 if device.type == "cpu" else min(8, torch.get_num_threads())
        return {"rows": self.network.rows, "device": device, "workers": cores if workers is None else workers}

    def _transform(self) -> Transform:
        """What is done to validation images: by the recipe, or as the network wants it."""
        size, resize = self.network.size, self.recipe.validation_resize
        return self.network.model.transform if resize is None else Transform(size, round(resize * size / IMAGE_SIZE))

    def start(self, resume: bool) -> None:
        """Make the network and its optimizer, and restore a checkpoint."""
        if not resume and any((self.folder / name).exists() for name in (self.checkpoint_name, HISTORY_NAME)):
            raise InputError(f"{self.folder} already holds a training. Add --resume, or choose another folder.")
        torch.manual_seed(self.spec.seed)
        model, start = starting_network(self.spec, self.data)
        facts = {"seed": self.spec.seed, "recipe": self.recipe.to_dict(), "precision": self.accelerator.mixed_precision}
        self.described = {**start, **facts, "data": self.data.to_dict()}
        found = self.find_checkpoint() if resume else None
        if found is not None and found.progress.get("best") and not (self.folder / BEST).is_dir():
            raise InputError(f"{self.folder / BEST}, the best network until now, is missing: train in another folder.")
        self.network = self._network_of(model, calibrated=found is None and self._is_calibrated(model))
        self.prepare(self.network, build_optimizer(self.recipe, self.network.parameters()), found)
        config = {name: str(v) if isinstance(v, list) else v for name, v in self.recipe.to_dict().items()}
        self.accelerator.init_trackers("stackwalls", config)

    def _is_calibrated(self, model: MaskedVGG16 | WalledNetwork) -> bool:
        """Whether the first weights are fitted to training images."""
        if isinstance(model, Walled):  # its statistics, which training keeps, say nothing yet
            return not self.spec.pretrained
        return isinstance(model, MaskedVGG16) and self.spec.is_new_vgg16 and self.recipe.initialization == "calibrated"

    def _network_of(self, model: MaskedVGG16 | WalledNetwork, calibrated: bool) -> TrainingNetwork:
        """The network on its device, with first weights that follow from the seed and the data."""
        device, compiled = self.accelerator.device, self.running.compile
        if compiled is None:
            compiled = isinstance(model, MaskedVGG16) and compiles(device)
        if compiled and isinstance(model, WalledTransformer):
            raise InputError("The attention behind a wall cannot be compiled: leave out --compile.")
        network = TrainingNetwork(model, self.recipe.dropout, compiled)
        if calibrated:
            order = BatchOrder(self.order.size, self.order.batch_size, self.order.seed)  # the same in every process
            images, _ = next(Loader(self.data, order, self.recipe, range(1), size=network.size, rows=network.rows))
            calibrate(network, images[:_CALIBRATION])
        return network.to(device)

    def state(self) -> dict[str, Any]:
        return self.network.model.state_dict()

    def load_state(self, state: dict[str, Any]) -> None:
        self.network.model.load_state_dict(state)

    def run(self) -> None:
        parts = 2 * self.order.accumulation
        too_large = (
            f"Out of memory with {self.order.piece} images at once. Run again with --resume and --accumulate {parts}, "
            "which gives the same result from half as many at once; a lower precision (--precision bf16), --width or "
            "--size is another training."
        )
        with memory_errors(too_large):
            steps, decode = range(self.progress.step, self.steps), self.running.decode == "auto"
            shape = {"size": self.network.size, **self._loading()}
            self.loader = Loader(self.data, self.order, self.recipe, steps, gpu_decode=decode, **shape)
            self.network.train()
            super().run()

    def learning_rate(self, step: int) -> float:
        return learning_rate(self.recipe, step, self.steps_per_epoch)

    def loss(self, part: int) -> torch.Tensor:
        images, positions = next(self.loader)  # (n, 3, rows, size) uint8, (n,) int64
        self.network.place(self.spec.seed, self.progress.step, self.order.first(part), self.recipe.batch_size)
        logits = self.wrapped(images)  # (n, classes)
        return F.cross_entropy(logits.float(), positions, label_smoothing=self.recipe.label_smoothing)

    def end_epoch(self) -> None:
        """Validate, and keep the weights if they are the best so far: by top-1, then by the loss."""
        share, device = (self.order.rank, self.order.world), self.accelerator.device
        self.network.eval()
        transform = self._transform()
        batches = evaluation_batches(self.data, self.order.piece, transform=transform, share=share, **self._loading())
        # a process that had no images has its zeros on the CPU
        found = validate(self.network, batches, lambda total: self.accelerator.reduce(total.to(device), "sum"))
        self.network.train()
        train_loss = self.progress.mean_epoch()
        self._write({"train_loss": train_loss, "val_loss": found.loss, "top1": found.top1, "top5": found.top5})
        self._say(f"validation top-1 {found.top1:.1%}, top-5 {found.top5:.1%}")
        best = self.progress.best
        if best is None or (found.top1, -found.loss) > (best["top1"], -best["loss"]):
            self.progress.best = {"step": self.progress.step, **asdict(found)}
            if self.first:
                self.network.model.save_pretrained(self.folder / BEST)

    def restart_clock(self) -> None:
        super().restart_clock()
        self._waited = self.loader.waited

    def log(self) -> None:
        loss, speed = self.progress.mean_pending(), self.steps_per_second() * self.recipe.batch_size
        waiting = (self.loader.waited - self._waited) / self.seconds()
        rate = self.optimizer.param_groups[0]["lr"]
        speeds = {"images_per_s": round(speed, 2), "waiting": round(waiting, 4)}
        self._write({"loss": loss, "learning_rate": rate, **speeds})
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
        model = cast("MaskedVGG16 | WalledNetwork", load_model(str(self.folder / BEST)))
        transform, half = self._transform(), self.running.half
        return measure_outcome(model, self.data, self.described, best, device, transform=transform, half=half)
