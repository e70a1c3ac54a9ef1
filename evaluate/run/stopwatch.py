"""Seconds on a device: the clock is read after all that the device was given to do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch


@dataclass
class Stopwatch:
    """What `stopwatch` measured.

    Attributes:
        seconds: NaN until the block has ended.
    """

    seconds: float = float("nan")


@contextmanager
def stopwatch(device: torch.device) -> Iterator[Stopwatch]:
    """Time what is done inside, on this device."""
    watch = Stopwatch()
    started = _now(device)
    yield watch
    watch.seconds = _now(device) - started


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()
