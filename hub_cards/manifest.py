"""`manifest.json`: everything that made a dataset folder, and the hash of every file in it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from stackwalls.model import InputError, LabelSpace, Transform, Wall, imagenet, without_tokens
from stackwalls.model.documents import (
    COUNT,
    FLAG,
    MOST_BYTES,
    OBJECT,
    SHA256,
    TEXT,
    checked,
    each,
    keys,
    nullable,
    parse_json,
)
from stackwalls.model.files import read_bounded

MANIFEST_NAME = "manifest.json"
"""The file of a dataset folder that says how the set was made, with the hash of every other file."""

MANIFEST_FORMAT = 1
"""Version of the manifest's format."""

KINDS = ("stack-mix", "stack-mix-recipe", "stack-gen")
"""What a dataset folder can hold."""

RECIPE_KIND = "stack-mix-recipe"
"""STACK-MIX without pixels."""

RESULTS_KIND = "results"
"""Rows and scores of an evaluation, as they are published."""

BOARD_KIND = "leaderboard"
"""A page of scores, as it is published."""

FOLDER_KINDS = (*KINDS, RESULTS_KIND, BOARD_KIND)
"""Every kind of folder that has a manifest: the sets (`KINDS`), results of evaluations, and leaderboards."""

COUNTS = ("requested", "kept", "rejected")

_NAMED = keys({"name": TEXT}, {"preset": nullable(TEXT), "revision": nullable(TEXT), "licence": nullable(TEXT)})
_CLASSES = {"class_names": each(TEXT)}
_MIX = keys(
    {"source": TEXT, "per_class": COUNT, "seed": COUNT, "wall": TEXT},
    {"labels": TEXT, "label_space": TEXT, "encoder": TEXT, "redone": each(OBJECT), **_CLASSES}
    | {"transform": keys({"size": COUNT, "resize": COUNT, "interpolation": TEXT, "squash": FLAG}, closed=True)},
)
SPEC_SCHEMAS = {
    "stack-mix": _MIX,
    "stack-mix-recipe": _MIX,
    "stack-gen": keys(
        {"wall": TEXT}, {"model": _NAMED, "localizer": {"type": ["object", "string", "null"]}} | _CLASSES
    ),
    RESULTS_KIND: keys({"wall": TEXT, "run": OBJECT, "notes": each(TEXT)}),
    BOARD_KIND: keys({"results": nullable(TEXT)}),
}
"""What the spec of each kind must be, because the card and the readers use it."""

_ENTRY = keys({"sha256": SHA256, "bytes": COUNT}, {"rows": COUNT}, closed=True)
_SCHEMA = keys(
    {"format": {"type": "integer"}, "kind": TEXT, "spec": OBJECT, "versions": each(TEXT, "object")}
    | {"inputs": OBJECT, "counts": keys(dict.fromkeys(COUNTS, COUNT), closed=True), "files": each(_ENTRY, "object")},
    {"manifest_sha256": SHA256},
    closed=True,
)

VERSIONED = ("stackwalls", "datasets", "numpy", "pillow", "pyarrow")
"""Packages that the bytes of every folder depend on."""

_SEAL = "manifest_sha256"
_ABSOLUTE = re.compile(r"/|~/|file:|[A-Za-z]:[\\/]|\\\\")
"""How absolute paths begin."""


