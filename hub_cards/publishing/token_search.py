"""Whether a file holds an access token, found while it is hashed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_TOKEN = re.compile(rb"hf_[A-Za-z0-9]{20,}")
"""An access token of the Hugging Face Hub, anywhere in a file."""

_CHUNK = 1 << 20
_OVERLAP = 512
"""Bytes of the last chunk that are searched again, because a token may lie across two chunks."""


@dataclass(frozen=True)
class Scan:
    """What reading a file once showed.

    Attributes:
        size: bytes.
        sha256: of its content, hexadecimal.
        has_token: whether an access token is in it.
    """

    size: int
    sha256: str
    has_token: bool


def scan(path: Path, secrets: Iterable[str] = ()) -> Scan:
    """Hash a file and search it for the Hub's tokens and the given ones, in Parquet files also the decompressed text.

    Raises:
        OSError: if it cannot be read.
    """
    known = [secret.encode() for secret in secrets if secret]
    sha256, found, tail, read = hashlib.sha256(), False, b"", 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
            found = found or _holds_token(tail + chunk, known)
            tail, read = chunk[-_OVERLAP:], read + len(chunk)
    if path.suffix == ".parquet" and not found:
        found = any(_holds_token(text, known) for text in _parquet_texts(path))
    return Scan(read, sha256.hexdigest(), found)


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
