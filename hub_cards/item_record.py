"""How far one item of a dataset has come, in one file that appears whole: its row, and what was turned down before."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from stackwalls.model import RunError
from stackwalls.model.files import new_file, put_in_place, sync_folder

SUFFIX = ".item"

_ATTEMPT = " attempt "


@dataclass(frozen=True)
class ItemRecord:
    """How far one item has come: attempts are made one after the other until one is kept.

    Attributes:
        image_id: the item's name, and that of its row.
        rejected: why attempt 0, 1, … was turned down.
        row: of the attempt that was kept, number len(rejected); None where none was. Read without the picture, the
            image is {"path", "sha256"}.
        devices: the kinds of device that the attempts were made on.
    """

    image_id: str
    rejected: tuple[str, ...] = ()
    row: dict[str, Any] | None = None
    devices: tuple[str, ...] = ()

    def turned_down(self, reason: str) -> ItemRecord:
        """The record without its row (if it has one), whose attempt joins those turned down."""
        return replace(self, rejected=(*self.rejected, reason), row=None)

    def rejections(self) -> Iterator[dict[str, str]]:
        """The entries of rejected.parquet."""
        for number, reason in enumerate(self.rejected):
            yield {"item": f"{self.image_id}{_ATTEMPT}{number}", "reason": reason}


def reasons_by_item(entries: Iterable[Mapping[str, str]]) -> dict[str, list[str]]:
    """What `rejections` gave, as reasons by image id."""
    reasons: dict[str, list[str]] = {}
    for entry in entries:
        reasons.setdefault(entry["item"].rpartition(_ATTEMPT)[0], []).append(entry["reason"])
    return reasons


def record_path(folder: Path, image_id: str) -> Path:
    """Where the record of an item lies."""
    return folder / f"{image_id}{SUFFIX}"


def write_record(folder: Path, record: ItemRecord) -> None:
    """Write a record, over an older one if there is one: a line of JSON, then the picture's bytes.

    Several processes may write the same record at the same time: each has a temporary name of its own.

    Raises:
        OSError: if the disk refuses.
    """
    path = record_path(folder, record.image_id)
    header: dict[str, Any] = {"rejected": record.rejected, "devices": record.devices, "row": record.row}
    picture = b""
    if record.row is not None:
        picture = record.row["image"]["bytes"]
        image = {"path": record.row["image"]["path"], "sha256": hashlib.sha256(picture).hexdigest()}
        header["row"] = record.row | {"image": image}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with new_file(temporary) as file:
        file.write(json.dumps(header, sort_keys=True, allow_nan=False).encode() + b"\n" + picture)
    put_in_place(temporary, path)
    sync_folder(folder)


def read_header(folder: Path, image_id: str) -> ItemRecord | None:
    """A record without its picture's bytes, or None where there is none."""
    try:
        with record_path(folder, image_id).open("rb") as file:
            return _read_line(image_id, file)
    except FileNotFoundError:
        return None


def read_record(folder: Path, image_id: str) -> ItemRecord:
    """A record with its picture.

    Raises:
        RunError: if the picture is not the one that was written; the record was removed.
    """
    path = record_path(folder, image_id)
    with path.open("rb") as file:
        record = _read_line(image_id, file)
        picture = file.read()
    if record.row is None:
        return record
    image = record.row["image"]
    if hashlib.sha256(picture).hexdigest() != image["sha256"]:
        path.unlink()
        raise RunError(
            f"The record {path} of an unfinished run is damaged; it was removed. Run the same command again: it makes "
            "that image anew."
        )
    return replace(record, row=record.row | {"image": {"bytes": picture, "path": image["path"]}})


def _read_line(image_id: str, file: BinaryIO) -> ItemRecord:
    try:
        header = json.loads(file.readline())
        return ItemRecord(image_id, tuple(header["rejected"]), header["row"], tuple(header["devices"]))
    except (ValueError, KeyError, TypeError):
        return ItemRecord(image_id)  # it appears whole, so somebody changed it: the item is made again
