"""Which columns of a Parquet file hold the pictures and their labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from stackwalls.model import InputError
from stackwalls.model.images.class_labels import class_of, classes_of_names

IMAGE_NAMES = ("image", "img", "picture", "jpg", "jpeg", "png")
"""Names of the picture's column, tried in this order where several hold bytes."""

LABEL_NAMES = ("synset", "wnid", "label", "labels", "class", "cls", "class_name", "target", "fine_label")
"""Names of the label's column, tried in this order; a synset says more than a number."""


@dataclass(frozen=True)
class PictureColumns:
    """Where the pictures and the labels lie.

    Attributes:
        image: the struct or binary column.
        image_bytes: the column that holds the picture's bytes, `image.bytes` for a struct.
        label: the label's column.
        names: the class of each label number, where the file lists the label names; else None.
        bare_numbers: whether the labels are numbers without a list of names.
    """

    image: str
    image_bytes: str
    label: str
    names: tuple[int | None, ...] | None
    bare_numbers: bool

    def class_of_value(self, value: Any) -> int | None:
        """The class index of one value of the label's column, or None."""
        if self.names is not None and isinstance(value, int):
            return self.names[value] if 0 <= value < len(self.names) else None
        return class_of(value) if isinstance(value, (int, str)) else None


def find_columns(schema: pa.Schema, where: str, label_names: Mapping[str, Sequence[str]]) -> PictureColumns:
    """Find the picture's column (bytes, or a struct with `bytes`) and the label's.

    Args:
        schema: the file's.
        where: the file's name, for the error.
        label_names: names of the label numbers by column, where known from elsewhere (a data set's card).

    Raises:
        InputError: if there is no such column, or there are several and none has a usual name.
    """
    pictures = {field.name: path for field in schema if (path := _bytes_path(field)) is not None}
    image = _choose(list(pictures), IMAGE_NAMES)
    if image is None:
        raise InputError(
            f"{where} has no picture column: expected one of bytes or of {{bytes, path}} (named "
            f"{', '.join(IMAGE_NAMES)} if there are several), but its columns are {_listed(schema)}."
        )
    known = {**_class_labels(schema), **label_names}
    named = [name for name in known if name in schema.names]
    label = _choose(named, LABEL_NAMES) or _first(schema.names, LABEL_NAMES)
    if label is None:
        raise InputError(
            f"{where} has no label column: expected one named {', '.join(LABEL_NAMES)}, but its columns are "
            f"{_listed(schema)}."
        )
    names = classes_of_names(known[label]) if label in known else None
    numbers = names is None and pa.types.is_integer(schema.field(label).type)
    return PictureColumns(image, pictures[image], label, names, numbers)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _bytes_path(field: pa.Field) -> str | None:
    """The path of the bytes in a binary column or a struct with a binary child `bytes`, or None."""
    if _is_bytes(field.type):
        return str(field.name)
    if pa.types.is_struct(field.type):
        position = field.type.get_field_index("bytes")
        if position >= 0 and _is_bytes(field.type.field(position).type):
            return f"{field.name}.bytes"
    return None


def _class_labels(schema: pa.Schema) -> dict[str, list[str]]:
    """Names of the ClassLabel columns, from the `datasets` metadata in the file's footer."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {column: spec["names"] for column, spec in features.items() if spec.get("_type") == "ClassLabel"}
    except (KeyError, TypeError, AttributeError, ValueError):
        return {}


def _first(names: Sequence[str], wanted: Sequence[str]) -> str | None:
    return next((name for name in wanted if name in names), None)


def _choose(names: Sequence[str], wanted: Sequence[str]) -> str | None:
    """The only one of `names`, or the first of `wanted` among them."""
    return names[0] if len(names) == 1 else _first(names, wanted)


def _listed(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in schema)
