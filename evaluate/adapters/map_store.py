"""Where maps that were made elsewhere are kept, and how the one of an image is found."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stackwalls.model import InputError


@dataclass(frozen=True)
class ImageRef:
    """Which image it is: its dataset's name, its place there (from 0), and its id."""

    dataset: str
    position: int
    image_id: str

    @property
    def names(self) -> tuple[str, str]:
        """Under which its map is looked for: ids of several datasets may be the same."""
        return f"{self.dataset}/{self.image_id}", self.image_id


class MapStore:
    """Where maps are kept.

    Attributes:
        where: the same in words.
        count: how many maps there are, where they are kept in order; None where by name.
    """

    where: str = "the mapping"
    count: int | None = None

    def find(self, ref: ImageRef) -> Any:
        """The values of an image's map, or None."""
        raise NotImplementedError

    @contextmanager
    def opened(self) -> Iterator[MapStore]:
        """What is read from, for one batch."""
        yield self


class _Mapped(MapStore):
    def __init__(self, maps: Mapping[str, Any], where: str = "the mapping") -> None:
        self._maps, self.where = maps, where

    def find(self, ref: ImageRef) -> Any:
        return next((self._maps[name] for name in ref.names if name in self._maps), None)


class _Ordered(MapStore):
    def __init__(self, maps: Any, where: str = "the array") -> None:
        self._maps, self.where, self.count = maps, where, len(maps)

    def find(self, ref: ImageRef) -> Any:
        return self._maps[ref.position] if ref.position < len(self._maps) else None


class _Npz(MapStore):
    def __init__(self, path: Path) -> None:
        self._path, self.where = path, path.name
        with self.opened():  # damage is found at once
            pass

    @contextmanager
    def opened(self) -> Iterator[MapStore]:
        with _load(self._path) as stored:
            yield _Mapped(stored, self.where)


class _Folder(MapStore):
    def __init__(self, path: Path) -> None:
        self._path, self.where = path, f"the folder {path.name}"
        if not any(path.rglob("*.npy")):
            raise InputError(f"There is no .npy file in {path}: expected <image id>.npy or <dataset>.npy.")

    def find(self, ref: ImageRef) -> Any:
        for name in ref.names:
            path = self._path / f"{name}.npy"
            # an id that climbs out of the folder has no map there
            if path.resolve().is_relative_to(self._path.resolve()) and path.is_file():
                return _load(path)
        whole = self._path / f"{ref.dataset}.npy"
        return _Ordered(_load(whole)).find(ref) if whole.is_file() else None


def open_store(name: str, method: Any) -> MapStore:
    """The store that a mapping, an array or a path stands for (see `PrecomputedExplainer`).

    Raises:
        InputError: if there is no such file, it is damaged, or it holds something else.
    """
    if isinstance(method, Mapping):
        return _Mapped(method)
    if isinstance(method, np.ndarray | torch.Tensor):
        return _Ordered(method.detach().cpu().numpy() if isinstance(method, torch.Tensor) else method)
    path = Path(method)
    if path.is_dir():
        return _Folder(path)
    if not path.is_file():
        raise InputError(f"The maps of {name}: there is no file or folder {path}.")
    if path.suffix == ".npz":
        return _Npz(path)
    if path.suffix != ".npy":
        raise InputError(f"The maps of {name}: expected a .npz, a .npy or a folder of .npy files, but got {path}.")
    return _Ordered(_load(path), path.name)


def _load(path: Path) -> Any:
    """An array, read as it is needed, or the open `.npz`.

    Raises:
        InputError: if the file is damaged, or holds Python objects.
    """
    if path.suffix == ".npz" and not zipfile.is_zipfile(path):
        raise InputError(f"Cannot read the maps in {path}: it is damaged, or no .npz at all.")
    try:
        return np.load(path, allow_pickle=False, mmap_mode="r" if path.suffix == ".npy" else None)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"Cannot read the maps in {path}: {error}") from error
