"""Images in Parquet files: the labels are read alone, then the images that are needed, each file once."""

import os
import tempfile
import threading
import weakref
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from itertools import accumulate, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from stackwalls.model.errors import InputError, RunError, StackwallsError
from stackwalls.model.files import regular_file
from stackwalls.model.hub.failures import first_line, is_connection_failure
from stackwalls.model.images.label_reader import LabelReader
from stackwalls.model.images.label_space import LabelChoice
from stackwalls.model.images.labeled import ImageRow, LabeledImages
from stackwalls.model.images.tables import Columns, cell_content, content_bytes, find_columns

CONNECTIONS = 8
"""Files read at the same time unless they are on this disk: the Hub takes far longer to answer than to send."""

BATCH = 64
"""Rows decoded at a time: the working memory is that many images, however large a row group is."""

MEMORY = 1 << 30
"""Bytes that rows decoded at a time may take if each is as large as all of its row group: a dictionary repeats one."""


class ParquetImages(LabeledImages):
    """Parquet files with an image column and a label column; ids are `file.parquet#row`.

    Args:
        files: by the name that an id starts with: the file's path, or a call that opens it as a binary file.
        label_names: see `find_columns`.
        unlabeled: whether to keep rows without a label.
        label_space: see `LabelReader`.
    """

    def __init__(
        self,
        name: str,
        files: Mapping[str, Path | Callable[[], Any]],
        *,
        label_names: Mapping[str, Sequence[str]] | None = None,
        unlabeled: bool = False,
        label_space: LabelChoice = None,
        progress: bool = False,
    ) -> None:
        self.name = name
        self._files, self._names = files, list(files)
        self._label_names, self._unlabeled, self._label_space = label_names or {}, unlabeled, label_space
        self._progress = progress
        self._spool = _Spool()
        self._linked: dict[str, Path] = {}  # images that are files of their own
        self._lock = threading.Lock()

    def _add_labels(self, reader: LabelReader) -> None:
        sizes = []
        for values, names in self._each(self._values, self._names, "reading labels"):
            reader.add(values, names)
            sizes.append(len(values))
        self._ends = list(accumulate(sizes))

    def _place(self, row: int) -> tuple[str, int]:
        """The file of a row, and its number there; rows are counted over all files."""
        file = bisect_right(self._ends, row)
        return self._names[file], row - (self._ends[file - 1] if file else 0)

    def _row_id(self, row: int) -> str:
        file, number = self._place(row)
        return f"{file}#{number}"

    def fetch(self, image_ids: Collection[str]) -> None:
        """Read the images asked for, undecoded, into a temporary file; row groups without any are skipped.

        Raises:
            RunError: if a file cannot be read, or the temporary folder is full.
        """
        wanted: dict[str, list[int]] = {}

        def keep(file: str) -> None:
            for row, content in self._images(file, sorted(wanted[file])):
                if isinstance(content, bytes):
                    self._spool[f"{file}#{row}"] = content
                else:
                    self._linked[f"{file}#{row}"] = content

        with self._lock:
            for image_id in set(image_ids):
                if not self._has(image_id):
                    file, _, row = image_id.rpartition("#")
                    wanted.setdefault(file, []).append(int(row))
            list(self._each(keep, [file for file in self._names if file in wanted], "reading images"))

    def _read(self, image_id: str, epoch: int) -> bytes:
        if not self._has(image_id):
            self.fetch([image_id])
        linked = self._linked.get(image_id)
        return self._spool[image_id] if linked is None else content_bytes(linked)

    def _has(self, image_id: str) -> bool:
        return image_id in self._spool or image_id in self._linked

    def rows(self, start: int = 0) -> Iterator[ImageRow]:
        """The images in order, one row group after the other; nothing is kept."""
        labels = iter(self.labels[start:].tolist())
        places = map(self._place, self._kept[0][start:].tolist())
        for file, rows in groupby(places, itemgetter(0)):
            for number, content in self._images(file, [number for _, number in rows]):
                yield ImageRow(f"{file}#{number}", next(labels), partial(content_bytes, content))

    def _each(self, function: Callable[[str], Any], files: Sequence[str], doing: str) -> Iterator[Any]:
        """`function` over `files` in order, several at a time."""
        on_disk = isinstance(self._files[self._names[0]], Path)
        with ThreadPoolExecutor(1 if on_disk else CONNECTIONS) as pool:
            results, hidden = pool.map(function, files), not self._progress
            yield from tqdm(results, total=len(files), desc=doing, unit="file", delay=1, disable=hidden)

    @contextmanager
    def _open(self, file: str, failure: type[StackwallsError]) -> Iterator[tuple[pq.ParquetFile, Columns]]:
        """A file and its columns; what is raised inside becomes `failure`, or RunError if the connection failed."""
        source = self._files[file]
        try:
            # read on this thread: Arrow's own may outlive the interpreter that the file belongs to, and abort it
            with (
                closing(_on_disk(source) if isinstance(source, Path) else source()) as opened,
                pq.ParquetFile(opened, pre_buffer=False) as parquet,
            ):
                columns = find_columns(parquet.schema_arrow, file, self._label_names, unlabeled=self._unlabeled)
                yield parquet, columns
        except StackwallsError:
            raise
        except Exception as error:  # Arrow, the disk and the Hub's client raise errors of many kinds
            sentence = f"Cannot read {file} as a Parquet file ({first_line(error)})."
            if failure is RunError or is_connection_failure(error):
                raise RunError(f"{sentence} Run the command again.") from error
            raise failure(sentence) from error

    def _values(self, file: str) -> tuple[Sequence[Any], Sequence[str] | None]:
        """The values of the label column and what they name."""
        with self._open(file, InputError) as (parquet, columns):
            if columns.label is None:
                return [None] * parquet.metadata.num_rows, None
            return parquet.read(columns=[columns.label], use_threads=False).column(0).to_pylist(), columns.names

    def _images(self, file: str, rows: list[int]) -> Iterator[tuple[int, bytes | Path]]:
        """(row, bytes or file) for the sorted `rows` of a file, from the row groups that have them."""
        source = self._files[file]
        folder = source.parent if isinstance(source, Path) else None
        with self._open(file, RunError) as (parquet, columns):
            for row, cell in _cells(parquet, columns.image, rows):
                yield row, cell_content(cell, folder)


