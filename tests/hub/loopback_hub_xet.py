"""Uploads by xet: `hf_xet` keeps its chunks in a folder here, and the server puts the files together again.

`hf_xet` stores locally when the answer that grants it a write token names `local:///folder` (undocumented; a test pins
it). A commit names a large file by its SHA-256, the folder by its xet hash; the folder's index files (.mdb) hold both.
One folder a token, for `hf_xet` locks a folder's index for one process. Downloads go by plain HTTP.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

_HEADER, _BLOCK = 48, 48
_END = b"\xff" * 32
_HAS_VERIFICATION, _HAS_SHA256 = 1 << 31, 1 << 30


class XetStore:
    """Where clients leave their chunks."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()
        root.mkdir(parents=True, exist_ok=True)

    def new_place(self) -> str:
        return f"local://{tempfile.mkdtemp(prefix='cas-', dir=self.root)}"

    def materialise(self, wanted: Mapping[str, Path]) -> None:
        """Put the files with these SHA-256 together where they are not yet and their chunks are known."""
        import hf_xet

        with self._lock:
            for place in sorted(self.root.glob("cas-*")):
                index = (entry for path in place.rglob("shards/*.mdb") for entry in _index_entries(path.read_bytes()))
                known = {sha: entry for *entry, sha in index if sha in wanted and not wanted[sha].exists()}
                if not known:
                    continue
                copy = Path(tempfile.mkdtemp(prefix="read-", dir=self.root))  # the client may still hold its lock
                shutil.copytree(place, copy / "cas")
                with hf_xet.XetSession().new_file_download_group(endpoint=f"local://{copy / 'cas'}") as group:
                    for sha, (name, size) in known.items():
                        group.start_download_file(hf_xet.XetFileInfo(name, size), f"{wanted[sha]}.part")
                for sha in known:
                    Path(f"{wanted[sha]}.part").replace(wanted[sha])
                shutil.rmtree(copy)


def _index_entries(data: bytes) -> Iterator[tuple[str, int, str]]:
    """Xet hash, size and SHA-256 of each file that an index tells of."""
    at = _HEADER
    while at + _BLOCK <= len(data) and data[at : at + 32] != _END:
        name = data[at : at + 32]
        flags, count = struct.unpack_from("<II", data, at + 32)
        at += _BLOCK
        size = sum(struct.unpack_from("<I", data, at + _BLOCK * number + 36)[0] for number in range(count))
        at += _BLOCK * count * (2 if flags & _HAS_VERIFICATION else 1)
        if flags & _HAS_SHA256:
            yield _hexadecimal(name), size, _hexadecimal(data[at : at + 32])
            at += _BLOCK


def _hexadecimal(value: bytes) -> str:
    """As xet writes a hash: four little-endian numbers."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", value))
