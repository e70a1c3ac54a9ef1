"""A pipeline on its device: weights as safetensors, no code from the Hub, offloaded as far as memory asks for."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from stackwalls.model import InputError, hub_failures
from stackwalls.stackgen.diffusion.device import DTYPES, OFFLOADS, Placement, choose_offload
from stackwalls.stackgen.diffusion.memory import memory_errors
from stackwalls.stackgen.diffusion.model_source import OTHERWISE, ModelSource


def load_pipeline(source: ModelSource, placement: Placement, offload: str | None = None) -> tuple[Any, str]:
    """Load a pipeline of diffusers and put it on its device.

    Args:
        source: which weights.
        placement: where, and in which number type.
        offload: one of `OFFLOADS`, or None: what the memory that is free asks for.

    Returns:
        The pipeline, and which of `OFFLOADS` it runs with.

    Raises:
        InputError: if the weights are no safetensors, or cannot be loaded.
        RunError: if the Hub refuses them, or memory is short.
    """
    if offload is not None and offload not in OFFLOADS:
        raise InputError(f"Unknown offload {offload!r}: expected {', '.join(OFFLOADS)}.")
    with quiet_libraries(), warnings.catch_warnings(), memory_errors(placement.device):
        warnings.simplefilter("ignore", FutureWarning)  # about the repository's files, which the user did not write
        pipeline = _read(source, placement)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline, _settle(pipeline, placement.device, offload)


def prepare(pipeline: Any, *, compiled: bool, attention: str | None) -> None:
    """Opt-in speed: the repeated blocks compiled, another attention back end.

    Raises:
        InputError: if the pipeline or this machine has no such thing.
    """
    network: Any = getattr(pipeline, "transformer", None) or getattr(pipeline, "unet", None)
    name = type(pipeline).__name__
    if attention is not None:
        try:
            network.set_attention_backend(attention)
        except (ValueError, RuntimeError, AttributeError, ImportError) as error:
            raise InputError(f"{name} cannot use the attention back end {attention!r}: {_line(error)}") from error
    if compiled:
        try:
            network.compile_repeated_blocks()
        except (ValueError, AttributeError) as error:
            raise InputError(
                f"{name} has no blocks that can be compiled ({_line(error)}): leave --compile out."
            ) from error


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Inside, diffusers and transformers say nothing but errors; afterwards they are as before."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    libraries = (diffusers_logging, transformers_logging)
    before = [(library, library.get_verbosity(), library.is_progress_bar_enabled()) for library in libraries]
    try:
        for library in libraries:
            library.set_verbosity_error()
            library.disable_progress_bar()
        yield
    finally:
        for library, verbosity, bar in before:
            library.set_verbosity(verbosity)
            if bar:
                library.enable_progress_bar()


def _read(source: ModelSource, placement: Placement) -> Any:
    import diffusers

    load: Callable[..., Any] = diffusers.DiffusionPipeline.from_pretrained
    dtype = DTYPES[placement.dtype]
    options: dict[str, Any] = {"dtype": dtype, "use_safetensors": True, "trust_remote_code": False}
    if source.folder is not None:
        try:
            return load(str(source.folder), local_files_only=True, **options)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise InputError(f"The pipeline in {source.folder} cannot be loaded: {_line(error)}") from error
    if source.preset is not None and source.preset.variant and dtype is torch.float16:
        options["variant"] = source.preset.variant
    with hub_failures("load the model", "model", source.name, source.revision, otherwise=OTHERWISE):
        try:
            return load(source.name, revision=source.revision, **options)
        except (ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
            raise InputError(f"The pipeline {source.name} cannot be loaded: {_line(error)}") from error


def _settle(pipeline: Any, device: str, offload: str | None) -> str:
    """Move the pipeline to its device; what of it stays in main memory."""
    if device == "cpu" or (device == "mps" and offload is None):
        pipeline.to(device)
        return "none"
    sizes = [_bytes(part) for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    if offload is None:
        free, _ = torch.cuda.mem_get_info(device)
        offload = choose_offload(sum(sizes), max(sizes, default=0), free)
    if offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    elif offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=device)
    else:
        pipeline.to(device)
    return offload


def _bytes(part: torch.nn.Module) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in (*part.parameters(), *part.buffers()))


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return f"{text[:300]}{'…' if len(text) > 300 else ''}"
