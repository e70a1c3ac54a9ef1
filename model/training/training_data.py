"""What a training learns from and what it is measured on: from `--data` to two splits and the classes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackwalls.model.errors import InputError
from stackwalls.model.images.label_reader import shortened
from stackwalls.model.images.label_space import LabelChoice, LabelSpace, imagenet
from stackwalls.model.images.labeled import LabeledImages
from stackwalls.model.images.opening import DRAWN
from stackwalls.model.images.tables import TableStream
from stackwalls.model.sampling import class_order
from stackwalls.model.training.splits import VAL_SPLITS, Opened, open_splits

DRAWN_PER_CLASS, DRAWN_VAL_PER_CLASS = 100, 20
"""Images of a drawn class: to learn from, and to measure on."""

FIRST_TRAINING_SEED = 1_000_000
"""Seeds below are left to others: STACK-MIX's `drawn` source takes 0 to 49, which validation measures on."""


@dataclass(frozen=True)
class TrainingData:
    """Two splits, and the classes that the network is to tell apart.

    Attributes:
        name: of the source, without a path.
        classes: the class of each logit, rising, as an index of `space`.
        train: images to train on.
        val: images to validate on, of the same label space.
        details: what else the sidecar says of them (JSON values).

    Raises:
        InputError: if there are fewer than two classes, or a split lacks one of them or has another.
    """

    name: str
    classes: tuple[int, ...]
    train: LabeledImages | TableStream
    val: LabeledImages
    details: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise InputError(f"{self.name} has {len(self.classes)} class: expected at least two to tell apart.")
        for split, images in (("training", self.train), ("validation", self.val)):
            held = set(images.labels.tolist() if isinstance(images, LabeledImages) else self.classes)
            for index in (*sorted(set(self.classes) - held), *sorted(held - set(self.classes))):
                which = _named(self.space, index)
                if index in held:
                    raise InputError(f"{self.name} has {split} images of {which}, which is not one of the classes.")
                raise InputError(
                    f"Class {which} has no {split} image in {self.name}: add some, leave the class out (--classes), or "
                    "take its images from one split (--val-share)."
                )

    @property
    def space(self) -> LabelSpace:
        """The classes that labels are indices of."""
        return self.train.classes

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each logit."""
        return tuple(self.space.names[index] for index in self.classes)

    @property
    def size(self) -> int | None:
        """Training images in one pass; None for a stream that does not say it."""
        return len(self.train.labels) if isinstance(self.train, LabeledImages) else self.train.size

    def positions(self) -> NDArray[np.int64]:
        """`(len(space),)`: the logit of each class, -1 for classes that are not told apart here."""
        table = np.full(len(self.space), -1, dtype=np.int64)
        table[list(self.classes)] = np.arange(len(self.classes))
        return table

    def to_dict(self) -> dict[str, Any]:
        """For the sidecar; with the names of the classes if they are not ImageNet-1k's."""
        counts = {"train_pictures": self.size, "val_pictures": len(self.val.labels)}
        names = {} if self.space.is_imagenet else {"class_names": list(self.class_names)}
        return {"name": self.name, "classes": list(self.classes), **names, **counts, **self.details}


def open_data(
    text: str,
    classes: int | Sequence[str | int] | None = None,
    *,
    seed: int = 0,
    labels: Path | None = None,
    label_space: LabelChoice = None,
    val_share: float | None = None,
    streaming: bool = False,
    drawn_per_class: int = DRAWN_PER_CLASS,
    drawn_fresh: bool = False,
    size: int | None = None,
) -> TrainingData:
    """Open labeled images for training.

    Args:
        text: what `open_images` opens. A folder may have train/ and val/ inside; names of Parquet files and tar shards
            begin with their split.
        classes: how many, sampled by the seed; or these, by name, index or (of ImageNet-1k) synset; all by default.
        seed: what sampled classes and a split by share follow from.
        labels: the list of labels of a flat folder.
        label_space: whose classes the labels are (see `open_images`); both splits have the same.
        val_share: share of each class to hold out, for data without a validation split.
        streaming: read a dataset on the Hub over the network while training.
        drawn_per_class: training images of each drawn class.
        drawn_fresh: draw other images in each epoch.
        size: training images in one pass over a stream that does not say it.

    Raises:
        InputError: if there is no such data, a split is missing, a label is out of range, a class is empty, or the
            validation images have a class that the training images have not.
        RunError: if the Hub cannot be reached or refuses.
    """
    if text == DRAWN:
        return _drawn(classes, seed, drawn_per_class, drawn_fresh, label_space)
    train, open_val = open_splits(text, labels, streaming, size, label_space)
    held, hint, val = None, "", None
    if isinstance(train, LabeledImages):
        held = np.unique(train.labels)  # a fault in the labels comes first
        hint = ", or hold out a share of the images (--val-share 0.1)"
        if open_val is None and val_share is not None:
            train, val = split_by_seed(train, val_share, seed)
    elif classes is not None:
        raise InputError("A stream cannot leave classes out: drop --classes, or name data on this disk.")
    if open_val is not None:
        own = not isinstance(label_space, LabelSpace) and not train.classes.is_imagenet
        val = _of_the_same_classes(train.name, train.classes, open_val) if own else open_val(train.classes)
    if val is None:
        raise InputError(f"{text} has no validation split ({', '.join(VAL_SPLITS)}): add one{hint}.")
    chosen = _chosen(classes, train.classes, (np.unique(val.labels) if held is None else held).tolist(), seed)
    if isinstance(train, LabeledImages) and classes is not None:  # else a class of one split alone is an error
        train, val = (images.only(np.flatnonzero(np.isin(images.labels, chosen))) for images in (train, val))
    data = TrainingData(train.name, chosen, train, val, {"val_share": val_share})
    for images in (train, val):
        if isinstance(images, LabeledImages):
            images.fetch(images.ids)
    return data


