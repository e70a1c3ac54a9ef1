"""What a dataset's card is made from: manifest, first rows, reasons of rejection, the command that makes it again."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackwalls.hub_cards.layout import REJECTED_NAME, read_groups, record_batches
from stackwalls.hub_cards.manifest import Manifest
from stackwalls.hub_cards.record import REJECTED_SCHEMA
from stackwalls.model import InputError, Transform, imagenet

FIRST_ROWS = 4
"""How many rows a card may show."""

DRAWN = "drawn"
"""The source of the procedural images, which contain nobody else's data."""

PLACE = "PATH/TO/"
"""Put before the name of a file or folder whose place differs from machine to machine."""

_MIX_OPTIONS = ("per_class", "seed", "wall")
_GENERATE_OPTIONS = (*_MIX_OPTIONS, "template", "attempts", "dtype", "steps", "guidance", "batch_size", "attention")
"""Keys of a spec that the option of the same name sets."""

_PARTICULAR = re.compile(r"[^\s,;]*[\d/#][^\s,;]*")
"""A word that belongs to one sample: it has a digit in it, or is a path."""


@dataclass(frozen=True)
class CardFacts:
    """What a dataset's card is made from.

    Attributes:
        manifest: the folder's, with every file that was written before the card.
        rows: the first rows, at least one.
        reasons: (kind of reason, how many samples were rejected for it), the most frequent first.
    """

    manifest: Manifest
    rows: Sequence[Mapping[str, Any]]
    reasons: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, manifest: Manifest, rows: Sequence[Mapping[str, Any]], rejected: Iterable[str]) -> CardFacts:
        """With the reasons (texts of rejected.parquet) counted by their kind."""
        tally = Counter(map(reason_kind, rejected))
        reasons = tuple(sorted(tally.items(), key=lambda item: (-item[1], item[0])))
        return cls(manifest, tuple(rows[:FIRST_ROWS]), reasons)

    @property
    def drawn(self) -> bool:
        """Whether the images are procedural."""
        return self.manifest.spec.get("source") == DRAWN


def reason_kind(reason: str) -> str:
    """A reason without what belongs to one sample: "too small: 20 × 9 pixels" → "too small"."""
    general = re.split(r"[:(]", reason, maxsplit=1)[0].strip()
    return " ".join(_PARTICULAR.sub("…", general or reason).split())


def read_facts(folder: Path, manifest: Manifest) -> CardFacts:
    """The facts of a folder; its shards and rejected.parquet must exist."""
    first = next(record_batches(folder, manifest), None)
    if first is None:
        raise InputError(f"{folder} has no rows, so there is nothing that a card could show.")
    rejected = read_groups([folder / REJECTED_NAME], needed=REJECTED_SCHEMA)
    reasons = [reason for batch in rejected for reason in batch.column("reason").to_pylist()]
    return CardFacts.of(manifest, first.slice(0, FIRST_ROWS).to_pylist(), reasons)


def regenerate_command(manifest: Manifest) -> str:
    """The command as one line for a shell, with `PATH/TO/` before the names of local files and folders."""
    spec = manifest.spec
    if manifest.kind == "stack-mix-recipe":
        words = ["stackgen", "mix", "--recipe", f"{PLACE}this/folder", "--source", _source(spec)]
        return shlex.join([*words, "--out", "stack-mix"])
    words = _generate(spec) if manifest.kind == "stack-gen" else _mix(spec)
    stated = manifest.inputs.get("licence")
    words += ["--license", str(stated)] if stated and manifest.kind == "stack-mix" else []
    return shlex.join([*words, "--out", manifest.kind])


def _mix(spec: Mapping[str, Any]) -> list[str]:
    words = ["stackgen", "mix", "--source", _source(spec)]
    words += ["--labels", f"{PLACE}{spec['labels']}"] if spec.get("labels") else []
    space = str(spec.get("label_space", ""))
    words += ["--label-space", space if space in ("imagenet", "own") else f"{PLACE}{space}"] if space else []
    keys = _MIX_OPTIONS if spec.get("encoder") == "png" else (*_MIX_OPTIONS, "encoder")
    resizing = ["--resize", Transform(**spec["transform"]).resizing] if "transform" in spec else []
    return [*words, *_classes(spec), *_options(spec, keys), *resizing]


def _generate(spec: Mapping[str, Any]) -> list[str]:
    words = ["stackgen", "generate", *_model(spec["model"]), *_nouns(spec), *_classes(spec)]
    words += _localizer(spec.get("localizer"))
    words += _options(spec, _GENERATE_OPTIONS)
    words += ["--size", f"{spec['width']}x{spec['height']}"] if spec.get("width") and spec.get("height") else []
    return words + (["--compile"] if spec.get("compile") else [])


def _options(spec: Mapping[str, Any], keys: Iterable[str]) -> Iterator[str]:
    """The options of the keys that have a value."""
    for key in keys:
        if (value := spec.get(key)) is not None:
            yield from (f"--{key.replace('_', '-')}", f"{value:g}" if isinstance(value, float) else str(value))


def _model(model: Mapping[str, Any]) -> list[str]:
    """A preset by its name, any other model by its own."""
    words = ["--preset", str(model["preset"])] if model.get("preset") else ["--model", _place(str(model["name"]))]
    revision = str(model.get("revision") or "")  # of a folder: the hash of its files
    return words + (["--revision", revision] if revision and not revision.startswith("sha256:") else [])


def _localizer(localizer: Any) -> list[str]:
    """A known name, an id on the Hub with its revision, or the name of a folder."""
    if not isinstance(localizer, Mapping):
        return []
    name, revision = str(localizer["name"]), str(localizer.get("revision") or "")
    if revision.startswith("sha256:"):
        return ["--localizer", f"{PLACE}{name}"]
    return ["--localizer", f"{name}@{revision}" if "/" in name and revision else name]


def _classes(spec: Mapping[str, Any]) -> list[str]:
    classes = spec.get("classes")
    text = ",".join(map(str, classes)) if isinstance(classes, list) else str(classes)
    return [*(["--classes", text] if classes is not None else ()), *(["--animals"] if spec.get("animals") else ())]


def _nouns(spec: Mapping[str, Any]) -> list[str]:
    """The nouns, with the class's name where it is another; a tab divides them where the noun has a comma."""
    pairs = zip(spec.get("nouns") or (), spec.get("class_names", imagenet().names), strict=False)
    own = [
        noun if noun == name and "," not in noun else f"{noun}{(chr(9) if ',' in noun else ',')}{name}"
        for noun, name in pairs
    ]
    return ["--nouns", *own] if own else []


def _source(spec: Mapping[str, Any]) -> str:
    return DRAWN if spec["source"] == DRAWN else _place(str(spec["source"]))


def _place(name: str) -> str:
    """A name with a slash is an id on the Hub; any other is the name of a folder or a file."""
    return name if "/" in name else f"{PLACE}{name}"
