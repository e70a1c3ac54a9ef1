"""The drawn world as training data: one animal in each picture, no files."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stackwalls.model.images.drawn import draw

FIRST_TRAINING_SEED = 1_000_000
"""Seeds below are left to others: STACK-MIX's `drawn` source takes 0 to 49, which validation measures on."""

SIZE = 256
"""Pixels: as STACK-MIX's source draws them, and larger than the crop."""


class DrawnPictures:
    """`draw(class, seed)` for so many seeds of each class.

    Args:
        classes: ImageNet-1k indices of classes that can be drawn.
        per_class: pictures of each class.
        first_seed: of a class's pictures; they take the seeds from there on.
        fresh: whether every epoch draws new pictures; else each is drawn once and kept.
    """

    name = "drawn"

    def __init__(self, classes: Sequence[int], per_class: int, first_seed: int, fresh: bool = False) -> None:
        self.labels = np.repeat(np.asarray(classes, dtype=np.int64), per_class)
        self._per_class, self._first_seed = per_class, first_seed
        self._kept = None if fresh else _Kept(len(self.labels))

    def read(self, number: int, epoch: int) -> NDArray[np.uint8]:
        """`(256, 256, 3)` uint8 RGB."""
        if self._kept is None:
            return draw(int(self.labels[number]), self._seed(number) + epoch * self._per_class, size=SIZE)
        found = self._kept.get(number)
        if found is None:
            found = draw(int(self.labels[number]), self._seed(number), size=SIZE)
            self._kept.put(number, found)
        return found

    def where(self, number: int) -> str:
        """Its class and seed."""
        return f"drawn class {self.labels[number]}, seed {self._seed(number)}"

    def _seed(self, number: int) -> int:
        return self._first_seed + number % self._per_class


class _Kept:
    """Drawn pictures in an unnamed temporary file, mapped into memory, which worker processes share.

    Two processes may draw the same picture at once; they write the same bytes. The flag of a picture is set last.
    """

    def __init__(self, pictures: int) -> None:
        self._bytes = SIZE * SIZE * 3
        with tempfile.TemporaryFile() as file:
            file.truncate(pictures * (self._bytes + 1))
            self._map = mmap.mmap(file.fileno(), 0)
        self._flags = pictures * self._bytes

    def get(self, number: int) -> NDArray[np.uint8] | None:
        if not self._map[self._flags + number]:
            return None
        kept = np.frombuffer(self._map, np.uint8, self._bytes, number * self._bytes)
        return kept.reshape(SIZE, SIZE, 3)

    def put(self, number: int, picture: NDArray[np.uint8]) -> None:
        self._map[number * self._bytes : (number + 1) * self._bytes] = picture.tobytes()
        self._map[self._flags + number] = 1
