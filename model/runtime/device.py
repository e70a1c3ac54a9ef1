"""Devices: which one to use, how long it takes, and what to say when its memory runs out."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from accelerate.utils.memory import should_reduce_batch_size
from torch import nn

from stackwalls.model.errors import InputError, RunError

_KINDS = ("cpu", "cuda", "mps")
_PHRASES = ("can't allocate memory", "not enough memory", "cannot allocate memory", "failed to allocate")
"""What allocators say in a plain RuntimeError that accelerate does not know: oneDNN's, and torch's on a CPU."""


def find_device(name: str = "auto", local_rank: int = 0) -> torch.device:
    """The torch device of this name; "auto" takes CUDA, then MPS, then the CPU.

    Args:
        name: "auto", or a torch device; "cuda" without a number is this process's own GPU.
        local_rank: number of this process on its machine.

    Raises:
        InputError: if the name is unknown or the device is not available.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if name.partition(":")[0] not in _KINDS:
        raise InputError(f"Expected a device such as auto, cpu, cuda, cuda:1 or mps, but got {name!r}.")
    if name == "mps" and not torch.backends.mps.is_available():
        raise InputError("There is no device 'mps' on this machine: it is an Apple GPU.")
    try:
        device = torch.device(name)
        if name == "cuda" and (count := torch.cuda.device_count()):
            # a launcher may show each process its own GPU alone
            device = torch.device("cuda", local_rank % count)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"There is no device {name!r} on this machine: {str(error).splitlines()[0]}") from error
    return device


@contextmanager
def placed(model: nn.Module, device: torch.device | str | None, local_rank: int = 0) -> Iterator[None]:
    """The network on a device (see `find_device`) inside, and afterwards where it was; None leaves it there.

    Raises:
        InputError: if the device is unknown or not available.
    """
    before = next((parameter.device for parameter in model.parameters()), None)
    target = None if device is None else find_device(str(device), local_rank)
    if target is None or before is None or target == before:
        yield
        return
    if target.type == "cuda":
        torch.cuda.set_device(target)  # for methods that say .cuda()
    model.to(target)
    try:
        yield
    finally:
        model.to(before)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on any device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or should_reduce_batch_size(error):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or any(p in text for p in _PHRASES))


@contextmanager
def memory_errors(sentence: str) -> Iterator[None]:
    """Raise `RunError(sentence)` if memory runs out inside; the sentence says what to change."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise RunError(sentence) from error


@dataclass
class Stopwatch:
    """What `stopwatch` measured: seconds, NaN until the block has ended."""

    seconds: float = float("nan")


@contextmanager
def stopwatch(device: torch.device) -> Iterator[Stopwatch]:
    """Time what is done inside, on this device: the clock is read when the device has finished."""
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


def find_precision(asked: str, device: torch.device) -> str:
    """Accelerate's name of a precision: "no", "fp16" or "bf16".

    "auto" is bf16 if the device multiplies it fast, else fp16 on a GPU and full precision on a CPU.
    """
    if asked != "auto":
        return "no" if asked == "fp32" else asked
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # earlier releases of torch do not tell
    return "bf16" if device.type == "cpu" and (known.get("avx512_bf16") or known.get("amx_tile")) else "no"
