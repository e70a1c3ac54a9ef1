"""Files that appear whole: written under a temporary name in the same folder, synced to disk, then renamed."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from stackwalls.model.errors import InputError, RunError

_FULL = {errno.ENOSPC: "The disk is full", errno.EDQUOT: "The disk quota is used up"}
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EACCES)
"""What file systems answer that cannot sync a folder; a rename on them is as safe as they make it."""


def temporary_path(path: Path) -> Path:
    """The name under which `path` is written before it is renamed: `.NAME.tmp` beside it."""
    return path.with_name(f".{path.name}.tmp")


def is_temporary(path: Path) -> bool:
    """Whether `path` is named as `temporary_path` names files."""
    return path.name.startswith(".") and path.name.endswith(".tmp")


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Write `path` in place, down to the disk; on any failure it is removed again.

    For files whose final name is not known yet; the others are written by `whole_file`.
    """
    try:
        with path.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        raise


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file that has its name only when it is wholly on the disk; on any failure nothing of it is left."""
    temporary = temporary_path(path)
    with new_file(temporary) as file:
        yield file
    put_in_place(temporary, path)
    sync_folder(path.parent)


def put_in_place(temporary: Path, path: Path) -> None:
    """Rename a file that is wholly on the disk, over an older one if there is one."""
    try:
        os.replace(temporary, path)  # noqa: PTH105 - the one call by which files get their names, and tests break it
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: bytes) -> None:
    """`whole_file` for content that is at hand."""
    with whole_file(path) as file:
        file.write(content)


def sync_folder(folder: Path) -> None:
    """Put the names in `folder` on the disk, so that a rename outlives a loss of power."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def check_output_folder(folder: Path, ours: Collection[str], what: str) -> None:
    """Make sure that a folder is new, empty or one's own; reads, and touches nothing. Hidden files do not count.

    Args:
        folder: that is to be written to.
        ours: names that may be there already.
        what: will be written.

    Raises:
        InputError: if it is a file or holds something else.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder} is a file: choose a new or empty folder for {what}.")
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    if strange := sorted(names.difference(ours)):
        raise InputError(f"{folder} holds something else ({', '.join(strange[:5])}): choose a new or empty folder.")


@contextmanager
def disk_errors(folder: Path, resumes: bool = True) -> Iterator[None]:
    """Turn what the disk refuses while `folder` is written into one sentence.

    Args:
        folder: that is written.
        resumes: whether what was done is kept, and the same command goes on from there.

    Raises:
        RunError: for any `OSError` inside.
    """
    try:
        yield
    except OSError as error:
        again = "the same command again: it goes on where it was" if resumes else "the same command again"
        where = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else folder
        if error.errno in _FULL:
            raise RunError(
                f"{_FULL[error.errno]} while writing {where}; nothing half-written was left in place. Free some "
                f"space, then run {again}."
            ) from error
        raise RunError(
            f"Cannot write {where} ({error.strerror or error}); nothing half-written was left in place. Put that "
            f"right, then run {again}."
        ) from error


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content, as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
