"""The rows of a finished set from any one on: shards and row groups before it are passed over unread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pyarrow.parquet as pq

from stackwalls.hub_cards.manifest import Manifest
from stackwalls.hub_cards.stack_dataset import PictureRow

COLUMNS = ["image", "label", "image_id"]
"""What evaluating needs; the other columns are not read."""

Opener = Callable[[str], AbstractContextManager[pq.ParquetFile]]
"""From a shard's path in the manifest to the file, opened."""


def shard_rows(manifest: Manifest, opened: Opener, start: int = 0) -> Iterator[PictureRow]:
    """The rows from `start` on, in order, one row group in memory at a time."""
    for name in manifest.shards():
        rows = int(manifest.files[name].get("rows", 0))
        if start >= rows:
            start -= rows
            continue
        with opened(name) as file:
            yield from _file_rows(file, start)
        start = 0


def _file_rows(file: pq.ParquetFile, start: int) -> Iterator[PictureRow]:
    for group in range(file.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        if start < rows:
            table = file.read_row_group(group, columns=COLUMNS, use_threads=False).slice(start)
            for row in table.to_pylist():
                yield PictureRow(row["image_id"], row["label"], row["image"]["bytes"])
        start = max(0, start - rows)
