"""Weights as safetensors, checked against the network they are for. No pickle is ever read here."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.parameter import is_lazy

from stackwalls.model.documents import COUNT, NUMBER, TEXT, each, keys
from stackwalls.model.errors import InputError, RunError
from stackwalls.model.files import regular_file

VGG16_SCHEMA = keys(
    {
        "visible_rows": COUNT,
        "num_classes": {**COUNT, "maximum": 1_000_000},
        "width": NUMBER,
        "classes": {"anyOf": [{"type": "null"}, each(COUNT)]},
    },
    {"image_size": COUNT, "class_names": each(TEXT), "layer": TEXT},
    closed=True,
)
"""The arguments of a `MaskedVGG16`, as they stand beside its weights; names only of classes that are one's own."""


def check_usable(name: str, model: nn.Module) -> None:
    """Check that a network's weights are there, and can have gradients.

    Raises:
        InputError: if they are uninitialized (lazy modules), on the meta device, or inference tensors.
    """
    for key, tensor in (*model.named_parameters(), *model.named_buffers()):
        if is_lazy(tensor):
            reason, advice = "is not initialized (it is a lazy module's)", "run the network on one batch first"
        elif tensor.is_meta:
            reason, advice = "is on the meta device, without values", "load its weights (`to_empty`, `load_state_dict`)"
        elif tensor.is_inference():
            reason, advice = "was made under torch.inference_mode(), so it has no gradient", "make the network outside"
        else:
            continue
        raise InputError(f"{name} cannot be used yet: {key} {reason}; {advice}.")


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a `.safetensors` file by name, on the CPU.

    Raises:
        InputError: if the file is damaged or of another format.
    """
    try:
        state: dict[str, torch.Tensor] = load_file(regular_file(path))
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:  # of a type that torch has not
        raise InputError(
            f"{path} does not load as safetensors ({error}): it is damaged or has another format."
        ) from error
    return state


def write_safetensors(state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write tensors to a file with the usual permissions (safetensors makes it private)."""
    path.touch()
    mode = path.stat().st_mode
    save_file({key: tensor.detach().cpu().contiguous() for key, tensor in state.items()}, path)
    path.chmod(mode)


def halved(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors as 16-bit floats, if all have values that those hold (see `round_to_half`); else as they are."""
    halves = {}
    for key, tensor in state.items():
        halves[key] = tensor.half() if tensor.is_floating_point() else tensor
        if tensor.is_meta or not torch.equal(halves[key].to(tensor.dtype), tensor):
            return dict(state)
    return halves


def round_to_half(model: nn.Module) -> None:
    """Round all weights in place to values that 16-bit floats hold, to save them in half the space.

    The network still computes in float32.

    Raises:
        RunError: if a weight is too large for them.
    """
    floats = {key: tensor for key, tensor in model.state_dict().items() if tensor.is_floating_point()}
    state = {key: tensor.half().to(tensor.dtype) for key, tensor in floats.items()}
    if large := [key for key, tensor in state.items() if not tensor.isfinite().all()]:
        raise RunError(f"{large[0]} does not fit into 16-bit floats: run again with --resume and without --half.")
    model.load_state_dict(model.state_dict() | state)


def check_fits(
    path: Path, state: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], architecture: str
) -> None:
    """Refuse weights of another network; the message names the first mismatch.

    Raises:
        InputError: if a tensor is missing, unknown or has another shape.
    """
    missing, unknown = sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys())
    if missing or unknown:
        what = [
            f"{len(keys)} {word} (first: {keys[0]!r})"
            for keys, word in ((missing, "missing"), (unknown, "unknown"))
            if keys
        ]
        raise InputError(f"{path} holds weights of another network than {architecture}: tensors {' and '.join(what)}.")
    for key, tensor in expected.items():
        if state[key].is_floating_point() != tensor.is_floating_point():
            raise InputError(f"{path} holds no weights: tensor {key!r} is of {state[key].dtype}, not {tensor.dtype}.")
        if state[key].shape != tensor.shape:
            raise InputError(
                f"{path} holds weights of another network than {architecture}: tensor {key!r} has shape "
                f"{tuple(state[key].shape)}, expected {tuple(tensor.shape)}."
            )


def state_sha256(state: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of the tensors of a state dict in its order: dtype, shape and bytes.

    Names do not count, because libraries rename their modules.
    """
    digest = hashlib.sha256()
    for tensor in state.values():
        plain = tensor.detach().cpu().contiguous()
        digest.update(f"{plain.dtype} {tuple(plain.shape)}\n".encode())
        digest.update(plain.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
