"""One store for runs that can be killed, resumed and shared: named records under a lock, and one finish.

STACK-MIX has a record for each class, STACK-GEN for each image, an evaluation for each block of images.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from filelock import FileLock

from stackwalls.model import InputError, Launch, RunError, file_sha256
from stackwalls.model.documents import COUNT, OBJECT, SHA256, TEXT, checked, keys, nullable, parse_json, read_json
from stackwalls.model.files import (
    disk_errors,
    new_file,
    put_in_place,
    regular_file,
    sync_folder,
    take_lock,
    temporary_path,
    write_whole,
)

WORK_NAME = ".unfinished"
"""Name of the work folder inside the output folder; it is gone when the run is finished."""

_FORMAT = 2  # of the work folder; format 1 had no number, and evaluations had `asked.json` in it

_RUN_NAME, _LOCK_NAME, _SHARES = "run.json", "lock", "process-*.lock"

_SCHEMA = keys({}, {"store": COUNT, "asked": OBJECT, "carried": OBJECT, "base": nullable(TEXT)})
_RECORD, _MOST_HEADER = keys({"header": OBJECT, "bytes": COUNT, "sha256": SHA256}), 16 << 20
"""The first line of a record, and its largest size in bytes."""

_WAIT = "wait until it is done, or choose another folder."

Found = TypeVar("Found")


class RunStore:
    """The work folder `.unfinished/` of one output folder.

    It holds `run.json` (what was asked for, and `base`, the hash of the marker of a finished result that the run
    replaces), the locks, and the records in `items/`. Each is a file that appears whole: a line of JSON (the header,
    and the payload's size and hash), then the payload.

    Processes need not know of each other. Each writes the records of its share; the one that finds all of them writes
    the result, under the lock. The result must follow from the records alone.

    Args:
        folder: the output folder; may be missing.
        marker: name of the file that is written last and makes the result a finished one.
    """

    def __init__(self, folder: Path, marker: str) -> None:
        self.folder, self.path, self._marker = folder, folder / WORK_NAME, folder / marker
        self._items = self.path / "items"
        self._asked: dict[str, Any] = {}
        self._claim: FileLock | None = None
        self._created = False

    def begin(
        self,
        asked: Mapping[str, Any],
        look: Callable[[], Found | None],
        launch: Launch,
        carry: Callable[[], dict[str, Any]] = dict,
    ) -> Found | None:
        """Start the run or resume it, unless it is finished.

        Args:
            asked: what is asked for, JSON values.
            look: returns the result if it is finished as asked for, and raises InputError if this run may not be
                written here. Called again under the lock; must not change anything.
            launch: whose share this is; no other process may work on it.
            carry: returns JSON values to remember of the finished result that this run replaces.

        Raises:
            RunError: if another process works on this share, or the disk refuses.
        """
        if (found := look()) is not None:
            if self.path.is_dir():
                # what a kill at the very end left, but not a run that replaces the result
                with suppress(InputError, RunError, OSError), self._locked(patience=0):
                    if self.begun() is None:
                        self._remove()
            return found
        self._created = not self.folder.exists()
        with disk_errors(self.folder), self._locked():
            try:
                if (found := look()) is None:
                    self._start(json.loads(json.dumps(asked)), launch, carry)
                elif self.begun() is None:
                    self._remove()
            except BaseException:
                self._leave_nothing()
                raise
        return found

    def begun(self) -> dict[str, Any] | None:
        """What the unfinished run was asked for; None if there is none, or only what a kill left of a finished one.

        Raises:
            InputError: if it cannot be read.
        """
        if (run := self._run()) is None or self._is_finished(run):
            return None
        if run.get("store") != _FORMAT:
            raise InputError(
                f"{self.folder} holds an unfinished run of another version of stackwalls: finish it with that version, "
                f"or delete {self.path} to start again."
            )
        return dict(run["asked"])

    def carried(self) -> dict[str, Any]:
        """What `begin` was told to remember."""
        return dict((self._run() or {}).get("carried", {}))

    def write(self, name: str, header: Mapping[str, Any], payload: bytes = b"") -> None:
        """Store a record, over an older one if there is one.

        Raises:
            RunError: if the disk refuses; the older record is kept.
        """
        line = {"header": header, "bytes": len(payload), "sha256": hashlib.sha256(payload).hexdigest()}
        path = self._items / f"{name}.item"
        temporary = temporary_path(path, str(os.getpid()))  # another process may write the same record
        with disk_errors(self.folder):
            with new_file(temporary) as file:
                file.write(json.dumps(line, sort_keys=True, allow_nan=False).encode() + b"\n" + payload)
            put_in_place(temporary, path)

    def header(self, name: str) -> dict[str, Any] | None:
        """The header of a record, without reading its payload; None if there is no whole record."""
        try:
            with regular_file(self._items / f"{name}.item").open("rb") as file:
                return dict(_read_line(file)["header"])
        except (FileNotFoundError, ValueError):
            return None  # not a record, or cut short: the item is made again

    def read(self, name: str) -> tuple[dict[str, Any], bytes]:
        """The header and the payload of a record.

        Raises:
            RunError: if it is damaged; it was removed.
        """
        path = self._items / f"{name}.item"
        with disk_errors(self.folder):
            try:
                with regular_file(path).open("rb") as file:
                    line, payload = _read_line(file), file.read()
                if hashlib.sha256(payload).hexdigest() != line["sha256"]:
                    raise ValueError("its hash differs")
            except ValueError as error:
                path.unlink(missing_ok=True)
                text = f"The record {path} of the unfinished run is damaged ({error}); it was removed."
                raise RunError(f"{text} Run the same command again to rebuild it.") from error
        return dict(line["header"]), payload

    def missing(self, names: Iterable[str]) -> list[str]:
        """Those of `names` without a record."""
        return [name for name in names if self.header(name) is None]

    def names(self) -> list[str]:
        """Sorted names of all records."""
        return sorted(path.stem for path in self._items.glob("*.item"))

    def finish(self, ready: Callable[[], bool], write: Callable[[], None]) -> bool:
        """Write the result if nothing is missing and no other process has; whether it is there now.

        Args:
            ready: returns whether all records are there; called under the lock.
            write: writes the result, its marker last; may be killed and repeated.

        Raises:
            RunError: if the disk refuses; the records are kept.
        """
        with disk_errors(self.folder), self._locked():
            if not self._is_finished(self._run()):
                if self.begun() != self._asked or not ready():
                    return False
                write()
            self._remove()
        return True

    def discard(self) -> None:
        """Remove all records."""
        with disk_errors(self.folder), self._locked():
            self._clear()

    def close(self) -> None:
        """Let go of the share. A run without any record leaves nothing behind."""
        if self._claim is None:
            return
        self._claim.release()
        if self.path.is_dir():
            with suppress(InputError, RunError, OSError), self._locked(patience=1):
                self._leave_nothing()
        self._claim = None

    def _run(self) -> dict[str, Any] | None:
        path = self.path / _RUN_NAME
        if not os.path.lexists(path):
            return {} if (self.path / "asked.json").exists() else None
        try:
            return dict(read_json(path, _SCHEMA))
        except InputError as error:
            raise InputError(f"{str(error)[:-1]}: delete {self.path} to start again.") from error

    def _base(self) -> str | None:
        return file_sha256(self._marker) if self._marker.is_file() else None

    def _is_finished(self, run: Mapping[str, Any] | None) -> bool:
        """Whether the folder holds a finished result that `run` is not about to replace."""
        return (base := self._base()) is not None and (run or {}).get("base") != base

    def _start(self, asked: dict[str, Any], launch: Launch, carry: Callable[[], dict[str, Any]]) -> None:
        other = (begun := self.begun()) is not None and begun != asked
        self._take_share(launch, alone=other)
        kept = carry() if begun is None else self.carried()
        if begun is None or (other and not self.names()):
            self._clear()
        self._items.mkdir(exist_ok=True)
        run = {"store": _FORMAT, "asked": asked, "carried": kept, "base": self._base()}
        write_whole(self.path / _RUN_NAME, (json.dumps(run, indent=2, sort_keys=True) + "\n").encode())
        sync_folder(self.folder)
        self._asked = asked

    def _take_share(self, launch: Launch, alone: bool) -> None:
        """Take this process's lock, which the system frees however the process ends; `alone`: if no other one runs."""
        own = self.path / f"process-{launch.rank}-of-{launch.world}.lock"
        for path in self.path.glob(_SHARES):
            if path != own and (alone or not path.stem.endswith(f"-of-{launch.world}")):
                self._lock(path).release()  # at work, it would write the same records
                path.unlink(missing_ok=True)
        self._claim = self._lock(own)

    def _lock(self, path: Path) -> FileLock:
        return take_lock(path, f"Another process is writing {self.folder} ({path.stem.replace('-', ' ')}): {_WAIT}")

    @contextmanager
    def _locked(self, patience: float = 600) -> Iterator[None]:
        """Hold the folder's lock, waiting `patience` seconds for it: one process at a time starts or finishes.

        The one that finishes removes the folder. Others that wait make it again, and find the run finished.
        """
        busy = f"Another process has been writing {self.folder} for {patience} s: {_WAIT}"
        for left in reversed(range(1000)):  # each process that finishes removes the folder once
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                lock = take_lock(self.path / _LOCK_NAME, busy, patience)
                break
            except (FileNotFoundError, FileExistsError):
                if not left:
                    raise
        try:
            yield
        finally:
            lock.release()

    def _leave_nothing(self) -> None:
        """Remove the work folder if there is no record in it and no process at work."""
        if self._claim is not None:
            self._claim.release()
        if self.names():
            return
        with suppress(RunError, OSError):  # a process is at work, or the output folder holds files
            for path in self.path.glob(_SHARES):
                self._lock(path).release()
            self._remove()
            if self._created:
                self.folder.rmdir()

    def _clear(self) -> None:
        """Remove all but the locks; run.json first, so that a kill leaves no run half removed."""
        (self.path / _RUN_NAME).unlink(missing_ok=True)
        for path in set(self.path.iterdir()).difference(self.path.glob(_SHARES), [self.path / _LOCK_NAME]):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _remove(self) -> None:
        """Remove the work folder; the lock's file last, so that it holds until then."""
        self._clear()
        for path in (*self.path.glob(_SHARES), self.path / _LOCK_NAME):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # a process that waits for the lock has made its file again
            self.path.rmdir()


def _read_line(file: BinaryIO) -> dict[str, Any]:
    """The first line of a record; ValueError if it is not one, or the payload has another size."""
    line = checked(parse_json(file.readline(_MOST_HEADER)), _RECORD)
    if os.fstat(file.fileno()).st_size - file.tell() != line["bytes"]:
        raise ValueError("it was cut short")
    return dict(line)
