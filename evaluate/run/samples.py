"""Images of each dataset with all their maps, kept for figures and the report; other maps are only measured."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from stackwalls.model import InputError
from stackwalls.model.images.decoding import decode

SAMPLES_PER_DATASET = 100
"""As many as the paper's sets have images, about 8 MB on disk; none is picked for its looks."""

MAP_SIZE = 112
"""The most rows and columns of a kept map: enough for a figure of a map that had 7 or 14 of them."""


def sample_positions(available: int, most: int = SAMPLES_PER_DATASET) -> tuple[int, ...]:
    """Which of `available` images are kept: all, or `most` at equal distances, the first among them.

    So they cover the classes, whether a set is sorted by class or shuffled. They depend on the number of images only,
    not on the batch size or on the number of processes.
    """
    if available <= most:
        return tuple(range(available))
    return tuple(index * available // most for index in range(most))


def shrink(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Reduce a map `(H, W)` of numbers ≥ 0 to at most `MAP_SIZE` rows and columns, in 255ths of its maximum."""
    height, width = (min(edge, MAP_SIZE) for edge in values.shape)
    # divided first: float64 has a wider range than float32
    scaled: NDArray[Any] = np.asarray(values / (values.max() or 1), dtype=np.float32)
    if (height, width) != values.shape:
        scaled = np.asarray(cv2.resize(scaled, (width, height), interpolation=cv2.INTER_AREA))
    return np.asarray(np.rint(scaled * (255 / (scaled.max() or 1))), dtype=np.uint8)


@dataclass(frozen=True, eq=False)
class Samples:
    """K images with the maps of M methods.

    Attributes:
        dataset: K names.
        image_id: K names.
        label: `(K,)` int32, -1 where unknown.
        prediction: `(K,)` int32.
        method: M names.
        images: `(K, H, W, 3)` uint8 RGB.
        maps: `(K, M, h, w)` uint8, see `shrink`; 0 where there is no map.
        made: `(K, M)` bool, whether there is a map.
        mu: `(K, M)` float64, of the full maps; NaN where there is none.
    """

    dataset: NDArray[np.str_]
    image_id: NDArray[np.str_]
    label: NDArray[np.int32]
    prediction: NDArray[np.int32]
    method: NDArray[np.str_]
    images: NDArray[np.uint8]
    maps: NDArray[np.uint8]
    made: NDArray[np.bool_]
    mu: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.image_id)

    def of(self, dataset: str) -> Samples:
        """The samples of one dataset."""
        return self.at(np.flatnonzero(self.dataset == dataset))

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
        """Read what `write` wrote.

        Raises:
            InputError: if the file is damaged or something else.
        """
        try:
            content = source.read_bytes() if isinstance(source, Path) else source.read()
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                ends = np.cumsum(stored["picture_sizes"])[:-1]
                parts = np.split(stored["pictures"], ends) if len(stored["picture_sizes"]) else []
                images = [decode(part.tobytes()) for part in parts]
                shaped = np.array(images, dtype=np.uint8).reshape(-1, *stored["image_shape"])
                others = {name: stored[name] for name in ("method", *_PER_IMAGE) if name != "images"}
                return cls(**others, images=shaped)
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, UnidentifiedImageError) as error:
            raise InputError(f"Cannot read the samples in {source}: {error}") from error


_PER_IMAGE = ("dataset", "image_id", "label", "prediction", "images", "maps", "made", "mu")


@dataclass(eq=False)
class Sample:
    """One image with its maps, each by `shrink`."""

    dataset: str
    image_id: str
    label: int
    prediction: int
    image: NDArray[np.uint8]
    maps: dict[str, NDArray[np.uint8]]
    mu: dict[str, float]


def gather(samples: Sequence[Sample], methods: Sequence[str], size: int) -> Samples:
    """Join single samples.

    Args:
        samples: of one evaluation.
        methods: M names.
        size: rows and columns of the images.
    """
    edge = min(size, MAP_SIZE)
    maps = np.zeros((len(samples), len(methods), edge, edge), dtype=np.uint8)
    made = np.zeros((len(samples), len(methods)), dtype=np.bool_)
    mu = np.full((len(samples), len(methods)), np.nan)
    for i, sample in enumerate(samples):
        for j, method in enumerate(methods):
            if method in sample.maps:
                maps[i, j], made[i, j], mu[i, j] = sample.maps[method], True, sample.mu[method]
    return Samples(
        dataset=np.array([sample.dataset for sample in samples], dtype=np.str_),
        image_id=np.array([sample.image_id for sample in samples], dtype=np.str_),
        label=np.array([sample.label for sample in samples], dtype=np.int32),
        prediction=np.array([sample.prediction for sample in samples], dtype=np.int32),
        method=np.array(methods, dtype=np.str_),
        images=np.array([sample.image for sample in samples], dtype=np.uint8).reshape(-1, size, size, 3),
        maps=maps,
        made=made,
        mu=mu,
    )


def _encoded(image: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "WEBP", lossless=True, quality=0, method=0)
    return file.getvalue()
