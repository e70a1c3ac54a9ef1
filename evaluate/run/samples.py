"""Images of each dataset with all their maps, kept for figures and the report; other maps are only measured."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stackwalls.evaluate.classes import ClassNames
from stackwalls.model import InputError
from stackwalls.model.files import read_bounded
from stackwalls.model.images.decoding import BrokenImageError, decode

SAMPLES_PER_DATASET = 100
"""As many as the paper's sets have images, about 8 MB on disk."""

_UNREADABLE = (
    *(OSError, ValueError, KeyError, EOFError, TypeError, IndexError, MemoryError, NotImplementedError),
    *(BadZipFile, zlib.error, BrokenImageError),
)
"""What NumPy and zipfile raise for other files."""

_MOST_BYTES = 2 << 30
"""Of a file of samples."""

MAP_SIZE = 112
"""The most rows and columns of a kept map: enough for a figure of a map that had 7 or 14 of them."""


def sample_positions(available: int, most: int = SAMPLES_PER_DATASET) -> tuple[int, ...]:
    """Which of `available` images are kept: all, or `most` at equal distances, so that they cover the classes.

    They depend on the number of images only, not on the batch size or on the number of processes.
    """
    most = min(most, available)
    return tuple(index * available // most for index in range(most))


def shrink(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Reduce a map `(H, W)` of numbers ≥ 0 to at most `MAP_SIZE` rows and columns, in 255ths of its maximum."""
    height, width = (min(edge, MAP_SIZE) for edge in values.shape)
    # divided first: float64 has a wider range than float32
    scaled: NDArray[Any] = np.asarray(values / (values.max() or 1), dtype=np.float32)
    if (height, width) != values.shape:
        scaled = np.asarray(cv2.resize(scaled, (width, height), interpolation=cv2.INTER_AREA))
    return np.asarray(np.rint(scaled * (255 / (scaled.max() or 1))), dtype=np.uint8)


def in_cells(values: NDArray[Any], side: int) -> NDArray[np.uint8]:
    """A map `(h, w)` of numbers ≥ 0 at its own resolution as `(side, side)` pixels, in 255ths of its maximum."""
    return np.asarray(cv2.resize(shrink(values), (side, side), interpolation=cv2.INTER_NEAREST))


@dataclass(frozen=True, eq=False)
class Samples:
    """K images with the maps of M methods."""

    dataset: NDArray[np.str_]  # (K,)
    image_id: NDArray[np.str_]  # (K,)
    label: NDArray[np.int32]  # (K,); -1 where unknown
    prediction: NDArray[np.int32]  # (K,)
    method: NDArray[np.str_]  # (M,)
    images: NDArray[np.uint8]  # (K, H, W, 3) RGB
    maps: NDArray[np.uint8]  # (K, M, h, w), see `shrink`; 0 where there is no map
    made: NDArray[np.bool_]  # (K, M): whether there is a map
    mu: NDArray[np.float64]  # (K, M), of the full maps; NaN where there is none
    cells: NDArray[np.uint8]  # (K, M, h, w), the map before upsampling, see `in_cells`; 0 where there is none

    def __len__(self) -> int:
        return len(self.image_id)

    def of(self, dataset: str) -> Samples:
        """The samples of one dataset."""
        return self.at(np.flatnonzero(self.dataset == dataset))

    @classmethod
    def joined(cls, parts: Sequence[Samples]) -> Samples:
        """Samples of several blocks, at least one, of the same methods."""
        columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _PER_IMAGE}
        return cls(method=parts[0].method, **columns)

    def at(self, places: NDArray[np.intp] | Sequence[int]) -> Samples:
        """The samples at these places."""
        kept = {name: getattr(self, name)[np.asarray(places, dtype=np.intp)] for name in _PER_IMAGE}
        return Samples(method=self.method, **kept)

    def map_at(self, image: int, method: int) -> NDArray[np.float32] | None:
        """A map at the image's resolution, `(H, W)` in [0, 1]; None if there is none."""
        if not self.made[image, method]:
            return None
        height, width = self.images.shape[1:3]
        values = self.maps[image, method].astype(np.float32) / 255
        return np.asarray(cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR))

    def check(self, names: Mapping[str, ClassNames]) -> None:
        """Check what was read from a file: that the columns fit one another, and the datasets and their classes.

        Raises:
            InputError: if they do not.
        """
        images, methods = self.image_id.shape[:1], self.method.shape
        shapes = {"method": methods[:1]} | dict.fromkeys(("maps", "cells"), images + methods + self.maps.shape[2:4])
        shapes |= dict.fromkeys(("made", "mu"), images + methods)
        for name, kind in _KINDS.items():
            column = getattr(self, name)
            if column.shape != shapes.get(name, images + self.images.shape[1:] if name == "images" else images):
                raise InputError(f"The samples' {name} have the shape {column.shape}, which does not fit the others.")
            if not np.issubdtype(column.dtype, kind):
                raise InputError(f"The samples' {name} are of {column.dtype}, expected {kind.__name__}.")
        if self.images.shape[3:] != (3,) or 0 in self.maps.shape[2:] or self.maps.ndim != 4:
            raise InputError(f"Expected samples with images (K, H, W, 3), but got {self.images.shape}.")
        if strange := sorted(set(self.dataset.tolist()).difference(names)):
            raise InputError(f"The samples are of {strange[0]}, which run.json does not name.")
        columns = (self.dataset.tolist(), self.label.tolist(), self.prediction.tolist())
        for name, label, prediction in set(zip(*columns, strict=True)):
            if not names[name].known(label, prediction):
                raise InputError("The samples have labels or predictions that are not classes.")

    def write(self, file: BinaryIO) -> None:
        """Write a compressed `.npz`, the same bytes for the same samples; the images in it are lossless WebP files."""
        images = [_encoded(image) for image in self.images]
        others = {name: getattr(self, name) for name in ("method", *_PER_IMAGE) if name != "images"}
        np.savez_compressed(
            file,
            **others,
            pictures=np.frombuffer(b"".join(images), dtype=np.uint8),
            picture_sizes=np.array([len(image) for image in images], dtype=np.int64),
            image_shape=np.array(self.images.shape[1:], dtype=np.int64),
        )

    @classmethod
    def read(cls, source: Path | BinaryIO) -> Samples:
        """Read what `write` wrote. Raises InputError if the file is damaged or something else."""
        try:
            content = read_bounded(source, _MOST_BYTES) if isinstance(source, Path) else source.read()
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                ends = np.cumsum(stored["picture_sizes"])[:-1]
                parts = np.split(stored["pictures"], ends) if len(stored["picture_sizes"]) else []
                images = [decode(part.tobytes()) for part in parts]
                shaped = np.array(images, dtype=np.uint8).reshape(len(images), *stored["image_shape"])
                others = {name: stored[name] for name in ("method", *_PER_IMAGE) if name != "images"}
                return cls(**others, images=shaped)
        except _UNREADABLE as error:
            where = source if isinstance(source, Path) else "this block"
            raise InputError(
                f"Cannot read the samples in {where}: {getattr(error, 'strerror', None) or error}."
            ) from error


_KINDS: dict[str, Any] = {
    **dict.fromkeys(("dataset", "image_id", "method"), np.str_),
    **dict.fromkeys(("label", "prediction"), np.integer),
    **dict.fromkeys(("images", "maps", "cells"), np.uint8),
    "made": np.bool_,
    "mu": np.float64,
}
_PER_IMAGE = ("dataset", "image_id", "label", "prediction", "images", "maps", "made", "mu", "cells")


@dataclass(eq=False)
class Sample:
    """One image with its maps, each by `shrink`, and before upsampling, by `in_cells`."""

    dataset: str
    image_id: str
    label: int
    prediction: int
    image: NDArray[np.uint8]
    maps: dict[str, NDArray[np.uint8]]
    mu: dict[str, float]
    cells: dict[str, NDArray[np.uint8]]


def gather(samples: Sequence[Sample], methods: Sequence[str], size: int) -> Samples:
    """Join single samples of `size` × `size` pixels."""

    def column(name: str, kind: type[np.generic]) -> NDArray[Any]:
        return np.array([getattr(sample, name) for sample in samples], dtype=kind)

    count, edge = (len(samples), len(methods)), min(size, MAP_SIZE)
    maps, made, mu = np.zeros((*count, edge, edge), np.uint8), np.zeros(count, np.bool_), np.full(count, np.nan)
    cells = np.zeros_like(maps)
    for i, sample in enumerate(samples):
        for j, method in enumerate(methods):
            if method in sample.maps:
                maps[i, j], made[i, j], mu[i, j] = sample.maps[method], True, sample.mu[method]
                cells[i, j] = sample.cells.get(method, 0)
    return Samples(
        dataset=column("dataset", np.str_),
        image_id=column("image_id", np.str_),
        label=column("label", np.int32),
        prediction=column("prediction", np.int32),
        method=np.array(methods, dtype=np.str_),
        images=column("image", np.uint8).reshape(-1, size, size, 3),
        maps=maps,
        made=made,
        mu=mu,
        cells=cells,
    )


def _encoded(image: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "WEBP", lossless=True, quality=0, method=0)
    return file.getvalue()
