"""The first images of each dataset with all their maps, kept for figures; other maps are measured and gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import BinaryIO
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from stackwalls.model import InputError

SAMPLES_PER_DATASET = 3
"""Always the first ones: nothing is picked for its looks."""


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
        maps: `(K, M, H, W)` float16 in [0, 1]: enough for a picture; NaN where there is no map.
        mu: `(K, M)` float64, of the full-precision maps; NaN where there is none.
    """

    dataset: NDArray[np.str_]
    image_id: NDArray[np.str_]
    label: NDArray[np.int32]
    prediction: NDArray[np.int32]
    method: NDArray[np.str_]
    images: NDArray[np.uint8]
    maps: NDArray[np.float16]
    mu: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.image_id)

    def of(self, dataset: str) -> Samples:
        """Those of one dataset."""
        chosen = self.dataset == dataset
        kept = {name: getattr(self, name)[chosen] for name in _PER_IMAGE}
        return Samples(method=self.method, **kept)

    def write(self, file: BinaryIO) -> None:
        """As a compressed `.npz`, the same bytes for the same samples."""
        np.savez_compressed(file, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def read(cls, path: Path) -> Samples:
        """Read what `write` wrote.

        Raises:
            InputError: if the file is damaged or something else.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return cls(**{field.name: stored[field.name] for field in fields(cls)})
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise InputError(f"Cannot read the samples in {path}: {error}") from error


_PER_IMAGE = tuple(field.name for field in fields(Samples) if field.name != "method")


@dataclass(eq=False)
class Sample:
    """One image, and its maps as they come."""

    dataset: str
    image_id: str
    label: int
    prediction: int
    image: NDArray[np.uint8]
    maps: dict[str, NDArray[np.float32]]
    mu: dict[str, float]


def gather(samples: Sequence[Sample], methods: Sequence[str], size: int) -> Samples:
    """Put single samples together; what a sample has no map of is NaN."""
    maps = np.full((len(samples), len(methods), size, size), np.nan, dtype=np.float16)
    mu = np.full((len(samples), len(methods)), np.nan)
    for i, sample in enumerate(samples):
        for j, method in enumerate(methods):
            if method in sample.maps:
                values = sample.maps[method]
                maps[i, j] = values / (values.max() or 1)
                mu[i, j] = sample.mu[method]
    return Samples(
        dataset=np.array([sample.dataset for sample in samples], dtype=np.str_),
        image_id=np.array([sample.image_id for sample in samples], dtype=np.str_),
        label=np.array([sample.label for sample in samples], dtype=np.int32),
        prediction=np.array([sample.prediction for sample in samples], dtype=np.int32),
        method=np.array(methods, dtype=np.str_),
        images=np.array([sample.image for sample in samples], dtype=np.uint8).reshape(-1, size, size, 3),
        maps=maps,
        mu=mu,
    )
