"""From what `--data` says to pictures of two splits."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from stackwalls.model.errors import InputError
from stackwalls.model.images.labels import imagenet_classes, parse_classes
from stackwalls.model.sampling import class_order
from stackwalls.model.training.data.drawn_pictures import FIRST_TRAINING_SEED, DrawnPictures
from stackwalls.model.training.data.folders import FolderPictures, class_folders
from stackwalls.model.training.data.hub import VAL_SPLITS, open_hub
from stackwalls.model.training.data.label_reading import class_of_name
from stackwalls.model.training.data.pictures import PictureSet, PictureStream, TrainingData
from stackwalls.model.training.data.splitting import of_classes, split_by_seed
from stackwalls.model.training.data.tables import TablePictures, open_parquet
from stackwalls.model.training.data.tar_shards import TarShards

DRAWN = "drawn"
DRAWN_PER_CLASS, DRAWN_VAL_PER_CLASS = 100, 20
"""Pictures of a class: so many to learn from, and of the seeds that STACK-MIX draws, so many to measure on."""

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")

Splits = tuple[PictureSet | PictureStream, PictureSet | None]


def open_data(
    text: str,
    classes: int | Sequence[str | int] | None = None,
    *,
    seed: int = 0,
    val_share: float | None = None,
    streaming: bool = False,
    drawn_per_class: int = DRAWN_PER_CLASS,
    drawn_fresh: bool = False,
    size: int | None = None,
) -> TrainingData:
    """Open labelled pictures for training.

    Args:
        text: `drawn`; a folder of class folders, with or without train/ and val/ around them; a folder of Parquet
            files or of tar shards whose names begin with their split; or a dataset's id, `owner/name[@revision]`.
        classes: so many, sampled by the seed; or these, by synset, name or index; all by default.
        seed: what sampled classes and a split by share follow from.
        val_share: share of each class to put aside, for data without a validation split.
        streaming: read a dataset of the Hub over the network while training.
        drawn_per_class: training pictures of each drawn class.
        drawn_fresh: draw other pictures in each epoch.
        size: training pictures in one pass over tar shards or a stream that does not say it.

    Raises:
        InputError: if there is no such data, a split is missing, a label is out of range, or a class is empty.
        RunError: if the Hub cannot be reached or refuses.
    """
    if text == DRAWN:
        return _drawn(classes, seed, drawn_per_class, drawn_fresh)
    path = Path(text)
    if not path.exists() and not _HUB_ID.fullmatch(text):
        raise InputError(f"There is no folder or file {text} here (a dataset of the Hub is named owner/name).")
    train, val = _open_folder(path, size) if path.exists() else open_hub(text, streaming)
    if val is None and val_share is not None and isinstance(train, PictureSet):
        train, val = split_by_seed(train, val_share, seed)
    if val is None:
        hint = ", or put a share of the pictures aside (--val-share 0.1)" if isinstance(train, PictureSet) else ""
        raise InputError(f"{text} has no validation split ({', '.join(VAL_SPLITS)}): add one{hint}.")
    if not isinstance(train, PictureSet) and classes is not None:
        raise InputError("A stream cannot leave classes out: drop --classes, or name data that lies on the disk.")
    labels = train.labels if isinstance(train, PictureSet) else val.labels
    chosen = _chosen(classes, np.unique(labels).tolist(), seed)
    if isinstance(train, PictureSet) and classes is not None:  # else a class of one split alone is an error
        train, val = of_classes(train, chosen), of_classes(val, chosen)
    return TrainingData(train.name, chosen, train, val, {"val_share": val_share})


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
    missing = [str(index) for index in chosen if index not in set(held)]
    if missing:
        raise InputError(f"There are no training pictures of class {', '.join(missing[:5])}.")
    return chosen


def _drawn(classes: int | Sequence[str | int] | None, seed: int, per_class: int, fresh: bool) -> TrainingData:
    from stackwalls.model.images.drawn import drawn_classes

    if per_class < 1:
        raise InputError(f"Expected at least one drawn picture of each class, but got {per_class}.")
    chosen = _chosen(classes, [entry.index for entry in drawn_classes()], seed)
    train = DrawnPictures(chosen, per_class, FIRST_TRAINING_SEED, fresh)
    val = DrawnPictures(chosen, DRAWN_VAL_PER_CLASS, 0)
    seeds = {"train": FIRST_TRAINING_SEED, "val": 0}
    return TrainingData(DRAWN, chosen, train, val, {"first_seeds": seeds, "fresh": fresh})


def _open_folder(path: Path, size: int | None) -> Splits:
    """A folder or a file on this machine; its own name is the source's."""
    name = path.resolve().name
    if path.is_file():
        return _of_files({"train": [path]}, name, size)
    for suffix in (".parquet", ".tar"):
        files = sorted(path.glob(f"*{suffix}")) or sorted(path.glob(f"*/*{suffix}"))
        if files:
            return _of_files(_by_split(files, path), name, size)
    folders = {folder.name: folder for folder in class_folders(path)}
    if "train" in folders:
        val = next((folders[split] for split in VAL_SPLITS if split in folders), None)
        return FolderPictures(folders["train"], name), None if val is None else FolderPictures(val, name)
    splits = sorted({"val", *VAL_SPLITS} & set(folders))
    if splits and not any(class_of_name(folder) for folder in folders):
        raise InputError(f"{path} has no folder train beside {', '.join(splits)}: add it, or name a folder of classes.")
    return FolderPictures(path, name), None


def _by_split(files: Sequence[Path], root: Path) -> dict[str, list[Path]]:
    """Files by the split that their name, or the folder they lie in, begins with.

    Raises:
        InputError: if none is of the training split.
    """
    found: dict[str, list[Path]] = {}
    for file in files:
        words = file.relative_to(root).as_posix().lower()
        split = next((s for s in ("train", *VAL_SPLITS) if words.startswith(s) or f"/{s}" in words), None)
        if split is not None:
            found.setdefault("train" if split == "train" else "val", []).append(file)
    if "train" not in found:
        names = ", ".join(file.name for file in files[:3])
        raise InputError(f"{root} has no training split: expected files whose names begin with 'train', found {names}.")
    return found


def _of_files(splits: dict[str, list[Path]], name: str, size: int | None) -> Splits:
    if splits["train"][0].suffix == ".parquet":
        opened: dict[str, TablePictures] = {split: open_parquet(files, name) for split, files in splits.items()}
        return opened["train"], opened.get("val")
    if splits["train"][0].suffix != ".tar":
        raise InputError(f"{name} is no folder, Parquet file or tar shard.")
    if "val" not in splits:
        return TarShards(splits["train"], name, size), None
    held = list(TarShards(splits["val"], name).once())
    read: Callable[[int], bytes] = [picture for picture, _ in held].__getitem__
    return TarShards(splits["train"], name, size), TablePictures(name, [label for _, label in held], None, read)
