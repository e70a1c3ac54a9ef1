"""Records of the items of a run: each is one file that appears whole, a line of JSON and then the payload."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from stackwalls.model import RunError
from stackwalls.model.files import disk_errors, new_file, put_in_place, temporary_path

_SUFFIX = ".item"


class ItemRecords:
    """The records in one folder. The line of JSON holds the header, and the size and hash of the payload.

    Args:
        items: the folder; may be missing until a record is written.
        folder: the output folder, for messages.
    """

    def __init__(self, items: Path, folder: Path) -> None:
        self.folder, self._items = folder, items

    def write(self, name: str, header: Mapping[str, Any], payload: bytes = b"") -> None:
        """Store a record, over an older one if there is one.

        Raises:
            RunError: if the disk refuses; the older record is kept.
        """
        path = self._path(name)
        line = {"header": header, "bytes": len(payload), "sha256": hashlib.sha256(payload).hexdigest()}
        # another process may write the same record at the same time
        temporary = temporary_path(path, str(os.getpid()))
        with disk_errors(self.folder):
            with new_file(temporary) as file:
                file.write(json.dumps(line, sort_keys=True, allow_nan=False).encode() + b"\n" + payload)
            put_in_place(temporary, path)

    def header(self, name: str) -> dict[str, Any] | None:
        """The header of a record, without reading its payload; None if there is no whole record."""
        try:
            with self._path(name).open("rb") as file:
                return dict(_read_line(file)["header"])
        except (FileNotFoundError, ValueError):
            return None  # not a record, or cut short: the item is made again

    def read(self, name: str) -> tuple[dict[str, Any], bytes]:
        """The header and the payload of a record.

        Raises:
            RunError: if it is damaged; it was removed.
        """
        path = self._path(name)
        with disk_errors(self.folder):
            try:
                with path.open("rb") as file:
                    line = _read_line(file)
                    payload = file.read()
                if hashlib.sha256(payload).hexdigest() != line["sha256"]:
                    raise ValueError("its hash differs")
            except ValueError as error:
                path.unlink(missing_ok=True)
                raise RunError(
                    f"The record {path} of the unfinished run is damaged ({error}); it was removed. Run the same "
                    "command again to rebuild it."
                ) from error
        return dict(line["header"]), payload

    def missing(self, names: Iterable[str]) -> list[str]:
        """Those of `names` without a record."""
        return [name for name in names if self.header(name) is None]

    def names(self) -> list[str]:
        """Sorted names of all records."""
        return sorted(path.name.removesuffix(_SUFFIX) for path in self._items.glob(f"*{_SUFFIX}"))

    def _path(self, name: str) -> Path:
        return self._items / f"{name}{_SUFFIX}"


def _read_line(file: BinaryIO) -> dict[str, Any]:
    """The first line of a record.

    Raises:
        ValueError: if it is not one, or the payload has another size.
    """
    line = json.loads(file.readline())
    if not isinstance(line, dict) or not isinstance(line.get("header"), dict):
        raise ValueError("it is not a record")
    if os.fstat(file.fileno()).st_size - file.tell() != line.get("bytes"):
        raise ValueError("it was cut short")
    return line
