"""What a run's numbers follow from, so that an unfinished run is gone on with by the same run alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stackwalls.evaluate.adapters import Configured, import_object, is_import_spec
from stackwalls.evaluate.run.blocks import BLOCK_IMAGES, SLOW_BLOCK_IMAGES
from stackwalls.evaluate.run.code_identity import identity_of, network_code
from stackwalls.evaluate.run.evaluation_spec import EvaluationSpec
from stackwalls.evaluate.run.provenance import versions
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
        "code of the network": network_code(subject.model),
        "wall": str(subject.wall),
        "target_layer": subject.layer_name,
        "normalisation": [list(subject.mean), list(subject.std)],
        "datasets": {source.name: source.identity for source in sources},
        "methods": {name: method_identity(method) for name, method in methods.items()},
        "spec": {key: value for key, value in spec.to_dict().items() if key not in _NOT_ASKED},
        "device": subject.device.type,
        "blocks": [SLOW_BLOCK_IMAGES, BLOCK_IMAGES],
        "versions": versions(),
    }


def method_identity(method: object) -> str:
    """What tells a method from another of the same name, the same in every process.

    A name of grad-cam's or this package's counts by itself, `package.module:name` by what it stands for, files and
    folders by their content, all else as `identity_of` says.
    """
    if isinstance(method, Configured):
        given = {"reduce": method.reduce, "max_batch": method.max_batch, "arrays": method.arrays}
        return f"{method_identity(method.method)} {identity_of(dict(method.options))} {given}"
    if isinstance(method, str) and is_import_spec(method):
        return f"{method} {identity_of(import_object(method))}"
    if isinstance(method, str | Path):
        return f"{method}{_of_files(Path(method))}"
    return identity_of(method)


def _of_files(path: Path) -> str:
    if path.is_file():
        return f" {file_sha256(path)}"
    if path.is_dir():
        files = sorted(file for file in path.rglob("*.npy") if file.is_file())
        found = "".join(f"{file.relative_to(path).as_posix()} {file_sha256(file)}\n" for file in files)
        return f" {hashlib.sha256(found.encode()).hexdigest()}"
    return ""
