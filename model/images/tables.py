"""Tables with an image column and a label column: which columns those are, and the rows of `datasets`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from stackwalls.model.errors import InputError
from stackwalls.model.files import read_bounded
from stackwalls.model.images.decoding import MAX_BYTES
from stackwalls.model.images.label_reader import LABEL_NAMES, LabelReader
from stackwalls.model.images.label_space import LabelChoice, LabelSpace
from stackwalls.model.images.labeled import ImageRow, LabeledImages

if TYPE_CHECKING:
    import datasets

IMAGE_NAMES = ("image", "img", "picture", "jpg", "jpeg", "png", "webp")
"""Names of the image column, tried in this order if several columns have bytes."""

BUFFER = 2000
"""Images held at a time, undecoded, from which a stream draws the next one: some 200 MB of ImageNet."""


class Columns(NamedTuple):
    """The column of images, that of labels (None if there is none), and the names of label numbers, where known."""

    image: str
    label: str | None
    names: Sequence[str] | None


def find_columns(
    schema: pa.Schema, where: str, label_names: Mapping[str, Sequence[str]] | None = None, *, unlabeled: bool = False
) -> Columns:
    """Find the image column (bytes, or a struct with `bytes`) and the label column of the table called `where`.

    `label_names` has the names of label numbers by column, where known from elsewhere (a dataset's card). Without a
    label column, the table will do if `unlabeled`.

    Raises:
        InputError: if there is no such column, or there are several and none has a usual name.
    """
    listed = ", ".join(f"{field.name} ({field.type})" for field in schema)
    images = [field.name for field in schema if _holds_bytes(field.type)]
    image = images[0] if len(images) == 1 else _first(images, IMAGE_NAMES)
    if image is None:
        raise InputError(
            f"{where} has no image column: expected one of bytes or of {{bytes, path}} (named {', '.join(IMAGE_NAMES)} "
            f"if there are several), but its columns are {listed}."
        )
    known = {**_class_labels(schema), **(label_names or {})}
    named = [name for name in known if name in schema.names]
    label = _first(schema.names, LABEL_NAMES) or (named[0] if len(named) == 1 else None)
    if label is None and not unlabeled:
        raise InputError(
            f"{where} has no label column: expected one named {', '.join(LABEL_NAMES)}, but its columns are {listed}."
        )
    return Columns(image, label, None if label is None else known.get(label))


def cell_content(cell: Any, folder: Path | None, inside: Sequence[Path] = ()) -> bytes | Path:
    """The encoded image of a cell that is bytes or `{bytes, path}`, or its file; nothing where it is empty.

    A path without bytes may begin in the working directory or in `folder`; if that is None, paths are not read. With
    `inside`, the file must be in one of these folders: the paths of somebody else's set may name any file of the user.
    """
    data, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, None)
    if data is None and folder is not None and isinstance(path, str) and path and "\0" not in path:
        files = [file for file in (Path(path), folder / path) if os.path.exists(file)]  # noqa: PTH110 (False for any)
        if not inside:
            return files[0] if files else folder / path
        return next((file for file in files if any(map(file.resolve().is_relative_to, inside))), b"")
    return b"" if data is None else bytes(data)


def content_bytes(content: bytes | Path) -> bytes:
    """What `cell_content` returned, read.

    Raises:
        OSError: if it is a file that cannot be read.
    """
    return read_bounded(content, MAX_BYTES) if isinstance(content, Path) else content


class TableImages(LabeledImages):
    """The rows of a `datasets.Dataset`, memory-mapped; ids are the column `image_id`, or else row numbers.

    `inside`: see `cell_bytes`.

    Raises:
        InputError: if there is no image column, or no label column where labels are needed.
    """

    def __init__(
        self,
        table: datasets.Dataset,
        name: str,
        *,
        unlabeled: bool = False,
        label_space: LabelChoice = None,
        inside: Sequence[Path] = (),
    ) -> None:
        self._inside = [folder.resolve() for folder in inside]
        self.name, self._unlabeled, self._label_space = name, unlabeled, label_space
        self._table, self._columns = _undecoded(table.with_format(None), name, unlabeled)

    def _add_labels(self, reader: LabelReader) -> None:
        _, label, names = self._columns
        reader.add([None] * len(self._table) if label is None else list(self._table[label]), names)

    @cached_property
    def _named(self) -> list[str] | None:
        if "image_id" not in self._table.column_names:
            return None
        return [str(row if own is None else own) for row, own in enumerate(self._table["image_id"])]

    @cached_property
    def _row_of(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for row, image_id in enumerate(self._named or ()):
            if found.setdefault(image_id, row) != row:
                rows = f"Rows {found[image_id]} and {row} of {self.name}"
                raise InputError(f"{rows} have the same image_id {image_id!r}: expected one of its own for each.")
        return found

    def _row_id(self, row: int) -> str:
        return str(row) if self._named is None else self._named[row]

    def _read(self, image_id: str, epoch: int) -> bytes:
        return self._read_row(int(image_id) if self._named is None else self._row_of[image_id], epoch)

    def _read_row(self, row: int, epoch: int) -> bytes:
        return content_bytes(cell_content(self._table[row][self._columns.image], Path(), self._inside))


class TableStream:
    """A `datasets.IterableDataset`: rows are read over the network as they are needed, and nothing stays on the disk.

    It cannot leave images out: a label that is not a class is an error. Nor can it be looked through for class names:
    without a list of them (ClassLabel) or a label space, texts are ImageNet-1k's. The columns are found as in
    `TableImages`.

    Attributes:
        size: its number of rows, where known.
        contents: what identifies its images, such as a commit.

    Raises:
        InputError: if there is no image column, or the source's own names are asked for and it lists none.
    """

    def __init__(
        self,
        table: datasets.IterableDataset,
        name: str,
        size: int | None,
        contents: str,
        *,
        unlabeled: bool = False,
        label_space: LabelChoice = None,
    ) -> None:
        known = table if table.features is not None else table._resolve_features()
        self.name, self.size, self.contents, self._label_space = name, size, contents, label_space
        self._table, self._columns = _undecoded(known, name, unlabeled)
        if label_space == "own" and self._columns.names is None:
            raise InputError(
                f"The labels of {name} have no list of names, and a stream cannot be looked through for them: name the "
                "classes with --label-space FILE, one name per line."
            )

    @cached_property
    def classes(self) -> LabelSpace:
        """The classes that labels are indices of."""
        return self._reader().classes

    def _reader(self, *, unlabeled: bool = False) -> LabelReader:
        reader = LabelReader(self.name, unlabeled=unlabeled, label_space=self._label_space)
        reader.add([], self._columns.names)
        return reader

    def shuffled(self, seed: int) -> Iterator[tuple[bytes, int]]:
        """Encoded images without end, with the class of each; each pass in another order that follows from the seed."""
        reader = self._reader()
        image, column, names = self._columns
        for epoch in count():
            rows = self._table.shuffle(seed=seed, buffer_size=BUFFER)
            rows.set_epoch(epoch)
            yield from ((_streamed(row[image]), reader.read_one(row[column], names)) for row in rows)

    def rows(self, start: int = 0) -> Iterator[ImageRow]:
        """The images in order, from number `start` on."""
        reader = self._reader(unlabeled=True)
        image, column, names = self._columns
        wanted = [name for name in (image, column, "image_id") if name in self._table.features]
        for number, row in enumerate(self._table.select_columns(wanted).skip(start), start):
            own, label = row.get("image_id"), reader.read_one(row.get(column), names)
            yield ImageRow(str(number if own is None else own), label, partial(_streamed, row[image]))


def _streamed(cell: Any) -> bytes:
    """A cell of somebody else's table on the Hub, whose paths are not read: they would be this machine's."""
    return content_bytes(cell_content(cell, None))


def _undecoded(table: Any, name: str, unlabeled: bool) -> tuple[Any, Columns]:
    """A dataset that returns its images encoded, and its columns."""
    import datasets

    columns = find_columns(table.features.arrow_schema, name, unlabeled=unlabeled)
    if isinstance(table.features[columns.image], datasets.Image):
        table = table.cast_column(columns.image, datasets.Image(decode=False))
    return table, columns


def _holds_bytes(kind: pa.DataType) -> bool:
    """Whether a column is binary, or a struct with a binary field `bytes`."""
    if pa.types.is_struct(kind):
        position = kind.get_field_index("bytes")
        return position >= 0 and _holds_bytes(kind.field(position).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _class_labels(schema: pa.Schema) -> dict[str, list[str]]:
    """Names of the ClassLabel columns, from the `datasets` metadata of a schema."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {column: spec["names"] for column, spec in features.items() if spec.get("_type") == "ClassLabel"}
    except (KeyError, TypeError, AttributeError, ValueError):
        return {}


def _first(names: Sequence[str], wanted: Sequence[str]) -> str | None:
    return next((name for name in wanted if name in names), None)
