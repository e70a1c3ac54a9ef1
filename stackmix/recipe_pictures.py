"""The images that a recipe names, in the user's own copy of the source, wherever in it they are."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath

from stackwalls.model.images import LabelledImages, open_images
from stackwalls.model.images.opening import files_in


class UnfitPictureError(ValueError):
    """An image that is missing, or another than the recipe's; the message is the reason."""


class RecipePictures:
    """Finds a recipe's images by their id or their file's name alone, and returns none whose SHA-256 differs.

    Args:
        source: what `open_images` opens; labels are not needed, as the recipe has them. In a folder of images,
            sub-folders may be in any order.
        progress: show progress bars on stderr.

    Raises:
        InputError: if there is no such source.
    """

    def __init__(self, source: str, *, progress: bool = False) -> None:
        self._root = Path(source)
        self._source: LabelledImages | None = None  # a folder of images needs none: files are found by name
        if not self._root.is_dir() or files_in(self._root) or source == "drawn":
            self._source = open_images(source, progress=progress)

    def fetch(self, image_ids: Iterable[str]) -> None:
        """Announce which images will be read; a source that reads best in bulk reads them now.

        Raises:
            RunError: if it cannot be read.
        """
        if self._source is not None:
            rows = (image_id.rpartition("#") for image_id in set(image_ids))
            self._source.fetch([f"{file}#{row}" for file, hash, row in rows if hash and row.isdecimal()])

    def read(self, image_id: str, sha256: str) -> bytes:
        """The encoded file of an image.

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
        """The image of that very id; a recipe may come from anybody, so its ids must stay inside the folder."""
        path = PurePosixPath(image_id)
        try:
            if self._source is not None:
                return self._source.read(image_id)
            return None if path.is_absolute() or ".." in path.parts else (self._root / image_id).read_bytes()
        except (KeyError, ValueError, OSError):  # an id that this source does not have
            return None

    def _namesakes(self, image_id: str) -> list[Path]:
        """The files of that name, wherever they are in the folder."""
        return [] if self._source is not None else self._files_by_name.get(PurePosixPath(image_id).name, [])

    @cached_property
    def _files_by_name(self) -> dict[str, list[Path]]:
        """Every file below the folder by its name; listed only when an image is not where its id says."""
        found: dict[str, list[Path]] = {}
        for folder, _, files in os.walk(self._root, followlinks=True):
            for name in sorted(files):
                found.setdefault(name, []).append(Path(folder) / name)
        return found


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
