"""Where a pipeline runs: the device, the number type of its weights, and what stays in main memory."""

from __future__ import annotations

import platform
from dataclasses import dataclass

import torch

from stackwalls.model import InputError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
"""The choices of `--dtype`, beside auto."""

OFFLOADS = ("none", "model", "sequential")
"""The choices of `--offload`, beside auto: all on the GPU; one model at a time; one layer at a time (slow)."""

ROOM = 4e9
"""Bytes that drawing a frame takes beside the weights: the decoder's activations at about a megapixel."""


@dataclass(frozen=True)
class Placement:
    """A device and the number type of the weights on it.

    Attributes:
        device: "cuda:0", "mps", "cpu".
        dtype: one of `DTYPES`.
        hardware: what the device is, such as "NVIDIA H200" or "cpu x86_64"; the frames' last bits depend on it.
    """

    device: str
    dtype: str
    hardware: str


def find_device(local_rank: int = 0) -> str:
    """The GPU of a process by its rank on this machine, Apple's GPU, or the CPU."""
    if torch.cuda.is_available():
        return f"cuda:{local_rank % torch.cuda.device_count()}"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def place(device: str, wanted: str | None = None, forced: str | None = None) -> Placement:
    """Choose the number type for a device.

    bfloat16 only where the hardware has it: emulated it is slow. A bfloat16 model then runs in float32, not in
    float16, whose range some of them leave (black frames). On a CPU everything runs in float32.

    Args:
        device: as `find_device` says.
        wanted: the type that the model's authors recommend; None where unknown.
        forced: the user's choice.

    Raises:
        InputError: if the choice is unknown.
    """
    if forced is not None and forced not in DTYPES:
        raise InputError(f"Unknown number type {forced!r}: expected {', '.join(DTYPES)}.")
    if device == "cpu":
        dtype = "float32"
    elif wanted in ("float16", "float32"):
        dtype = wanted
    else:
        dtype = "bfloat16" if _has_bfloat16(device) else "float32"
    return Placement(device, forced or dtype, _hardware(device))


def choose_offload(weights: int, largest: int, free: int) -> str:
    """What has to stay in main memory.

    Args:
        weights: bytes of all the pipeline's models.
        largest: bytes of the largest of them.
        free: bytes of the GPU that are free.

    Returns:
        One of `OFFLOADS`.
    """
    if weights + ROOM <= free:
        return "none"
    return "model" if largest + ROOM <= free else "sequential"


def _has_bfloat16(device: str) -> bool:
    if device.startswith("cuda"):
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device == "mps" and _major(platform.mac_ver()[0]) >= 14  # before macOS 14 Metal had none


def _major(text: str) -> int:
    head = text.split(".")[0]
    return int(head) if head.isdecimal() else 0


def _hardware(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"{device} {platform.machine()}"
