"""A dataset on the Hugging Face Hub: its Parquet files are read where they are, by byte ranges."""

from __future__ import annotations

import io
import re
from functools import partial
from typing import Any, NoReturn

from stackwalls.model import InputError, RunError
from stackwalls.model.images.parquet import ParquetPictures

CONNECTIONS = 8
"""Files read at the same time: answers take far longer to come than to read."""


def open_hub(repository: str, *, revision: str | None, split: str, progress: bool = False) -> ParquetPictures:
    """The Parquet files of one split of a dataset on the Hub, pinned to the commit that the revision names now.

    Reads with the user's token (`hf auth login` or `HF_TOKEN`), which a gated data set such as
    `ILSVRC/imagenet-1k` needs. First the label column alone travels, then the row groups that hold a picture of
    the plan; nothing is decoded and nothing stays in a cache.

    Args:
        repository: `owner/name`.
        revision: branch, tag or commit; the default branch by default.
        split: `validation`, `train`, ….
        progress: show progress bars on stderr.

    Raises:
        InputError: if there is no such dataset, revision or split, or its files are not Parquet.
        RunError: if the Hub refuses access, or cannot be reached.
    """
    import datasets
    from huggingface_hub import HfFileSystem

    try:
        builder = datasets.load_dataset_builder(repository, revision=revision)
    except Exception as error:  # the two libraries raise errors of some ten kinds here, over several layers
        _refuse(repository, revision, error)
    splits = {str(name): list(files) for name, files in (builder.config.data_files or {}).items()}
    if split not in splits:
        raise InputError(f"The dataset {repository} has no split {split!r}: expected {_written(repository, splits)}.")
    paths = [re.fullmatch(r"hf://(datasets/[^@]+@([^/]+)/(.+))", url) for url in splits[split]]
    if not all(path is not None and path[3].endswith(".parquet") for path in paths):
        raise InputError(
            f"The split {split!r} of {repository} is not stored as Parquet files. The Hub keeps a Parquet version "
            f"of most datasets: try --source {repository}@refs/convert/parquet:{split}."
        )
    found = [path for path in paths if path is not None]
    system = HfFileSystem()
    return ParquetPictures(
        f"{repository}@{found[0][2]}:{split}",
        {path[3]: partial(_RemoteFile, system, path[1]) for path in found},
        label_names=_label_names(builder.info.features),
        connections=CONNECTIONS,
        progress=progress,
    )


class _RemoteFile(io.RawIOBase):
    """One file on the Hub; a read is one request for exactly its bytes, and every failure is an OSError."""

    def __init__(self, system: Any, path: str) -> None:
        try:
            self._file = system.open(path, "rb", cache_type="none")
        except Exception as error:  # the HTTP client's errors share no public base
            raise ConnectionError(_first_line(error)) from error

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def read(self, size: int = -1) -> bytes:
        try:
            return bytes(self._file.read(size))
        except Exception as error:  # the HTTP client's errors share no public base
            raise ConnectionError(_first_line(error)) from error

    def close(self) -> None:
        if not self.closed and hasattr(self, "_file"):
            self._file.close()
        super().close()


def _label_names(features: Any) -> dict[str, list[str]]:
    """Names of the ClassLabel columns on the dataset's card."""
    import datasets

    named = (features or {}).items()
    return {column: list(kind.names) for column, kind in named if isinstance(kind, datasets.ClassLabel)}


def _refuse(repository: str, revision: str | None, error: Exception) -> NoReturn:
    """Turn a failure to open the dataset into one clear sentence."""
    import datasets

    reason = _first_line(error)
    if "gated" in reason.lower():
        raise RunError(
            f"The dataset {repository} is gated: ask for access at https://huggingface.co/datasets/{repository}, "
            "then log in (hf auth login, or set HF_TOKEN) and run again."
        ) from error
    at = f"{repository}@{revision}" if revision else repository
    if isinstance(error, FileNotFoundError) and not isinstance(error, datasets.exceptions.DataFilesNotFoundError):
        raise InputError(
            f"There is no folder {repository!r} here, and no dataset {at} on the Hub that your token may read "
            f"({reason})."
        ) from error
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
        raise RunError(
            f"There is no folder {repository!r} here, and the Hub could not be reached ({reason})."
        ) from error
    raise InputError(f"Cannot open the dataset {at} ({reason}).") from error


def _written(repository: str, splits: Any) -> str:
    return " or ".join(f"--source {repository}:{name}" for name in splits)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
