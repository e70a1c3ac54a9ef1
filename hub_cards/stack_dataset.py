"""Labelled square images in batches, whatever they come from: what `evaluate` reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stackwalls.hub_cards.manifest import Manifest
from stackwalls.hub_cards.pictures import UndecodableError, decode, to_square
from stackwalls.model import InputError, RunError, Wall

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNLABELLED = -1
"""The label of an image whose class is not known."""


@dataclass(frozen=True)
class PictureRow:
    """One row before its picture is decoded: id, label (-1 where unknown), the encoded bytes or their file."""

    image_id: str
    label: int
    picture: bytes | Path


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows of a dataset.

    Attributes:
        image_ids: N names.
        labels: `(N,)` int64, ImageNet-1k indices, -1 where unknown.
        images: `(N, 224, 224, 3)` uint8 RGB.
    """

    image_ids: list[str]
    labels: NDArray[np.int64]
    images: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.image_ids)


class StackDataset:
    """Labelled images that are read batch by batch; never more than a batch is in memory.

    Args:
        name: what reports call it.
        rows: makes a new iterator over the rows, from the beginning.
        length: how many rows it gives.
        wall: the wall that the images were made for, where they were made for one.
        manifest: of a dataset folder, or of a dataset on the Hub that was published from one.
    """

    def __init__(
        self,
        name: str,
        rows: Callable[[], Iterator[PictureRow]],
        length: int,
        wall: Wall | None = None,
        manifest: Manifest | None = None,
    ) -> None:
        self.name = name
        self.wall = wall
        self.manifest = manifest
        self._rows = rows
        self._length = length

    def __len__(self) -> int:
        return self._length

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """The images in order, `batch_size` at a time; the last batch may be smaller. Each call starts anew.

        Images of 224 × 224 are taken as they are (greyscale and others converted to RGB), all others go through
        the evaluation transform, `resize_and_crop`.

        Raises:
            InputError: if `batch_size` is less than 1.
            RunError: if a picture cannot be decoded; the message names it. None is left out silently.
        """
        if batch_size < 1:
            raise InputError(f"Expected a batch size of at least 1, but got {batch_size}.")
        return self._batches(batch_size)

    def _batches(self, batch_size: int) -> Iterator[Batch]:
        held: list[tuple[str, int, NDArray[np.uint8]]] = []
        for row in self._rows():
            held.append((row.image_id, row.label, _pixels(row, self.name)))
            if len(held) == batch_size:
                yield _batch(held)
                held = []
        if held:
            yield _batch(held)


def _batch(held: list[tuple[str, int, NDArray[np.uint8]]]) -> Batch:
    image_ids, labels, images = zip(*held, strict=True)
    return Batch(list(image_ids), np.array(labels, dtype=np.int64), np.stack(images))


def _pixels(row: PictureRow, dataset: str) -> NDArray[np.uint8]:
    """`(224, 224, 3)` uint8."""
    try:
        return to_square(decode(row.picture))
    except UndecodableError as error:
        raise RunError(
            f"The picture {row.image_id} in {dataset} cannot be read ({error}): replace it, or take it out of the "
            "dataset."
        ) from error
