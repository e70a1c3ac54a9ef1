"""What every source of training pictures can do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from stackwalls.model.errors import InputError
from stackwalls.model.images.labels import imagenet_classes

Picture: TypeAlias = bytes | NDArray[np.uint8]
"""A picture's file, not decoded, or its pixels `(H, W, 3)` uint8 RGB."""


@runtime_checkable
class PictureSet(Protocol):
    """Pictures by number.

    Attributes:
        name: what the sidecar calls the source; no path.
        labels: `(n,)` int64, the ImageNet-1k index of each picture.
    """

    name: str
    labels: NDArray[np.int64]

    def read(self, number: int, epoch: int) -> Picture:
        """One picture; sources without an end give another one in each epoch."""

    def where(self, number: int) -> str:
        """How an error names the picture."""


@runtime_checkable
class PictureStream(Protocol):
    """Pictures in an order that the source gives, again and again, each pass in another one.

    Attributes:
        name: what the sidecar calls the source; no path.
        size: pictures of one pass, or None where that is not known.
    """

    name: str
    size: int | None

    def pictures(self, seed: int) -> Iterator[tuple[Picture, int]]:
        """Pictures without end, with the ImageNet-1k index of each; the same seed gives the same order."""


@dataclass(frozen=True)
class TrainingData:
    """Two splits, and the classes that the network is to tell apart.

    Attributes:
        name: of the source, without a path.
        classes: the ImageNet-1k index of each logit, rising.
        train: what is learnt from.
        val: what is measured on.
        details: what else the sidecar says of them (JSON values).

    Raises:
        InputError: if there are fewer than two classes, or a class has no picture in a split, or a split has a
            picture of another class.
    """

    name: str
    classes: tuple[int, ...]
    train: PictureSet | PictureStream
    val: PictureSet
    details: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise InputError(f"{self.name} has {len(self.classes)} class: expected at least two to tell apart.")
        for split, pictures in (("training", self.train), ("validation", self.val)):
            if isinstance(pictures, PictureSet):
                _check_classes(self.name, split, self.classes, pictures)

    def positions(self) -> NDArray[np.int64]:
        """`(1000,)`: the logit of each ImageNet-1k class, -1 for classes that are not told apart here."""
        table = np.full(len(imagenet_classes()), -1, dtype=np.int64)
        table[list(self.classes)] = np.arange(len(self.classes))
        return table

    def to_dict(self) -> dict[str, Any]:
        """For the sidecar."""
        train = len(self.train.labels) if isinstance(self.train, PictureSet) else self.train.size
        counts = {"train_pictures": train, "val_pictures": len(self.val.labels)}
        return {"name": self.name, "classes": list(self.classes), **counts, **self.details}


def _check_classes(name: str, split: str, classes: tuple[int, ...], pictures: PictureSet) -> None:
    held, wanted = set(np.unique(pictures.labels).tolist()), set(classes)
    for index in sorted(wanted - held):
        entry = imagenet_classes()[index]
        raise InputError(
            f"Class {entry.synset} ({entry.name}) has no {split} picture in {name}: add some, leave the class out "
            "(--classes), or take its pictures from one split (--val-share)."
        )
    for index in sorted(held - wanted):
        entry = imagenet_classes()[index]
        raise InputError(f"{name} has {split} pictures of {entry.synset} ({entry.name}), which is none of the classes.")
