"""How much the engine computes at once, and what it does when memory does not suffice for that."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch

Kind = Literal["images", "ablated", "masked"]

T = TypeVar("T")

_PHRASES = ("can't allocate memory", "not enough memory", "out of memory", "cannot allocate memory")
"""What allocators that raise a plain RuntimeError say: torch's on a CPU, Apple's on its GPUs, oneDNN's."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice, on any device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(phrase in str(error).lower() for phrase in _PHRASES)


@dataclass
class BatchSizes:
    """The most of each kind in one call. Results do not depend on them beyond rounding.

    Attributes:
        images: images a forward pass.
        ablated: maps without a channel a call of the head (AblationCAM).
        masked: masked images a call (ScoreCAM).
        say: told once when memory did not suffice; on stderr by default.
    """

    images: int = 32
    ablated: int = 32
    masked: int = 8
    say: Callable[[str], None] = lambda text: print(text, file=sys.stderr)  # noqa: T201
    _said: bool = False

    @classmethod
    def usual(cls, device: torch.device) -> BatchSizes:
        """As large as pays: on a CPU larger ones do not fit its caches, a GPU has to be filled."""
        return cls() if device.type == "cpu" else cls(ablated=512, masked=128)

    def halve(self, kind: Kind, before: int) -> None:
        """Take half as many of a kind from now on as it was before."""
        setattr(self, kind, before // 2)
        if not self._said:
            self._said = True
            self.say(f"Memory did not suffice for {before} {kind} at once: going on with {before // 2}, and fewer yet.")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def shrinking(self, kind: Kind, run: Callable[[int], T], number: int) -> T:
        """`run(size)`, again with half the size as often as memory does not suffice.

        Args:
            kind: of what.
            run: given a size, `number` at most.
            number: how many there are.

        Raises:
            Exception: whatever `run` raises otherwise, or with a size of 1.
        """
        while True:
            size = max(1, min(getattr(self, kind), number))
            try:
                return run(size)
            except Exception as error:
                if size == 1 or not is_out_of_memory(error):
                    raise
            # after the `except`, since its error holds the frames that hold the memory
            self.halve(kind, size)
