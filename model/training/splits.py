"""The training and the validation split of what a user names: a folder, Parquet files, tar shards or a Hub dataset."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeAlias

from stackwalls.model.errors import InputError
from stackwalls.model.files import as_text
from stackwalls.model.hub.ids import HubId
from stackwalls.model.images.hub import download_hub, split_names, stream_hub
from stackwalls.model.images.image_folder import SPLITS, ImageFolder, visible
from stackwalls.model.images.label_space import LabelChoice
from stackwalls.model.images.labeled import LabeledImages
from stackwalls.model.images.labels import find_class
from stackwalls.model.images.opening import also_not_here, files_in, find_hub_id, open_files, open_images, split_of
from stackwalls.model.images.tables import TableStream

VAL_SPLITS = ("validation", "val", "valid", "test")
"""Names of a validation split, in the order in which they are tried."""

Opened: TypeAlias = Callable[[LabelChoice], LabeledImages]
"""A split that is read as these classes."""

Splits: TypeAlias = tuple[LabeledImages | TableStream, Opened | None]
"""Training and validation."""


def open_splits(text: str, labels: Path | None, streaming: bool, size: int | None, label_space: LabelChoice) -> Splits:
    """The training split, and what opens the validation split, if there is one; see `training_data.open_data`."""
    if labels is not None:
        return open_images(text, labels=labels, label_space=label_space), None
    hub = find_hub_id(text)
    return _open_local(Path(text), label_space) if hub is None else _open_hub(text, hub, streaming, size, label_space)


def _open_hub(text: str, hub: HubId, streaming: bool, size: int | None, label_space: LabelChoice) -> Splits:
    """The training split, and the validation split, which is always downloaded."""
    with also_not_here(text):
        splits = [] if hub.split else split_names(hub)
        if splits and "train" not in splits:
            raise InputError(f"The dataset {hub} has no split 'train': it has {', '.join(splits)}.")
        train: LabeledImages | TableStream
        if streaming:
            train = stream_hub(hub, "train", size, label_space=label_space)
        else:
            train = download_hub(hub, "train", label_space=label_space)
    val = next((name for name in VAL_SPLITS if name in splits), None)

    def open_val(choice: LabelChoice) -> LabeledImages:
        with also_not_here(text):
            return download_hub(hub, str(val), label_space=choice)

    return train, None if val is None else open_val


def _open_local(path: Path, label_space: LabelChoice) -> Splits:
    """A folder or files on this machine."""
    files = files_in(path) if path.is_dir() else {}
    if files:
        return _open_files(path, files, label_space)
    folders = visible(path, folders=True) if path.is_dir() else []
    splits = {SPLITS[folder.lower()]: folder for folder in folders if folder.lower() in SPLITS}
    if "train" not in splits:
        if splits and label_space != "own" and not any(map(find_class, folders)):
            there = ", ".join(sorted(splits.values()))
            raise InputError(f"{path} has no folder train beside {there}: add it, or name a folder of classes.")
        return open_images(path, label_space=label_space), None
    val = splits.get("validation", splits.get("test"))

    def opened(folder: str, choice: LabelChoice) -> LabeledImages:
        images = ImageFolder(path / folder, label_space=choice)
        images.name = as_text(path.resolve().name)
        return images

    return opened(splits["train"], label_space), None if val is None else partial(opened, val)


def _open_files(folder: Path, files: Mapping[str, Path], label_space: LabelChoice) -> Splits:
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

    def opened(part: Mapping[str, Path], choice: LabelChoice) -> LabeledImages:
        return open_files(part, name, label_space=choice)

    return opened(train, label_space), None if val is None else partial(opened, val)
