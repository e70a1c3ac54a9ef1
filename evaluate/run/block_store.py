"""Blocks of rows on the disk: each written whole, all joined in the order of the images when they are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stackwalls.evaluate.rows import ROW_SCHEMA
from stackwalls.evaluate.run.blocks import Block
from stackwalls.evaluate.run.samples import Samples
from stackwalls.model import InputError, RunError, disk_errors, whole_file


class BlockStore:
    """For each block `block-000003.npz` with its samples, if any, and then `block-000003.parquet` with its rows.

    The rows are the done-marker: they have their name only when both files are wholly on the disk.

    Args:
        path: an existing folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def has(self, block: Block) -> bool:
        """Whether a block is done."""
        return self._rows(block).is_file()

    def any(self) -> bool:
        """Whether any block is done."""
        return next(self.path.glob("block-*.parquet"), None) is not None

    def write(self, block: Block, rows: Sequence[Mapping[str, Any]], samples: Samples) -> None:
        """Keep a block; columns that a row does not have are null.

        Raises:
            RunError: if the disk refuses.
        """
        with disk_errors(self.path):
            if len(samples):
                with whole_file(self._samples(block)) as file:
                    samples.write(file)
            with whole_file(self._rows(block)) as file:
                pq.write_table(pa.Table.from_pylist(list(rows), schema=ROW_SCHEMA), file)

    def joined(self, blocks: Sequence[Block]) -> tuple[pa.Table, list[Samples]]:
        """Rows of all blocks in one piece, and their samples, in the blocks' order.

        Raises:
            RunError: if a block is damaged; it was removed.
        """
        tables, samples = [], []
        for block in blocks:
            try:
                tables.append(pq.read_table(self._rows(block), use_threads=False).cast(ROW_SCHEMA))
                if self._samples(block).is_file():
                    samples.append(Samples.read(self._samples(block)))
            except (pa.ArrowException, OSError, ValueError, InputError) as error:
                self._rows(block).unlink(missing_ok=True)
                raise RunError(
                    f"Block {block.number} of the unfinished run in {self.path} was damaged ({error}), and is removed: "
                    "run the same command again; it makes it anew."
                ) from error
        return pa.concat_tables(tables).combine_chunks(), samples

    def _rows(self, block: Block) -> Path:
        return self.path / f"block-{block.number:06d}.parquet"

    def _samples(self, block: Block) -> Path:
        return self.path / f"block-{block.number:06d}.npz"


def joined_samples(parts: Sequence[Samples]) -> Samples:
    """Samples of several blocks as one; there must be one at least."""
    per_image = [field.name for field in fields(Samples) if field.name != "method"]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in per_image}
    return Samples(method=parts[0].method, **columns)
