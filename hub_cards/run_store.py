"""One store for runs that can be killed, resumed and shared: named records under a lock, and one finish.

STACK-MIX has a record for each class, STACK-GEN one for each image, an evaluation one for each block of images.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from stackwalls.hub_cards.item_records import ItemRecords
from stackwalls.model import InputError, Launch, RunError, file_sha256
from stackwalls.model.files import disk_errors, sync_folder, write_whole

WORK_NAME = ".unfinished"
"""Name of the work folder inside the output folder; it is gone when the run is finished."""

PATIENCE = 600
"""Seconds to wait for a process that starts or finishes the same run."""

_FORMAT = 2
"""Of the work folder. Format 1 had no number."""

_TRIES = 1000
"""How often to make the work folder again if other processes remove it; each of them does so once."""

_FORMER_RUN_NAME = "asked.json"
"""Of evaluations in format 1."""

_RUN_NAME, _LOCK_NAME, _SHARES = "run.json", "lock", "process-*.lock"

Found = TypeVar("Found")


class RunStore(ItemRecords):
    """The work folder `.unfinished/` of one output folder.

    It holds `run.json` (what was asked for, and `base`, the hash of the marker of a finished result that the run
    replaces), the locks, and `items/` with the records.

    Processes need not know of each other. Each writes the records of its share; the one that finds all of them present
    writes the result, under the lock. What is finished must follow from the records alone.

    Args:
        folder: the output folder; may be missing.
        marker: name of the file that is written last and makes the result a finished one.
    """

    def __init__(self, folder: Path, marker: str) -> None:
        super().__init__(folder / WORK_NAME / "items", folder)
        self.path, self._marker = folder / WORK_NAME, folder / marker
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
        """Start the run or resume it, unless it is finished; `close` ends it.

        Args:
            asked: what is asked for, JSON values.
            look: gives the result if it is finished as asked for, and raises InputError if this run may not be written
                here. It is called again under the lock, and must not change anything.
            launch: which process this is; no other one may work on the same share.
            carry: JSON values to remember of the finished result that this run replaces.

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
        run = self._run()
        if run is None or self._is_finished(run):
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

    def finish(self, ready: Callable[[], bool], write: Callable[[], None]) -> bool:
        """Write the result if nothing is missing and no other process has; whether it is there now.

        Args:
            ready: whether all records are there; called under the lock.
            write: writes the result, its marker last. May be killed and repeated.

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
        """The content of run.json; None if there is none."""
        path = self.path / _RUN_NAME
        try:
            return dict(json.loads(path.read_bytes()))
        except (FileNotFoundError, NotADirectoryError):
            return {} if (self.path / _FORMER_RUN_NAME).exists() else None
        except (ValueError, TypeError, OSError) as error:
            raise InputError(f"Cannot read {path} ({error}): delete {self.path} to start again.") from error

    def _base(self) -> str | None:
        return file_sha256(self._marker) if self._marker.is_file() else None

    def _is_finished(self, run: Mapping[str, Any] | None) -> bool:
        """Whether the folder holds a finished result that `run` is not about to replace."""
        base = self._base()
        return base is not None and (run or {}).get("base") != base

    def _start(self, asked: dict[str, Any], launch: Launch, carry: Callable[[], dict[str, Any]]) -> None:
        begun = self.begun()
        other = begun is not None and begun != asked
        self._take_share(launch, alone=other)
        kept = self.carried() if begun is not None else carry()
        if begun is None or (other and not self.names()):
            self._clear()
        self._items.mkdir(exist_ok=True)
        run = {"store": _FORMAT, "asked": asked, "carried": kept, "base": self._base()}
        write_whole(self.path / _RUN_NAME, (json.dumps(run, indent=2, sort_keys=True) + "\n").encode())
        sync_folder(self.folder)
        self._asked = asked

    def _take_share(self, launch: Launch, alone: bool) -> None:
        """Take this process's lock; the system frees it when the process ends, however it ends.

        Processes of another division of the work would write the same records. With `alone`, no other process may be
        at work at all.
        """
        own = self.path / f"process-{launch.rank}-of-{launch.world}.lock"
        for path in self.path.glob(_SHARES):
            if path != own and (alone or not path.stem.endswith(f"-of-{launch.world}")):
                self._lock(path).release()
                path.unlink(missing_ok=True)
        self._claim = self._lock(own)

    def _lock(self, path: Path) -> FileLock:
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise RunError(
                f"Another process is writing {self.folder} ({path.stem.replace('-', ' ')}): wait until it is done, or "
                "choose another folder."
            ) from error
        return lock

    @contextmanager
    def _locked(self, patience: float = PATIENCE) -> Iterator[None]:
        """Hold the folder's lock: one process at a time starts or finishes.

        The process that finishes removes the work folder, while others wait for the lock that is in it. They make it
        again, take the new lock, and find the run finished.
        """
        lock = FileLock(self.path / _LOCK_NAME)
        for left in reversed(range(_TRIES)):
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                lock.acquire(timeout=patience)
                break
            except Timeout as error:
                raise RunError(
                    f"Another process has been writing {self.folder} for {patience} s: wait until it is done, or "
                    "choose another folder."
                ) from error
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
        with suppress(RunError):
            if not self.names():
                for path in self.path.glob(_SHARES):
                    self._lock(path).release()
                self._remove()
                if self._created:
                    with suppress(OSError):  # it holds files
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
