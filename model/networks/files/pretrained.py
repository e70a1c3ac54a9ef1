"""Networks as folders and Hub repositories, by the Hub's own mixin: safetensors and config.json only."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from huggingface_hub import ModelCard, ModelHubMixin, hf_hub_download
from safetensors import SafetensorError

from stackwalls.model.documents import (
    COUNT,
    FLAG,
    NUMBER,
    OBJECT,
    SHA256,
    TEXT,
    checked,
    each,
    keys,
    nullable,
    read_json,
)
from stackwalls.model.errors import InputError, RunError
from stackwalls.model.files import file_sha256, whole_path, write_whole
from stackwalls.model.hub.failures import hub_failures
from stackwalls.model.hub.ids import HubId, is_hub_url
from stackwalls.model.networks.blind_model import WALL_KINDS
from stackwalls.model.networks.files.weights import VGG16_SCHEMA, write_safetensors
from stackwalls.model.wall import Wall

CONFIG_NAME = "config.json"
"""Says what network it is; written last, so a folder that has it is complete."""

WEIGHTS_NAME = "model.safetensors"
"""Weights that no library and no Hub repository has; written before `CONFIG_NAME`."""

CONFIG_FORMAT = 1

TRAINED_FOLDER = "model"
"""Where a training's folder has the network."""

_CHANNELS = {**each(NUMBER), "minItems": 3, "maxItems": 3}
_SHARED = {"format": {"const": CONFIG_FORMAT}, "architecture": TEXT, "weights_sha256": SHA256}
_WALLED = _SHARED | {"wall": TEXT, "backbone": TEXT, "weights": nullable(TEXT)}
_OWN_WEIGHTS = {
    "num_classes": COUNT,
    "config": OBJECT,
    "classes_as": TEXT,
    "class_names": {"anyOf": [{"type": "null"}, each(TEXT)]},
    "transform": keys({"size": COUNT, "resize": COUNT, "interpolation": TEXT, "squash": FLAG}, closed=True),
    "mean": _CHANNELS,
    "std": _CHANNELS,
}
CONFIG_SCHEMAS = {
    "MaskedVGG16": VGG16_SCHEMA
    | {"required": [*_SHARED, "wall", *VGG16_SCHEMA["required"]]}
    | {"properties": _SHARED | {"wall": nullable(TEXT)} | VGG16_SCHEMA["properties"]},
    "Walled": keys(_WALLED, _OWN_WEIGHTS | {"layer": TEXT}, closed=True),
    "Curtain": keys(_WALLED, _OWN_WEIGHTS, closed=True),
    "WalledTransformer": keys(
        _WALLED | {"wall": nullable(TEXT), "kind": {"enum": list(WALL_KINDS)}, "layer": {"type": "integer"}},
        _OWN_WEIGHTS,
        closed=True,
    ),
}
"""Architecture → the schema of its config.json."""


_SHORT_CARD = """\
---
library_name: stackwalls
pipeline_tag: image-classification
tags: [explainability, saliency, class-activation-map, stackwalls]
---

# {name}

A classifier of 224 x 224 images for checking saliency maps: {wall}. Why: {derivation}.

```python
from stackwalls.model import load_model

model = load_model("user/name")  # this repository, or a folder
```

`stackgen certify` proves on this very network what is said above. Written by `save_pretrained`; a folder that
`hub_cards.save_model_folder` writes has the long card, with its results.
"""


class Pretrained(ModelHubMixin):
    """A network that is saved as a folder and published on the Hub, by huggingface_hub's mixin.

    The folder has `config.json`, which says what network it is, and `model.safetensors` if the network has its own
    weights. Nothing in it is ever executed.
    """

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self:
        """Skip the mixin's record of the constructor's arguments, which would copy whole backbones."""
        return object.__new__(cls)

    @abstractmethod
    def pretrained_config(self) -> dict[str, Any]:
        """The network's part of config.json, without the weights' SHA-256 (see `CONFIG_KEYS`)."""

    @abstractmethod
    def own_weights(self) -> Mapping[str, torch.Tensor] | None:
        """The tensors for model.safetensors; None if the configuration names them."""

    @classmethod
    @abstractmethod
    def restored(cls, config: Mapping[str, Any], files: PretrainedFiles) -> Self:
        """The network that a config.json describes, ready for inference."""

    def _save_pretrained(self, save_directory: Path) -> None:
        """Write the weights, then config.json.

        Raises:
            RunError: if a file cannot be written.
        """
        config = {"format": CONFIG_FORMAT, "architecture": type(self).__name__, **self.pretrained_config()}
        try:
            if (weights := self.own_weights()) is not None:
                path = save_directory / WEIGHTS_NAME
                with whole_path(path) as temporary:
                    write_safetensors(weights, temporary)
                config["weights_sha256"] = file_sha256(path)
            text = json.dumps(config, indent=2, sort_keys=True, allow_nan=False) + "\n"
            write_whole(save_directory / CONFIG_NAME, text.encode())
        except (OSError, SafetensorError) as error:
            raise RunError(f"Cannot write the network to {save_directory}: {error}") from error

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        force_download: bool = False,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        revision: str | None = None,
        **model_kwargs: Any,
    ) -> Self:
        """Load the network in a folder or a Hub repository, `user/name[@revision]`, in eval mode.

        Raises:
            InputError: if there is none, it has another architecture, its files do not match its config.json,
                or constructor's arguments are given (config.json has them).
            RunError: if the Hub cannot be reached.
        """
        if model_kwargs:
            raise InputError(f"{CONFIG_NAME} says what network it is: leave out {', '.join(sorted(model_kwargs))}.")
        files = find_pretrained(
            pretrained_model_name_or_path,
            revision,
            force_download=force_download,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
        )
        config = files.config()
        if config["architecture"] != cls.__name__:
            raise InputError(
                f"{files.name} holds a {config['architecture']}, not a {cls.__name__}: use "
                f"{config['architecture']}.from_pretrained, or load_model, which reads either."
            )
        return cls.restored(config, files)

    def generate_model_card(self, *_args: Any, **_kwargs: Any) -> ModelCard:
        """A short card for a folder that has none; `hub_cards` writes the long one."""
        wall: Wall | None = getattr(self, "wall", None)
        dead = f"it does not see the dead zone {wall}" if wall else "it sees the whole image (a baseline)"
        name, derivation = getattr(self, "name", type(self).__name__), self.derivation()
        return ModelCard(_SHORT_CARD.format(name=name, wall=dead, derivation=derivation))

    @abstractmethod
    def derivation(self) -> str:
        """Why the dead zone is dead, in one sentence."""


