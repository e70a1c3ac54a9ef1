"""Labeled square images in batches, from any source: what `evaluate` reads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from PIL import Image

from stackwalls.hub_cards.manifest import Manifest
from stackwalls.hub_cards.record import row_fault
from stackwalls.model import USUAL_TRANSFORM, InputError, LabelSpace, RunError, Transform, Wall, imagenet
from stackwalls.model.images import BrokenImageError, ImageRow, decode

if TYPE_CHECKING:
    from numpy.typing import NDArray

Resizing = Literal["auto", "as-is", "resize-crop"]
"""Which images that are not of a finished set are resized and cropped; `auto`: those that have another size."""

_WORTH_A_JUMP = 100
"""To skip more rows than this, reading starts again behind them: they fill a row group."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows of a dataset.

    Attributes:
        image_ids: N ids.
        labels: `(N,)` int64, indices of the dataset's classes, -1 where unknown.
        images: `(N, H, H, 3)` uint8 RGB, of the size that was asked for, or that of the finished set.
        transforms: N times what was done to the image, "as-is" or "resize-crop"; empty if that is not known.
    """

    image_ids: list[str]
    labels: NDArray[np.int64]
    images: NDArray[np.uint8]
    transforms: Sequence[str] = ()

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
        contents: what identifies rows that cannot change, such as a commit, or a function that checks them and returns
            it; None: their ids, labels and bytes, which are hashed.
        classes: which labels are indices of; the manifest's, or else ImageNet-1k's, by default.
        first: number of the first row that `rows` has; more than 0 only for an excerpt (see `excerpts`).
    """

    def __init__(
        self,
        name: str,
        rows: Callable[[int], Iterator[ImageRow]],
        length: int,
        wall: Wall | None = None,
        manifest: Manifest | None = None,
        contents: str | Callable[[], str] | None = None,
        classes: LabelSpace | None = None,
        first: int = 0,
    ) -> None:
        self.name = name
        self.wall = wall
        self.manifest = manifest
        self.classes = classes or (imagenet() if manifest is None else manifest.classes)
        self._rows = rows
        self._length = length
        self._contents = contents
        self._first = first
        self._hashed: list[bytes] = []

    def __len__(self) -> int:
        return self._length

    @property
    def identity(self) -> str:
        """SHA-256 of the length and the `contents`, as they are now; rows that are hashed are checked when read again.

        Raises:
            InputError: if a file is not what its manifest says.
            RunError: if an image cannot be read.
        """
        if self._contents is None:
            self._hashed = [_digest(row, _content(row, self.name)) for row in self._rows(0)]
            known = b"".join(self._hashed).hex()
        else:
            known = self._contents if isinstance(self._contents, str) else self._contents()
        return hashlib.sha256(f"{len(self)}\n{known}".encode()).hexdigest()

    def batches(
        self,
        batch_size: int,
        spans: Sequence[tuple[int, int]] | None = None,
        resizing: Resizing = "auto",
        transform: Transform = USUAL_TRANSFORM,
    ) -> Iterator[Batch]:
        """The images in order, as RGB.

        Args:
            batch_size: images per batch; the last one of a span may be smaller.
            spans: (start, stop) of the wanted rows, in order and disjoint; all by default. Other rows are not decoded.
            resizing: "resize-crop" applies the transform to every image, "as-is" to none, "auto" to those that do not
                have its size. Images of a finished set are used as they are.
            transform: the network's; ImageNet's to 224 × 224 by default.

        Raises:
            InputError: if `batch_size` is less than 1, or the spans are out of order.
            RunError: if an image cannot be decoded, is another one than `identity` hashed, or has another size where
                it is used as it is; the message names it.
        """
        if batch_size < 1:
            raise InputError(f"Expected a batch size of at least 1, but got {batch_size}.")
        wanted = [(0, len(self))] if spans is None else list(spans)
        edges = [edge for span in wanted for edge in span]
        if edges != sorted(edges) or (spans and any(start == stop for start, stop in spans)):
            raise InputError(f"Expected spans (start, stop) of rows, in order and not empty, but got {wanted}.")
        return self._batches(batch_size, wanted, "as-is" if self.manifest is not None else resizing, transform)

    def _batches(
        self, batch_size: int, spans: list[tuple[int, int]], resizing: Resizing, transform: Transform
    ) -> Iterator[Batch]:
        ids = set[str]()
        for start, rows in self._spans(spans):
            held: list[_Held] = []
            for number, row in enumerate(rows, start):
                self.check_row(number, row.image_id, row.label, ids)
                held.append((row.image_id, row.label, *self._pixels(row, number, resizing, transform)))
                if len(held) == batch_size:
                    yield _batch(held)
                    held = []
            if held:
                yield _batch(held)

    def excerpts(self, spans: Sequence[tuple[int, int]]) -> Iterator[StackDataset]:
        """The dataset once for each span (start, stop), with the rows of that span alone, read now.

        An excerpt can be pickled. Its rows have the same numbers, its `batches` of them are the same.

        Args:
            spans: as for `batches`.

        Raises:
            InputError: if a row has no proper id or label.
            RunError: if an image cannot be read, or is another one than `identity` hashed.
        """
        ids = set[str]()
        for start, rows in self._spans(spans):
            held: list[tuple[str, int, bytes]] = []
            for number, row in enumerate(rows, start):
                self.check_row(number, row.image_id, row.label, ids)
                held.append((row.image_id, row.label, self._read(row, number)))
            rest = (len(self), self.wall, self.manifest, "", self.classes, start)
            yield StackDataset(self.name, _Excerpt(start, tuple(held)), *rest)

    def _spans(self, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, Iterator[ImageRow]]]:
        """The first number and the rows of each span, which must be read before the next one."""
        rows, position = self._rows(self._first), self._first
        for start, stop in spans:
            if start - position > _WORTH_A_JUMP:
                rows, position = self._rows(start), start
            for _ in islice(rows, start - position):
                pass
            yield start, islice(rows, stop - start)
            position = stop

    def check_row(self, number: int, image_id: object, label: object, ids: set[str]) -> None:
        """Check the id and the label of one row; `ids` are those of the rows before it, and get this one.

        Raises:
            InputError: if the id is not text, is empty or was there before, or the label is not a class and not -1.
        """
        if fault := row_fault(image_id, label, self.classes, ids, unlabeled=True):
            raise InputError(f"Row {number} of {self.name} has {fault}.")

    def _read(self, row: ImageRow, number: int) -> bytes:
        """The encoded image, as it was when the rows were hashed."""
        content = _content(row, self.name)
        if self._hashed and self._hashed[number] != _digest(row, content):
            what = f"The image {row.image_id} in {self.name}"
            raise RunError(f"{what} was changed while the run was going on: run the command again.")
        return content

    def _pixels(
        self, row: ImageRow, number: int, resizing: Resizing, transform: Transform
    ) -> tuple[NDArray[np.uint8], str]:
        """`(H, H, 3)` uint8, and what was done to the image."""
        try:
            pixels = decode(self._read(row, number))
        except BrokenImageError as error:
            raise _unreadable(row, self.name, str(error)) from error
        side = transform.size if self.manifest is None else self.manifest.wall.image_size
        fits = pixels.shape[:2] == (side, side)
        if resizing == "resize-crop" or (resizing == "auto" and not fits):
            return transform(Image.fromarray(pixels)), "resize-crop"
        if not fits:
            size, advice = f"{side} × {side}", "choose the transform resize-crop or auto (--transform)"
            raise RunError(
                f"The image {row.image_id} in {self.name} is {pixels.shape[1]} × {pixels.shape[0]} pixels: expected "
                f"{size}" + (" in a finished set." if self.manifest else f" to use it as it is; {advice}.")
            )
        return pixels, "as-is"


