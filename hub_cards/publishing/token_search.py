"""Whether a file holds an access token, found while it is hashed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_TOKEN = re.compile(rb"hf_[A-Za-z0-9]{20,}")
"""An access token of the Hugging Face Hub, wherever it stands."""

_CHUNK = 1 << 20
_OVERLAP = 512
"""Bytes of the last chunk that are searched again, so that no token is cut in two."""

_GIT_BYTES = 32 << 20
"""Files above this size are never kept by git itself on the Hub (its limit is 10 MB), so they need no git name."""


@dataclass(frozen=True)
class Scan:
    """What one reading of a file told.

    Attributes:
        size: bytes.
        sha256: of its content, hexadecimal.
        git_oid: git's name of the blob; empty for large files.
        has_token: whether an access token is in it.
    """

    size: int
    sha256: str
    git_oid: str
    has_token: bool


def scan(path: Path, secrets: Iterable[str] = ()) -> Scan:
    """Hash a file and look for tokens, those of the Hub's form and the given ones; Parquet texts uncompressed too.

    Raises:
        OSError: if it cannot be read.
    """
    size = path.stat().st_size
    known = [secret.encode() for secret in secrets if secret]
    sha256, git, found, tail = hashlib.sha256(), hashlib.sha1(usedforsecurity=False), False, b""
    git.update(b"blob %d\0" % size)
    read = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
            if size <= _GIT_BYTES:
                git.update(chunk)
            found = found or _holds_token(tail + chunk, known)
            tail, read = chunk[-_OVERLAP:], read + len(chunk)
    if path.suffix == ".parquet" and not found:
        found = any(_holds_token(text, known) for text in _parquet_texts(path))
    return Scan(read, sha256.hexdigest(), git.hexdigest() if size <= _GIT_BYTES else "", found)


def without_tokens(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` with every token in it replaced."""
    for secret in secrets:
        text = text.replace(secret, "hf_…") if secret else text
    return re.sub(_TOKEN.pattern.decode(), "hf_…", text)


def _holds_token(data: bytes, known: list[bytes]) -> bool:
    return _TOKEN.search(data) is not None or any(secret in data for secret in known)


def _parquet_texts(path: Path) -> Iterator[bytes]:
    """The text columns of a Parquet file, a row group at a time: compression hides them from a search of the file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            leaves = (file.metadata.schema.column(number) for number in range(file.metadata.num_columns))
            texts = [leaf.path for leaf in leaves if leaf.logical_type.type == "STRING"]
            for group in range(file.num_row_groups if texts else 0):
                yield repr(file.read_row_group(group, columns=texts, use_threads=False).to_pydict()).encode()
    except pa.ArrowException as error:
        raise OSError(f"{path.name} cannot be read as Parquet: {error}") from error
