"""The command that makes a dataset folder again, from what its manifest says was asked for."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from stackwalls.hub_cards.cards.facts import DRAWN
from stackwalls.hub_cards.manifest import Manifest

PLACE = "PATH/TO/"
"""Stands before the name of what lies elsewhere on every machine."""

GENERATE_OPTIONS = {
    "template": "--template",
    "attempts": "--attempts",
    "dtype": "--dtype",
    "steps": "--steps",
    "guidance": "--guidance",
    "batch_size": "--batch-size",
    "attention": "--attention",
}
"""What a STACK-GEN spec says beside classes, seed and model → the option of `stackgen generate` that asks for it."""


def regenerate_command(manifest: Manifest) -> str:
    """One line for a shell; where something lies elsewhere on every machine, `PATH/TO/` stands before its name."""
    spec = manifest.spec
    if manifest.kind == "stack-mix-recipe":
        words = ["stackgen", "mix", "--recipe", f"{PLACE}this/folder", "--source", _source(spec)]
        return shlex.join([*words, "--out", "stack-mix"])
    words = _generate(spec) if manifest.kind == "stack-gen" else _mix(spec)
    stated = manifest.inputs.get("licence")
    words += ["--licence", str(stated)] if stated and manifest.kind == "stack-mix" else []
    return shlex.join([*words, "--out", manifest.kind])


def _mix(spec: Mapping[str, Any]) -> list[str]:
    words = ["stackgen", "mix", "--source", _source(spec), *_labels(spec), *_classes(spec)]
    words += ["--per-class", str(spec["per_class"]), "--seed", str(spec["seed"]), "--wall", str(spec["wall"])]
    return words + (["--encoder", str(spec["encoder"])] if spec.get("encoder", "png") != "png" else [])


def _generate(spec: Mapping[str, Any]) -> list[str]:
    words = ["stackgen", "generate", *_model(spec["model"]), *_classes(spec), *_localizer(spec.get("localizer"))]
    for key in ("per_class", "seed", "wall"):
        words += [f"--{key.replace('_', '-')}", str(spec[key])] if key in spec else []
    for key, option in GENERATE_OPTIONS.items():
        value = spec.get(key)
        words += [option, f"{value:g}" if isinstance(value, float) else str(value)] if value is not None else []
    words += ["--size", f"{spec['width']}x{spec['height']}"] if spec.get("width") and spec.get("height") else []
    return words + (["--compile"] if spec.get("compile") else [])


def _model(model: Mapping[str, Any]) -> list[str]:
    """A preset by its name, any other model by its own; a folder's place differs on every machine."""
    words = ["--preset", str(model["preset"])] if model.get("preset") else ["--model", _place(str(model["name"]))]
    revision = str(model.get("revision") or "")  # of a folder it is the hash of what lies there
    return words + (["--revision", revision] if revision and not revision.startswith("sha256:") else [])


def _localizer(localizer: Any) -> list[str]:
    """One of the known names, an id on the Hub with its revision, or what a folder is called."""
    if not isinstance(localizer, Mapping):
        return []
    name, revision = str(localizer["name"]), str(localizer.get("revision") or "")
    if revision.startswith("sha256:"):
        name = f"{PLACE}{name}"
    elif "/" in name and revision:
        name = f"{name}@{revision}"
    return ["--localizer", name]


def _classes(spec: Mapping[str, Any]) -> list[str]:
    classes = spec.get("classes")
    words = ["--animals"] if spec.get("animals") else []
    if classes is not None:
        text = ",".join(map(str, classes)) if isinstance(classes, list) else str(classes)
        words = ["--classes", text, *words]
    return words


def _source(spec: Mapping[str, Any]) -> str:
    source = str(spec["source"])
    return source if source == DRAWN else _place(source)


def _place(name: str) -> str:
    """A name with a slash is an id on the Hub; another is what a folder or a file is called."""
    return name if "/" in name else f"{PLACE}{name}"


def _labels(spec: Mapping[str, Any]) -> list[str]:
    return ["--labels", f"{PLACE}{spec['labels']}"] if spec.get("labels") else []
