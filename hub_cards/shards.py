"""Parquet files whose bytes depend on their rows alone, not on how the rows came in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stackwalls.model.files import new_file, temporary_path

ROWS_PER_GROUP = 100
"""Rows of a row group: what a viewer or a stream reads at once (15 MB of images at most)."""

SHARD_BYTES = 480_000_000
"""A new shard is started before this size, to stay under the 500 MB that the Hub's tools recommend."""

DATA_FOLDER = "data"


@dataclass(frozen=True)
class Shard:
    """A shard that is on the disk under its temporary name."""

    path: Path
    rows: int


def shard_name(number: int, count: int) -> str:
    """`data/test-00000-of-00001.parquet`."""
    return f"{DATA_FOLDER}/test-{number:05d}-of-{count:05d}.parquet"


def open_writer(file: BinaryIO, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer with the settings of every file here; dictionaries would store images twice."""
    return pq.ParquetWriter(file, schema, compression="snappy", use_dictionary=False, store_schema=True)


def write_parquet(file: BinaryIO, table: pa.Table) -> None:
    """Write one table in row groups of `ROWS_PER_GROUP`."""
    with open_writer(file, table.schema) as writer:
        writer.write_table(table, row_group_size=ROWS_PER_GROUP)


def read_groups(paths: Iterable[Path], columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of Parquet files in order, one row group in memory at a time (`iter_batches` would read ahead)."""
    for path in paths:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                yield from file.read_row_group(group, columns=columns, use_threads=False).to_batches()


def regrouped(batches: Iterable[pa.RecordBatch], size: int = ROWS_PER_GROUP) -> Iterator[pa.Table]:
    """The same rows in tables of exactly `size` rows (the last one may be shorter), each in one piece."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            piece = batch.slice(start, size - count)
            held.append(piece)
            start, count = start + piece.num_rows, count + piece.num_rows
            if count == size:
                yield pa.Table.from_batches(held).combine_chunks()
                held, count = [], 0
    if held:
        yield pa.Table.from_batches(held).combine_chunks()


def write_shards(tables: Iterable[pa.Table], folder: Path, limit: int) -> list[Shard]:
    """Write tables, each as one row group, to shards of less than `limit` bytes under temporary names.

    Args:
        tables: as `regrouped` gives them.
        folder: where the shards go.
        limit: bytes; a single table larger than that makes a larger shard.
    """
    shards: list[Shard] = []
    waiting = next(iterator := iter(tables), None)
    while waiting is not None:
        path, rows = temporary_path(folder / f"test-{len(shards):05d}.parquet"), 0
        with new_file(path) as file, open_writer(file, waiting.schema) as writer:
            while waiting is not None and (not rows or file.tell() + _image_bytes(waiting) < limit):
                writer.write_table(waiting, row_group_size=ROWS_PER_GROUP)
                rows += waiting.num_rows
                waiting = next(iterator, None)
        shards.append(Shard(path, rows))
    return shards


def _image_bytes(table: pa.Table) -> int:
    """Bytes of the encoded images in a table, nearly all of what it takes on the disk; for a recipe, of all columns."""
    if "image" not in table.column_names:
        return int(table.nbytes)
    sizes: Any = pc.binary_length(pc.struct_field(table["image"], "bytes"))
    return int(pc.sum(sizes).as_py() or 0)
