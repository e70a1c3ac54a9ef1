"""`load_pipeline`: a diffusers pipeline on its device, in a number type and with offloading that suit it."""

import platform
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from stackwalls.model import (
    InputError,
    StackwallsError,
    hub_failures,
    is_out_of_memory,
    memory_errors,
    no_remote_code,
    quotable,
)
from stackwalls.model.runtime.foreign import quiet_logs
from stackwalls.stackgen.diffusion.model_source import OTHERWISE, ModelSource

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
OFFLOADS = ("none", "model", "sequential")  # all on the GPU; one model at a time; one layer at a time (slow)

_ROOM = 4e9  # bytes needed to draw a frame, besides the weights: the decoder's activations at about a megapixel


@dataclass(frozen=True)
class Placement:
    """A device and the number type of the weights on it."""

    device: str  # "cuda:0", "mps", "cpu"
    dtype: str  # one of `DTYPES`
    hardware: str  # its name, such as "NVIDIA H200" or "cpu x86_64"; the frames' last bits depend on it


def place(device: str, wanted: str | None = None, forced: str | None = None) -> Placement:
    """Choose the number type for a device.

    bfloat16 is used only if the hardware supports it, because emulation is slow. Otherwise a bfloat16 model runs in
    float32, not in float16, whose range some models exceed (black frames). On a CPU everything runs in float32.

    Args:
        device: such as "cuda:0".
        wanted: recommended by the model's authors.
        forced: the user's choice.

    Raises:
        InputError: if the choice is unknown.
    """
    if forced is not None and forced not in DTYPES:
        raise InputError(f"Unknown number type {forced!r}: expected {', '.join(DTYPES)}.")
    dtype = wanted if wanted == "float16" and device != "cpu" else "float32"
    if wanted in ("bfloat16", None) and device != "cpu" and _has_bfloat16(device):
        dtype = "bfloat16"
    hardware = torch.cuda.get_device_name(device) if device.startswith("cuda") else f"{device} {platform.machine()}"
    return Placement(device, forced or dtype, hardware)


def choose_offload(weights: int, largest: int, free: int) -> str:
    """Choose one of `OFFLOADS` by the bytes of all the pipeline's models, of the largest, and free on the GPU."""
    if weights + _ROOM <= free:
        return "none"
    return "model" if largest + _ROOM <= free else "sequential"


def memory_advice(device: str) -> str:
    """What to change if a device runs out of memory."""
    return (
        f"{device} ran out of memory: close other programs that use it, or try --batch-size 1, --offload model (or "
        "sequential, slow), a smaller --size or a smaller model (--preset sd15). Finished images are kept as long as "
        "the settings stay the same."
    )


def load_pipeline(source: ModelSource, placement: Placement, offload: str | None = None) -> tuple[Any, str]:
    """Load a diffusers pipeline from safetensors, without code from the Hub, and move it to its device.

    Returns:
        The pipeline, and which of `OFFLOADS` it runs with; by default chosen by the free memory.

    Raises:
        InputError: if the weights are not safetensors, or cannot be loaded.
        RunError: if the Hub refuses access, or memory runs out.
    """
    if offload is not None and offload not in OFFLOADS:
        raise InputError(f"Unknown offload {offload!r}: expected {', '.join(OFFLOADS)}.")
    with quiet_libraries(), warnings.catch_warnings(), memory_errors(memory_advice(placement.device)):
        warnings.simplefilter("ignore", FutureWarning)  # about files in the repository, which are not the user's
        pipeline = _read(source, placement)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline, _move(pipeline, placement.device, offload)


def prepare(pipeline: Any, *, compiled: bool, attention: str | None) -> None:
    """Compile the repeated blocks, or switch to another attention backend.

    Raises:
        InputError: if the pipeline or this machine does not support it.
    """
    network: Any = getattr(pipeline, "transformer", None) or getattr(pipeline, "unet", None)
    name = type(pipeline).__name__
    if attention is not None:
        try:
            network.set_attention_backend(attention)
        except (ValueError, RuntimeError, AttributeError, ImportError) as error:
            raise InputError(f"{name} cannot use the attention backend {attention!r}: {one_line(error)}") from error
    if compiled:
        try:
            network.compile_repeated_blocks()
        except (ValueError, AttributeError) as error:
            wrong = f"{name} has no blocks that can be compiled ({one_line(error)})"
            raise InputError(f"{wrong}: leave --compile out.") from error


def quiet_libraries() -> AbstractContextManager[None]:
    """Let diffusers and transformers log only errors inside."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    return quiet_logs(diffusers_logging, transformers_logging)


def _has_bfloat16(device: str) -> bool:
    if device.startswith("cuda"):
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    major = platform.mac_ver()[0].partition(".")[0]
    return device == "mps" and major.isdecimal() and int(major) >= 14  # Metal has it since macOS 14


def _read(source: ModelSource, placement: Placement) -> Any:
    import diffusers

    dtype = DTYPES[placement.dtype]
    load: Callable[..., Any] = partial(
        diffusers.DiffusionPipeline.from_pretrained, dtype=dtype, use_safetensors=True, trust_remote_code=False
    )
    if source.folder is not None:
        try:
            with no_remote_code(str(source.folder)):
                return load(str(source.folder), local_files_only=True)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError) as error:
            if is_out_of_memory(error) or isinstance(error, StackwallsError):
                raise
            raise InputError(f"The pipeline in {source.folder} cannot be loaded: {one_line(error)}") from error
    if source.preset is not None and source.preset.variant and dtype is torch.float16:
        load = partial(load, variant=source.preset.variant)
    try:
        failures = hub_failures("load the model", "model", source.name, source.revision, otherwise=OTHERWISE)
        with failures, no_remote_code(source.name):
            return load(source.name, revision=source.revision)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        # a number: the operating system's, such as a full disk; none: diffusers', such as weights in another format
        if isinstance(error, StackwallsError) or getattr(error, "errno", None) is not None:
            raise
        raise InputError(f"The pipeline {source.name} cannot be loaded: {one_line(error)}") from error


def _move(pipeline: Any, device: str, offload: str | None) -> str:
    """Move the pipeline to its device; gives the kind of offloading."""
    if device == "cpu" or (device == "mps" and offload is None):
        pipeline.to(device)
        return "none"
    if offload is None:
        parts = (part for part in pipeline.components.values() if isinstance(part, torch.nn.Module))
        sizes = [sum(t.nbytes for t in (*part.parameters(), *part.buffers())) for part in parts]
        free, _ = torch.cuda.mem_get_info(device)
        offload = choose_offload(sum(sizes), max(sizes, default=0), free)
    if offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    elif offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=device)
    else:
        pipeline.to(device)
    return offload


def one_line(error: BaseException) -> str:
    """What a library said, in one short line."""
    return quotable(str(error)) or type(error).__name__
