"""`LabeledImages`: the class of each image and the bytes of any, whatever they come from."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Self

from stackwalls.model.images.label_reader import UNLABELED, LabelReader
from stackwalls.model.images.label_space import LabelChoice, LabelSpace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ImageRow:
    """One image before it is read: its id, its label (-1 where unknown), and what reads its encoded bytes."""

    image_id: str
    label: int
    read: Callable[[], bytes]


class LabeledImages(ABC):
    """Labeled images by number, from 0, and by id.

    An id is text relative to the source (`n01443537/a.JPEG`, `val.parquet#17`), so that it means the same on another
    machine and gives nothing away about this one. `read` may be called from several threads, and from processes that
    were forked after `fetch`.

    Attributes:
        name: what manifests and reports call the source: a folder's own name, a dataset's id and revision; no path.
        contents: what identifies images that cannot change; None: only their bytes do.
    """

    name: str
    contents: str | None = None
    _unlabeled = False
    _label_space: LabelChoice = None

    @abstractmethod
    def _add_labels(self, reader: LabelReader) -> None:
        """Add the label of each row of the source to `reader`."""

    @abstractmethod
    def _row_id(self, row: int) -> str:
        """The id of a row of the source."""

    @abstractmethod
    def _read(self, image_id: str, epoch: int) -> bytes:
        """See `read`."""

    def _read_row(self, row: int, epoch: int) -> bytes:
        """See `read`."""
        return self._read(self._row_id(row), epoch)

    @cached_property
    def _reader(self) -> LabelReader:
        reader = LabelReader(self.name, unlabeled=self._unlabeled, label_space=self._label_space)
        self._add_labels(reader)
        return reader

    @cached_property
    def _kept(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows of the source that are images of this one, and the label of each."""
        return self._reader.kept()

    @property
    def classes(self) -> LabelSpace:
        """The classes that labels are indices of; images need not be there of each.

        Raises:
            InputError: if a label is not understood.
        """
        return self._reader.classes

    @property
    def labels(self) -> NDArray[np.int64]:
        """`(n,)`, the class of each image as an index of `classes`, -1 where it has none.

        Raises:
            InputError: if the source has no usable image, or a label is not understood.
        """
        return self._kept[1]

    @property
    def ids(self) -> list[str]:
        """The ids of all images."""
        return [self._row_id(row) for row in self._kept[0].tolist()]

    def only(self, numbers: NDArray[np.int64]) -> Self:
        """The same source with some of its images, numbered anew."""
        part = copy.copy(self)
        part.__dict__["_kept"] = tuple(column[numbers] for column in self._kept)
        return part

    def index(self) -> dict[int, list[str]]:
        """Class index to the sorted ids of its images; classes without any do not appear."""
        found: dict[int, list[str]] = {}
        for image_id, label in zip(self.ids, self.labels.tolist(), strict=True):
            if label != UNLABELED:
                found.setdefault(label, []).append(image_id)
        return {index: sorted(ids) for index, ids in sorted(found.items())}

    def fetch(self, image_ids: Collection[str]) -> None:  # noqa: B027 (most sources have nothing to do)
        """Announce which images will be read; a source that reads best in bulk reads them now."""

    def read(self, image: str | int, epoch: int = 0) -> bytes:
        """The encoded file of one image.

        Args:
            image: its id or its number.
            epoch: of the training; only endless sources give another image in each.

        Raises:
            OSError: if it cannot be read.
        """
        return self._read(image, epoch) if isinstance(image, str) else self._read_row(int(self._kept[0][image]), epoch)

    def where(self, number: int) -> str:
        """How an error names the image."""
        return f"{self.name}/{self._row_id(int(self._kept[0][number]))}"

    def rows(self, start: int = 0) -> Iterator[ImageRow]:
        """The images in order, from number `start` on."""
        for row, label in zip(*(column[start:].tolist() for column in self._kept), strict=True):
            yield ImageRow(self._row_id(row), label, partial(self._read_row, row, 0))
