"""What a run's numbers follow from, so that an unfinished run is gone on with by the same run alone."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from stackwalls.evaluate.adapters import Configured
from stackwalls.evaluate.blocks import BLOCK_IMAGES, SLOW_BLOCK_IMAGES
from stackwalls.evaluate.evaluation_spec import EvaluationSpec
from stackwalls.evaluate.provenance import versions
from stackwalls.evaluate.subject import Subject
from stackwalls.hub_cards import StackDataset
from stackwalls.model import file_sha256

_NOT_ASKED = ("batch_size", "memory")
"""What changes the numbers by rounding alone: a run that died for want of memory may go on with less."""


def what_is_asked(
    subject: Subject,
    weights: str,
    spec: EvaluationSpec,
    sources: Sequence[StackDataset],
    methods: Mapping[str, object],
) -> dict[str, Any]:
    """Everything that the rows depend on, as JSON values; the weights, data and methods by hash.

    Args:
        subject: network and wall.
        weights: the network's `weights_hash`.
        spec: what was asked for.
        sources: the datasets.
        methods: name → method.
    """
    return {
        "model": subject.name,
        "weights": weights,
        "wall": str(subject.wall),
        "target_layer": next(name for name, module in subject.model.named_modules() if module is subject.target_layer),
        "normalisation": [list(subject.mean), list(subject.std)],
        "datasets": {source.name: source.identity for source in sources},
        "methods": {name: method_identity(method) for name, method in methods.items()},
        "spec": {key: value for key, value in spec.to_dict().items() if key not in _NOT_ASKED},
        "device": subject.device.type,
        "blocks": [SLOW_BLOCK_IMAGES, BLOCK_IMAGES],
        "versions": versions(),
    }


def weights_hash(model: nn.Module) -> str:
    """SHA-256 of a network's parameters and buffers: names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {getattr(tensor, 'dtype', '')} {tuple(getattr(tensor, 'shape', ()))}\n".encode())
        if isinstance(tensor, torch.Tensor):
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def method_identity(method: object) -> str:
    """What tells a method from another of the same name, the same in every process: text without addresses.

    A function or class counts by where it is defined and its source, an array or file by its content.
    """
    if isinstance(method, Configured):
        given = {"reduce": method.reduce, "max_batch": method.max_batch, "arrays": method.arrays}
        return f"{method_identity(method.method)} {_of_value(dict(method.options))} {given}"
    if isinstance(method, Mapping):
        return _of_value(method)
    if isinstance(method, str | Path):
        return f"{method}{_of_files(Path(method))}"
    return _of_value(method)


def _of_files(path: Path) -> str:
    if path.is_file():
        return f" {file_sha256(path)}"
    if path.is_dir():
        found = [f"{file.name} {file.stat().st_size}" for file in sorted(path.iterdir()) if file.is_file()]
        return f" {_hash(str(found).encode())}"
    return ""


def _of_value(value: object) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_of_value(item)}' for key, item in value.items())}}}"
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_of_value, value))})"
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {_hash(np.ascontiguousarray(value).tobytes())}"
    if isinstance(value, int | float | str | bytes | None):
        return repr(value)
    if hasattr(value, "func") and hasattr(value, "keywords"):  # functools.partial
        return f"{_of_value(value.func)} {_of_value(value.args)} {_of_value(value.keywords)}"  # type: ignore[attr-defined]
    named: Any = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__} {_source_hash(named)}"


def _source_hash(named: Any) -> str:
    try:
        return _hash(inspect.getsource(named).encode())
    except (OSError, TypeError):
        return "without source"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
