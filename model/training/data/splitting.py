"""Parts of a set of pictures: some of its classes, or two splits by a seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stackwalls.model.errors import InputError
from stackwalls.model.images.labels import imagenet_classes
from stackwalls.model.training.data.pictures import Picture, PictureSet


class Part:
    """Some pictures of a set.

    Args:
        whole: the set.
        numbers: `(n,)` int64, which of its pictures.
    """

    def __init__(self, whole: PictureSet, numbers: NDArray[np.int64]) -> None:
        self.name, self._whole, self._numbers = whole.name, whole, numbers
        self.labels = whole.labels[numbers]

    def read(self, number: int, epoch: int) -> Picture:
        """That picture of the set."""
        return self._whole.read(int(self._numbers[number]), epoch)

    def where(self, number: int) -> str:
        """As the set names it."""
        return self._whole.where(int(self._numbers[number]))


def of_classes(pictures: PictureSet, classes: Sequence[int]) -> PictureSet:
    """The pictures of these classes only."""
    chosen = np.flatnonzero(np.isin(pictures.labels, list(classes)))
    return pictures if len(chosen) == len(pictures.labels) else Part(pictures, chosen)


def split_by_seed(pictures: PictureSet, share: float, seed: int) -> tuple[PictureSet, PictureSet]:
    """Training and validation pictures: of each class, this share (at least one picture) is put aside.

    Raises:
        InputError: if `share` is not between 0 and 1, or a class has one picture only.
    """
    if not 0 < share < 1:
        raise InputError(f"Expected --val-share to be between 0 and 1, but got {share}.")
    train: list[NDArray[np.int64]] = []
    val: list[NDArray[np.int64]] = []
    for index in np.unique(pictures.labels).tolist():
        numbers = np.flatnonzero(pictures.labels == index)
        if len(numbers) < 2:
            entry = imagenet_classes()[index]
            raise InputError(f"Class {entry.synset} ({entry.name}) of {pictures.name} has one picture: expected two.")
        numbers = np.random.default_rng([seed, index]).permutation(numbers)
        aside = min(max(1, round(share * len(numbers))), len(numbers) - 1)
        val.append(np.sort(numbers[:aside]))
        train.append(np.sort(numbers[aside:]))
    return Part(pictures, np.concatenate(train)), Part(pictures, np.concatenate(val))
