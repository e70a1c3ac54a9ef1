"""Tar shards in WebDataset's layout: files of one name with different endings are one sample."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from stackwalls.model.errors import InputError, RunError
from stackwalls.model.training.data.folders import PICTURE_SUFFIXES
from stackwalls.model.training.data.label_reading import read_labels
from stackwalls.model.training.data.tables import LABEL_COLUMNS

_LABEL_SUFFIXES = (".cls", ".txt", ".json")
BUFFER = 2000
"""Pictures held at a time, undecoded, from which the next one is drawn by the seed: some 200 MB of ImageNet."""


class TarShards:
    """Shards such as `train-000000.tar`, read in order: each pass shuffles the shards, then within a buffer.

    A sample is a picture and its label: `.cls` (an index, a synset or a name), `.txt` (the same), or `.json` with
    one of the usual label fields.

    Args:
        files: the shards.
        name: what the sidecar calls them.
        size: pictures in all, where known.
    """

    def __init__(self, files: Sequence[Path], name: str, size: int | None = None) -> None:
        self.name, self.size, self._files = name, size, tuple(files)

    def pictures(self, seed: int) -> Iterator[tuple[bytes, int]]:
        """Pictures without end.

        Raises:
            RunError: if a shard cannot be read.
            InputError: if a sample has no label, or one that is no class.
        """
        number = 0
        while True:
            rng = np.random.default_rng([seed, number])
            shards = [self._files[i] for i in rng.permutation(len(self._files))]
            yield from shuffled((sample for shard in shards for sample in read_shard(shard)), rng, BUFFER)
            number += 1

    def once(self) -> Iterator[tuple[bytes, int]]:
        """Every picture once, in the order of the files."""
        for shard in self._files:
            yield from read_shard(shard)


def read_shard(path: Path) -> Iterator[tuple[bytes, int]]:
    """The samples of one tar file in order: a picture's bytes and its ImageNet-1k index."""
    try:
        with tarfile.open(path) as tar:
            parts: dict[str, bytes] = {}
            key, empty = "", True
            for member in tar:
                if not member.isfile() or PurePosixPath(member.name).name.startswith("."):
                    continue
                stem, suffix = _split(member.name)
                if stem != key and parts:
                    yield _sample(path, key, parts)
                    empty, parts = False, {}
                key = stem
                file = tar.extractfile(member)
                parts[suffix] = file.read() if file is not None else b""
            if parts:
                yield _sample(path, key, parts)
            elif empty:
                raise InputError(f"The shard {path.name} holds no samples.")
    except (OSError, tarfile.TarError) as error:
        raise RunError(f"Cannot read the shard {path.name} ({error}); run again with --resume to go on.") from error


def shuffled(
    samples: Iterator[tuple[bytes, int]], rng: np.random.Generator, buffer: int
) -> Iterator[tuple[bytes, int]]:
    """The samples in an order drawn within a buffer of that many."""
    held: list[tuple[bytes, int]] = []
    for sample in samples:
        if len(held) < buffer:
            held.append(sample)
            continue
        place = int(rng.integers(buffer))
        yield held[place]
        held[place] = sample
    for place in rng.permutation(len(held)):
        yield held[int(place)]


def _split(name: str) -> tuple[str, str]:
    """`a/b.seg.png` → (`a/b`, `.seg.png`): WebDataset's key ends at the first point of the file's name."""
    folder, _, file = name.rpartition("/")
    stem, _, suffix = file.partition(".")
    return f"{folder}/{stem}", f".{suffix.lower()}"


def _sample(path: Path, key: str, parts: dict[str, bytes]) -> tuple[bytes, int]:
    where = f"sample {key.lstrip('/')} of {path.name}"
    picture = next((content for suffix, content in parts.items() if suffix in PICTURE_SUFFIXES), None)
    label = next((suffix for suffix in _LABEL_SUFFIXES if suffix in parts), None)
    if picture is None or label is None:
        raise InputError(
            f"In {where}: expected a picture and a label ({', '.join(_LABEL_SUFFIXES)}), found {', '.join(parts)}."
        )
    text = parts[label].decode("utf-8", errors="replace").strip()
    if label == ".json":
        fields = json.loads(text)
        text = next((fields[name] for name in LABEL_COLUMNS if name in fields), "")
    value = int(text) if isinstance(text, str) and text.lstrip("-").isdecimal() else text
    return picture, int(read_labels([value], None, where)[0])
