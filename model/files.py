"""Files that appear whole: written under a temporary name in the same folder, synced to disk, then renamed.

And files of a folder that somebody else made, which may be anything: `regular_file` before any library opens one.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from stackwalls.model.errors import InputError, RunError

_FULL = {errno.ENOSPC: "The disk is full", errno.EDQUOT: "The disk quota is used up"}
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EACCES)
"""Errors of file systems that cannot sync a folder; there a rename is as safe as they make it."""

_KINDS = {stat.S_ISFIFO: "FIFO", stat.S_ISSOCK: "socket", stat.S_ISDIR: "folder", stat.S_ISCHR: "device"}


def temporary_path(path: Path, writer: str = "") -> Path:
    """The name under which `path` is written before it is renamed: `.NAME.tmp` or `.NAME.WRITER.tmp` next to it."""
    return path.with_name(f".{path.name}.{writer}.tmp" if writer else f".{path.name}.tmp")


def is_temporary(path: Path) -> bool:
    """Whether `path` is named as `temporary_path` names files."""
    return path.name.startswith(".") and path.name.endswith(".tmp")


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Write `path` in place and sync it; on any failure it is removed.

    For files whose final name is not known yet; use `whole_file` for all others.
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
    """Write a file that gets its name only when all of it is on disk; on any failure nothing is left."""
    temporary = temporary_path(path)
    with new_file(temporary) as file:
        yield file
    put_in_place(temporary, path)
    sync_folder(path.parent)


@contextmanager
def whole_path(path: Path) -> Iterator[Path]:
    """`whole_file` for libraries that open files themselves: yields the temporary path to write to."""
    temporary = temporary_path(path)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    put_in_place(temporary, path)
    sync_folder(path.parent)


def put_in_place(temporary: Path, path: Path) -> None:
    """Rename a file that is completely on disk, replacing an older one."""
    try:
        os.replace(temporary, path)  # noqa: PTH105 - the one call by which files get their names, and tests break it
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: bytes) -> None:
    """`whole_file` for content in memory."""
    with whole_file(path) as file:
        file.write(content)


def sync_folder(folder: Path) -> None:
    """Sync the names in `folder`, so that a rename survives a power loss."""
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


def take_lock(path: Path, busy: str, patience: float = 0) -> FileLock:
    """Hold a lock's file until `release`, from any thread; the system frees it however the process ends.

    Raises:
        RunError: saying `busy`, if another process has held it for `patience` seconds.
        OSError: if the file cannot be made.
    """
    if path.exists():
        regular_file(path)
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=patience)
    except Timeout as error:
        raise RunError(busy) from error
    return lock


def check_output_folder(folder: Path, ours: Collection[str], what: str) -> None:
    """Check that a folder is new, empty or our own; only reads. Hidden files do not count.

    Args:
        folder: to be written to.
        ours: names that may exist in it.
        what: what will be written, for the message.

    Raises:
        InputError: if it is a file or contains anything else.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder} is a file: choose a new or empty folder for {what}.")
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    if strange := sorted(names.difference(ours)):
        raise InputError(f"{folder} contains other files ({', '.join(strange[:5])}): choose a new or empty folder.")


@contextmanager
def disk_errors(folder: Path, resumes: bool = True) -> Iterator[None]:
    """Translate disk errors while `folder` is written into one sentence.

    Args:
        folder: being written.
        resumes: whether finished work is kept, so that the same command resumes.

    Raises:
        RunError: for any `OSError` inside.
    """
    try:
        yield
    except OSError as error:
        again = "the same command again: it resumes where it stopped" if resumes else "the same command again"
        where = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else folder
        if error.errno in _FULL:
            raise RunError(
                f"{_FULL[error.errno]} while writing {where}; no partial file was left. Free some space, then "
                f"run {again}."
            ) from error
        raise RunError(
            f"Cannot write {where} ({error.strerror or error}); no partial file was left. Fix that, then run {again}."
        ) from error


def as_text(name: str) -> str:
    """The name of a file as text: the bytes of one that is not UTF-8 are spelled out."""
    return name.encode(errors="backslashreplace").decode()


def regular_file(path: Path) -> Path:
    """`path`, if it is a file, or a link to one: opening a FIFO waits without end, and a device may have no end.

    Raises:
        OSError: if it is anything else; the reason is its `strerror`.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = next((name for is_it, name in _KINDS.items() if is_it(mode)), "something else")
        raise OSError(errno.EINVAL, f"it is a {kind}, not a file", str(path))
    return path


def read_bounded(path: Path, most: int) -> bytes:
    """The content of a regular file of at most `most` bytes.

    Raises:
        OSError: if it is not a regular file, is larger, or cannot be read.
    """
    with regular_file(path).open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most >> 20} MiB, too much for such a file", str(path))
    return content


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content, as hexadecimal text. Raises OSError if it is not a regular file."""
    with regular_file(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_MODEL_SUFFIXES = (".json", ".safetensors", ".txt", ".model", ".jinja")


def model_revision(folder: Path) -> str:
    """`sha256:…` over the files that a model of transformers or diffusers depends on: a folder's form of a commit."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix in _MODEL_SUFFIXES]
    lines = "".join(f"{path.relative_to(folder).as_posix()}\0{file_sha256(path)}\n" for path in files)
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"