def check_wall(found: Wall | None, config: Mapping[str, Any], files: PretrainedFiles) -> None:
    """Check that the wall in config.json is the one that follows from the layers.

    Raises:
        InputError: if it is not.
    """
    derived = str(found) if found else None
    if config["wall"] != derived:
        raise InputError(
            f"{CONFIG_NAME} of {files.name} names the wall {config['wall']!r}, but the layers give {derived!r}."
        )


def check_sha256(path: Path, config: Mapping[str, Any], files: PretrainedFiles) -> None:
    """Check that a weights file is the one that config.json names.

    Raises:
        InputError: if it is not.
    """
    if file_sha256(path) != config["weights_sha256"]:
        raise InputError(f"{path} is not the file that config.json of {files.name} describes: its SHA-256 differs.")


@dataclass(frozen=True)
class PretrainedFiles:
    """The files of one published network.

    Attributes:
        name: for messages: the folder, or `user/name@commit`.
        fetch: from a file's name to its local path; raises as `find_pretrained` does.
        on_hub: whether it is a repository on the Hub.
    """

    name: str
    fetch: Callable[[str], Path]
    on_hub: bool = False

    def config(self) -> dict[str, Any]:
        """What config.json says.

        Raises:
            InputError: if it is missing, or not one that this package wrote, down to the keys.
        """
        path = self.fetch(CONFIG_NAME)
        config = dict(read_json(path, name=f"{CONFIG_NAME} of {self.name}"))
        architecture = config.get("architecture")
        if config.get("format") != CONFIG_FORMAT or str(architecture) not in CONFIG_SCHEMAS:
            raise InputError(
                f"{CONFIG_NAME} of {self.name} does not describe a network of this package: expected format "
                f"{CONFIG_FORMAT} and an architecture out of {', '.join(CONFIG_SCHEMAS)}, but got "
                f"{config.get('format')!r:.80} and {architecture!r:.80}."
            )
        try:
            checked(config, CONFIG_SCHEMAS[str(architecture)])
        except ValueError as error:
            what = f"{CONFIG_NAME} of {self.name} is not what this package writes for {architecture}"
            raise InputError(f"{what}: {error}.") from error
        return config


def is_hub_id(text: str) -> bool:
    """Whether `text` is `user/name` or `user/name@revision`, with or without `hf://` in front."""
    found = HubId.parse(text)
    return found is not None and found.split is None


def find_pretrained(source: str | Path, revision: str | None = None, **download: Any) -> PretrainedFiles:
    """Find the files of a published network.

    Args:
        source: a folder, or `user/name[@revision]` on the Hugging Face Hub; a folder of that name is read instead,
            unless it is written `hf://user/name`. On the Hub, every file comes from the one commit that the revision
            names now.
        revision: branch, tag or commit, if `source` names none.
        download: passed to `hf_hub_download` (token, cache_dir, force_download, local_files_only).

    Raises:
        InputError: if this token sees no such repository or revision, or it has no config.json.
        RunError: if it is gated, or the Hub cannot be reached.
    """
    text, path = str(source), Path(source)
    if not is_hub_url(text) and path.is_dir():
        return PretrainedFiles(str(path), partial(_local, path))
    found = HubId.parse(text)
    if found is None or found.split is not None:
        raise InputError(f"There is no folder {text}, and it is not a Hub id either: expected user/name[@revision].")
    config = _download(found.repository, CONFIG_NAME, revision=found.revision or revision, **download)
    commit = config.parent.name  # the client's cache has one folder per commit
    fetch = partial(_download, found.repository, revision=commit, **download)
    return PretrainedFiles(f"{found.repository}@{commit}", fetch, on_hub=True)


def _local(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        inside = folder / TRAINED_FOLDER
        hint = f" (such as {inside})" if (inside / name).is_file() else ""
        raise InputError(f"{folder} has no {name}: name a folder that save_pretrained or `stackgen train` wrote{hint}.")
    return path


def _download(repository: str, name: str, revision: str | None, **options: Any) -> Path:
    """One file of a repository on the Hub, from the client's cache if it is there."""
    wrong = "it does not hold a network as safetensors, and pickled weights are never read"
    with hub_failures("load the network", "model", repository, revision, no_file=wrong):
        return Path(hf_hub_download(repository, name, revision=revision, library_name="stackwalls", **options))
