"""Which weights exactly: a preset (as data), an id on the Hub or a folder, pinned to a revision."""

import difflib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from stackwalls.model import InputError, RunError, commit_of, hub_failures, model_revision, status_of
from stackwalls.model.hub.failures import PASSING

AUTO = "auto"
"""The preset that is `klein` if it can run here, else `MINIATURE`."""

DEFAULT = "klein"

MINIATURE = "mini"
"""The preset whose weights are included in this package (see `miniature/`)."""


@dataclass(frozen=True)
class Preset:
    """One text-to-image model and its authors' recommended settings (November 2026)."""

    name: str
    repository: str  # on the Hugging Face Hub; empty for the one in this package
    dtype: str  # of its weights on a GPU: "float16", "bfloat16" or "float32"
    steps: int  # of sampling
    guidance: float  # its scale
    width: int  # of the frame in pixels; a portrait frame suits a stack
    height: int
    multiple: int  # both sides must be divisible by this
    licence: str  # of the weights, as the Hub's identifier
    memory: str  # gigabytes of GPU memory
    guidance_argument: str = "guidance_scale"  # the pipeline's name for `guidance`
    negative_prompt: str | None = None  # needed by some pipelines to use guidance at all
    variant: str | None = None  # of the weight files that are already in `dtype`
    localizer: str = "owlv2"  # finds the animals in its frames by default
    stacks_only: bool = False  # whether it draws animals only on top of each other, not side by side


# fmt: off
_ALL = (
    Preset("klein", "black-forest-labs/FLUX.2-klein-4B", "bfloat16", 4, 1.0, 832, 1216, 16, "apache-2.0", "8 to 16"),
    Preset("zimage-turbo", "Tongyi-MAI/Z-Image-Turbo", "bfloat16", 8, 0.0, 832, 1216, 16, "apache-2.0", "16 to 24"),
    Preset("zimage", "Tongyi-MAI/Z-Image", "bfloat16", 50, 5.0, 832, 1216, 16, "apache-2.0", "24 and more"),
    Preset("qwen", "Qwen/Qwen-Image-2512", "bfloat16", 50, 4.0, 928, 1312, 16, "apache-2.0", "48 and more",
           guidance_argument="true_cfg_scale", negative_prompt=" "),
    Preset("sdxl", "stabilityai/stable-diffusion-xl-base-1.0", "float16", 30, 6.0, 832, 1216, 8, "openrail++", "8",
           variant="fp16"),
    Preset("sd15", "stable-diffusion-v1-5/stable-diffusion-v1-5", "float16", 30, 7.5, 512, 768, 8,
           "creativeml-openrail-m", "4", variant="fp16"),
    Preset(MINIATURE, "", "float32", 16, 2.5, 192, 288, 32, "apache-2.0", "none",
           localizer="foreground", stacks_only=True),
)
# fmt: on

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _ALL}
"""The choices of `--preset`, besides `auto`."""


def find_preset(name: str) -> Preset:
    """Find a preset by name.

    Raises:
        InputError: if it is unknown; the message lists the valid names.
    """
    if name in PRESETS:
        return PRESETS[name]
    near = difflib.get_close_matches(name, [AUTO, *PRESETS], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    known = f"{AUTO}, {', '.join(PRESETS)}, or --model with an id on the Hugging Face Hub or a folder"
    raise InputError(f"Unknown preset {name!r}: expected {known}.{hint}")


INDEX_NAME = "model_index.json"  # the file that makes a folder a diffusers pipeline
OTHERWISE = "download it elsewhere and give its folder with --model"  # if the Hub does not provide a model


@dataclass(frozen=True)
class ModelSource:
    """A pinned text-to-image model."""

    name: str  # the repository, or the folder's name
    revision: str  # the commit, or "sha256:…" over a folder's files
    pipeline: str  # the class that the model names, such as "Flux2KleinPipeline"
    preset: Preset | None = None  # how it is called
    folder: Path | None = None  # None if it is on the Hub
    synsets: tuple[str, ...] | None = None  # the only classes that it can draw; None for any
    instead: str | None = field(default=None, compare=False)  # why it replaces the default model of `auto`, if it does


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
    if model is None and preset == MINIATURE:
        if revision is not None:
            raise InputError(f"The miniature in this package has no revisions: leave out --revision {revision}.")
        return _miniature()
    if model is None:
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

    found = replace(_in_folder(PIPELINE), name="stackwalls-mini", instead=instead)
    return replace(found, preset=find_preset(MINIATURE), synsets=miniature_synsets())


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
    return ModelSource(folder.resolve().name, model_revision(folder), pipeline, None, folder)


def _on_hub(preset: Preset | None, revision: str | None, repository: str = "") -> ModelSource:
    """Pin a repository to the commit that its revision names now, or named when it was cached."""
    from huggingface_hub import HfApi, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.constants import is_offline_mode

    repository = preset.repository if preset is not None else repository
    wrong = "it is not a diffusers pipeline"
    with hub_failures("load the model", "model", repository, revision, no_file=wrong, otherwise=OTHERWISE):
        cached = try_to_load_from_cache(repository, INDEX_NAME, revision=revision or "main")
        try:
            if is_offline_mode() and isinstance(cached, str):
                index = Path(cached)
            else:
                commit = commit_of(HfApi().model_info(repository, revision=revision, timeout=20))
                index = Path(hf_hub_download(repository, INDEX_NAME, revision=commit))
        except Exception as error:
            refused = 400 <= status_of(error) < 500 and status_of(error) not in PASSING
            if not isinstance(cached, str) or refused:
                raise
            index = Path(cached)  # the Hub cannot be reached or does not work, but the cache has it
    return ModelSource(repository, index.parent.name, _pipeline_class(index, repository), preset)


def _pipeline_class(index: Path, name: str) -> str:
    try:
        found = json.loads(index.read_text(encoding="utf-8"))["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{name} has no readable pipeline ({INDEX_NAME}: {error}).") from error
    if not isinstance(found, str):
        raise InputError(f"{name} requires its own code ({found}), which is never run: choose another model.")
    return found
