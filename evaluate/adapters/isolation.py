"""A call of third-party code that leaves nothing behind, and gives the same result for the same images."""

import random
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
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


@dataclass
class Draws:
    """Whether random numbers were drawn, known afterwards."""

    any: bool = False


@contextmanager
def undisturbed(model: nn.Module, kept: KeptState, images: torch.Tensor, seed: int) -> Iterator[Draws]:
    """Run a method: gradients on, its prints to stderr; afterwards the model is `restored`, its state as `kept`.

    The global random number generators are seeded by the images, and restored afterwards. So a method that draws
    numbers gives the same maps whatever ran before: in one process, in several, or after a resumed run. With one image
    per call, they do not depend on the batch size either.
    """
    sampled = images[..., ::8, ::8].detach().float().cpu().contiguous().numpy()  # enough to identify an image
    number = zlib.crc32(sampled.tobytes(), seed)
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - what third-party code draws from
    devices = [images.device] if images.device.type == "cuda" else []
    with restored(model), torch.random.fork_rng(devices), redirect_stdout(sys.stderr):
        for parameter in model.parameters():
            parameter.grad = None  # a backward pass would add to the user's gradient in place
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
            kept.put_back()


def _states(device: torch.device) -> tuple[object, ...]:
    """Of all generators that a method may draw from."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    of_device = torch.cuda.get_rng_state(device).numpy().tobytes() if device.type == "cuda" else b""
    of_torch = torch.get_rng_state().numpy().tobytes()
    return (of_torch, of_device, random.getstate(), name, np.asarray(keys).tobytes(), *rest)
