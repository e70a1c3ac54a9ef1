"""Which ImageNet-1k class a label stands for; training guesses nothing and leaves nothing out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackwalls.model.errors import InputError
from stackwalls.model.images.labels import ImageNetClass, find_class, imagenet_classes


def class_of_name(name: str) -> ImageNetClass | None:
    """The class of a folder or a label name: a synset, a name (the first of several synonyms), or an index."""
    parts = (name.strip(), *(part for part in name.split(",") if not part.strip().isdigit()))
    return next(filter(None, map(find_class, parts)), None)


def read_labels(values: Sequence[Any], names: Sequence[str] | None, where: str) -> NDArray[np.int64]:
    """Labels of a table's column to ImageNet-1k indices.

    Args:
        values: integers (ImageNet-1k indices, or positions in `names`), synsets or class names.
        names: of the label numbers, where the source lists them.
        where: the source, for errors.

    Returns:
        `(n,)` int64.

    Raises:
        InputError: if a label is no class of ImageNet-1k; the message names the row and what is there.
    """
    table = _table(names, where)
    known: dict[Any, int | None] = {value: _index(value, table) for value in set(values)}
    found = [known[value] for value in values]
    if None in found:
        row = found.index(None)
        size = len(imagenet_classes()) if table is None else len(table)
        expected = f"0 to {size - 1}, a synset (n01440764) or a class name"
        raise InputError(f"The label of row {row} of {where} is {values[row]!r}: expected {expected}.")
    return np.asarray(found, dtype=np.int64)


def _table(names: Sequence[str] | None, where: str) -> list[int] | None:
    """The class of each label number, where the source names them."""
    if names is None:
        return None
    found = [class_of_name(name) for name in names]
    agree = [entry.index == position for position, entry in enumerate(found) if entry is not None]
    if len(names) == len(imagenet_classes()) and agree and sum(agree) >= 0.9 * len(agree):
        return list(range(len(names)))  # ImageNet-1k in its usual order: lists of its names differ in a few words
    unknown = [name for name, entry in zip(names, found, strict=True) if entry is None]
    if unknown:
        raise InputError(f"{where} has label names that are no ImageNet-1k class: {', '.join(unknown[:3])}.")
    return [entry.index for entry in found if entry is not None]


def _index(value: Any, table: list[int] | None) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, str):
        entry = class_of_name(value)
        return None if entry is None else entry.index
    allowed = table if table is not None else range(len(imagenet_classes()))
    return allowed[value] if 0 <= value < len(allowed) else None
