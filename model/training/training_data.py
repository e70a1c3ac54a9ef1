"""What a training learns from and what it is measured on: from `--data` to two splits and the classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackwalls.model.errors import InputError
from stackwalls.model.files import as_text
from stackwalls.model.hub.ids import HubId
from stackwalls.model.images.hub import download_hub, split_names, stream_hub
from stackwalls.model.images.image_folder import ImageFolder, visible
from stackwalls.model.images.labelled import LabelledImages
from stackwalls.model.images.labels import find_class, imagenet_classes, parse_classes
from stackwalls.model.images.opening import (
    DRAWN,
    SPLITS,
    also_not_here,
    files_in,
    find_hub_id,
    open_files,
    open_images,
    split_of,
)
from stackwalls.model.images.tables import TableStream
from stackwalls.model.sampling import class_order

DRAWN_PER_CLASS, DRAWN_VAL_PER_CLASS = 100, 20
"""Images of a drawn class: to learn from, and to measure on."""

FIRST_TRAINING_SEED = 1_000_000
"""Seeds below are left to others: STACK-MIX's `drawn` source takes 0 to 49, which validation measures on."""

VAL_SPLITS = ("validation", "val", "valid", "test")
"""Names of a validation split, in the order in which they are tried."""

Splits = tuple[LabelledImages | TableStream, LabelledImages | None]


@dataclass(frozen=True)
class TrainingData:
    """Two splits, and the classes that the network is to tell apart.

    Attributes:
        name: of the source, without a path.
        classes: the ImageNet-1k index of each logit, rising.
        train: images to train on.
        val: images to validate on.
        details: what else the sidecar says of them (JSON values).

    Raises:
        InputError: if there are fewer than two classes, or a split lacks one of them or has another.
    """

    name: str
    classes: tuple[int, ...]
    train: LabelledImages | TableStream
    val: LabelledImages
    details: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise InputError(f"{self.name} has {len(self.classes)} class: expected at least two to tell apart.")
        for split, images in (("training", self.train), ("validation", self.val)):
            held = set(images.labels.tolist() if isinstance(images, LabelledImages) else self.classes)
            for index in (*sorted(set(self.classes) - held), *sorted(held - set(self.classes))):
                entry = imagenet_classes()[index]
                which = f"{entry.synset} ({entry.name})"
                if index in held:
                    raise InputError(f"{self.name} has {split} images of {which}, which is not one of the classes.")
                raise InputError(
                    f"Class {which} has no {split} image in {self.name}: add some, leave the class out (--classes), or "
                    "take its images from one split (--val-share)."
                )

    @property
    def size(self) -> int | None:
        """Training images in one pass; None for a stream that does not say it."""
        return len(self.train.labels) if isinstance(self.train, LabelledImages) else self.train.size

    def positions(self) -> NDArray[np.int64]:
        """`(1000,)`: the logit of each ImageNet-1k class, -1 for classes that are not told apart here."""
        table = np.full(len(imagenet_classes()), -1, dtype=np.int64)
        table[list(self.classes)] = np.arange(len(self.classes))
        return table

    def to_dict(self) -> dict[str, Any]:
        """For the sidecar."""
        counts = {"train_pictures": self.size, "val_pictures": len(self.val.labels)}
        return {"name": self.name, "classes": list(self.classes), **counts, **self.details}


def open_data(
    text: str,
    classes: int | Sequence[str | int] | None = None,
    *,
    seed: int = 0,
    labels: Path | None = None,
    val_share: float | None = None,
    streaming: bool = False,
    drawn_per_class: int = DRAWN_PER_CLASS,
    drawn_fresh: bool = False,
    size: int | None = None,
) -> TrainingData:
    """Open labelled images for training.

    Args:
        text: what `open_images` opens. A folder may have train/ and val/ inside; names of Parquet files and tar shards
            begin with their split.
        classes: how many, sampled by the seed; or these, by synset, name or index; all by default.
        seed: what sampled classes and a split by share follow from.
        labels: the list of labels of a flat folder.
        val_share: share of each class to hold out, for data without a validation split.
        streaming: read a dataset on the Hub over the network while training.
        drawn_per_class: training images of each drawn class.
        drawn_fresh: draw other images in each epoch.
        size: training images in one pass over a stream that does not say it.

    Raises:
        InputError: if there is no such data, a split is missing, a label is out of range, or a class is empty.
        RunError: if the Hub cannot be reached or refuses.
    """
    if text == DRAWN:
        return _drawn(classes, seed, drawn_per_class, drawn_fresh)
    train, val = _open_splits(text, labels, streaming, size)
    held, hint = None, ""
    if isinstance(train, LabelledImages):
        held = np.unique(train.labels)  # a fault in the labels comes first
        hint = ", or hold out a share of the images (--val-share 0.1)"
        if val is None and val_share is not None:
            train, val = split_by_seed(train, val_share, seed)
    elif classes is not None:
        raise InputError("A stream cannot leave classes out: drop --classes, or name data on this disk.")
    if val is None:
        raise InputError(f"{text} has no validation split ({', '.join(VAL_SPLITS)}): add one{hint}.")
    chosen = _chosen(classes, (np.unique(val.labels) if held is None else held).tolist(), seed)
    if isinstance(train, LabelledImages) and classes is not None:  # else a class of one split alone is an error
        train, val = (images.only(np.flatnonzero(np.isin(images.labels, chosen))) for images in (train, val))
    data = TrainingData(train.name, chosen, train, val, {"val_share": val_share})
    for images in (train, val):
        if isinstance(images, LabelledImages):
            images.fetch(images.ids)
    return data


