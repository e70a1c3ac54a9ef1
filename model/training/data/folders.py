"""A folder with one sub-folder a class, as torchvision's `ImageFolder` reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stackwalls.model.errors import InputError
from stackwalls.model.training.data.label_reading import class_of_name

PICTURE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Endings of picture files, in any case: torchvision's `IMG_EXTENSIONS`."""


class FolderPictures:
    """Pictures in class folders named by synset (`n01443537`), class name (`goldfish`) or index (`1`).

    Args:
        root: the folder that holds the class folders.
        name: what the sidecar calls it.

    Raises:
        InputError: if a folder is no class of ImageNet-1k or holds no picture, or there is none.
    """

    def __init__(self, root: Path, name: str) -> None:
        self.name, self._root = name, root
        self._paths: list[str] = []
        labels: list[int] = []
        for folder in class_folders(root):
            entry = class_of_name(folder.name)
            if entry is None:
                raise InputError(
                    f"The folder {folder.name} in {root} is no ImageNet-1k class: expected a synset (n01443537), a "
                    "class name (goldfish) or an index (1). Rename it, or move it away."
                )
            files = sorted(path.relative_to(root).as_posix() for path in folder.rglob("*") if _is_picture(path))
            if not files:
                raise InputError(f"The class folder {folder.name} in {root} holds no picture: fill it or remove it.")
            self._paths += files
            labels += [entry.index] * len(files)
        if not labels:
            raise InputError(f"{root} holds no class folders: expected folders named by synset, name or index.")
        self.labels = np.asarray(labels, dtype=np.int64)

    def read(self, number: int, epoch: int) -> bytes:
        """The file's bytes."""
        return (self._root / self._paths[number]).read_bytes()

    def where(self, number: int) -> str:
        """Its path in the folder."""
        return f"{self.name}/{self._paths[number]}"


def class_folders(root: Path) -> list[Path]:
    """The folders directly in `root` that are not hidden, sorted."""
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".")
