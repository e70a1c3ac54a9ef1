"""The optimiser and the learning rate of a recipe."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from stackwalls.model.training.recipes import Recipe


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """The learning rate of one optimiser step.

    Args:
        recipe: what to follow.
        step: counted from 0.
        steps_per_epoch: optimiser steps of an epoch.
    """
    total = recipe.epochs * steps_per_epoch
    rising = round(recipe.warm_up * total)
    if step < rising:
        return recipe.learning_rate * (step + 1) / (rising + 1)
    if recipe.schedule == "step":
        return recipe.learning_rate * recipe.step_factor ** (step // steps_per_epoch // recipe.step_epochs)
    return recipe.learning_rate * (1 + math.cos(math.pi * (step - rising) / max(total - rising, 1))) / 2


def build_optimizer(recipe: Recipe, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimiser, with one fused kernel for all parameters where the device has it."""
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
    """Set it for the next step, in every group of parameters."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def find_precision(asked: str, device: torch.device) -> str:
    """Accelerate's word for a precision: "no", "fp16" or "bf16".

    "auto" is bf16 where the device multiplies it fast, else fp16 on a GPU and full precision on a CPU.
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