@dataclass(frozen=True)
class _Excerpt:
    """Rows in memory, as (id, label, encoded image); the first one has the number `first`."""

    first: int
    images: tuple[tuple[str, int, bytes], ...]

    def __call__(self, start: int) -> Iterator[ImageRow]:
        for image_id, label, content in self.images[start - self.first :]:
            yield ImageRow(image_id, label, partial(bytes, content))


def _content(row: ImageRow, dataset: str) -> bytes:
    try:
        return row.read()
    except (BrokenImageError, OSError) as error:
        raise _unreadable(row, dataset, getattr(error, "strerror", None) or str(error)) from error


def _unreadable(row: ImageRow, dataset: str, reason: str) -> RunError:
    advice = "replace it, or remove it from the dataset"
    return RunError(f"The image {row.image_id} in {dataset} cannot be read ({reason}): {advice}.")


def _digest(row: ImageRow, content: bytes) -> bytes:
    return hashlib.sha256(f"{row.image_id}\n{row.label}\n".encode() + content).digest()


_Held: TypeAlias = "tuple[str, int, NDArray[np.uint8], str]"


def _batch(held: list[_Held]) -> Batch:
    image_ids, labels, images, transforms = zip(*held, strict=True)
    return Batch(list(image_ids), np.array(labels, dtype=np.int64), np.stack(images), transforms)