def _of_the_same_classes(name: str, space: LabelSpace, open_val: Opened) -> LabeledImages:
    """The validation split, read as the classes of the training split.

    Raises:
        InputError: if it has classes of its own that the training split has not.
    """
    val = open_val("own")
    if val.classes == space:
        return val
    if others := sorted(set(val.classes.names) - set(space.names)):
        raise InputError(
            f"The validation images of {name} have other classes than its training images: {shortened(others)} "
            f"{'is' if len(others) == 1 else 'are'} not one of {shortened(space.names)}."
        )
    return open_val(space)


def split_by_seed(images: LabeledImages, share: float, seed: int) -> tuple[LabeledImages, LabeledImages]:
    """Training and validation images: of each class, this share (at least one image) is held out.

    Raises:
        InputError: if `share` is not between 0 and 1, or a class has one image only.
    """
    if not 0 < share < 1:
        raise InputError(f"Expected --val-share to be between 0 and 1, but got {share}.")
    train, val = [], []
    for index in np.unique(images.labels).tolist():
        numbers = np.flatnonzero(images.labels == index)
        if len(numbers) < 2:
            raise InputError(f"Class {_named(images.classes, index)} of {images.name} has one image: expected two.")
        numbers = np.random.default_rng([seed, index]).permutation(numbers)
        aside = min(max(1, round(share * len(numbers))), len(numbers) - 1)
        val.append(np.sort(numbers[:aside]))
        train.append(np.sort(numbers[aside:]))
    return images.only(np.concatenate(train)), images.only(np.concatenate(val))


def _named(space: LabelSpace, index: int) -> str:
    """A class for messages: `n01443537 (goldfish)`, or its name in quotes."""
    return f"{space.key(index)} ({space.names[index]})" if space.is_imagenet else f"{space.names[index]!r:.80}"


def _chosen(
    classes: int | Sequence[str | int] | None, space: LabelSpace, held: Sequence[int], seed: int
) -> tuple[int, ...]:
    """The classes to tell apart, rising, of those that are there."""
    if classes is None:
        return tuple(held)
    if isinstance(classes, int):
        if not 2 <= classes <= len(held):
            raise InputError(f"Expected --classes to be 2 to {len(held)}, which are there, but got {classes}.")
        by_key = {space.key(index): index for index in held}
        return tuple(sorted(by_key[key] for key in class_order(by_key, seed)[:classes]))
    chosen = tuple(sorted(map(space.parse, classes)))
    for index, times in Counter(chosen).items():
        if times > 1:
            raise InputError(f"Class {_named(space, index)} is asked for twice; name it once.")
    if missing := [index for index in chosen if index not in held]:
        raise InputError(f"There are no training images of class {', '.join(map(str, missing[:5]))}.")
    return chosen


def _drawn(
    classes: int | Sequence[str | int] | None, seed: int, per_class: int, fresh: bool, label_space: LabelChoice
) -> TrainingData:
    from stackwalls.model.images.drawn import drawn_classes
    from stackwalls.model.images.drawn_images import DrawnImages

    if per_class < 1:
        raise InputError(f"Expected at least one drawn image of each class, but got {per_class}.")
    if label_space not in (None, "imagenet"):
        raise InputError(f"The classes of '{DRAWN}' are ImageNet-1k's: leave out the label space.")
    chosen = _chosen(classes, imagenet(), [entry.index for entry in drawn_classes()], seed)
    train = DrawnImages(chosen, per_class, FIRST_TRAINING_SEED, fresh=fresh, keep=True)
    val = DrawnImages(chosen, DRAWN_VAL_PER_CLASS, keep=True)
    seeds = {"train": FIRST_TRAINING_SEED, "val": 0}
    return TrainingData(DRAWN, chosen, train, val, {"first_seeds": seeds, "fresh": fresh})
