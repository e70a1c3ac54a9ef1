"""How much memory there is for a run, and how many images that is at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from stackwalls.evaluate.engine.batch_sizes import BatchSizes
from stackwalls.evaluate.run.blocks import BLOCK_IMAGES
from stackwalls.evaluate.subject import Subject
from stackwalls.model import InputError, preserved

_UNITS = {"": 1} | {
    f"{letter}{ending}": base ** (power + 1)
    for power, letter in enumerate("kmgt")
    for ending, base in (("", 1000), ("b", 1000), ("ib", 1024))
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)

_MARGIN = 0.8
"""Of what is free: allocators keep and scatter blocks, and other programs want some too."""

_SCRATCH = 2
"""Layers need room beside their inputs and outputs: weights in another layout, patches of images."""

_CGROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")


def parse_bytes(text: str) -> int:
    """`4GB` or `4G` (10⁹ bytes each), `4GiB` (2³⁰), `512MB` or a number of bytes.

    Raises:
        InputError: if it is something else, or nothing.
    """
    match = _SIZE.fullmatch(text.strip())
    unit = _UNITS.get(match[2].lower()) if match else None
    size = int(float(match[1]) * unit) if match and unit else 0
    if size < 1:
        raise InputError(
            f"Cannot read the amount of memory {text!r}: expected a number of bytes, or one with a unit, such as "
            "512MB, 4GB or 4GiB."
        )
    return size


def free_bytes(device: torch.device, processes: int = 1) -> int:
    """What is free on a device, less a margin.

    Args:
        device: of the model.
        processes: that share the main memory, each of which takes its part of it; a GPU is one process's own.
    """
    if device.type == "cuda":
        return int(_MARGIN * torch.cuda.mem_get_info(device)[0])
    return int(_MARGIN * _free_main_memory() / processes)


def _free_main_memory() -> int:
    """Available bytes as Linux says, or as the container allows; elsewhere 4 GB, which every machine has."""
    free = 4 * 10**9
    if _MEMINFO.is_file():
        lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines() if ":" in line)
        free = int(lines["MemAvailable"].split()[0]) * 1024
    try:
        allowed = int((_CGROUP / "memory.max").read_text()) - int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):  # no such limit
        return free
    return max(0, min(free, allowed))


def batch_sizes(
    subject: Subject, memory: int | None, batch_size: int | None, processes: int, say: Callable[[str], None]
) -> BatchSizes:
    """The sizes that pay on the device, as far as they fit.

    Args:
        subject: the network under test.
        memory: bytes; what is free by default.
        batch_size: the most images a forward pass; a block of them by default.
        processes: that share the machine.
        say: told once when memory does not suffice.
    """
    usual = BatchSizes.usual(subject.device)
    room = free_bytes(subject.device, processes) if memory is None else memory
    image, activations = pass_bytes(subject)
    calls = torch.get_num_threads() if subject.device.type == "cpu" else 1  # ScoreCAM's run side by side on a CPU
    return BatchSizes(
        images=_fitting(min(batch_size or BLOCK_IMAGES, BLOCK_IMAGES), room, image),
        ablated=_fitting(usual.ablated, room, _SCRATCH * activations),
        masked=_fitting(usual.masked, room, calls * image),
        say=say,
    )


def _fitting(most: int, room: int, each: int) -> int:
    """`most`, halved until it fits; at least 1."""
    while most > 1 and most * each > room:
        most //= 2
    return most


def pass_bytes(subject: Subject) -> tuple[int, int]:
    """Bytes that a forward pass takes for one image, and those of the target layer's map, by a pass of one image."""
    largest, of_target = 0, 0

    def measure(module: Any, inputs: Any, output: Any) -> None:
        nonlocal largest, of_target
        largest = max(largest, _bytes_of(inputs) + _bytes_of(output))
        if module is subject.target_layer:
            of_target = _bytes_of(output)

    size = subject.wall.image_size
    image = torch.zeros(1, 3, size, size, device=subject.device)
    with preserved(subject.model) as model, torch.inference_mode():
        for module in model.modules():
            module.register_forward_hook(measure)
        with suppress(Exception):  # the certificate and the run, which make the same pass, say what is wrong
            model(image)
    return _SCRATCH * largest, of_target


def _bytes_of(value: Any) -> int:
    if isinstance(value, torch.Tensor):
        return value.nbytes
    return sum(map(_bytes_of, value)) if isinstance(value, tuple | list) else 0
