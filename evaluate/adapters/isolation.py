"""A call of somebody else's code that leaves nothing behind, and gives the same for the same pictures."""

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

from stackwalls.evaluate.adapters.grad_cam_explainer import same_layers
from stackwalls.model import KeptState, preserved

_SAMPLED = 8
"""Every 8th row and column of a picture tell it from others."""


@contextmanager
def undisturbed(model: nn.Module, kept: KeptState, images: torch.Tensor, seed: int) -> Iterator[Draws]:
    """Run a method: gradients on, its prints to stderr, random numbers of its own; afterwards all is as it was.

    Args:
        model: its modes, hooks, layers, `requires_grad` and gradients are put back, on errors too.
        kept: its weights and attributes, which are put back likewise.
        images: `(N, 3, H, W)`; with `seed`, they seed the random numbers.
        seed: of the run and the method.

    Yields:
        Whether random numbers were drawn, as `repeatable` does.
    """
    with ExitStack() as stack:
        stack.enter_context(preserved(model))
        stack.callback(kept.put_back)
        stack.enter_context(same_layers(model))
        draws = stack.enter_context(repeatable(images, seed))
        stack.enter_context(redirect_stdout(sys.stderr))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for parameter in model.parameters():
            parameter.grad = None  # a backward pass would add to the user's gradient in place
        yield draws


@dataclass
class Draws:
    """Whether random numbers were drawn, known afterwards."""

    any: bool = False


@contextmanager
def repeatable(images: torch.Tensor, seed: int) -> Iterator[Draws]:
    """Seed all random numbers by the pictures, and put the generators back.

    So a method that draws numbers gives the same maps whatever ran before: in one process, in several, or after a
    resumed run. The numbers are drawn for the batch; with one image a call they do not depend on the batch size either.
    """
    sampled = images[..., ::_SAMPLED, ::_SAMPLED].detach().float().cpu().contiguous().numpy()
    number = zlib.crc32(sampled.tobytes(), seed)
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - what others' code draws from
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
    return (
        torch.get_rng_state().numpy().tobytes(),
        of_device,
        random.getstate(),
        name,
        np.asarray(keys).tobytes(),
        *rest,
    )