def split_by_seed(images: LabelledImages, share: float, seed: int) -> tuple[LabelledImages, LabelledImages]:
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
            entry = imagenet_classes()[index]
            raise InputError(f"Class {entry.synset} ({entry.name}) of {images.name} has one image: expected two.")
        numbers = np.random.default_rng([seed, index]).permutation(numbers)
        aside = min(max(1, round(share * len(numbers))), len(numbers) - 1)
        val.append(np.sort(numbers[:aside]))
        train.append(np.sort(numbers[aside:]))
    return images.only(np.concatenate(train)), images.only(np.concatenate(val))


def _chosen(classes: int | Sequence[str | int] | None, held: Sequence[int], seed: int) -> tuple[int, ...]:
    """The classes to tell apart, rising."""
    if classes is None:
        return tuple(held)
    if isinstance(classes, int):
        if not 2 <= classes <= len(held):
            raise InputError(f"Expected --classes to be 2 to {len(held)}, which are there, but got {classes}.")
        synsets = class_order((imagenet_classes()[index].synset for index in held), seed)[:classes]
        return tuple(sorted(entry.index for entry in parse_classes(synsets)))
    chosen = tuple(sorted(entry.index for entry in parse_classes(classes)))
    if missing := [str(index) for index in chosen if index not in held]:
        raise InputError(f"There are no training images of class {', '.join(missing[:5])}.")
    return chosen


def _drawn(classes: int | Sequence[str | int] | None, seed: int, per_class: int, fresh: bool) -> TrainingData:
    from stackwalls.model.images.drawn import drawn_classes
    from stackwalls.model.images.drawn_images import DrawnImages

    if per_class < 1:
        raise InputError(f"Expected at least one drawn image of each class, but got {per_class}.")
    chosen = _chosen(classes, [entry.index for entry in drawn_classes()], seed)
    train = DrawnImages(chosen, per_class, FIRST_TRAINING_SEED, fresh=fresh, keep=True)
    val = DrawnImages(chosen, DRAWN_VAL_PER_CLASS, keep=True)
    seeds = {"train": FIRST_TRAINING_SEED, "val": 0}
    return TrainingData(DRAWN, chosen, train, val, {"first_seeds": seeds, "fresh": fresh})


def _open_splits(text: str, labels: Path | None, streaming: bool, size: int | None) -> Splits:
    if labels is not None:
        return open_images(text, labels=labels), None
    hub = find_hub_id(text)
    return _open_local(Path(text)) if hub is None else _open_hub(text, hub, streaming, size)


def _open_hub(text: str, hub: HubId, streaming: bool, size: int | None) -> Splits:
    """The training split, and the validation split, which is always downloaded."""
    with also_not_here(text):
        splits = [] if hub.split else split_names(hub)
        if splits and "train" not in splits:
            raise InputError(f"The dataset {hub} has no split 'train': it has {', '.join(splits)}.")
        train = stream_hub(hub, "train", size) if streaming else download_hub(hub, "train")
        val = next((name for name in VAL_SPLITS if name in splits), None)
        return train, None if val is None else download_hub(hub, val)


def _open_local(path: Path) -> Splits:
    """A folder or files on this machine."""
    files = files_in(path) if path.is_dir() else {}
    if files:
        return _open_files(path, files)
    folders = visible(path, folders=True) if path.is_dir() else []
    splits = {SPLITS[folder.lower()]: folder for folder in folders if folder.lower() in SPLITS}
    if "train" not in splits:
        if splits and not any(map(find_class, folders)):
            there = ", ".join(sorted(splits.values()))
            raise InputError(f"{path} has no folder train beside {there}: add it, or name a folder of classes.")
        return open_images(path), None
    train, val = ImageFolder(path / splits["train"]), splits.get("validation", splits.get("test"))
    held_out = None if val is None else ImageFolder(path / val)
    for images in filter(None, (train, held_out)):
        images.name = as_text(path.resolve().name)
    return train, held_out


def _open_files(folder: Path, files: Mapping[str, Path]) -> Splits:
    """The Parquet files or tar shards of a folder by the split that their names say."""
    found: dict[str | None, dict[str, Path]] = {}
    for path, file in files.items():
        found.setdefault(split_of(path), {})[path] = file
    train = found.get("train", found.get(None))
    if train is None or (None in found and len(found) > 1 and "train" not in found):
        listed = ", ".join(list(files)[:3])
        raise InputError(
            f"{folder} has no training split: expected files whose names begin with 'train', but found {listed}."
        )
    name, val = as_text(folder.resolve().name), found.get("validation", found.get("test"))
    return open_files(train, name), None if val is None else open_files(val, name)
