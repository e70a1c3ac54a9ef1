"""A plain folder of pictures as a dataset: one sub-folder a class, or no sub-folder and no labels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from stackwalls.hub_cards.pictures import PICTURE_SUFFIXES
from stackwalls.hub_cards.stack_dataset import UNLABELLED, PictureRow, StackDataset
from stackwalls.model import InputError, RunError, file_sha256, find_class


def open_picture_folder(folder: Path) -> StackDataset:
    """Read pictures from class sub-folders named by synset, name or index, as torchvision's `ImageFolder` does.

    Pictures may lie deeper in a class's folder; those that lie directly in `folder` have no label. Files that are
    no pictures by their ending and hidden ones are passed over.

    Raises:
        InputError: if there is no picture, or a sub-folder with pictures is no class.
    """
    files = _pictures(folder)
    if not files:
        raise InputError(
            f"{folder} holds no pictures: expected a dataset folder (with manifest.json), or pictures in class "
            "sub-folders named by synset (n01443537), name (goldfish) or index (1)."
        )
    labels = {name: _label(folder, name) for name in sorted({_class_folder(folder, path) for path in files})}
    rows, contents = partial(_rows, folder, files, labels), partial(_contents, folder, files)
    return StackDataset(folder.resolve().name, rows, len(files), contents=contents)


def _contents(folder: Path, files: list[Path]) -> str:
    """Every file's path and hash."""
    try:
        with ThreadPoolExecutor() as pool:
            hashes = list(pool.map(file_sha256, files))
    except OSError as error:
        raise RunError(f"Cannot read {error.filename}: {error.strerror}.") from error
    return "".join(f"{path.relative_to(folder).as_posix()} {own}\n" for path, own in zip(files, hashes, strict=True))


def _rows(folder: Path, files: list[Path], labels: dict[str, int]) -> Iterator[PictureRow]:
    for path in files:
        yield PictureRow(path.relative_to(folder).as_posix(), labels[_class_folder(folder, path)], path)


def _pictures(folder: Path) -> list[Path]:
    """Picture files below `folder`, sorted by their relative POSIX paths; links to folders are followed once."""
    found: list[Path] = []
    seen: set[str] = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(here))
        inner = [name for name in folders if not name.startswith(".")]
        folders[:] = sorted(name for name in inner if os.path.realpath(Path(here, name)) not in seen)
        found += (Path(here, name) for name in files if not name.startswith("."))
    pictures = (path for path in found if path.suffix.lower() in PICTURE_SUFFIXES)
    return sorted(pictures, key=lambda path: path.relative_to(folder).as_posix())


def _class_folder(folder: Path, path: Path) -> str:
    """The first folder on the way to `path`; empty for a picture directly in `folder`."""
    parts = path.relative_to(folder).parts
    return parts[0] if len(parts) > 1 else ""


def _label(folder: Path, name: str) -> int:
    if not name:
        return UNLABELLED
    entry = find_class(name)
    if entry is None:
        raise InputError(
            f"The folder {folder / name} holds pictures but is no ImageNet-1k class: expected folders named by "
            "synset (n01443537), name (goldfish) or index (1). Rename it, or name the folder that holds the classes."
        )
    return entry.index