def _on_disk(path: Path) -> pa.OSFile:
    return pa.OSFile(os.fsencode(regular_file(path)))  # of a name in bytes, which need not be UTF-8


def _cells(parquet: pq.ParquetFile, column: str, rows: list[int]) -> Iterator[tuple[int, Any]]:
    first, left = 0, rows
    for group in range(parquet.num_row_groups):
        end = first + parquet.metadata.row_group(group).num_rows
        inside = [row for row in left if row < end]
        left = left[len(inside) :]
        if inside:
            wanted, row = set(inside), first
            size = batch_rows(parquet.metadata.row_group(group), column)
            for batch in parquet.iter_batches(size, row_groups=[group], columns=[column], use_threads=False):
                cells = batch.column(0)
                yield from ((row + at, cells[at].as_py()) for at in range(len(cells)) if row + at in wanted)
                row += len(cells)
        first = end


def batch_rows(group: pq.RowGroupMetaData, column: str) -> int:
    """How many rows of a column, or of the fields in it, are decoded at a time: `BATCH` within `MEMORY`."""
    parts = [group.column(number) for number in range(group.num_columns)]
    size = sum(part.total_uncompressed_size for part in parts if part.path_in_schema.split(".")[0] == column)
    return int(max(1, min(BATCH, MEMORY // max(size, 1))))


class _Spool:
    """A dictionary from strings to byte strings whose values are in a temporary file; safe for threads and forks.

    The file has no name and disappears with the spool, or when the process dies, however it does.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (closed by the finalizer)
        weakref.finalize(self, self._file.close)
        self._places: dict[str, tuple[int, int]] = {}
        self._end = 0
        self._lock = threading.Lock()

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __setitem__(self, key: str, data: bytes) -> None:
        """RunError if the temporary folder is full."""
        with self._lock:
            try:
                rest, end = memoryview(data), self._end
                while rest:
                    written = os.pwrite(self._file.fileno(), rest, end)
                    rest, end = rest[written:], end + written
            except OSError as error:
                raise RunError(
                    f"Cannot keep images in the temporary folder {tempfile.gettempdir()} ({error.strerror}): "
                    "make room there or set TMPDIR to a folder with room."
                ) from error
            self._places[key] = (self._end, len(data))
            self._end = end

    def __getitem__(self, key: str) -> bytes:
        offset, size = self._places[key]
        return os.pread(self._file.fileno(), size, offset)
