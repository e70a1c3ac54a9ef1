"""Images in Parquet files: the labels are read alone, then the images that are needed, each file once."""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from tqdm import tqdm

from stackwalls.model.errors import InputError, RunError, StackwallsError
from stackwalls.model.files import file_sha256
from stackwalls.model.hub import first_line, is_connection_failure
from stackwalls.model.images.labelled import UNLABELLED, ImageRow, LabelledImages, LabelReader
from stackwalls.model.images.tables import Columns, cell_bytes, find_columns

BATCH = 64
"""Rows decoded at a time: the working memory is that many images, however large a row group is."""


class ParquetImages(LabelledImages):
    """Parquet files with an image column and a label column; ids are `file.parquet#row`.

    Args:
        name: what the manifest calls the source.
        files: by the name that an id starts with: the file's path, or a call that opens it as a binary file.
        label_names: names of the label numbers by column, where known from elsewhere.
        unlabelled: whether to keep rows without a label.
        connections: files read at the same time.
        progress: show progress bars on stderr.
    """

    def __init__(
        self,
        name: str,
        files: Mapping[str, Path | Callable[[], Any]],
        *,
        label_names: Mapping[str, Sequence[str]] | None = None,
        unlabelled: bool = False,
        connections: int = 1,
        progress: bool = False,
    ) -> None:
        self.name = name
        self._files, self._names = files, list(files)
        self._label_names, self._unlabelled = label_names or {}, unlabelled
        self._connections, self._progress = connections, progress
        self._spool = Spool()
        self._lock = threading.Lock()

    def _all_labels(self, reader: LabelReader) -> NDArray[np.int64]:
        found: list[NDArray[np.int64]] = []
        for columns, values in self._each(self._values, self._names, "reading labels"):
            unknown = np.full(len(values), UNLABELLED)
            found.append(unknown if columns.label is None else reader.read(values, columns.names))
        self._ends = list(accumulate(map(len, found)))
        return np.concatenate(found)

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
        with self._lock:
            for image_id in set(image_ids):
                if image_id not in self._spool:
                    file, _, row = image_id.rpartition("#")
                    wanted.setdefault(file, []).append(int(row))
            jobs = [(file, sorted(wanted[file])) for file in self._names if file in wanted]
            for _ in self._each(self._keep, jobs, "reading images"):
                pass

    def _read(self, image_id: str, epoch: int) -> bytes:
        if image_id not in self._spool:
            self.fetch([image_id])
        return self._spool.get(image_id)

    def rows(self, start: int = 0) -> Iterator[ImageRow]:
        """The images in order, one row group after the other; nothing is kept."""
        wanted: dict[str, list[int]] = {}
        for row in self._kept[0][start:].tolist():
            file, number = self._place(row)
            wanted.setdefault(file, []).append(number)
        labels = iter(self.labels[start:].tolist())
        for file, numbers in wanted.items():
            for number, data in self._images(file, numbers):
                yield ImageRow(f"{file}#{number}", next(labels), partial(bytes, data))

    def fingerprint(self) -> str:
        """The hashes of local files; on the Hub, the name with its commit."""
        local = [file for file in self._files.values() if isinstance(file, Path)]
        return "".join(f"{path.name} {file_sha256(path)}\n" for path in local) or self.name

    def _each(self, function: Callable[[Any], Any], jobs: Sequence[Any], doing: str) -> Iterator[Any]:
        """`function` over `jobs` in order, several files at a time."""
        with ThreadPoolExecutor(self._connections) as pool:
            results = pool.map(function, jobs)
            hidden = not self._progress
            yield from tqdm(results, total=len(jobs), desc=doing, unit="file", delay=1, disable=hidden)

    @contextmanager
    def _open(self, file: str) -> Iterator[tuple[pq.ParquetFile, Columns]]:
        source = self._files[file]
        opened = str(source) if isinstance(source, Path) else source()
        try:
            # read on this thread: Arrow's own may outlive the interpreter that the file belongs to, and abort it
            with pq.ParquetFile(opened, pre_buffer=False) as parquet:
                yield (
                    parquet,
                    find_columns(parquet.schema_arrow, file, self._label_names, unlabelled=self._unlabelled),
                )
        finally:
            if hasattr(opened, "close"):
                opened.close()

    def _values(self, file: str) -> tuple[Columns, Sequence[Any]]:
        try:
            with self._open(file) as (parquet, columns):
                if columns.label is None:
                    return columns, range(parquet.metadata.num_rows)
                return columns, parquet.read(columns=[columns.label], use_threads=False).column(0).to_pylist()
        except StackwallsError:
            raise
        except Exception as error:  # Arrow, the disk and the Hub's client raise errors of many kinds
            kind = RunError if is_connection_failure(error) else InputError
            raise kind(f"Cannot read {file} as a Parquet file ({first_line(error)}).") from error

    def _keep(self, job: tuple[str, list[int]]) -> None:
        file, rows = job
        for row, data in self._images(file, rows):
            self._spool.put(f"{file}#{row}", data)

    def _images(self, file: str, rows: list[int]) -> Iterator[tuple[int, bytes]]:
        """(row, bytes) for the sorted `rows` of a file, from the row groups that have them."""
        source = self._files[file]
        folder = source.parent if isinstance(source, Path) else None
        try:
            with self._open(file) as (parquet, columns):
                for row, cell in _cells(parquet, columns.image, rows):
                    yield row, cell_bytes(cell, folder)
        except StackwallsError:
            raise
        except Exception as error:  # as above
            raise RunError(f"Cannot read the images of {file} ({first_line(error)}). Run the command again.") from error


def _cells(parquet: pq.ParquetFile, column: str, rows: list[int]) -> Iterator[tuple[int, Any]]:
    first, left = 0, rows
    for group in range(parquet.num_row_groups):
        end = first + parquet.metadata.row_group(group).num_rows
        inside = [row for row in left if row < end]
        left = left[len(inside) :]
        if inside:
            wanted, row = set(inside), first
            for batch in parquet.iter_batches(BATCH, row_groups=[group], columns=[column], use_threads=False):
                cells = batch.column(0)
                yield from ((row + at, cells[at].as_py()) for at in range(len(cells)) if row + at in wanted)
                row += len(cells)
        first = end


class Spool:
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
        """Whether `key` was put in."""
        return key in self._places

    def put(self, key: str, data: bytes) -> None:
        """Keep `data` under `key`.

        Raises:
            RunError: if the temporary folder is full.
        """
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
            self._end += len(data)

    def get(self, key: str) -> bytes:
        """The bytes kept under `key`.

        Raises:
            KeyError: if there are none.
        """
        offset, size = self._places[key]
        return os.pread(self._file.fileno(), size, offset)
