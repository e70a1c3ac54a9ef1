"""How much is computed at once: what a memory budget allows, and half of it whenever memory runs out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch

from stackwalls.evaluate.subject import Subject
from stackwalls.model import LayeredModel, is_out_of_memory, preserved

Kind = Literal["images", "ablated", "masked", "differentiated"]

T = TypeVar("T")

_SCRATCH = 2
"""Layers need memory beside their inputs and outputs: weights in another layout, patches of images."""


@dataclass
class BatchSizes:
    """The most of each kind in one call. Results do not depend on them beyond rounding."""

    images: int = 32  # per forward pass
    ablated: int = 32  # maps without a channel per call of the head (AblationCAM)
    masked: int = 8  # masked images per call (ScoreCAM)
    differentiated: int = 8  # images per pass whose activations are all kept for gradients (other libraries' methods)
    say: Callable[[str], None] = lambda text: print(text, file=sys.stderr)  # noqa: T201 - told once memory runs out
    _said: bool = False

    @classmethod
    def usual(cls, device: torch.device) -> BatchSizes:
        """As large as pays: larger ones exceed a CPU's caches, a GPU has to be filled."""
        return cls() if device.type == "cpu" else cls(ablated=512, masked=128, differentiated=32)

    def limit(self, subject: Subject, memory: int, image_bytes: int = 0) -> None:
        """Halve each size until its activations fit a budget in bytes, by a forward pass of one image.

        `image_bytes` is what the methods keep of each image's pass besides (see `AttentionExplainer.image_bytes`).
        """
        image, activations, kept = pass_bytes(subject)
        calls = torch.get_num_threads() if subject.device.type == "cpu" else 1  # ScoreCAM's run side by side on a CPU
        each_of = {
            "images": image + image_bytes,
            "ablated": _SCRATCH * activations,
            "masked": calls * image,
            "differentiated": kept,
        }
        if isinstance(subject.model, LayeredModel) and subject.model.layer is not None:
            each_of |= {"images": kept + image_bytes, "ablated": image}  # what follows is more than a head
        for kind, each in each_of.items():
            while getattr(self, kind) > 1 and getattr(self, kind) * each > memory:
                setattr(self, kind, getattr(self, kind) // 2)

    def shrinking(self, kind: Kind, run: Callable[[int], T], number: int) -> T:
        """Call `run(size)`, `number` at most, with half the size from now on each time memory runs out.

        `accelerate.utils.find_executable_batch_size` does the same for one call, and forgets the size after it. What
        else `run` raises is raised, and running out of memory at size 1.
        """
        while True:
            size = max(1, min(getattr(self, kind), number))
            try:
                return run(size)
            except Exception as error:
                if size == 1 or not is_out_of_memory(error):
                    raise
            # after the `except`: the error holds the frames that hold the memory
            setattr(self, kind, size // 2)
            if not self._said:
                self._said = True
                self.say(f"Memory ran out with {size} {kind} at once: continuing with {size // 2}, or fewer.")
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


def pass_bytes(subject: Subject) -> tuple[int, int, int]:
    """Bytes per image, by a pass of one image: of a forward pass, of the target layer's map, of all layers' outputs.

    The outputs are what a backward pass needs.
    """
    largest, of_target, kept = 0, 0, 0

    def measure(module: Any, inputs: Any, output: Any) -> None:
        nonlocal largest, of_target, kept
        largest = max(largest, _bytes_of(inputs) + _bytes_of(output))
        kept += _bytes_of(output) if next(module.children(), None) is None else 0
        if module is subject.map_layer:
            of_target = _bytes_of(output)

    size = subject.wall.image_size
    with preserved(subject.model) as model, torch.inference_mode():
        for module in model.modules():
            module.register_forward_hook(measure)
        with suppress(Exception):  # the certificate and the run, which make the same pass, say what is wrong
            model(torch.zeros(1, 3, size, size, device=subject.device))
    return _SCRATCH * largest, of_target, max(kept, _SCRATCH * largest)


def _bytes_of(value: Any) -> int:
    if isinstance(value, torch.Tensor):
        return value.nbytes
    return sum(map(_bytes_of, value)) if isinstance(value, tuple | list) else 0