@dataclass(frozen=True)
class Manifest:
    """What a folder was made from and contains, without dates, timings or paths: every run gives the same one.

    Attributes:
        format: version of this layout.
        kind: one of `FOLDER_KINDS`.
        spec: the settings; the same spec gives the same folder. Classes that are not ImageNet-1k's are in it as
            `class_names`.
        versions: of the packages that the bytes depend on.
        inputs: hashes of the sources, revisions of models.
        counts: "requested", "kept" (rows) and "rejected" (entries of rejected.parquet). STACK-MIX counts draws:
            requested = kept + rejected. STACK-GEN counts images, each with any number of rejected attempts:
            kept <= requested <= kept + rejected, so that every missing image has a reason. Results count rows, and a
            leaderboard scores: none is rejected.
        files: path inside the folder (POSIX) → {"sha256", "bytes"} and, for Parquet files, "rows".

    Raises:
        InputError: if a value does not fit this description, or contains an absolute path or a token.
    """

    format: int
    kind: str
    spec: dict[str, Any]
    versions: dict[str, str]
    inputs: dict[str, Any]
    counts: dict[str, int]
    files: dict[str, dict[str, Any]]

    def __post_init__(self) -> None:
        if self.format != MANIFEST_FORMAT:
            found = f"The manifest has format {self.format!r}, but this version of stackwalls reads {MANIFEST_FORMAT}"
            raise InputError(f"{found}: use the version that wrote it.")
        if self.kind not in FOLDER_KINDS:
            known = ", ".join(FOLDER_KINDS)
            raise InputError(f"Expected the manifest's kind to be one of {known}, but got {self.kind!r}.")
        try:
            checked(asdict(self), _SCHEMA | {"properties": _SCHEMA["properties"] | {"spec": SPEC_SCHEMAS[self.kind]}})
        except ValueError as error:
            raise InputError(f"This does not describe a {self.kind} folder: {error}.") from error
        size = self.wall.image_size if "wall" in self.spec else 0
        if size and (self.transform.size != size or ("transform" in self.spec and self.transform.is_usual)):
            raise InputError(
                f"Expected the manifest's transform to be one to {size} × {size} pixels, and none if that is the usual "
                f"one, but got {self.transform}."
            )
        if "class_names" in self.spec and self.classes.is_imagenet:
            raise InputError("A manifest lists class names (`class_names`) unless they are ImageNet-1k's.")
        check_publishable({"spec": self.spec, "versions": self.versions, "inputs": self.inputs})
        _check_counts(self.kind, self.counts)
        for path in self.files:
            _check_file_name(path)

    def to_json(self) -> str:
        """Canonical JSON, sealed with the SHA-256 of itself without the seal."""
        return canonical_json(asdict(self) | {_SEAL: self.seal()})

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Read what `to_json` wrote.

        Raises:
            InputError: if `text` is not a manifest, or any byte was changed.
        """
        try:
            content = checked(parse_json(text), _SCHEMA)
            seal = content.pop(_SEAL, None)
        except ValueError as error:
            raise InputError(f"It is not a manifest of this package: {error}.") from error
        manifest = cls(**content)
        if manifest.seal() != seal or manifest.to_json() != text:
            raise InputError("The manifest was changed after it was written: its content does not match its seal.")
        return manifest

    @classmethod
    def read(cls, folder: Path, kinds: Collection[str] = KINDS) -> Manifest:
        """Read the manifest of a folder of one of these kinds: a set, unless others are asked for.

        Raises:
            InputError: if it is missing, damaged, changed or of another kind; the message names the file.
        """
        path = folder / MANIFEST_NAME
        try:
            manifest = cls.from_json(read_bounded(path, MOST_BYTES).decode())
        except FileNotFoundError as error:
            missing = f"There is no finished dataset folder {folder} (no {MANIFEST_NAME} in it)"
            advice = "name one on this disk that `stackgen mix` or `generate` made"
            raise InputError(f"{missing}: {advice}.") from error
        except (InputError, OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"Cannot read {path}: {reason}") from error
        if manifest.kind not in kinds:
            raise InputError(f"{folder} is a folder of kind {manifest.kind}: expected {' or '.join(kinds)}.")
        return manifest

    @property
    def wall(self) -> Wall:
        """The wall that the dataset was made for."""
        return Wall.parse(self.spec["wall"])

    @cached_property
    def classes(self) -> LabelSpace:
        """The classes that labels are indices of: the spec's `class_names`, ImageNet-1k's where it has none."""
        names = self.spec.get("class_names")
        return imagenet() if names is None else LabelSpace(tuple(names))

    @cached_property
    def transform(self) -> Transform:
        """What each image of a source went through; the usual one of the wall's size unless the spec says another."""
        said = self.spec.get("transform")
        return Transform.of_size(self.wall.image_size) if said is None else Transform(**said)

    def shards(self) -> list[str]:
        """Paths of the Parquet files that hold the rows, in order."""
        return sorted(path for path in self.files if PurePosixPath(path).parent.name == "data")

    def seal(self) -> str:
        """SHA-256 of its content, which identifies the set."""
        return hashlib.sha256(canonical_json(asdict(self)).encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """The canonical JSON text of a value: sorted keys, two spaces, a newline at the end.

    Raises:
        InputError: if it holds what JSON cannot (NaN, an array, a path).
    """
    try:
        return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise InputError(f"Expected values that JSON can hold: {error}.") from error


def as_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """`value` as it comes back from JSON: tuples become lists, keys text."""
    result: dict[str, Any] = json.loads(canonical_json(dict(value)))
    return result


def package_versions(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Versions of `VERSIONED`, and of whatever else the caller's bytes depend on."""
    return {name: version(name) for name in VERSIONED} | dict(extra or {})


def check_publishable(values: Mapping[str, Any]) -> None:
    """Reject what must not be published.

    Raises:
        InputError: if a key or a text is an absolute path or contains an access token, which is not repeated.
    """
    for path, value in _leaves(values):
        for text in (*path, value):
            if isinstance(text, str) and without_tokens(text) != text:
                where = without_tokens(_spelled(path))
                raise InputError(f"A manifest is published and must not contain an access token (in {where}).")
            if isinstance(text, str) and _ABSOLUTE.match(text):
                found = f"the absolute path {text!r} (in {_spelled(path)})"
                raise InputError(f"A manifest is published and must not contain {found}: use a name instead.")


def differences(there: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two JSON values, in the order of the keys: "seed is 0 there, 1 now"."""
    left, right = dict(_leaves(there)), dict(_leaves(now))
    different = [path for path in left.keys() | right.keys() if _differ(left.get(path, ...), right.get(path, ...))]
    return [
        f"{_spelled(path)} is {_shown(left.get(path, ...))} there, {_shown(right.get(path, ...))} now"
        for path in sorted(different, key=_spelled)
    ]


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """The path and value of each leaf of a JSON value; empty containers are leaves."""
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    if not inner or not value:
        yield path, value
    else:
        for step, part in inner:
            yield from _leaves(part, (*path, step))


def _spelled(path: tuple[str | int, ...]) -> str:
    """`model.revision`, `classes[3]`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _differ(left: Any, right: Any) -> bool:
    """True differs from 1, as in JSON."""
    return bool(left != right or isinstance(left, bool) != isinstance(right, bool))


def _shown(value: Any) -> str:
    text = "absent" if value is ... else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _check_counts(kind: str, counts: Mapping[str, int]) -> None:
    requested, kept, rejected = (counts[name] for name in COUNTS)
    if kind != "stack-gen" and requested != kept + rejected:
        wrong = f"{kept} kept + {rejected} rejected are {kept + rejected}"
        raise InputError(f"The counts disagree: {requested} were requested, but {wrong}.")
    if not kept <= requested <= kept + rejected:
        wrong = f"{kept} of {requested} requested were kept, and {rejected} rejected do not account for the rest"
        raise InputError(f"The counts disagree: {wrong}.")


def _check_file_name(path: str) -> None:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\0" in path or not parts.parts:
        raise InputError(f"The manifest lists {path!r:.80}, which is not the name of a file in the folder.")
