"""Byte strings by key in one temporary file: what is read in bulk waits on disk, not in memory."""

from __future__ import annotations

import tempfile
import threading
import weakref

from stackwalls.model import RunError


class Spool:
    """A dictionary from strings to byte strings whose values lie in a temporary file; safe for threads.

    The file has no name and is gone when the spool is (or the process dies, however it does).
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
                self._file.seek(self._end)
                rest = memoryview(data)
                while rest:
                    rest = rest[self._file.write(rest) :]
            except OSError as error:
                raise RunError(
                    f"Cannot keep pictures in the temporary folder {tempfile.gettempdir()} ({error.strerror}): "
                    "make room there or set TMPDIR to a folder with room."
                ) from error
            self._places[key] = (self._end, len(data))
            self._end += len(data)

    def get(self, key: str) -> bytes:
        """The bytes kept under `key`.

        Raises:
            KeyError: if nothing is.
        """
        offset, size = self._places[key]
        with self._lock:
            self._file.seek(offset)
            return self._file.read(size)
