"""The files of a published network: a folder, or one commit on the Hub; and what its config.json says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download

from stackwalls.model.errors import InputError
from stackwalls.model.hub import HubId, hub_failures, is_hub_url

CONFIG_NAME = "config.json"
"""Says what network it is; written last, so that a folder that has it is whole."""

WEIGHTS_NAME = "model.safetensors"
CONFIG_FORMAT = 1

TRAINED_FOLDER = "model"
"""Where a training's own folder holds the network."""

CONFIG_KEYS = {
    "MaskedVGG16": frozenset({"visible_rows", "num_classes", "width", "classes", "wall", "weights_sha256"}),
    "Walled": frozenset({"backbone", "weights", "wall", "weights_sha256"}),
}
"""Architecture → what its config.json says beside "format" and "architecture": all of this and nothing else."""


@dataclass(frozen=True)
class PretrainedFiles:
    """The files of one published network.

    Attributes:
        name: for messages: the folder, or `user/name@commit`.
        fetch: from a file's name to where it lies on this disk; raises as `find_pretrained` does.
    """

    name: str
    fetch: Callable[[str], Path]

    def config(self) -> dict[str, Any]:
        """What config.json says.

        Raises:
            InputError: if it is missing, or not one that this package wrote, down to the keys.
        """
        path = self.fetch(CONFIG_NAME)
        try:
            config = dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"Cannot read {CONFIG_NAME} of {self.name}: {error}.") from error
        architecture = config.get("architecture")
        if config.get("format") != CONFIG_FORMAT or architecture not in CONFIG_KEYS:
            raise InputError(
                f"{CONFIG_NAME} of {self.name} describes no network of this package: expected format {CONFIG_FORMAT} "
                f"and an architecture out of {', '.join(CONFIG_KEYS)}, but got {config.get('format')!r} and "
                f"{architecture!r}."
            )
        expected = CONFIG_KEYS[architecture] | {"format", "architecture"}
        unknown, missing = sorted(config.keys() - expected), sorted(expected - config.keys())
        if unknown or missing:
            what = [f"{', '.join(keys)} {word}" for keys, word in ((unknown, "unknown"), (missing, "missing")) if keys]
            raise InputError(
                f"{CONFIG_NAME} of {self.name} is not what this package writes for {architecture}: {'; '.join(what)}."
            )
        return config


def is_hub_id(text: str) -> bool:
    """Whether `text` is `user/name` or `user/name@revision`, with or without `hf://` in front."""
    found = HubId.parse(text)
    return found is not None and found.split is None


def find_pretrained(source: str | Path, revision: str | None = None, **download: Any) -> PretrainedFiles:
    """Where a published network lies.

    Args:
        source: a folder, or `user/name[@revision]` on the Hugging Face Hub; a folder of that name is read instead,
            unless it is written `hf://user/name`. On the Hub, every file comes from the one commit that the revision
            names now.
        revision: branch, tag or commit, where `source` names none.
        download: passed on to `hf_hub_download` (token, cache_dir, force_download, local_files_only).

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
    commit = config.parent.name  # the client's cache has one folder a commit
    fetch = partial(_download, found.repository, revision=commit, **download)
    return PretrainedFiles(f"{found.repository}@{commit}", fetch)


def _local(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        inside = folder / TRAINED_FOLDER
        hint = f" (such as {inside})" if (inside / name).is_file() else ""
        raise InputError(
            f"{folder} holds no {name}: name a folder that save_pretrained or `stackgen train` wrote{hint}."
        )
    return path


def _download(repository: str, name: str, revision: str | None, **options: Any) -> Path:
    """One file of a repository on the Hub, from the client's cache if it is there."""
    wrong = "it does not hold a network of this package, and pickled weights are never read"
    with hub_failures("load the network", "model", repository, revision, no_file=wrong):
        return Path(hf_hub_download(repository, name, revision=revision, library_name="stackwalls", **options))
