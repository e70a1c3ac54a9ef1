"""The files of a published network: a folder, or one commit on the Hub; and what its config.json says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from stackwalls.model.errors import InputError, RunError

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

_HUB_PREFIX = "hf://"
_HUB_ID = re.compile(r"(?P<id>[A-Za-z0-9][\w.-]*/[\w.-]+)(@(?P<revision>[\w./-]+))?")


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
    return _HUB_ID.fullmatch(text.removeprefix(_HUB_PREFIX)) is not None


def find_pretrained(source: str | Path, revision: str | None = None, **download: Any) -> PretrainedFiles:
    """Where a published network lies.

    Args:
        source: a folder, or `user/name[@revision]` on the Hugging Face Hub; a folder of that name is read instead,
            unless it is written `hf://user/name`. On the Hub, every file comes from the one commit that the revision
            names now.
        revision: branch, tag or commit, where `source` names none.
        download: passed on to `hf_hub_download` (token, cache_dir, force_download, local_files_only).

    Raises:
        InputError: if there is none, or it is private or gated.
        RunError: if the Hub cannot be reached.
    """
    text, path = str(source), Path(source)
    if not text.startswith(_HUB_PREFIX) and path.is_dir():
        return PretrainedFiles(str(path), partial(_local, path))
    match = _HUB_ID.fullmatch(text.removeprefix(_HUB_PREFIX))
    if match is None:
        raise InputError(f"There is no folder {text}, and it is no Hub id either: expected user/name[@revision].")
    repository, revision = match["id"], match["revision"] or revision
    config = _download(repository, CONFIG_NAME, revision=revision, **download)
    commit = config.parent.name  # the client's cache has one folder a commit
    return PretrainedFiles(f"{repository}@{commit}", partial(_download, repository, revision=commit, **download))


def _local(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        inside = folder / TRAINED_FOLDER
        hint = f" (such as {inside})" if (inside / name).is_file() else ""
        raise InputError(
            f"{folder} holds no {name}: name a folder that save_pretrained or `stackgen train` wrote{hint}."
        )
    return path


def _download(repository: str, name: str, **options: Any) -> Path:
    """One file of a repository on the Hub, from the client's cache where it is there."""
    revision = options.get("revision")
    at = f"{repository}@{revision}" if revision else repository
    try:
        return Path(hf_hub_download(repository, name, library_name="stackwalls", **options))
    except LocalEntryNotFoundError as error:
        raise RunError(f"Cannot reach the Hub for {name} of {at}: {_first_line(error)}") from error
    except GatedRepoError as error:
        raise InputError(
            f"The network {repository} is gated: ask for access on its page on the Hub, then log in (hf auth login, or "
            "set HF_TOKEN) and run again."
        ) from error
    except RevisionNotFoundError as error:
        raise InputError(f"The network {repository} has no revision {revision!r}.") from error
    except RepositoryNotFoundError as error:
        raise InputError(
            f"There is no folder {repository} here, and the Hub shows no network of that name; if it is private, log "
            "in with an account that has access."
        ) from error
    except EntryNotFoundError as error:
        raise InputError(
            f"{at} on the Hub holds no {name}, so it is no network of this package: pickled weights are never read."
        ) from error
    except HFValidationError as error:
        raise InputError(f"Cannot read the Hub id {at}: {_first_line(error)}") from error
    except (HfHubHTTPError, OSError) as error:
        raise RunError(f"Cannot reach the Hub for {name} of {at}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".") + "."
