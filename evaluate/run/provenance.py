"""What a run was, for readers: network, data, methods, versions, and what must be known about them."""

import math
import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import nn

from stackwalls.evaluate.classes import ClassNames
from stackwalls.evaluate.maps import Explainer
from stackwalls.evaluate.run.evaluation_spec import EvaluationSpec
from stackwalls.evaluate.subject import Subject
from stackwalls.hub_cards import StackDataset
from stackwalls.model import (
    WALL_KINDS_IN_WORDS,
    Transform,
    Wall,
    file_sha256,
    implied_wall_kind,
    quotable,
    wall_kind_of,
)
from stackwalls.model.documents import COUNT, FLAG, NUMBER, OBJECT, TEXT, each, keys, nullable

RUN_FORMAT = 2
"""Version of `run.json`'s layout."""

_SIGHTED = (
    "NOT BLIND: {model} sees behind the wall {wall[wall]}, and its certificate failed. Its maps may be lit there "
    "rightly: mu is shown for comparison with a blind network, and says nothing about a method's errors."
)

_DATASET = keys(
    {"name": TEXT, "length": COUNT, "images": each(COUNT, "object") | {"minProperties": 1}, "wall": nullable(TEXT)}
    | {"source": nullable(TEXT), "spec": nullable(OBJECT)},
    {"kind": nullable(TEXT), "manifest_sha256": nullable(TEXT), "class_names": each(TEXT)}
    | {"unmatched_classes": keys({"count": COUNT, "of": COUNT, "first": each(TEXT)})},
)
_SPEC = {"target": {"enum": ["predicted", "label"]}, "seed": COUNT, "batch_size": nullable(COUNT)}
RUN_SCHEMA = keys(
    {"format": {"type": "integer"}, "model": TEXT, "wall": keys({"wall": TEXT, "image_size": COUNT}), "device": TEXT}
    | {"datasets": each(_DATASET) | {"minItems": 1}, "spec": keys(_SPEC), "versions": each(TEXT, "object")}
    | {"provenance": OBJECT, "method_notes": each(TEXT, "object")},
    {"weights": nullable(TEXT), "target_layer": nullable(TEXT), "fingerprint": nullable(TEXT), "blind": FLAG}
    | {"wall_kind": {"enum": list(WALL_KINDS_IN_WORDS)}, "native_chance": NUMBER}
    | {"network_classes": {"anyOf": [{"type": ["string", "null"]}, each(TEXT)]}}
    | {"transform": keys({"size": COUNT, "resize": COUNT, "interpolation": TEXT, "squash": FLAG})},
)
"""Of `run.json`, as `describe_run` makes it."""

_NOTE = 2000
"""The most characters of what is said of a method; its options may be long, or hold a token."""

_EXAMPLES = 3
"""Classes that a sentence names."""

_DRAWS = "stackwalls-mini"
"""The text-to-image model of this package, which learned from its drawings."""
_UNKNOWN = (
    "{}: top-1 is not known, because it is not known which classes the network's logits stand for. Name them, one a "
    "line in the order of the logits (--class-names FILE, or the network's `class_names`), or take logit i for class i "
    "(--match-by-index)."
)

_PACKAGES = ("stackwalls", "torch", "torchvision", "timm", "grad-cam", "numpy", "pillow")
"""Packages that the numbers depend on, beside Python and OpenCV."""


def describe_run(
    subject: Subject,
    weights: str,
    spec: EvaluationSpec,
    sources: Sequence[StackDataset],
    provenance: Mapping[str, Any] | None,
    method_notes: Mapping[str, str],
    blind: bool,
) -> dict[str, Any]:
    """Everything that was needed to make the results, for `run.json`, without dates and timings.

    `weights` is the network's `identity.weights_hash`; `method_notes` says how methods were called, where needed;
    `blind` is whether the certificate passed; `provenance` is anything else, such as the command line.
    """
    dead = subject.dead_cells
    native = {} if dead is None else {"native_chance": math.sqrt(dead.mean())}
    return {
        "format": RUN_FORMAT,
        "model": subject.name,
        "weights": weights,
        "wall": subject.wall.to_dict(),
        "wall_kind": wall_kind_of(subject.model),
        "network_classes": subject.classes.to_json(),
        "transform": subject.transform.to_dict(),
        "target_layer": subject.layer,
        "blind": blind,
        "datasets": [_describe_source(source, spec) for source in sources],
        "spec": spec.to_dict(),
        "device": device_name(subject.device),
        "versions": versions(),
        "provenance": dict(provenance or {}),
        "method_notes": dict(method_notes),
    } | native


