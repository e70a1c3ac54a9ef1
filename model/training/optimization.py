"""Optimizer, learning rate and precision of a recipe, and accelerate's `Accelerator`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stackwalls.model.errors import InputError
from stackwalls.model.training.spec import Recipe, Running


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
    fused = parameters[0].device.type in ("cpu", "cuda")
    if recipe.optimizer == "adamw":
        betas = (recipe.momentum, 0.999)
        return torch.optim.AdamW(
            parameters, recipe.learning_rate, betas=betas, weight_decay=recipe.weight_decay, fused=fused
        )
    return torch.optim.SGD(
        parameters, recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay, fused=fused
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of the next step, in every group of parameters."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def find_precision(asked: str, device: torch.device) -> str:
    """Accelerate's name of a precision: "no", "fp16" or "bf16".

    "auto" is bf16 if the device multiplies it fast, else fp16 on a GPU and full precision on a CPU.
    """
    if asked != "auto":
        return "no" if asked == "fp32" else asked
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    fast = (
        getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
        or getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
    )
    return "bf16" if device.type == "cpu" and fast else "no"


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
    if running.tracker and running.tracker not in [str(name) for name in get_available_trackers()]:
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
