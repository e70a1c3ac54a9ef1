"""`LabelledImages`: the class of each image and the bytes of any, whatever they come from."""

from __future__ import annotations

import copy
import warnings
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from stackwalls.model.errors import InputError
from stackwalls.model.images.labels import class_of, classes_of_names, imagenet_classes

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABEL_NAMES = ("synset", "wnid", "label", "labels", "class", "cls", "class_name", "target", "fine_label")
"""Names of the label column, tried in this order: a synset says more than a number."""

UNLABELLED = -1
"""The label of an image whose class is not known."""

_LEFT_OUT = -2

_SHOWN = 80
"""Characters of a name or label that a message shows."""


@dataclass(frozen=True)
class ImageRow:
    """One image before it is read: its id, its label (-1 where unknown), and what reads its encoded bytes."""

    image_id: str
    label: int
    read: Callable[[], bytes]


class LabelledImages(ABC):
    """Labelled images by number, from 0, and by id.

    An id is text relative to the source (`n01443537/a.JPEG`, `val.parquet#17`), so that it means the same on another
    machine and gives nothing away about this one. `read` may be called from several threads, and from processes that
    were forked after `fetch`.

    Attributes:
        name: what manifests and reports call the source: a folder's own name, a dataset's id and revision; no path.
        contents: what identifies images that cannot change; None: only their bytes do.
    """

    name: str
    contents: str | None = None
    _unlabelled = False

    @abstractmethod
    def _all_labels(self, reader: LabelReader) -> NDArray[np.int64]:
        """The label of each row of the source, as `reader` reads it."""

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
    def _kept(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows of the source that are images of this one, and the label of each."""
        reader = LabelReader(self.name, unlabelled=self._unlabelled)
        labels = self._all_labels(reader)
        rows = reader.kept(labels)
        return rows, labels[rows]

    @property
    def labels(self) -> NDArray[np.int64]:
        """`(n,)`, the ImageNet-1k index of each image, -1 where it has none.

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
            if label != UNLABELLED:
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


class LabelReader:
    """From the values of a label column to classes, for all forms alike.

    | value | becomes |
    |---|---|
    | an ImageNet-1k index; a position in the column's own names; a synset or a name | its class |
    | None, -1 | unlabelled: left out with a warning, or kept as -1 where unlabelled images are useful |
    | the name of another class | left out with a warning |
    | a number out of range, an ambiguous name, anything else | InputError |

    Args:
        where: the source, for messages.
        unlabelled: whether images without a label are kept.
    """

    def __init__(self, where: str, *, unlabelled: bool = False) -> None:
        self._where, self._unlabelled = where, unlabelled
        self._unknown: Counter[str] = Counter()
        self._bare_numbers = False
        self._rows = 0

    def read(self, values: Sequence[Any], names: Sequence[str] | None = None) -> NDArray[np.int64]:
        """The class of each value; -1 where unlabelled, -2 where left out. Rows count on over several calls.

        Args:
            values: of the column, or of a further part of it.
            names: of the label numbers, where the source lists them.

        Raises:
            InputError: see the table above; the message names the row.
        """
        wrong = [value for value in values if type(value) not in (int, str, type(None))]
        if wrong:
            raise InputError(
                f"The labels of {self._where} are of the type {type(wrong[0]).__name__}, such as {wrong[0]!r:.60}: "
                "expected one index, synset or class name for each image."
            )
        known: dict[Any, int] = {}
        for row, value in enumerate(values, self._rows):
            if value not in known:
                known[value] = self._class(value, row, names)
            if known[value] == _LEFT_OUT:
                self._unknown[names[value] if names is not None and isinstance(value, int) else str(value)] += 1
        self._rows += len(values)
        return np.fromiter((known[value] for value in values), dtype=np.int64, count=len(values))

    def read_one(self, value: Any, names: Sequence[str] | None = None) -> int:
        """The class of the next value, for a stream, which cannot leave images out; -1 where that is allowed.

        Raises:
            InputError: if it is not an ImageNet-1k class; see `read`.
        """
        (label,) = self.read([value], names).tolist()
        if label == _LEFT_OUT or (label == UNLABELLED and not self._unlabelled):
            raise InputError(
                f"The label of row {self._rows - 1} of {self._where} is {value!r}, which is not an ImageNet-1k class, "
                "and a stream cannot leave images out: remove it, or use a copy on this disk."
            )
        return int(label)

    def kept(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows to keep, by number; warns of the others.

        Raises:
            InputError: if there are none.
        """
        rows = np.flatnonzero(labels >= (UNLABELLED if self._unlabelled else 0))
        hidden = int((labels == UNLABELLED).sum())
        if not rows.size:
            shown = ", ".join(f"{name:.{_SHOWN}}" for name in sorted(self._unknown)[:3]) or (
                "no row is labelled" if hidden else "there are no rows"
            )
            raise InputError(f"No row of {self._where} has an ImageNet-1k class as its label ({shown}).")
        warn_left_out("label", self._unknown, f"not an ImageNet-1k class; {self._unknown.total()} rows")
        if hidden and not self._unlabelled:
            warnings.warn(f"Left out {hidden} rows of {self._where} without a label.", stacklevel=3)
        if self._bare_numbers:
            warnings.warn(
                f"The labels of {self._where} are plain numbers: they are read as ImageNet-1k class indices, 0 to 999.",
                stacklevel=3,
            )
        return rows

    def _class(self, value: Any, row: int, names: Sequence[str] | None) -> int:
        if value is None or value == UNLABELLED or value == str(UNLABELLED):
            return UNLABELLED
        if isinstance(value, str):
            found = class_of(value)
            return _LEFT_OUT if found is None else found
        size = len(imagenet_classes()) if names is None else len(names)
        if not 0 <= value < size:
            raise InputError(
                f"The label of row {row} of {self._where} is {value!s:.{_SHOWN}}: expected 0 to {size - 1}, a synset "
                "(n01440764) or a class name."
            )
        if names is None:
            self._bare_numbers = True
            return int(value)
        found = classes_of_names(tuple(names))[value]
        return self._class(names[value], row, names) if found is None else found


def warn_left_out(thing: str, names: Iterable[str], why: str) -> None:
    """Warn that `names`, if there are any, are left out: how many, the first few of them, and why."""
    listed = sorted(f"{name if name.isprintable() else ascii(name):.{_SHOWN}}" for name in names)
    if listed:
        shown = ", ".join(listed[:5]) + (", …" if len(listed) > 5 else "")
        plural = "s" if len(listed) > 1 else ""
        warnings.warn(f"Left out {len(listed)} {thing}{plural} ({shown}): {why}.", stacklevel=3)