def device_name(device: torch.device) -> str:
    """The name of a GPU, such as "NVIDIA H100 80GB HBM3"; otherwise the kind of device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def method_notes(explainers: Sequence[Explainer]) -> dict[str, str]:
    """What a reader must know about how methods were called."""
    noted = {method: getattr(explainer, "note", None) for explainer in explainers for method in explainer.methods}
    return {method: quotable(note, _NOTE).rstrip(".") for method, note in noted.items() if note}


def read_from(network: nn.Module, weights: str | Path | None, data: Mapping[str, str]) -> dict[str, str]:
    """What files, folders and branches were when they were read; `data` has each dataset's identity."""
    found = {} if weights is None else {"weights": f"{Path(weights).name}, SHA-256 {file_sha256(Path(weights))}"}
    if origin := getattr(network, "origin", None):
        found["network read from"] = str(origin)
    return found | {f"contents of {name}": f"SHA-256 {identity}" for name, identity in data.items()}


def with_findings(run: Mapping[str, Any], rows: pa.Table) -> tuple[dict[str, Any], pa.Table]:
    """`describe_run` and the per-image rows, with what only the whole run shows.

    How many images of each dataset were used as they are, and how many resized and cropped; which of its classes are
    not among the network's; and whether that means that the logits stand for classes that are not known, so that no
    image of it is known to be right or wrong.
    """
    images = rows.select(["dataset", "image_id", "label", "transform", "correct"]).to_pandas()
    images = images.drop_duplicates(["dataset", "image_id"])
    counts = images.groupby(["dataset", "transform"]).size()
    found, unknown = [], []
    for one in run["datasets"]:
        own = images[(images["dataset"] == one["name"]) & (images["label"] >= 0)]
        missing = sorted(own["label"][own["correct"].isna()].unique().tolist())
        transforms = {how: int(n) for (name, how), n in counts.items() if name == one["name"]}
        by_guess = run["network_classes"] is None and run["spec"]["match"] == "name"
        if missing and by_guess:
            unknown.append(one["name"])
        first = [ClassNames.of(run, one).label(label) for label in missing[:_EXAMPLES]]
        unmatched = {"count": len(missing), "of": own["label"].nunique(), "first": first}
        also = {"unmatched_classes": unmatched} if missing and not by_guess else {}
        found.append({**one, "transforms": transforms, "unmatched_labels": bool(missing) and by_guess, **also})
    judged = pc.if_else(pc.is_in(rows["dataset"], pa.array(sorted(unknown), pa.string())), None, rows["correct"])
    return {**run, "datasets": found}, rows.set_column(rows.schema.get_field_index("correct"), "correct", judged)


def kind_of_wall(run: Mapping[str, Any]) -> str:
    """The kind of the wall of a run.json; the one that the network's name implies if it is not stated."""
    return str(run.get("wall_kind") or implied_wall_kind(run["model"]))


def wall_kind_note(kind: str) -> str:
    """What every table says of a kind of wall, a key of `WALL_KINDS_IN_WORDS`."""
    return f"The wall {WALL_KINDS_IN_WORDS[kind]}. Do not compare with other kinds of walls."


def notes(run: Mapping[str, Any]) -> list[str]:
    """What a reader of the numbers must know: the kind of wall, drawn images, walls that differ, fewer images."""
    about: dict[str, list[str]] = {}
    first = [wall_kind_note(kind_of_wall(run)) if run.get("blind", True) else _SIGHTED.format(**run)]
    wall_chance = Wall.parse(run["wall"]["wall"], run["wall"]["image_size"]).chance
    for dataset in run["datasets"]:
        for note in (*_image_notes(run, dataset), *_wall_notes(run, dataset)):
            about.setdefault(note, []).append(dataset["name"])
    # not by `format`: a method's name may have braces
    found = first + [note.replace("{}", " and ".join(names)) for note, names in about.items()]
    if run.get("target_layer"):
        found.append(f"The target layer is {run['target_layer']}, not the network's own.")
    if not math.isclose(native := run.get("native_chance", wall_chance), wall_chance):
        found.append(
            f"Native mu counts the cells of {run['target_layer']} that cannot reach the logits: a uniform map has "
            f"{100 * native:.1f}."
        )
    if run["spec"]["target"] == "label":
        found.append("The class explained is the image's label, not the class that the network predicts.")
    return found + [f"{note}." for note in run["method_notes"].values()]


