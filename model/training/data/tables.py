"""Tables with a picture column and a label column: Parquet files, and `datasets`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stackwalls.model.errors import InputError
from stackwalls.model.training.data.label_reading import read_labels

IMAGE_COLUMNS = ("image", "img", "picture", "jpg", "jpeg", "png", "webp")
LABEL_COLUMNS = ("synset", "wnid", "label", "labels", "class", "cls", "class_name", "target", "fine_label")
"""In the order in which they are tried: a synset says more than a number."""


class TablePictures:
    """Rows of a table.

    Args:
        name: what the sidecar calls it.
        labels: one for each row, as `read_labels` reads them.
        label_names: of the label numbers, where known.
        picture: the cell of a row: bytes, or a dict with `bytes`.

    Raises:
        InputError: if a label is no ImageNet-1k class.
    """

    def __init__(
        self,
        name: str,
        labels: Sequence[Any],
        label_names: Sequence[str] | None,
        picture: Callable[[int], Any],
    ) -> None:
        self.name, self._picture = name, picture
        self.labels = read_labels(labels, label_names, name)

    def read(self, number: int, epoch: int) -> bytes:
        """The picture's bytes; none where the cell is empty."""
        return bytes_of(self._picture(number))

    def where(self, number: int) -> str:
        """Its row."""
        return f"row {number} of {self.name}"


def open_parquet(files: Sequence[Path], name: str) -> TablePictures:
    """Parquet files, read into memory undecoded.

    Raises:
        InputError: if a file is no Parquet, lacks a column, or a label is no ImageNet-1k class.
    """
    try:
        # Arrow's own threads may outlive the interpreter that their file belongs to, and abort the process
        tables = [pq.read_table(path, use_threads=False, memory_map=True) for path in files]
        table = pa.concat_tables(tables)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"Cannot read {name} as Parquet files ({str(error).splitlines()[0]}).") from error
    image, label = find_columns(table.column_names, name)
    names = _class_label_names(table.schema).get(label)
    # chunks of a column are found by bisection; one chunk would copy it
    column = table.column(image)
    return TablePictures(name, table.column(label).to_pylist(), names, lambda row: column[row].as_py())


def open_dataset(dataset: Any, name: str) -> TablePictures:
    """A `datasets.Dataset`, memory-mapped, its pictures undecoded.

    Raises:
        InputError: if it lacks a column, or a label is no ImageNet-1k class.
    """
    import datasets

    image, label = find_columns(dataset.column_names, name)
    if isinstance(dataset.features[image], datasets.Image):
        dataset = dataset.cast_column(image, datasets.Image(decode=False))
    feature = dataset.features[label]
    names = feature.names if isinstance(feature, datasets.ClassLabel) else None
    return TablePictures(name, list(dataset[label]), names, lambda row: dataset[row][image])


def find_columns(columns: Sequence[str], where: str) -> tuple[str, str]:
    """The names of the picture's and the label's column.

    Raises:
        InputError: if there is none of a usual name.
    """
    image = next((name for name in IMAGE_COLUMNS if name in columns), None)
    label = next((name for name in LABEL_COLUMNS if name in columns), None)
    if image is None or label is None:
        kind, usual = ("picture", IMAGE_COLUMNS) if image is None else ("label", LABEL_COLUMNS)
        raise InputError(
            f"{where} has no {kind} column: expected one named {', '.join(usual)}, but its columns are "
            f"{', '.join(columns)}."
        )
    return image, label


def bytes_of(cell: Any) -> bytes:
    """The picture's bytes of a cell that is bytes, a dict with `bytes` or a path, or empty."""
    if isinstance(cell, dict):
        if cell.get("bytes") is None and cell.get("path"):
            return Path(cell["path"]).read_bytes()
        cell = cell.get("bytes")
    return cell if isinstance(cell, bytes) else b""


def _class_label_names(schema: pa.Schema) -> dict[str, list[str]]:
    """Names of the ClassLabel columns, from the `datasets` metadata in a Parquet file's footer."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {column: spec["names"] for column, spec in features.items() if spec.get("_type") == "ClassLabel"}
    except (KeyError, TypeError, AttributeError, ValueError):
        return {}
