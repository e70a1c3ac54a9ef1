"""The run's images in fixed blocks: what is kept over a kill, and what processes share out among them.

Each process computes its share of the blocks; the one that finds all of them done writes the results.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stackwalls.evaluate.rows import ROW_SCHEMA
from stackwalls.evaluate.run.samples import Samples
from stackwalls.hub_cards.run_store import RunStore
from stackwalls.model import InputError, Launch, StackwallsError

BLOCK_IMAGES = 32
"""Images a block, whatever the number of processes: so a batch holds the same images in every division of the work."""

SLOW_BLOCK_IMAGES = 8
"""The same if a method is slow: a killed run loses the block that it was at, with ScoreCAM on a CPU minutes."""

_HASHES = ("weights", "code of the network")
"""What is asked for that says nothing to a reader."""


@dataclass(frozen=True)
class Block:
    """Consecutive images of one dataset.

    Attributes:
        number: of all blocks of the run, from 0, datasets one after another.
        dataset: number of the dataset, from 0.
        start: position of the first image in it.
        stop: one after the position of the last image.
    """

    number: int
    dataset: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def name(self) -> str:
        """Of its record."""
        return f"block-{self.number:06d}"


def blocks_of(images: Sequence[int], slow: Sequence[int]) -> list[Block]:
    """All blocks of a run, in the order of its rows.

    Args:
        images: how many images of each dataset are evaluated.
        slow: how many of these, its first ones, a slow method gets.
    """
    spans = [
        (dataset, *span) for dataset, counts in enumerate(zip(images, slow, strict=True)) for span in _spans(*counts)
    ]
    return [Block(number, *span) for number, span in enumerate(spans)]


def _spans(count: int, slow: int) -> Iterator[tuple[int, int]]:
    start = 0
    while start < count:
        stop = min(start + (SLOW_BLOCK_IMAGES if start < slow else BLOCK_IMAGES), count)
        yield start, stop
        start = stop


def share_of(blocks: Sequence[Block], launch: Launch) -> list[Block]:
    """The blocks of one process: every `world`-th, since a method with a limit makes the first ones slow."""
    return list(blocks[launch.rank :: launch.world])


class ShareDone(StackwallsError):  # noqa: N818 - not an error
    """This process has done its share, and the results will be written by the one that finishes last."""

    exit_status = 0


class SharedRun:
    """An evaluation that writes to a folder: its blocks' rows and samples, until the results are there.

    Args:
        folder: of the results; exists.
        asked: what the run's numbers follow from (see `identity.what_is_asked`), JSON values.
        launch: which process this is.
        marker: name of the file of the results that is written last.
        finished: whether the folder holds the results of a run with a fingerprint.
    """

    def __init__(
        self, folder: Path, asked: Mapping[str, Any], launch: Launch, marker: str, finished: Callable[[str], bool]
    ) -> None:
        self._folder, self._launch, self._finished = folder, launch, finished
        self._store = RunStore(folder, marker)
        text = json.dumps(asked, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        self._asked: dict[str, Any] = json.loads(text)
        self.fingerprint = hashlib.sha256(text.encode()).hexdigest()

    @contextmanager
    def begun(self, again: bool = False) -> Iterator[bool]:
        """Start or resume; inside, no other process may do this one's share.

        Args:
            again: whether to compute results again that the same run has finished.

        Yields:
            Whether there is anything to do: False if the results are there already.

        Raises:
            InputError: if another run is unfinished in the folder; the message says what differs.
            RunError: if another process is doing this share, or the disk refuses.
        """

        def look() -> bool | None:
            if not again and self._finished(self.fingerprint):
                return True
            begun = self._store.begun()
            if begun is not None and begun != self._asked:
                raise InputError(
                    f"{self._folder} holds an unfinished run of something else ({_difference(begun, self._asked)}). "
                    "Give the same arguments to resume it, choose another folder, or delete "
                    f"{self._store.path} to start again."
                )
            return None

        try:
            yield self._store.begin(self._asked, look, self._launch) is None
        finally:
            self._store.close()

    def has(self, block: Block) -> bool:
        """Whether a block is done."""
        return self._store.header(block.name) is not None

    def write(self, block: Block, rows: Sequence[Mapping[str, Any]], samples: Samples) -> None:
        """Keep a block; columns that a row does not have are null.

        Raises:
            RunError: if the disk refuses.
        """
        content = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(list(rows), schema=ROW_SCHEMA), content)
        size = content.tell()
        if len(samples):
            samples.write(content)
        self._store.write(block.name, {"rows": size}, content.getvalue())

    def joined(self, blocks: Sequence[Block]) -> tuple[pa.Table, list[Samples]]:
        """Rows of all blocks in one piece, and their samples, in the blocks' order.

        Raises:
            RunError: if a block is damaged; it was removed.
        """
        tables, samples = [], []
        for block in blocks:
            header, content = self._store.read(block.name)
            size = header["rows"]
            tables.append(pq.read_table(io.BytesIO(content[:size]), use_threads=False).cast(ROW_SCHEMA))
            if len(content) > size:
                samples.append(Samples.read(io.BytesIO(content[size:])))
        return pa.concat_tables(tables).combine_chunks(), samples

    def finish(self, blocks: Sequence[Block], write: Callable[[pa.Table, list[Samples]], None]) -> bool:
        """Write the results if all blocks are done and no other process has; whether they are there now.

        Args:
            blocks: of the whole run.
            write: writes the results of the rows and samples.
        """
        names = [block.name for block in blocks]
        return self._store.finish(lambda: not self._store.missing(names), lambda: write(*self.joined(blocks)))


def joined_samples(parts: Sequence[Samples]) -> Samples:
    """Samples of several blocks as one; there must be at least one."""
    per_image = [field.name for field in fields(Samples) if field.name != "method"]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in per_image}
    return Samples(method=parts[0].method, **columns)


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """In what two runs differ, in words."""
    found = []
    for key, value in now.items():
        was = before.get(key)
        if isinstance(value, dict) and isinstance(was, dict):
            keys = dict.fromkeys([*was, *value])
            found += [f"{key}: {part}" for part in keys if was.get(part) != value.get(part)]
        elif was != value:
            found.append(key if key in _HASHES else f"{key}: {was} there, {value} here")
    return "; ".join(found) or "of another version"
