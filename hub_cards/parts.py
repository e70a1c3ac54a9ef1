"""The work folder of an unfinished run: what was asked for, and the parts that are wholly written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock, Timeout

from stackwalls.hub_cards.manifest import as_json, canonical_json
from stackwalls.hub_cards.shards import write_parquet
from stackwalls.model import InputError, RunError, file_sha256
from stackwalls.model.files import is_temporary, sync_folder, whole_file, write_whole

WORK_NAME = ".unfinished"
"""Name of the work folder inside the dataset folder; it is gone when the dataset is finished."""

ITEMS_NAME = "items"
"""Name of the folder of records inside the work folder, where a run makes items (see `item_folder`)."""

_RUN_NAME = "run.json"
_LOCK_NAME = "lock"


@dataclass(frozen=True)
class Part:
    """What the done-marker of one part says.

    Attributes:
        rows: rows in its Parquet file; without any there is no such file.
        rejected: {"item", "reason"} of the samples turned down.
        state: what the caller needs to go on after this part.
        bytes: size of the Parquet file.
        sha256: its SHA-256; empty without rows.
    """

    rows: int
    rejected: list[dict[str, str]]
    state: dict[str, Any]
    bytes: int = 0
    sha256: str = ""


@dataclass(frozen=True)
class Progress:
    """How far an unfinished run has come: whole parts, their rows, and the state given with the last one."""

    parts: int = 0
    rows: int = 0
    state: dict[str, Any] | None = None


class WorkFolder:
    """`run.json`, the lock, and for each part a Parquet file and, written after it, its done-marker."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / WORK_NAME
        self._lock_path = self.path / _LOCK_NAME

    def lock(self) -> FileLock:
        """Take the lock; the system frees it when its process ends, however it ends.

        Raises:
            RunError: if another process holds it.
        """
        lock = FileLock(self._lock_path)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise RunError(
                f"Another process is writing {self.path.parent}: wait until it is done, or choose another folder."
            ) from error
        return lock

    def read_run(self) -> dict[str, Any] | None:
        """What was asked for, or None where no run was begun.

        Raises:
            InputError: if it cannot be read.
        """
        path = self.path / _RUN_NAME
        try:
            return dict(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except NotADirectoryError as error:
            raise InputError(f"{self.path.parent} is a file: choose a new or empty folder.") from error
        except (ValueError, TypeError, OSError) as error:
            raise InputError(f"Cannot read {path} ({error}): delete {self.path.parent} to start again.") from error

    def begin(self, run: Mapping[str, Any]) -> None:
        """Store what is asked for."""
        write_whole(self.path / _RUN_NAME, canonical_json(dict(run)).encode())
        sync_folder(self.path.parent)

    def has_parts(self) -> bool:
        """Whether a part, or the record of an item, is wholly there."""
        records = (path for path in (self.path / ITEMS_NAME).glob("*") if not is_temporary(path))
        return next(self._whole_parts(), None) is not None or next(records, None) is not None

    def resume(self) -> Progress:
        """Read the done-markers; what lies beyond the first gap in them is removed, to be made again."""
        progress = Progress()
        for part in self._whole_parts():
            progress = Progress(progress.parts + 1, progress.rows + part.rows, part.state)
        self._remove_from(progress.parts)
        return progress

    def add(
        self, number: int, table: pa.Table, rejected: Sequence[Mapping[str, str]], state: Mapping[str, Any]
    ) -> None:
        """Write part `number`: the Parquet file if there are rows, then the marker."""
        size, sha256, data = 0, "", self._data(number)
        marker = {"rows": table.num_rows, "rejected": [dict(entry) for entry in rejected], "state": as_json(state)}
        if table.num_rows:
            with whole_file(data) as file:
                write_parquet(file, table)
            size, sha256 = data.stat().st_size, file_sha256(data)
        write_whole(self._marker(number), canonical_json(marker | {"bytes": size, "sha256": sha256}).encode())

    def checked_data(self, count: int) -> list[Path]:
        """The Parquet files of the first `count` parts, each with the hash that its marker says.

        Raises:
            RunError: if one is damaged; it and what follows was removed.
        """
        paths = []
        for number in range(count):
            part, path = self._read_marker(number), self._data(number)
            if part is None or (part.rows and (not path.is_file() or file_sha256(path) != part.sha256)):
                self._remove_from(number)
                raise RunError(
                    f"Part {number} of the unfinished run in {self.path.parent} is damaged; it and what follows it "
                    "was removed. Run the same command again: it makes them anew."
                )
            paths += [path] if part.rows else []
        return paths

    def rejected(self, count: int) -> Iterator[dict[str, str]]:
        """What was turned down in the first `count` parts, in order."""
        for number in range(count):
            part = self._read_marker(number)
            yield from part.rejected if part else []

    def clear(self) -> None:
        """Remove all but the lock's file; what was asked for goes first, so that a kill leaves no run half removed."""
        (self.path / _RUN_NAME).unlink(missing_ok=True)
        for path in sorted(self.path.iterdir()):
            if path != self._lock_path:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def remove(self) -> None:
        """Remove the work folder; the lock's file last, so that it holds until then."""
        if self.path.is_dir():
            self.clear()
            self._lock_path.unlink(missing_ok=True)
            with suppress(OSError):  # another process that is waiting for this folder may have made its lock anew
                self.path.rmdir()

    def _data(self, number: int) -> Path:
        return self.path / f"part-{number:06d}.parquet"

    def _marker(self, number: int) -> Path:
        return self.path / f"part-{number:06d}.done.json"

    def _read_marker(self, number: int) -> Part | None:
        try:
            return Part(**json.loads(self._marker(number).read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            return None  # it appears whole, so somebody changed it: the part is made again

    def _whole_parts(self) -> Iterator[Part]:
        number = 0
        while (part := self._read_marker(number)) is not None:
            data = self._data(number)
            if part.rows and not (data.is_file() and data.stat().st_size == part.bytes):
                return
            yield part
            number += 1

    def _remove_from(self, number: int) -> None:
        """Remove part `number` and the later ones, markers first, and what a kill left half-written."""
        kept = {path for n in range(number) for path in (self._data(n), self._marker(n))}
        stray = [path for path in self.path.glob("part-*") if path not in kept]
        stray += [path for path in self.path.iterdir() if is_temporary(path)]
        for path in sorted(stray, key=lambda path: (path.suffix != ".json", path.name)):
            path.unlink()
