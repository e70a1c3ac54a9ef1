"""Pictures in Parquet files: the labels are read alone, then the pictures that are needed, each file once."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from stackwalls.model import InputError, RunError
from stackwalls.model.images.parquet_columns import PictureColumns, find_columns
from stackwalls.model.images.source import warn_left_out
from stackwalls.model.images.spool import Spool

BATCH = 64
"""Rows decoded at a time: the working memory is that many pictures, however large a row group is."""


class ParquetPictures:
    """Parquet files with a picture column and a label column; ids are `file.parquet#row`.

    The picture's column is bytes or `{bytes, path}`, as `datasets` writes it; the label's is a ClassLabel, a
    synset, a class name or a class index. Rows whose label is no ImageNet-1k class are left out with a warning.

    Args:
        name: what the manifest calls the source.
        files: by the name that an id starts with, what opens the file: a call that gives a path or a binary file.
        label_names: names of the label numbers by column, where known from elsewhere.
        connections: files read at the same time.
        progress: show progress bars on stderr.
    """

    def __init__(
        self,
        name: str,
        files: Mapping[str, Callable[[], Any]],
        *,
        label_names: Mapping[str, Sequence[str]] | None = None,
        connections: int = 1,
        progress: bool = False,
    ) -> None:
        self.name = name
        self._files = files
        self._label_names = label_names or {}
        self._connections = connections
        self._progress = progress
        self._spool = Spool()
        self._lock = threading.Lock()

    def index(self) -> dict[int, list[str]]:
        """Class index to the sorted ids of its rows; reads the label column alone.

        Raises:
            InputError: if a file is no Parquet file, lacks a column, or no row is of an ImageNet-1k class.
        """
        found: dict[int, list[str]] = {}
        unknown: dict[str, int] = {}
        bare_numbers = False
        for file, columns, labels in self._each(self._labels, list(self._files), "reading labels"):
            bare_numbers |= columns.bare_numbers
            classes = {value: columns.class_of_value(value) for value in set(labels)}
            for row, value in enumerate(labels):
                index = classes[value]
                if index is None:
                    unknown[str(value)] = unknown.get(str(value), 0) + 1
                else:
                    found.setdefault(index, []).append(f"{file}#{row}")
        if not found:
            shown = ", ".join(sorted(unknown)[:3]) or "there are no rows"
            raise InputError(f"No row of {self.name} is of an ImageNet-1k class by its label ({shown}).")
        warn_left_out("label", unknown, f"no ImageNet-1k class; {sum(unknown.values())} rows")
        if bare_numbers:
            warnings.warn(
                f"The labels of {self.name} are plain numbers: they are read as ImageNet-1k class indices, 0 to 999.",
                stacklevel=2,
            )
        return {index: sorted(ids) for index, ids in sorted(found.items())}

    def fetch(self, image_ids: Collection[str]) -> None:
        """Read the rows asked for, undecoded, into a temporary file; row groups without any are passed over.

        Raises:
            RunError: if a file cannot be read, or the temporary folder is full.
        """
        wanted: dict[str, list[int]] = {}
        with self._lock:
            for image_id in set(image_ids):
                if image_id not in self._spool:
                    file, _, row = image_id.rpartition("#")
                    wanted.setdefault(file, []).append(int(row))
            jobs = [(file, sorted(wanted[file])) for file in self._files if file in wanted]
            for _ in self._each(self._rows, jobs, "reading pictures"):
                pass

    def read(self, image_id: str) -> bytes:
        """The picture's bytes; none for a row that holds none."""
        if image_id not in self._spool:
            self.fetch([image_id])
        return self._spool.get(image_id)

    def _each(self, function: Callable[[Any], Any], jobs: Sequence[Any], doing: str) -> Iterator[Any]:
        """`function` over `jobs` in order, several files at a time."""
        with ThreadPoolExecutor(self._connections) as pool:
            results = pool.map(function, jobs)
            hidden = not self._progress
            yield from tqdm(results, total=len(jobs), desc=doing, unit="file", delay=1, disable=hidden)

    @contextmanager
    def _open(self, file: str) -> Iterator[tuple[pq.ParquetFile, PictureColumns]]:
        opened = self._files[file]()
        try:
            # read on this thread: Arrow's own may outlive the interpreter that the file belongs to, and abort it
            with pq.ParquetFile(opened, pre_buffer=False) as parquet:
                yield parquet, find_columns(parquet.schema_arrow, file, self._label_names)
        finally:
            if hasattr(opened, "close"):
                opened.close()

    def _labels(self, file: str) -> tuple[str, PictureColumns, list[Any]]:
        try:
            with self._open(file) as (parquet, columns):
                return file, columns, parquet.read(columns=[columns.label], use_threads=False).column(0).to_pylist()
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"Cannot read {file} as a Parquet file ({_first_line(error)}).") from error

    def _rows(self, job: tuple[str, list[int]]) -> None:
        file, rows = job
        try:
            with self._open(file) as (parquet, columns):
                for row, data in _pictures(parquet, columns, rows):
                    self._spool.put(f"{file}#{row}", data)
        except (OSError, pa.ArrowException) as error:
            raise RunError(f"Cannot read the pictures of {file} ({_first_line(error)}); run again to go on.") from error


def _pictures(parquet: pq.ParquetFile, columns: PictureColumns, rows: list[int]) -> Iterator[tuple[int, bytes]]:
    """(row, bytes) for the sorted `rows`, from the row groups that hold them."""
    first, left = 0, rows
    for group in range(parquet.num_row_groups):
        end = first + parquet.metadata.row_group(group).num_rows
        inside = [row for row in left if row < end]
        left = left[len(inside) :]
        if inside:
            wanted = set(inside)
            row = first
            for batch in parquet.iter_batches(
                BATCH, row_groups=[group], columns=[columns.image_bytes], use_threads=False
            ):
                column = batch.column(0)
                values = column if columns.image_bytes == columns.image else column.field("bytes")
                for offset in range(len(values)):
                    if row + offset in wanted:
                        yield row + offset, values[offset].as_py() or b""
                row += len(values)
        first = end


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
