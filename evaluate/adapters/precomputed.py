"""Maps that were made elsewhere: a mapping, an array, a `.npz`, a `.npy`, or a folder of `.npy` files."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from stackwalls.evaluate.adapters.adapter import Configured
from stackwalls.evaluate.adapters.conversion import describe, to_maps
from stackwalls.evaluate.maps import Maps, Progress
from stackwalls.evaluate.subject import Subject
from stackwalls.model import InputError

MAX_BYTES = 1 << 28
"""Most bytes of one image's map, uncompressed: 1,300 channels of 224 × 224 in float32."""


@dataclass(frozen=True)
class ImageRef:
    """Identifies an image: its dataset's name, its position there (from 0), and its id."""

    dataset: str
    position: int
    image_id: str

    @property
    def names(self) -> tuple[str, str]:
        """The names to look its map up by: ids of several datasets may be the same."""
        return f"{self.dataset}/{self.image_id}", self.image_id


class PrecomputedExplainer:
    """Maps that were made elsewhere, as an `Explainer`; `for_images` tells it which images it is asked for.

    They are given by image: a mapping image id → map, a `.npz` with the ids as names, or a folder of `<image id>.npy`;
    an id may be preceded by its dataset, `dataset/id`. Or by order: an array `(N, H, W)` or a `.npy`, one map for each
    row of the only dataset; or a folder with a `<dataset>.npy` for each. Maps may have channels and a lower resolution,
    as for all methods. They are final unless `given` names a reduction.

    Raises:
        InputError: if there is no such file, it is damaged, or it contains something else.
    """

    def __init__(self, name: str, subject: Subject, given: Configured) -> None:
        given.refuse("maps that were made elsewhere", "options", "arrays")
        self.name, self.methods, self.max_batch = name, (name,), given.max_batch
        self.reduce = given.reduction(None)
        self._size = subject.wall.image_size
        self._store = _open_store(name, given.method)
        self._refs: tuple[ImageRef, ...] | None = None

    @property
    def note(self) -> str | None:
        """What a reader of the numbers must know about how the maps were made."""
        what = "maps that were made elsewhere; it is not known which class they explain"
        return f"{self.name}: {what}; their values are {describe(self.reduce)}."

    def check_datasets(self, lengths: Mapping[str, int]) -> None:
        """Reject maps in order that are not one for each image: dataset → number of its images.

        Raises:
            InputError: if the number differs, or there are several datasets for one order.
        """
        number = self._store.length
        if number is None:
            return
        if len(lengths) > 1:
            raise InputError(
                f"{self.name} is one array of maps in order, and there are {len(lengths)} datasets: name the maps by "
                "image id, or put <dataset>.npy files in a folder."
            )
        if other := [f"{name} has {images} images" for name, images in lengths.items() if images != number]:
            raise InputError(f"{self.name} has {number} maps, but {other[0]}: expected one map for each image.")

    def for_images(self, refs: Sequence[ImageRef]) -> PrecomputedExplainer:
        """The explainer for these images, in this order."""
        explainer = copy(self)
        explainer._refs = tuple(refs)
        return explainer

    def explain(
        self, images: torch.Tensor, targets: Sequence[int], methods: object = None, progress: Progress | None = None
    ) -> dict[str, Maps]:
        """See `Explainer`; an `InputError` if `for_images` was not called, a map is missing, or the shapes differ."""
        del images, targets, methods, progress
        if self._refs is None:
            raise InputError(f"{self.name} must know which images it is asked for: call for_images first.")
        found = []
        for ref, values in zip(self._refs, self._store.find(self._refs), strict=True):
            if values is None:
                raise InputError(f"there is no map for {ref.image_id} in {self._store.where}")
            _check_size(getattr(values, "nbytes", 0), ref.image_id)
            # a copy before the next is asked for: a mapping that makes its maps may use one buffer for all
            found.append(np.array(values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else values))
        if len(shapes := {values.shape for values in found}) > 1:
            raise InputError(f"the maps have different shapes: {sorted(shapes)}")
        return {self.name: to_maps(np.stack(found), self._size, self.reduce)}


class _Store(NamedTuple):
    """Where maps are kept."""

    where: str  # in words
    find: Callable[[Sequence[ImageRef]], Iterable[Any]]  # the values of each image's map, or None
    length: int | None = None  # of maps in order; None if they have names


def _open_store(name: str, method: Any) -> _Store:
    if isinstance(method, Mapping):
        return _Store("the mapping", partial(_by_name, method))
    if isinstance(method, np.ndarray | torch.Tensor):
        maps = method.detach().cpu().numpy() if isinstance(method, torch.Tensor) else method
        return _Store("the array", partial(_by_order, maps), len(maps))
    path = Path(method)
    if path.is_dir():
        if not any(path.rglob("*.npy")):
            raise InputError(f"There is no .npy file in {path}: expected <image id>.npy or <dataset>.npy.")
        return _Store(f"the folder {path.name}", partial(_in_folder, path))
    if not path.is_file():
        raise InputError(f"The maps of {name}: there is no file or folder {path}.")
    if path.suffix == ".npz":
        _in_npz(path, [])  # damage is found at once
        return _Store(path.name, partial(_in_npz, path))
    if path.suffix != ".npy":
        raise InputError(f"The maps of {name}: expected a .npz, a .npy or a folder of .npy files, but got {path}.")
    maps = _load(path)
    return _Store(path.name, partial(_by_order, maps), len(maps))


def _check_size(size: int, name: str) -> None:
    if size > MAX_BYTES:
        raise InputError(f"the map {name} takes {size:,} bytes: expected at most {MAX_BYTES:,}")


def _by_name(maps: Mapping[str, Any], refs: Sequence[ImageRef]) -> Iterable[Any]:
    return (next((maps[name] for name in ref.names if name in maps), None) for ref in refs)


def _by_order(maps: Any, refs: Sequence[ImageRef]) -> list[Any]:
    return [maps[ref.position] if ref.position < len(maps) else None for ref in refs]


def _in_npz(path: Path, refs: Sequence[ImageRef]) -> list[Any]:
    with _load(path) as stored:  # open for one batch only
        for member in stored.zip.infolist():
            _check_size(member.file_size, f"{member.filename} in {path.name}")
        return list(_by_name(stored, refs))


def _in_folder(folder: Path, refs: Sequence[ImageRef]) -> list[Any]:
    def find(ref: ImageRef) -> Any:
        for name in ref.names:
            path = folder / f"{name}.npy"
            # an id that climbs out of the folder has no map there
            if path.resolve().is_relative_to(folder.resolve()) and path.is_file():
                return _load(path)
        whole = folder / f"{ref.dataset}.npy"
        return _by_order(_load(whole), [ref])[0] if whole.is_file() else None

    return [find(ref) for ref in refs]


def _load(path: Path) -> Any:
    """An array, read as it is needed, or the open `.npz`."""
    if path.suffix == ".npz" and not zipfile.is_zipfile(path):
        raise InputError(f"Cannot read the maps in {path}: it is damaged, or not a .npz file.")
    try:
        return np.load(path, allow_pickle=False, mmap_mode="r" if path.suffix == ".npy" else None)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"Cannot read the maps in {path}: {error}") from error
