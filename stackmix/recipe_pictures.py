"""The pictures that a recipe names, in one's own copy of the source, wherever in it they lie."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath

from stackwalls.model.images import Source, open_source

_PARQUET_ROW = re.compile(r".+\.parquet#\d+")


class UnfitPictureError(ValueError):
    """A picture that is missing, or another than the recipe's; the message is the reason."""


class RecipePictures:
    """Finds a recipe's pictures by their id or their file's name alone, and gives out none whose SHA-256 differs.

    Args:
        source: a folder of pictures in any order of folders (class folders or flat; labels are not needed, as the
            recipe has them), Parquet files, a dataset on the Hub, or "drawn".
        progress: show progress bars on stderr.

    Raises:
        InputError: if there is no such source.
    """

    def __init__(self, source: str, *, progress: bool = False) -> None:
        path = Path(source)
        holds_parquet = path.is_dir() and any(path.glob("*.parquet"))
        self._root = path
        self._source: Source | None = None  # a folder of pictures needs none: files are found by name
        if not path.is_dir() or holds_parquet or source == "drawn":
            self._source = open_source(source, progress=progress)

    def fetch(self, image_ids: Iterable[str]) -> None:
        """Told which pictures will be read; a source that reads best in bulk gets them now.

        Raises:
            RunError: if it cannot be read.
        """
        if self._source is not None:
            self._source.fetch([image_id for image_id in set(image_ids) if _PARQUET_ROW.fullmatch(image_id)])

    def read(self, image_id: str, sha256: str) -> bytes:
        """The undecoded file of a picture.

        Raises:
            UnfitPictureError: if it is not there, or only with another SHA-256.
        """
        own = self._own(image_id)
        if own is not None and _sha256(own) == sha256:
            return own
        for path in self._namesakes(image_id):
            data = path.read_bytes()
            if _sha256(data) == sha256:
                return data
        raise UnfitPictureError(
            "missing from the source" if own is None else "changed: its SHA-256 is not the recipe's"
        )

    def _own(self, image_id: str) -> bytes | None:
        """The picture of that very id."""
        try:
            if self._source is not None:
                return self._source.read(image_id)
            return (self._root / image_id).read_bytes() if _is_inside(image_id) else None
        except (KeyError, ValueError, OSError):  # an id that this source does not have
            return None

    def _namesakes(self, image_id: str) -> list[Path]:
        """The files of that name, wherever they lie in the folder."""
        return [] if self._source is not None else self._files_by_name.get(PurePosixPath(image_id).name, [])

    @cached_property
    def _files_by_name(self) -> dict[str, list[Path]]:
        """Every file below the folder by its name; listed only when a picture is not where its id says."""
        found: dict[str, list[Path]] = {}
        for folder, _, files in os.walk(self._root, followlinks=True):
            for name in sorted(files):
                found.setdefault(name, []).append(Path(folder) / name)
        return found


def _is_inside(image_id: str) -> bool:
    """Whether an id stays inside the folder: a recipe may come from anybody."""
    path = PurePosixPath(image_id)
    return not path.is_absolute() and ".." not in path.parts


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
