"""A `datasets.Dataset` with an image and a label column as a dataset of labelled square images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import datasets

from stackwalls.hub_cards.manifest import Manifest
from stackwalls.hub_cards.stack_dataset import UNLABELLED, PictureRow, StackDataset
from stackwalls.model import InputError, class_names, find_class, parse_class

SAME_ORDER = 0.5
"""Share of names at their own index above which a list of 1000 names is ImageNet-1k in its usual order.

Other lists of the same classes spell some names differently; a list in another order agrees almost nowhere."""


def open_table(table: datasets.Dataset, name: str, manifest: Manifest | None = None) -> StackDataset:
    """Read the column `image` (or the only one of pictures), and `label` and `image_id` where they are there.

    A label is an ImageNet-1k index, or the name of a class; a ClassLabel with names of its own goes by those.
    Without `image_id`, rows are called by their number.

    Raises:
        InputError: if no column holds pictures, or a ClassLabel's name is no ImageNet-1k class.
    """
    image = _image_column(table, name)
    undecoded = table.with_format(None).cast_column(image, datasets.Image(decode=False))
    label = _label_reader(table.features.get("label"), name)
    rows = partial(_rows, undecoded, image, label)
    return StackDataset(name, rows, len(table), manifest.wall if manifest else None, manifest, table._fingerprint)


def open_stream(table: datasets.IterableDataset, name: str, length: int, contents: str = "") -> StackDataset:
    """The same of a dataset that `datasets` streams, whose length is known from its card.

    Raises:
        InputError: as `open_table`.
    """
    known = table if table.features is not None else table._resolve_features()
    image = _image_column(known, name)
    undecoded = known.cast_column(image, datasets.Image(decode=False))
    rows = partial(_rows, undecoded, image, _label_reader(known.features.get("label"), name))
    return StackDataset(name, rows, length, contents=contents)


def _rows(
    table: datasets.Dataset | datasets.IterableDataset, image: str, label: Callable[[Any], int]
) -> Iterator[PictureRow]:
    wanted = [column for column in (image, "label", "image_id") if column in table.features]
    for number, row in enumerate(table.select_columns(wanted)):
        image_id = row.get("image_id")
        name = str(number) if image_id is None else str(image_id)
        yield PictureRow(name, label(row.get("label")), _picture(row[image]))


def _picture(value: Any) -> bytes | Path:
    if value is None:
        return b""
    if value.get("bytes") is not None:
        return bytes(value["bytes"])
    return Path(value["path"])


def _image_column(table: datasets.Dataset | datasets.IterableDataset, name: str) -> str:
    pictures = [column for column, feature in table.features.items() if isinstance(feature, datasets.Image)]
    if "image" in pictures:
        return "image"
    if len(pictures) != 1:
        raise InputError(
            f"Expected the dataset {name} to have a column `image` of pictures, but its columns are "
            f"{', '.join(f'{column} ({type(feature).__name__})' for column, feature in table.features.items())}."
        )
    return str(pictures[0])


def _label_reader(feature: Any, name: str) -> Callable[[Any], int]:
    """From a value of the label column to an ImageNet-1k index."""
    indices = _indices(feature.names, name) if isinstance(feature, datasets.ClassLabel) and feature.names else None

    def read(value: Any) -> int:
        if value is None or value == UNLABELLED:
            return UNLABELLED
        if indices is not None and isinstance(value, int) and 0 <= value < len(indices):
            return indices[value]
        if not isinstance(value, int | str):
            raise InputError(f"Expected the labels of {name} to be indices or names, but got {value!r:.80}.")
        try:
            return parse_class(value).index
        except InputError as error:
            raise InputError(f"In the column `label` of {name}: {error}") from error

    return read


def _indices(names: Sequence[str], dataset: str) -> list[int]:
    """The ImageNet-1k index of each name of a ClassLabel."""
    found = [_first_synonym(name) for name in names]
    if len(names) == len(class_names()):
        agreeing = sum(entry == position for position, entry in enumerate(found))
        if agreeing > SAME_ORDER * len(names):
            return list(range(len(names)))
    unknown = [name for name, entry in zip(names, found, strict=True) if entry is None]
    if unknown:
        raise InputError(
            f"The labels of {dataset} are no ImageNet-1k classes: {len(unknown)} of {len(names)} names are unknown "
            f"({', '.join(unknown[:3])}). Rename them, or remove the column `label` to evaluate without labels."
        )
    return [entry for entry in found if entry is not None]


def _first_synonym(name: str) -> int | None:
    """The class that a name stands for, or the first of its synonyms ("tench, Tinca tinca")."""
    entry = find_class(name) or find_class(name.split(",")[0])
    return None if entry is None else entry.index
