"""The drawn world as labeled images: no files, no network."""

import mmap
import tempfile
from collections.abc import Sequence

import numpy as np

from stackwalls.model.images.drawn import draw, drawn_classes
from stackwalls.model.images.label_reader import LabelReader
from stackwalls.model.images.label_space import LabelChoice
from stackwalls.model.images.labeled import LabeledImages
from stackwalls.model.images.labels import class_names, imagenet_classes, parse_class

PER_CLASS = 50
"""Images of a class, as many as ImageNet's validation set has."""

SIZE = 256
"""Pixels: larger than the crop."""

_HEADER = b"P6 %d %d 255\n" % (SIZE, SIZE)
_BYTES = len(_HEADER) + SIZE * SIZE * 3


class DrawnImages(LabeledImages):
    """`draw(class, seed)` for a number of seeds of each class; ids `drawn/n01443537/000001` have the seed.

    An image is a binary PPM file: the pixels behind a short header, the same with every encoder.

    Args:
        classes: ImageNet-1k indices of classes that can be drawn; all by default.
        per_class: images of each class.
        first_seed: of a class's images; they take the seeds from there on.
        fresh: whether every epoch of a training draws new images.
        keep: whether to keep what was drawn in a temporary file.
        label_space: see `LabelReader`.
    """

    name = contents = "drawn"

    def __init__(
        self,
        classes: Sequence[int] | None = None,
        per_class: int = PER_CLASS,
        first_seed: int = 0,
        *,
        fresh: bool = False,
        keep: bool = False,
        label_space: LabelChoice = None,
    ) -> None:
        chosen = sorted(entry.index for entry in drawn_classes()) if classes is None else classes
        self._classes = np.asarray(chosen, dtype=np.int64)
        self._per_class, self._first_seed, self._fresh = per_class, first_seed, fresh
        self._label_space = label_space
        self._memory: mmap.mmap | None = None
        if keep and not fresh:
            # unnamed, and shared with worker processes: the images, then a flag for each, which is set last; two
            # processes may draw the same image at once, but they write the same bytes
            with tempfile.TemporaryFile() as file:
                file.truncate(len(self._classes) * per_class * (_BYTES + 1))
                self._memory = mmap.mmap(file.fileno(), 0)

    def _add_labels(self, reader: LabelReader) -> None:
        reader.add(np.repeat(self._classes, self._per_class).tolist(), class_names())

    def _row_id(self, row: int) -> str:
        index, number = divmod(row, self._per_class)
        return f"drawn/{imagenet_classes()[self._classes[index]].synset}/{self._first_seed + number:06d}"

    def _read(self, image_id: str, epoch: int) -> bytes:
        _, synset, seed = image_id.split("/")
        ahead = epoch * self._per_class if self._fresh else 0
        return _HEADER + draw(parse_class(synset).index, int(seed) + ahead, size=SIZE).tobytes()

    def _read_row(self, row: int, epoch: int) -> bytes:
        if self._memory is None:
            return super()._read_row(row, epoch)
        start, flag = row * _BYTES, row - len(self._classes) * self._per_class  # from the end
        if not self._memory[flag]:
            self._memory[start : start + _BYTES] = super()._read_row(row, epoch)
            self._memory[flag] = 1
        return self._memory[start : start + _BYTES]
