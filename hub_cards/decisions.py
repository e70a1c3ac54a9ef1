"""What a reviewer decided about the images of a dataset folder: kept next to the data, never published with it."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock

from stackwalls.hub_cards.layout import REVIEW_NAME
from stackwalls.hub_cards.manifest import Manifest, check_publishable
from stackwalls.hub_cards.row_reader import RowReader
from stackwalls.model import InputError
from stackwalls.model.documents import TEXT, keys, read_lines
from stackwalls.model.files import disk_errors, regular_file, sync_folder, take_lock

KEPT = "keep"
"""The verdict of an image that stays."""

REJECTED = "rejected"
"""The verdict of an image that is rejected."""

UNDECIDED = "undecided"
"""The verdict that takes an earlier one back."""

VERDICTS = (KEPT, REJECTED, UNDECIDED)
"""What a reviewer can decide, in the words of the file."""

REVIEWED = "rejected in review"
"""Start of the reason in rejected.parquet for an image that a reviewer rejected."""

MOST_COMMENT = 1000
"""Characters of a comment."""

_LOG_NAME = "decisions.jsonl"
_LOCK_NAME = "lock"
_SHA256 = re.compile("[0-9a-f]{64}")
_SCHEMA = keys({"image_id": TEXT, "picture_sha256": TEXT, "verdict": TEXT}, {"comment": TEXT}, closed=True)


@dataclass(frozen=True)
class Decision:
    """What was decided about one image.

    Attributes:
        image_id: of the row.
        picture_sha256: SHA-256 (hexadecimal) of the row's encoded image. The decision does not apply to another image
            that replaces it under the same id.
        verdict: one of `VERDICTS`.
        comment: the reviewer's words; published with the reason if the image is replaced.

    Raises:
        InputError: if a value is not as described, or the comment contains an access token.
    """

    image_id: str
    picture_sha256: str
    verdict: str
    comment: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.image_id, str) or not self.image_id:
            raise InputError(f"Expected the image_id of a row, but got {self.image_id!r}.")
        if not isinstance(self.picture_sha256, str) or not _SHA256.fullmatch(self.picture_sha256):
            raise InputError(f"Expected the SHA-256 of an image in hexadecimal, but got {self.picture_sha256!r}.")
        if self.verdict not in VERDICTS:
            raise InputError(f"Expected the verdict to be one of {', '.join(VERDICTS)}, but got {self.verdict!r}.")
        if not isinstance(self.comment, str) or len(self.comment) > MOST_COMMENT:
            raise InputError(f"Expected a comment of at most {MOST_COMMENT} characters.")
        try:
            self.comment.encode()
        except UnicodeEncodeError as error:
            raise InputError("Expected a comment of whole characters, but it contains half of one.") from error
        check_publishable({"a comment": f"comment: {self.comment}"})

    @property
    def rejected(self) -> bool:
        """Whether the image was rejected."""
        return self.verdict == REJECTED


def review_reason(comment: str) -> str:
    """The reason in rejected.parquet for an image that a reviewer rejected."""
    return f"{REVIEWED}: {comment}" if comment else REVIEWED


def image_sha256(encoded: bytes) -> str:
    """The key of a decision: SHA-256 (hexadecimal) of a row's encoded image."""
    return hashlib.sha256(encoded).hexdigest()


def read_decisions(folder: Path) -> dict[str, Decision]:
    """The last decision about each image_id, whichever image has it now; empty if nothing was reviewed.

    Raises:
        InputError: if the file of decisions was damaged; the message names the line.
    """
    return {decision.image_id: decision for decision in _stored(folder)}


def current_decisions(folder: Path, rows: RowReader | None = None) -> dict[str, Decision]:
    """The decisions about images that a finished folder has now, by image_id, in the order of the rows.

    Only row groups with a decided row are read, from `rows` if they are open already.

    Raises:
        InputError: if the folder is not finished, or the file of decisions was damaged.
        RunError: if a shard cannot be read.
    """
    stored = {(decision.image_id, decision.picture_sha256): decision for decision in _stored(folder)}
    if not stored:
        return {}
    rows = rows or RowReader(folder)
    decided = {image_id for image_id, _ in stored}
    current: dict[str, Decision] = {}
    for number, image_id in enumerate(rows.columns("image_id")["image_id"]):
        if image_id in decided:
            key = image_id, image_sha256(rows[number]["image"]["bytes"])
            current |= {image_id: stored[key]} if key in stored else {}
    return current


def rejected_images(folder: Path) -> dict[str, Decision]:
    """Those of `current_decisions` that reject the image: what a redo replaces."""
    return {image_id: decision for image_id, decision in current_decisions(folder).items() if decision.rejected}


class DecisionLog:
    """The only writer of a folder's decisions, from `DecisionLog.open`; while it is open, no other review can start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / REVIEW_NAME / _LOG_NAME
        self._lock: FileLock | None = None

    @classmethod
    def open(cls, folder: Path) -> DecisionLog:
        """Take the folder's decisions for writing.

        Raises:
            InputError: if it is not a finished dataset folder, or the file of decisions was damaged.
            RunError: if another process has them open, or writing fails.
        """
        Manifest.read(folder)
        log = cls(folder)
        with disk_errors(folder):
            log._path.parent.mkdir(exist_ok=True)
            log._lock = take_lock(
                log._path.with_name(_LOCK_NAME),
                f"Another process reviews {folder}, or replaces rejected images there: stop it first (Ctrl-C where "
                "`stackgen review` runs).",
            )
        try:
            read_decisions(folder)
            with disk_errors(folder):
                log._drop_torn_line()
        except BaseException:
            log.close()
            raise
        return log

    def record(self, decision: Decision) -> None:
        """Store a decision on disk.

        Raises:
            InputError: if the log is closed.
            RunError: if writing fails; earlier decisions are kept.
        """
        if self._lock is None:
            raise InputError(f"The review of {self._folder} is closed: open it again to decide.")
        line = (json.dumps(asdict(decision), ensure_ascii=False, sort_keys=True) + "\n").encode()
        with disk_errors(self._folder):
            new = not self._path.exists()
            with self._path.open("ab", buffering=0) as file:
                end = file.tell()
                try:
                    if file.write(line) < len(line):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
                    os.fsync(file.fileno())
                except BaseException:
                    with suppress(OSError):
                        file.truncate(end)
                    raise
            if new:
                sync_folder(self._path.parent)

    def close(self) -> None:
        """Release the folder."""
        if self._lock is not None:
            self._lock.release()
        self._lock = None

    def __enter__(self) -> DecisionLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _drop_torn_line(self) -> None:
        """Cut off what a kill left of the last line."""
        if self._path.exists():
            with regular_file(self._path).open("r+b") as file:
                file.truncate(file.read().rfind(b"\n") + 1)
                os.fsync(file.fileno())


def _stored(folder: Path) -> Iterator[Decision]:
    """Every decision, in order; a last line that was not completely written does not count."""
    path = folder / REVIEW_NAME / _LOG_NAME
    for number, line in enumerate(read_lines(path, _SCHEMA) if os.path.lexists(path) else (), 1):
        try:
            yield Decision(**line)
        except InputError as error:
            raise InputError(f"Line {number} of {path} is not a decision: {error}") from error
