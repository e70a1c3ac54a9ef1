"""Tar shards in WebDataset's layout: files of one name with different endings are one sample."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackwalls.model.errors import InputError, RunError
from stackwalls.model.files import file_sha256
from stackwalls.model.images.image_folder import SUFFIXES
from stackwalls.model.images.labelled import LabelledImages, LabelReader
from stackwalls.model.images.tables import LABEL_NAMES

_LABEL_SUFFIXES = (".cls", ".txt", ".json")


@dataclass(frozen=True)
class _Sample:
    """A sample of an open shard: the label as written, and where the image is."""

    key: str
    label: Any
    image: tarfile.TarInfo


class TarImages(LabelledImages):
    """The images of local shards by number; ids are `shard.tar#key`. The shards are listed once, and not copied.

    A sample is an image and its label: `.cls` (an index, a synset or a name), `.txt` (the same), or `.json` with one
    of the usual label fields.

    Args:
        name: what manifests and reports call them.
        files: the shards, by the name that an id starts with.
        unlabelled: whether to keep images whose label is -1.
    """

    def __init__(self, name: str, files: Mapping[str, Path], *, unlabelled: bool = False) -> None:
        self.name, self._files, self._unlabelled = name, files, unlabelled

    def _all_labels(self, reader: LabelReader) -> NDArray[np.int64]:
        return reader.read(self._members[1])

    def _row_id(self, row: int) -> str:
        return self._ids[row]

    def _read(self, image_id: str, epoch: int) -> bytes:
        file, offset, size = self._members[0][image_id]
        with self._files[file].open("rb") as shard:
            shard.seek(offset)
            return shard.read(size)

    def fingerprint(self) -> str:
        """The hashes of the shards."""
        return "".join(f"{name} {file_sha256(path)}\n" for name, path in self._files.items())

    @cached_property
    def _members(self) -> tuple[dict[str, tuple[str, int, int]], list[Any]]:
        """The file, offset and size of each image by its id, and the labels as written."""
        places: dict[str, tuple[str, int, int]] = {}
        values: list[Any] = []
        for name, path in self._files.items():
            for sample in _samples(path):
                places[f"{name}#{sample.key}"] = (name, sample.image.offset_data, sample.image.size)
                values.append(sample.label)
        return places, values

    @cached_property
    def _ids(self) -> list[str]:
        return list(self._members[0])


def _samples(path: Path) -> Iterator[_Sample]:
    """The samples of one tar file in order."""
    try:
        with tarfile.open(path, "r:") as tar:  # uncompressed: an image is read by its offset
            members: dict[str, tarfile.TarInfo] = {}
            key, empty = "", True
            for member in tar:
                folder, _, file = member.name.rpartition("/")
                if not member.isfile() or file.startswith("."):
                    continue
                stem, _, suffix = file.partition(".")  # a/b.seg.png: WebDataset's key ends at the first point
                if f"{folder}/{stem}" != key and members:
                    yield _sample(tar, path, key, members)
                    empty, members = False, {}
                key = f"{folder}/{stem}"
                members[f".{suffix.lower()}"] = member
            if members:
                yield _sample(tar, path, key, members)
            elif empty:
                raise InputError(f"The shard {path.name} has no samples.")
    except (OSError, tarfile.TarError) as error:
        raise RunError(f"Cannot read the shard {path.name} ({error}). Run the command again.") from error


def _sample(tar: tarfile.TarFile, path: Path, key: str, members: Mapping[str, tarfile.TarInfo]) -> _Sample:
    key = key.lstrip("/")
    where = f"sample {key} of {path.name}"
    image = next((member for suffix, member in members.items() if suffix in SUFFIXES), None)
    suffix = next((suffix for suffix in _LABEL_SUFFIXES if suffix in members), None)
    if image is None or suffix is None:
        raise InputError(
            f"In {where}: expected an image and a label ({', '.join(_LABEL_SUFFIXES)}), found {', '.join(members)}."
        )
    label: Any = _content(tar, members[suffix]).decode("utf-8", errors="replace").strip()
    if suffix == ".json":
        label = _json_label(label, where)
    number = isinstance(label, str) and label.lstrip("-").isdecimal()
    return _Sample(key, int(label) if number else label, image)


def _json_label(text: str, where: str) -> Any:
    expected = f"expected a JSON object with the label as a number or text in a field {', '.join(LABEL_NAMES)}"
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise InputError(f"In {where}: {expected}, but the .json file is not JSON ({error}).") from error
    label = None
    if isinstance(fields, dict):
        label = next((fields[name] for name in LABEL_NAMES if name in fields), None)
    if not isinstance(label, str | int) or isinstance(label, bool):
        raise InputError(f"In {where}: {expected}, but got {text:.60}.")
    return label


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return b"" if file is None else file.read()
