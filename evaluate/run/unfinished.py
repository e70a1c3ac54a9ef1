"""The work folder of an evaluation: what was asked for, its blocks, and who may write them.

It lies in the results folder until all blocks are there, so that a run that was killed goes on, and so that processes
that know nothing of each other, on one machine or several, make one run: each computes its share of the blocks, and the
one that finds all of them there writes the results.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock, Timeout

from stackwalls.evaluate.run.block_store import BlockStore
from stackwalls.evaluate.run.blocks import Block
from stackwalls.evaluate.run.samples import Samples
from stackwalls.model import InputError, Launch, RunError, StackwallsError, disk_errors, write_whole

WORK_NAME = ".unfinished"
"""Name of the work folder in the results folder; it is gone when the results are there."""

_ASKED_NAME = "asked.json"
_LOCK_NAME = "lock"

_HASHES = ("weights", "code of the network")
"""What is asked for that says nothing to a reader."""


class ShareDone(StackwallsError):  # noqa: N818 - no error
    """This process has done its share, and the results will be written by the one that finishes last."""

    exit_status = 0


class UnfinishedRun:
    """An evaluation that writes to a folder.

    Args:
        folder: of the results; exists.
        asked: what the run's numbers follow from (see `identity.what_is_asked`), JSON values.
        launch: which process this is.
        finished: whether the folder holds the results of a run with a fingerprint.
    """

    def __init__(self, folder: Path, asked: Mapping[str, Any], launch: Launch, finished: Callable[[str], bool]) -> None:
        self.folder, self.path, self.launch = folder, folder / WORK_NAME, launch
        self.store = BlockStore(self.path)
        self._text = json.dumps(asked, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        self.fingerprint = hashlib.sha256(self._text.encode()).hexdigest()
        self._finished = finished

    @contextmanager
    def begun(self, anew: bool = False) -> Iterator[bool]:
        """Begin, or go on; inside, no other process may do this one's share.

        Args:
            anew: whether finished results of the same run are no reason to stop.

        Yields:
            Whether there is anything to do: False where the results are there already.

        Raises:
            InputError: if another run is unfinished in the folder; the message says what differs.
            RunError: if another process is doing this share, or the disk refuses.
        """
        with disk_errors(self.folder), self._locked():
            if self._finished(self.fingerprint) and not anew:
                self._remove()
                mine = None
            else:
                self._begin()
                mine = self._claimed()
        if mine is None:
            yield False
            return
        try:
            yield True
        except Exception:
            self._leave_nothing()
            raise
        finally:
            mine.release()

    def merge(self, blocks: Sequence[Block], finish: Callable[[pa.Table, list[Samples]], None]) -> bool:
        """Write the results if all blocks are there and no other process has; whether they are there now.

        Args:
            blocks: of the whole run.
            finish: writes the results of the rows and samples.
        """
        if not self.path.is_dir():
            return self._finished(self.fingerprint)
        if any(not self.store.has(block) for block in blocks):
            # another process may just have written the results and removed the blocks
            return self._finished(self.fingerprint)
        with self._locked():
            if all(self.store.has(block) for block in blocks):
                finish(*self.store.joined(blocks))
            done = self._finished(self.fingerprint)
            if done:
                self._remove()
            return done

    def _begin(self) -> None:
        path = self.path / _ASKED_NAME
        if not path.exists():
            write_whole(path, self._text.encode())
            return
        before = path.read_text(encoding="utf-8")
        if before != self._text:
            raise InputError(
                f"{self.folder} holds an unfinished run of something else ({_difference(before, self._text)}). Give "
                f"the same arguments to go on with it, choose another folder, or delete {self.path} to begin anew."
            )

    def _claimed(self) -> FileLock:
        """This process's lock; the system frees it when its process ends, however it ends."""
        mine = self.path / f"process-{self.launch.rank}-of-{self.launch.world}.lock"
        # processes of another split would write the same blocks
        others = [path for path in self.path.glob("process-*.lock") if not path.stem.endswith(f"-{self.launch.world}")]
        for path in others:
            self._acquired(path).release()
            path.unlink(missing_ok=True)
        return self._acquired(mine)

    def _acquired(self, path: Path) -> FileLock:
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
    def _locked(self) -> Iterator[None]:
        """One process at a time begins or merges."""
        self.path.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path / _LOCK_NAME):
            yield

    def _leave_nothing(self) -> None:
        """Where a run failed before anything was done, and nobody else is at it, another may take its place."""
        if self.launch.world == 1 and not self.store.any():
            with suppress(OSError), self._locked():  # a disk that refuses has said so already
                self._remove()

    def _remove(self) -> None:
        """Remove the work folder, the lock last, so that it holds until then."""
        last = self.path / _LOCK_NAME
        for path in sorted(self.path.iterdir()):
            if path != last:
                path.unlink()
        last.unlink(missing_ok=True)
        with suppress(OSError):  # another process that waits for the lock may have made its file anew
            self.path.rmdir()


def _difference(before: str, now: str) -> str:
    """In what two runs differ, in words."""
    try:
        old = json.loads(before)
    except ValueError:
        return f"its {_ASKED_NAME} cannot be read"
    found = []
    for key, value in json.loads(now).items():
        was = old.get(key) if isinstance(old, dict) else None
        if isinstance(value, dict) and isinstance(was, dict):
            keys = dict.fromkeys([*was, *value])
            found += [f"{key}: {part}" for part in keys if was.get(part) != value.get(part)]
        elif was != value:
            found.append(key if key in _HASHES else f"{key}: {was} there, {value} here")
    return "; ".join(found) or "of another version"
