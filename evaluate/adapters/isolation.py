"""A call of third-party code that leaves nothing behind, and gives the same result for the same images."""

from __future__ import annotations

import random
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from stackwalls.model import KeptState, preserved


@contextmanager
def restored(model: nn.Module) -> Iterator[None]:
    """Gradients on; afterwards the model has its modes, hooks, gradients and child modules again, on errors too.

    An AblationCAM that fails halfway leaves its own layer in the model.
    """
    children = [(module, dict(module._modules)) for module in model.modules()]
    with preserved(model), torch.inference_mode(False), torch.enable_grad():
        try:
            yield
        finally:
            for module, before in children:
                module._modules.update(before)


@contextmanager
def undisturbed(model: nn.Module, kept: KeptState, images: torch.Tensor, seed: int) -> Iterator[Draws]:
    """Run a method: gradients on, its prints to stderr, with random numbers of its own (see `repeatable`).

    Afterwards the model is `restored`, and its weights and attributes are as `kept`.
    """
    with ExitStack() as stack:
        stack.enter_context(restored(model))
        stack.callback(kept.put_back)
        draws = stack.enter_context(repeatable(images, seed))
        stack.enter_context(redirect_stdout(sys.stderr))
        for parameter in model.parameters():
            parameter.grad = None  # a backward pass would add to the user's gradient in place
        yield draws


@dataclass
class Draws:
    """Whether random numbers were drawn, known afterwards."""

    any: bool = False


@contextmanager
def repeatable(images: torch.Tensor, seed: int) -> Iterator[Draws]:
    """Seed the global random number generators by the images, and restore them afterwards.

    So a method that draws numbers gives the same maps whatever ran before: in one process, in several, or after a
    resumed run. With one image per call, they do not depend on the batch size either.
    """
    sampled = images[..., ::8, ::8].detach().float().cpu().contiguous().numpy()  # enough to identify an image
    number = zlib.crc32(sampled.tobytes(), seed)
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - what third-party code draws from
    with torch.random.fork_rng([images.device] if images.device.type == "cuda" else []):
        torch.manual_seed(number)
        np.random.seed(number)  # noqa: NPY002
        random.seed(number)
        draws, before = Draws(), _states(images.device)
        try:
            yield draws
        finally:
            draws.any = _states(images.device) != before
            random.setstate(of_python)
            np.random.set_state(of_numpy)  # noqa: NPY002


def _states(device: torch.device) -> tuple[object, ...]:
    """Of all generators that a method may draw from."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    of_device = torch.cuda.get_rng_state(device).numpy().tobytes() if device.type == "cuda" else b""
    of_torch = torch.get_rng_state().numpy().tobytes()
    return (of_torch, of_device, random.getstate(), name, np.asarray(keys).tobytes(), *rest)
