"""The drawn world as labelled images: no files, no network."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stackwalls.model.images.drawn import draw, drawn_classes
from stackwalls.model.images.labelled import LabelledImages
from stackwalls.model.images.labels import imagenet_classes, parse_class

PER_CLASS = 50
"""Images of a class, as many as ImageNet's validation set has."""

SIZE = 256
"""Pixels: larger than the crop."""

_HEADER = b"P6 %d %d 255\n" % (SIZE, SIZE)
_BYTES = len(_HEADER) + SIZE * SIZE * 3


class DrawnImages(LabelledImages):
    """`draw(class, seed)` for a number of seeds of each class; ids `drawn/n01443537/000001` have the seed.

    An image is a binary PPM file: the pixels behind a short header, the same with every encoder.

    Args:
        classes: ImageNet-1k indices of classes that can be drawn; all by default.
        per_class: images of each class.
        first_seed: of a class's images; they take the seeds from there on.
        fresh: whether every epoch of a training draws new images.
        keep: whether to keep what was drawn in a temporary file.
    """

    name = "drawn"

    def __init__(
        self,
        classes: Sequence[int] | None = None,
        per_class: int = PER_CLASS,
        first_seed: int = 0,
        *,
        fresh: bool = False,
        keep: bool = False,
    ) -> None:
        chosen = sorted(entry.index for entry in drawn_classes()) if classes is None else classes
        self._classes = np.asarray(chosen, dtype=np.int64)
        self._per_class, self._first_seed, self._fresh = per_class, first_seed, fresh
        self._kept = _shared(len(self._classes) * per_class * (_BYTES + 1)) if keep and not fresh else None

    def _find_labels(self) -> NDArray[np.int64]:
        return np.repeat(self._classes, self._per_class)

    def _id(self, number: int) -> str:
        seed = self._first_seed + number % self._per_class
        return f"drawn/{imagenet_classes()[self.labels[number]].synset}/{seed:06d}"

    def _read(self, image_id: str, epoch: int) -> bytes:
        _, synset, seed = image_id.split("/")
        ahead = epoch * self._per_class if self._fresh else 0
        return _HEADER + draw(parse_class(synset).index, int(seed) + ahead, size=SIZE).tobytes()

    def read(self, image: str | int, epoch: int = 0) -> bytes:
        """The drawing; by number, the one kept if there is one."""
        if self._kept is None or isinstance(image, str):
            return super().read(image, epoch)
        start, flag = image * _BYTES, len(self.labels) * _BYTES + image
        if not self._kept[flag]:
            self._kept[start : start + _BYTES] = super().read(image)
            self._kept[flag] = 1
        return self._kept[start : start + _BYTES]

    def where(self, number: int) -> str:
        """Its id."""
        return self.id_of(number)


def _shared(size: int) -> mmap.mmap:
    """An unnamed file in memory that worker processes share: the images, then a flag for each.

    Two processes may draw the same image at once; they write the same bytes. The flag is set last.
    """
    with tempfile.TemporaryFile() as file:
        file.truncate(size)
        return mmap.mmap(file.fileno(), 0)
