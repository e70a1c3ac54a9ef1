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
"""What to do if the Hub does not provide a model."""

_WEIGHTS = (".json", ".safetensors", ".txt", ".model", ".jinja")
"""Suffixes of the files that a pipeline's frames depend on."""


@dataclass(frozen=True)
class ModelSource:
    """A pinned text-to-image model.

    Attributes:
        name: the repository, or the folder's name.
        revision: the commit, or "sha256:…" over a folder's files.
        pipeline: the class that the model names, such as "Flux2KleinPipeline".
        preset: how it is called; None for other models.
        folder: of a local model; None if it is on the Hub.
        synsets: the only classes that it can draw; None for any.
        instead: why it replaces the default model of `auto`, if it does.
    """

    name: str
    revision: str
    pipeline: str
    preset: Preset | None = None
    folder: Path | None = None
    synsets: tuple[str, ...] | None = None
    instead: str | None = field(default=None, compare=False)


def find_model(preset: str, model: str | None, revision: str | None, device: str) -> ModelSource:
    """Find and pin the model that `--preset`, `--model` and `--revision` name, without loading weights.

    Args:
        preset: "auto" or the name of a preset.
        model: instead of a preset: an id on the Hub, or a folder.
        revision: branch, tag or commit on the Hub.
        device: where it will run.

    Raises:
        InputError: if there is no such model, or it is not a diffusers pipeline.
        RunError: if the Hub refuses access or cannot be reached.
    """
    if model is None:
        if preset == MINIATURE and revision is not None:
            raise InputError(f"The miniature in this package has no revisions: leave out --revision {revision}.")
        if preset == MINIATURE:
            return _miniature()
        return _find_auto(revision, device) if preset == AUTO else _on_hub(find_preset(preset), revision)
    if preset != AUTO:
        raise InputError(f"Expected --preset or --model, but got both ({preset} and {model}): leave one out.")
    if Path(model).is_dir():
        if revision is not None:
            raise InputError(f"--revision {revision} requires an id on the Hub, but {model} is a folder.")
        return _in_folder(Path(model))
    if Path(model).exists() or model.count("/") != 1 or model.startswith((".", "~", "/")):
        raise InputError(
            f"There is no folder {model}: expected a folder with a diffusers pipeline, or an id on the Hugging Face "
            "Hub such as Tongyi-MAI/Z-Image-Turbo."
        )
    return _on_hub(None, revision, model)


def _find_auto(revision: str | None, device: str) -> ModelSource:
    """`DEFAULT` if it can run; else the miniature, with the reason."""
    if device == "cpu" and revision is None:
        return _miniature("torch sees no accelerator (CUDA or MPS) here")
    try:
        return _on_hub(find_preset(DEFAULT), revision)
    except RunError as error:
        if revision is not None:
            raise
        return _miniature(f"the default model is not available ({str(error).rstrip('.')})")


def _miniature(instead: str | None = None) -> ModelSource:
    from stackwalls.stackgen.diffusion.miniature.spec import PIPELINE, miniature_synsets

    found = _in_folder(PIPELINE)
    return replace(
        found, name="stackwalls-mini", preset=find_preset(MINIATURE), synsets=miniature_synsets(), instead=instead
    )


def _in_folder(folder: Path) -> ModelSource:
    index = folder / INDEX_NAME
    if not index.is_file():
        raise InputError(
            f"{folder} is not a pipeline (there is no {INDEX_NAME}): expected a folder that a diffusers pipeline was "
            "saved to with save_pretrained."
        )
    if not any(folder.rglob("*.safetensors")):
        raise InputError(
            f"{folder} has no .safetensors weights. Pickled weights are not loaded, because they can run code: save "
            "the pipeline again with save_pretrained(…, safe_serialization=True)."
        )
    pipeline = _pipeline_class(index, str(folder))
    return ModelSource(folder.resolve().name, f"sha256:{_folder_sha256(folder)}", pipeline, None, folder)


def _folder_sha256(folder: Path) -> str:
    """SHA-256 over the names and contents of the pipeline's files."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in _WEIGHTS:
            total.update(f"{path.relative_to(folder).as_posix()}\0{file_sha256(path)}\n".encode())
    return total.hexdigest()


def _on_hub(preset: Preset | None, revision: str | None, repository: str = "") -> ModelSource:
    """Pin a repository to the commit that its revision names now, or named when it was cached."""
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
            index = Path(cached)  # the Hub cannot be reached, but the cache has it
    return ModelSource(repository, index.parent.name, _pipeline_class(index, repository), preset)


def _pipeline_class(index: Path, name: str) -> str:
    try:
        content: dict[str, Any] = json.loads(index.read_text(encoding="utf-8"))
        found = content["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{name} has no readable pipeline ({INDEX_NAME}: {error}).") from error
    if not isinstance(found, str):
        raise InputError(f"{name} requires its own code ({found}), which is never run: choose another model.")
    return found