def images_are(kind: str | None, spec: Mapping[str, Any] | None) -> str:
    """What a dataset's manifest says of its images: "drawings", "generated" or "photographs"; "" if there is none."""
    if spec is None:
        return ""
    model = spec.get("model")
    if spec.get("source") == "drawn" or (isinstance(model, Mapping) and model.get("name") == _DRAWS):
        return "drawings"
    return "generated" if kind == "stack-gen" else "photographs"


DRAWINGS = (
    "The images of {} are drawn by this software, not photographed: they show that the check runs, not how a method "
    "does on photographs."
)
"""The caveat that belongs to every table of drawings."""


def _image_notes(run: Mapping[str, Any], dataset: Mapping[str, Any]) -> Iterator[str]:
    """With `{}` for the datasets' names: what holds for several is said once."""
    if dataset["source"] == "drawn" or images_are(dataset["kind"], dataset["spec"]) == "drawings":
        yield DRAWINGS
    transforms = dataset.get("transforms", {})
    if dataset["kind"] is None and transforms:
        size = run["wall"]["image_size"]
        transform = Transform(**run["transform"]) if "transform" in run else Transform.of_size(size)
        said = {"as-is": f"used as they are ({size} × {size})", "resize-crop": f"resized and cropped ({transform})"}
        done = [f"{transforms[how]} {text}" for how, text in said.items() if how in transforms]
        alike = "" if len(done) == 1 else "; --transform resize-crop treats all alike, as the paper's code does"
        yield f"{{}}: of its images, {' and '.join(done)}{alike}."
    if dataset.get("unmatched_labels"):
        yield _UNKNOWN
    if unmatched := dataset.get("unmatched_classes"):
        yield _unmatched(unmatched, run["spec"]["target"])
    counts = dataset["images"]
    most = max(counts.values())
    if most < dataset["length"]:
        yield f"Only the first {_images(most)} of {{}}."
    for count in sorted({count for count in counts.values() if count < most}):
        methods = ", ".join(method for method, own in counts.items() if own == count)
        yield f"{methods}: on the first {_images(count)} of {{}} only."


def _unmatched(found: Mapping[str, Any], target: str) -> str:
    count, first = found["count"], found["first"]
    shown = ", ".join([*(f"{name!r:.60}" for name in first), *["…"] * (count > len(first))])
    explained = "the predicted class is explained and " if target == "label" else ""
    then = f"({shown}); for their images {explained}top-1 is not counted"
    if count < found["of"]:
        verb = "is" if count == 1 else "are"
        return f"{count} of {found['of']} classes of {{}} {verb} not among the network's {then}."
    names = "if it has other names for them, name its own (--class-names FILE) or match by index (--match-by-index)"
    return f"None of the {count} classes of {{}} is among the network's {then}; {names}."


def _images(count: int) -> str:
    return "image" if count == 1 else f"{count} images"


def _wall_notes(run: Mapping[str, Any], dataset: Mapping[str, Any]) -> Iterator[str]:
    if dataset["wall"] in (None, run["wall"]["wall"]):
        return
    of_model, of_data = Wall.parse(run["wall"]["wall"]), Wall.parse(dataset["wall"])
    if not run.get("blind", True):
        yield f"{{}} was made for {of_data}, but mu is measured behind {of_model}."
        return
    measured = f"{{}} was made for {of_data}, but {run['model']} is behind {of_model}. Mu is measured behind that wall"
    if of_model.covers(of_data):
        more = of_model.share - of_data.share
        yield f"{measured}: it hides the second image and part of the first ({100 * more:.1f} % of the image)."
    else:
        yield f"{measured}, and the network sees part of the second image."


def _describe_source(source: StackDataset, spec: EvaluationSpec) -> dict[str, Any]:
    manifest = source.manifest
    return {
        "name": source.name,
        "length": len(source),
        "images": {method: spec.images_for(method, len(source)) for method in spec.methods},
        "wall": None if source.wall is None else str(source.wall),
        "kind": None if manifest is None else manifest.kind,
        "source": None if manifest is None else manifest.spec.get("source"),
        "spec": None if manifest is None else manifest.spec,
        "manifest_sha256": None if manifest is None else manifest.seal(),
    } | ({} if source.classes.is_imagenet else {"class_names": list(source.classes.names)})


def versions() -> dict[str, str]:
    """Versions of everything that the numbers depend on."""
    found = {name: version(name) for name in _PACKAGES}
    return {**found, "opencv": cv2.__version__, "python": platform.python_version()}
