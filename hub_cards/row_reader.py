"""The rows of a finished set, one row group in memory at a time: any by its number, or all from any one on."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stackwalls.hub_cards.layout import REJECTED_NAME, check_present, open_parquet, read_groups, record_batches
from stackwalls.hub_cards.manifest import Manifest
from stackwalls.hub_cards.record import RECORDS, REJECTED_SCHEMA, check_columns, check_rows
from stackwalls.model import InputError, RunError, file_sha256
from stackwalls.model.files import regular_file
from stackwalls.model.images import ImageRow

HELD_GROUPS = 4
"""Row groups that are kept in memory: 60 MB of images at most."""

_READ = ("image", "label", "image_id")
"""The columns that an evaluation needs; the others are not read."""


def check_unchanged(folder: Path, manifest: Manifest, name: str) -> None:
    """Check that the SHA-256 of a shard on this disk is the manifest's.

    Raises:
        InputError: if it is not.
        RunError: if the file cannot be read.
    """
    path = folder / name
    try:
        status = regular_file(path).stat()
        found = _sha256(path, status.st_ino, status.st_size, status.st_ctime_ns)
    except OSError as error:
        raise RunError(
            f"Cannot read {path} ({error.strerror}): `stackgen verify` says what is wrong with it."
        ) from error
    if found != manifest.files[name]["sha256"]:
        raise InputError(
            f"{name} in the dataset folder {folder} was changed: its SHA-256 is not the manifest's. Copy or download "
            "it again, or delete the folder and rebuild the dataset (`stackgen verify` lists what is wrong)."
        )


@lru_cache(maxsize=4096)
def _sha256(path: Path, *_status: int) -> str:
    """Computed again only if the file's status is another one: its change time cannot be set."""
    return file_sha256(path)


class RowReader:
    """The rows of a finished folder by number, from 0, in the order of the set. May be used from several threads.

    Attributes:
        manifest: the folder's.

    Raises:
        InputError: if it is not a finished folder, or a file of its manifest is missing or has another size.
        RunError: if a shard cannot be read, or lacks columns of its kind.
    """

    def __init__(self, folder: Path) -> None:
        self.manifest = Manifest.read(folder)
        check_present(folder, self.manifest)
        self._folder, schema = folder, RECORDS[self.manifest.kind](self.manifest.classes).arrow_schema
        self._groups: list[tuple[Path, int]] = []
        sizes: list[int] = []
        for path in (folder / name for name in self.manifest.shards()):
            with open_parquet(path, schema) as file:
                groups = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
            self._groups += [(path, group) for group in range(len(groups))]
            sizes += groups
        if sum(sizes) != self.manifest.counts["kept"]:
            raise RunError(
                f"The shards of {folder} have {sum(sizes)} rows instead of {self.manifest.counts['kept']}: `stackgen "
                "verify` says what is wrong."
            )
        self._ends = list(accumulate(sizes))
        self._group = lru_cache(HELD_GROUPS)(self._read_group)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def columns(self, *names: str) -> dict[str, list[Any]]:
        """Whole columns, without the images; for those that are short."""
        batches = list(record_batches(self._folder, self.manifest, list(names)))
        return {name: [value for batch in batches for value in batch.column(name).to_pylist()] for name in names}

    def __getitem__(self, number: int) -> dict[str, Any]:
        """One row as stored, the image as {"bytes", "path"}.

        Raises:
            IndexError: if there is no such row.
            RunError: if its shard cannot be read.
        """
        if not 0 <= number < len(self):
            raise IndexError(f"row {number} of {len(self)}")
        group = bisect_right(self._ends, number)
        start = self._ends[group - 1] if group else 0
        row: dict[str, Any] = self._group(group).slice(number - start, 1).to_pylist()[0]
        return row

    def rejected(self) -> list[dict[str, str]]:
        """{"item", "reason"} of each sample that was rejected while the set was made, in order."""
        return rejected_in(self._folder)

    def _read_group(self, group: int) -> pa.Table:
        path, number = self._groups[group]
        with open_parquet(path) as file:
            table = file.read_row_group(number, use_threads=False)
            for batch in table.to_batches():
                check_rows(batch, self.manifest.classes)
            return table


def rejected_in(folder: Path) -> list[dict[str, str]]:
    """{"item", "reason"} of each sample in a folder's rejected.parquet, in order. Raises RunError if it is damaged."""
    batches = read_groups([folder / REJECTED_NAME], needed=REJECTED_SCHEMA)
    return [row for batch in batches for row in batch.to_pylist()]


def shard_rows(
    manifest: Manifest,
    opened: Callable[[str], AbstractContextManager[pq.ParquetFile]],
    start: int = 0,
    columns: Sequence[str] = _READ,
    check: Callable[[str], None] = lambda name: None,
) -> Iterator[ImageRow]:
    """The rows from `start` on, in order; shards and row groups before it are skipped unread.

    Args:
        manifest: of the set.
        opened: opens a shard by its path in the manifest.
        start: the first row.
        columns: without `image`, only ids and labels are read.
        check: called with the shard's path before it is opened, and after each row group, before its rows are used.

    Raises:
        ValueError: if a shard lacks columns, rows or values that it must have.
    """
    schema = RECORDS[manifest.kind](manifest.classes).arrow_schema
    needed = pa.schema([schema.field(name) for name in columns])
    for name in manifest.shards():
        rows = int(manifest.files[name].get("rows", 0))
        if start >= rows:
            start -= rows
            continue
        check(name)
        with opened(name) as file:
            check_columns(file.schema_arrow, needed)
            if file.metadata.num_rows != rows:
                raise ValueError(f"it has {file.metadata.num_rows} rows, but the manifest says {rows}")
            for group in range(file.num_row_groups):
                size = file.metadata.row_group(group).num_rows
                if start < size:
                    table = file.read_row_group(group, columns=list(columns), use_threads=False).slice(start)
                    check(name)
                    for batch in table.to_batches():
                        check_rows(batch, manifest.classes)
                    for row in table.to_pylist():
                        image = row["image"]["bytes"] if "image" in row else b""
                        yield ImageRow(row["image_id"], row["label"], partial(bytes, image))
                start = max(0, start - size)
