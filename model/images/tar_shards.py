"""Tar shards in WebDataset's layout: files of one name with different endings are one sample."""

import re
import tarfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import groupby
from pathlib import Path

from stackwalls.model.documents import parse_json
from stackwalls.model.errors import InputError, RunError
from stackwalls.model.files import as_text, regular_file
from stackwalls.model.images.decoding import MAX_BYTES, SUFFIXES
from stackwalls.model.images.label_reader import LABEL_NAMES, LabelReader
from stackwalls.model.images.label_space import LabelChoice
from stackwalls.model.images.labeled import LabeledImages

_LABEL_SUFFIXES = (".cls", ".txt", ".json")

_LABEL_BYTES = 1 << 20
"""Bytes of a label that are read."""


class TarImages(LabeledImages):
    """The images of local shards by number; ids are `shard.tar#key`. The shards are listed once, and not copied.

    A sample is an image and its label: `.cls` (an index, a synset or a name), `.txt` (the same), or `.json` with one
    of the usual label fields. `files` has the shards by the name that an id starts with.
    """

    def __init__(
        self, name: str, files: Mapping[str, Path], *, unlabeled: bool = False, label_space: LabelChoice = None
    ) -> None:
        self.name, self._files, self._unlabeled, self._label_space = name, files, unlabeled, label_space

    def _add_labels(self, reader: LabelReader) -> None:
        reader.add([label for *_, label in self._members.values()])

    def _row_id(self, row: int) -> str:
        return self._ids[row]

    def _read(self, image_id: str, epoch: int) -> bytes:
        file, offset, size, _ = self._members[image_id]
        with self._files[file].open("rb") as shard:
            shard.seek(offset)
            return shard.read(min(size, MAX_BYTES + 1))  # the decoder says that it is too large

    @cached_property
    def _members(self) -> dict[str, tuple[str, int, int, str | int]]:
        """By id: the file, offset and size of each image, and its label as written."""
        return {
            f"{name}#{key}": (name, image.offset_data, image.size, label)
            for name, path in self._files.items()
            for key, label, image in _samples(path)
        }

    @cached_property
    def _ids(self) -> list[str]:
        return list(self._members)


def _samples(path: Path) -> Iterator[tuple[str, str | int, tarfile.TarInfo]]:
    """Key, label as written and image of each sample of a tar file, in order."""
    empty = True
    try:
        # uncompressed: an image is read by its offset
        with tarfile.open(regular_file(path), "r:") as tar:
            files = (file for file in tar if file.isfile() and not file.name.rpartition("/")[2].startswith("."))
            seen: set[str] = set()
            for key, members in groupby(files, lambda member: _parts(member)[0]):
                empty, listed = False, list(members)
                parts = {_parts(file)[1]: file for file in listed}
                if key in seen or len(parts) < len(listed):
                    raise InputError(f"The shard {path.name} has the sample {key} twice: remove one of them.")
                seen.add(key)
                yield as_text(key), *_sample(tar, f"sample {key} of {path.name}", parts)
    except (OSError, tarfile.TarError) as error:
        raise RunError(f"Cannot read the shard {path.name} ({error}). Run the command again.") from error
    if empty:
        raise InputError(f"The shard {path.name} has no samples.")


def _parts(member: tarfile.TarInfo) -> tuple[str, str]:
    """WebDataset's key, which ends at the first point of the file's name, and the ending: a/b, .seg.png."""
    folder, slash, file = member.name.lstrip("/").rpartition("/")
    stem, _, suffix = file.partition(".")
    return f"{folder}{slash}{stem}", f".{suffix.lower()}"


def _sample(
    tar: tarfile.TarFile, where: str, members: Mapping[str, tarfile.TarInfo]
) -> tuple[str | int, tarfile.TarInfo]:
    """The label as written, and the image."""
    image = next((member for suffix, member in members.items() if suffix in SUFFIXES), None)
    suffix = next((suffix for suffix in _LABEL_SUFFIXES if suffix in members), None)
    if image is None or suffix is None:
        raise InputError(
            f"In {where}: expected an image and a label ({', '.join(_LABEL_SUFFIXES)}), found {', '.join(members)}."
        )
    file = tar.extractfile(members[suffix])
    text = "" if file is None else file.read(_LABEL_BYTES).decode("utf-8", errors="replace").strip()
    label = _json_label(text, where) if suffix == ".json" else text
    number = isinstance(label, str) and re.fullmatch(r"-?\d{1,18}", label)
    return int(label) if number else label, image


def _json_label(text: str, where: str) -> str | int:
    expected = f"expected a JSON object with the label as a number or text in a field {', '.join(LABEL_NAMES)}"
    try:
        fields = parse_json(text)
    except ValueError as error:
        raise InputError(f"In {where}: {expected}, but the .json file is not JSON ({error}).") from error
    label = next((fields[name] for name in LABEL_NAMES if name in fields), None) if isinstance(fields, dict) else None
    if not isinstance(label, str | int) or isinstance(label, bool):
        raise InputError(f"In {where}: {expected}, but got {text:.60}.")
    return label
