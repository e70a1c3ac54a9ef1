"""Which weights exactly: a preset, an id on the Hub or a folder, pinned to a revision."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stackwalls.model import InputError, RunError, file_sha256, hub_failures
from stackwalls.stackgen.diffusion.presets import AUTO, DEFAULT, MINIATURE, Preset, find_preset

INDEX_NAME = "model_index.json"
"""The file that makes a folder a diffusers pipeline."""

OTHERWISE = "download it elsewhere and give its folder with --model"
"""What to do if the Hub does not give a model."""

_WEIGHTS = (".json", ".safetensors", ".txt", ".model", ".jinja")
"""Endings of the files that a pipeline's pictures depend on."""


@dataclass(frozen=True)
class ModelSource:
    """A text-to-image model that is pinned.

    Attributes:
        name: the repository, or the folder's name.
        revision: the commit, or "sha256:…" over a folder's files.
        pipeline: the class that the model names, such as "Flux2KleinPipeline".
        preset: how it is called, or None for a model of one's own.
        folder: where it lies, or None where it is on the Hub.
        synsets: the only classes that it can draw, or None: any.
        instead: why it is not the one that `auto` means, or None.
    """

    name: str
    revision: str
    pipeline: str
    preset: Preset | None = None
    folder: Path | None = None
    synsets: tuple[str, ...] | None = None
    instead: str | None = field(default=None, compare=False)


def find_model(preset: str, model: str | None, revision: str | None, device: str) -> ModelSource:
    """Find what `--preset`, `--model` and `--revision` name, and pin it; no weights are read or loaded.

    Args:
        preset: "auto" or the name of a preset.
        model: takes the preset's place: an id on the Hub, or a folder.
        revision: branch, tag or commit on the Hub.
        device: where it will run.

    Raises:
        InputError: if there is no such model, or it is no pipeline of diffusers.
        RunError: if it needs a licence or a token, or the Hub cannot be reached.
    """
    if model is None:
        if preset == MINIATURE and revision is not None:
            raise InputError(f"The miniature is part of this package and has no other revision: drop {revision}.")
        if preset == MINIATURE:
            return _miniature()
        return _find_auto(revision, device) if preset == AUTO else _on_hub(find_preset(preset), revision)
    if preset != AUTO:
        raise InputError(f"Expected --preset or --model, but got both ({preset} and {model}): leave one out.")
    if Path(model).is_dir():
        if revision is not None:
            raise InputError(f"A revision ({revision}) goes with an id on the Hub, not with the folder {model}.")
        return _in_folder(Path(model))
    if Path(model).exists() or model.count("/") != 1 or model.startswith((".", "~", "/")):
        raise InputError(
            f"There is no folder {model}: expected a folder that a diffusers pipeline was saved to, or an "
            "id on the Hugging Face Hub such as Tongyi-MAI/Z-Image-Turbo."
        )
    return _on_hub(None, revision, model)


def _find_auto(revision: str | None, device: str) -> ModelSource:
    """`DEFAULT` where it can run; else the miniature, which says why."""
    if device == "cpu" and revision is None:
        return _miniature("torch sees no accelerator (CUDA or MPS) here")
    try:
        return _on_hub(find_preset(DEFAULT), revision)
    except RunError as error:
        if revision is not None:
            raise
        return _miniature(f"the default model cannot be had ({str(error).rstrip('.')})")


def _miniature(instead: str | None = None) -> ModelSource:
    from stackwalls.stackgen.diffusion.miniature import PIPELINE, miniature_synsets

    found = _in_folder(PIPELINE)
    return replace(
        found, name="stackwalls-mini", preset=find_preset(MINIATURE), synsets=miniature_synsets(), instead=instead
    )


def _in_folder(folder: Path) -> ModelSource:
    index = folder / INDEX_NAME
    if not index.is_file():
        raise InputError(
            f"{folder} holds no pipeline (there is no {INDEX_NAME}): expected a folder that a diffusers pipeline was "
            "saved to with save_pretrained."
        )
    if not any(folder.rglob("*.safetensors")):
        raise InputError(
            f"{folder} holds no .safetensors weights; pickled ones are not loaded, for they can run code. Save the "
            "pipeline again with save_pretrained(…, safe_serialization=True)."
        )
    pipeline = _pipeline_class(index, str(folder))
    return ModelSource(folder.resolve().name, f"sha256:{_folder_sha256(folder)}", pipeline, None, folder)


def _folder_sha256(folder: Path) -> str:
    """SHA-256 over the names and contents of the files that a pipeline is loaded from."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in _WEIGHTS:
            total.update(f"{path.relative_to(folder).as_posix()}\0{file_sha256(path)}\n".encode())
    return total.hexdigest()


def _on_hub(preset: Preset | None, revision: str | None, repository: str = "") -> ModelSource:
    """Pin a repository to the commit that its revision names now, or did when it was cached."""
    from huggingface_hub import HfApi, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.constants import is_offline_mode
    from huggingface_hub.errors import HfHubHTTPError

    repository = preset.repository if preset is not None else repository
    wrong = "it is not a diffusers pipeline"
    with hub_failures("load the model", "model", repository, revision, no_file=wrong, otherwise=OTHERWISE):
        cached = try_to_load_from_cache(repository, INDEX_NAME, revision=revision or "main")
        try:
            if is_offline_mode() and isinstance(cached, str):
                index = Path(cached)
            else:
                commit = HfApi().model_info(repository, revision=revision, timeout=20).sha
                index = Path(hf_hub_download(repository, INDEX_NAME, revision=commit))
        except Exception as error:
            if not isinstance(cached, str) or isinstance(error, HfHubHTTPError):
                raise
            index = Path(cached)  # the Hub is out of reach, the weights are here
    return ModelSource(repository, index.parent.name, _pipeline_class(index, repository), preset)


def _pipeline_class(index: Path, name: str) -> str:
    try:
        content: dict[str, Any] = json.loads(index.read_text(encoding="utf-8"))
        found = content["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{name} holds no pipeline that can be read ({INDEX_NAME}: {error}).") from error
    if not isinstance(found, str):
        raise InputError(f"{name} needs code of its own ({found}), which is not run here: choose another model.")
    return found
