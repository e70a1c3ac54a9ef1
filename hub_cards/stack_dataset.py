"""Labeled square images in batches, from any source: what `evaluate` reads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from stackwalls.hub_cards.manifest import Manifest
from stackwalls.model import IMAGE_SIZE, InputError, RunError, Wall, resize_and_crop
from stackwalls.model.images import BrokenImageError, ImageRow, decode

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WORTH_A_JUMP = 100
"""To skip more rows than this, reading starts again behind them: they fill a row group."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows of a dataset.

    Attributes:
        image_ids: N ids.
        labels: `(N,)` int64, ImageNet-1k indices, -1 where unknown.
        images: `(N, 224, 224, 3)` uint8 RGB.
    """

    image_ids: list[str]
    labels: NDArray[np.int64]
    images: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.image_ids)


class StackDataset:
    """Labeled images that are read batch by batch; never more than a batch is in memory.

    Args:
        name: its name in reports.
        rows: returns a new iterator over the rows, from the given row on.
        length: number of rows.
        wall: the wall that the images were made for, if any.
        manifest: of a dataset folder, or of a dataset on the Hub that was published from one.
        contents: without a manifest, what identifies the rows, such as a commit; or a function that returns it.
    """

    def __init__(
        self,
        name: str,
        rows: Callable[[int], Iterator[ImageRow]],
        length: int,
        wall: Wall | None = None,
        manifest: Manifest | None = None,
        contents: str | Callable[[], str] = "",
    ) -> None:
        self.name = name
        self.wall = wall
        self.manifest = manifest
        self._rows = rows
        self._length = length
        self._contents = contents

    def __len__(self) -> int:
        return self._length

    @cached_property
    def identity(self) -> str:
        """SHA-256 of the manifest, which has every file's hash, or else of the length and the reader's `contents`.

        Raises:
            RunError: if a file that is to be hashed cannot be read.
        """
        given = self._contents if self.manifest is None else self.manifest.to_json()
        known = given if isinstance(given, str) else given()
        return hashlib.sha256(f"{len(self)}\n{known}".encode()).hexdigest()

    def batches(self, batch_size: int, spans: Sequence[tuple[int, int]] | None = None) -> Iterator[Batch]:
        """The images in order, as RGB. Images of other sizes than 224 × 224 go through `resize_and_crop`.

        Args:
            batch_size: images per batch; the last one of a span may be smaller.
            spans: (start, stop) of the wanted rows, in order and disjoint; all by default. Other rows are not decoded.

        Raises:
            InputError: if `batch_size` is less than 1, or the spans are out of order.
            RunError: if an image cannot be decoded; the message names it.
        """
        if batch_size < 1:
            raise InputError(f"Expected a batch size of at least 1, but got {batch_size}.")
        wanted = [(0, len(self))] if spans is None else list(spans)
        edges = [edge for span in wanted for edge in span]
        if edges != sorted(edges) or (spans and any(start == stop for start, stop in spans)):
            raise InputError(f"Expected spans (start, stop) of rows, in order and not empty, but got {wanted}.")
        return self._batches(batch_size, wanted)

    def _batches(self, batch_size: int, spans: list[tuple[int, int]]) -> Iterator[Batch]:
        rows, position = self._rows(0), 0
        for start, stop in spans:
            if start - position > _WORTH_A_JUMP:
                rows, position = self._rows(start), start
            for _ in islice(rows, start - position):
                pass
            held: list[tuple[str, int, NDArray[np.uint8]]] = []
            for row in islice(rows, stop - start):
                held.append((row.image_id, row.label, _pixels(row, self.name)))
                if len(held) == batch_size:
                    yield _batch(held)
                    held = []
            if held:
                yield _batch(held)
            position = stop


def _batch(held: list[tuple[str, int, NDArray[np.uint8]]]) -> Batch:
    image_ids, labels, images = zip(*held, strict=True)
    return Batch(list(image_ids), np.array(labels, dtype=np.int64), np.stack(images))


def _pixels(row: ImageRow, dataset: str) -> NDArray[np.uint8]:
    """`(224, 224, 3)` uint8."""
    try:
        pixels = decode(row.read())
    except (BrokenImageError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        advice = "replace it, or remove it from the dataset"
        raise RunError(f"The image {row.image_id} in {dataset} cannot be read ({reason}): {advice}.") from error
    return pixels if pixels.shape[:2] == (IMAGE_SIZE, IMAGE_SIZE) else resize_and_crop(Image.fromarray(pixels))
