"""The run's images in fixed blocks: each process computes its share; the one that finds all done writes the results."""

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stackwalls.evaluate.run.measuring import ROW_SCHEMA
from stackwalls.evaluate.run.samples import Samples
from stackwalls.hub_cards.manifest import canonical_json
from stackwalls.hub_cards.writing.run_store import RunStore
from stackwalls.model import InputError, Launch, RunError, StackwallsError
from stackwalls.model.documents import COUNT, checked, keys

BLOCK_IMAGES = 32
"""Images a block, whatever the number of processes, so that a batch always holds the same images."""

_HEADER = keys({"rows": COUNT})  # bytes of the rows; the samples follow

SLOW_BLOCK_IMAGES = 8
"""The same if a method is slow: a killed run loses the block that it was at."""


_EARLIER = "earlier"
"""Name of the record of the results to which a run adds methods."""


@dataclass(frozen=True)
class Block:
    """Images `start` to `stop` (exclusive) of a dataset; blocks and datasets of a run are numbered from 0."""

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
    """All blocks of a run, in the order of its rows, of `images` per dataset; a slow method gets the `slow` first."""
    blocks: list[Block] = []
    for dataset, (count, slow_count) in enumerate(zip(images, slow, strict=True)):
        start = 0
        while start < count:
            stop = min(start + (SLOW_BLOCK_IMAGES if start < slow_count else BLOCK_IMAGES), count)
            blocks.append(Block(len(blocks), dataset, start, stop))
            start = stop
    return blocks


def share_of(blocks: Sequence[Block], launch: Launch) -> list[Block]:
    """The blocks of one process: every `world`-th, since a method with a limit makes the first ones slow."""
    return list(blocks[launch.rank :: launch.world])


class ShareDone(StackwallsError):  # noqa: N818 - not an error
    """This process has done its share; the one that finishes last writes the results."""

    exit_status = 0


class SharedRun:
    """An evaluation that writes to a folder: its blocks' rows and samples, until the results are there.

    Args:
        folder: of the results.
        asked: what the run's numbers follow from (see `identity.what_is_asked`), JSON values.
        launch: which process this is.
        marker: name of the file of the results that is written last.
        finished: whether the folder holds the results of a run with this fingerprint.

    `done` are the methods of earlier results in the folder to which this run adds others.
    """

    def __init__(
        self, folder: Path, asked: Mapping[str, Any], launch: Launch, marker: str, finished: Callable[[str], bool]
    ) -> None:
        self._folder, self._launch, self._finished = folder, launch, finished
        self._store = RunStore(folder, marker)
        self._asked: dict[str, Any] = json.loads(canonical_json(asked))
        self.fingerprint = _fingerprint(asked)
        begun = self._store.begun() or {}
        self.done: list[str] = begun.get("done", []) if begun == {**self._asked, "done": begun.get("done")} else []
        self._leave_out(self.done)

    def add_to(self, earlier: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        """Make only the methods that `earlier` results lack (see `_methods_done`); `keep_earlier` stores their rows."""
        self._leave_out(_methods_done(earlier, about, self._asked))

    def _leave_out(self, done: Sequence[str]) -> None:
        self.done = list(done)
        if done:
            self._asked["done"] = self.done

    @contextmanager
    def begun(self, again: bool = False) -> Iterator[bool]:
        """Start or resume; inside, no other process may do this one's share. Yields whether there is anything to do.

        With `again`, finished results of the same run are computed again.

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
        """Keep a block; columns that a row does not have are null. Raises RunError if the disk refuses."""
        self._write(block.name, pa.Table.from_pylist(list(rows), schema=ROW_SCHEMA), samples)

    def keep_earlier(self, load: Callable[[], Any]) -> None:
        """Store the `Results` that this run adds to, before they are replaced."""
        if self.done and self._store.header(_EARLIER) is None:
            earlier = load()
            self._write(_EARLIER, earlier.rows, earlier.samples)

    def _write(self, name: str, rows: pa.Table, samples: Samples) -> None:
        content = io.BytesIO()
        pq.write_table(rows, content)
        size = content.tell()
        samples.write(content)
        self._store.write(name, {"rows": size}, content.getvalue())

    def _read(self, name: str) -> tuple[pa.Table, Samples]:
        header, content = self._store.read(name)
        try:
            size = checked(header, _HEADER)["rows"]
            rows = pq.read_table(io.BytesIO(content[:size]), use_threads=False).cast(ROW_SCHEMA)
            return rows, Samples.read(io.BytesIO(content[size:]))
        except (ValueError, pa.ArrowException) as error:
            what = f"{name} of the unfinished run in {self._folder} is not a block of images ({error})"
            raise RunError(f"{what}: delete {self._store.path} to start again.") from error

    def joined(self, blocks: Sequence[Block]) -> tuple[pa.Table, Samples]:
        """Rows and samples of all blocks, in their order. Raises RunError if one is damaged; it was removed."""
        tables, samples = zip(*(self._read(block.name) for block in blocks), strict=True)
        found = pa.concat_tables(tables).combine_chunks(), Samples.joined(samples)
        if not self.done:
            return found
        return _with_earlier(*found, *self._read(_EARLIER), self._asked["spec"]["methods"])

    def finish(self, blocks: Sequence[Block], write: Callable[[], None]) -> bool:
        """Write the results if all blocks are done and no other process has; whether they are there now."""
        names = [*(block.name for block in blocks), *([_EARLIER] if self.done else [])]
        return self._store.finish(lambda: not self._store.missing(names), write)


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """In what two runs differ, in words."""
    found = []
    for key, value in now.items():
        was = before.get(key)
        if isinstance(value, dict) and isinstance(was, dict):
            keys = dict.fromkeys([*was, *value])
            found += [f"{key}: {part}" for part in keys if was.get(part) != value.get(part)]
        elif was != value:
            hashed = key in ("weights", "code of the network")
            found.append(key if hashed else f"{key}: {was} there, {value} here")
    return "; ".join(found) or "of another version"


# a method added to finished results: only its maps are made, and the results are those of one run with all methods


def _fingerprint(asked: Mapping[str, Any]) -> str:
    """SHA-256 of what a run's numbers follow from (`identity.what_is_asked`)."""
    return hashlib.sha256(canonical_json(asked).encode()).hexdigest()


def _methods_done(earlier: Mapping[str, Any], about: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """The methods of finished results that this run asks for too, with others beside them; none if it is another run.

    Args:
        earlier: `run.json` of the results.
        about: the same of this run.
        asked: what this run's numbers follow from.
    """
    done = list(earlier["spec"]["methods"])
    if not set(done) < set(asked["methods"]):
        return []
    limits = {name: count for name, count in asked["spec"]["limits"].items() if name in done}
    part = {
        **asked,
        "methods": {name: asked["methods"][name] for name in done},
        "spec": {**asked["spec"], "methods": done, "limits": limits},
    }
    same = _fingerprint(part) == earlier.get("fingerprint")
    # the images whose maps are kept for figures follow from the most images of any method
    return done if same and _most(earlier) == _most(about) else []


def _most(run: Mapping[str, Any]) -> list[int]:
    return [max(dataset["images"].values()) for dataset in run["datasets"]]


def _with_earlier(
    rows: pa.Table, samples: Samples, earlier_rows: pa.Table, earlier_samples: Samples, methods: Sequence[str]
) -> tuple[pa.Table, Samples]:
    """Rows and samples of the added methods with those of the earlier ones, in the order of a run of `methods`."""
    joined = pa.concat_tables([earlier_rows, rows]).combine_chunks()
    named = joined.select(["dataset", "method"]).to_pandas()
    ranks = {name: rank for rank, name in enumerate(methods)}
    image = named.groupby(["dataset", "method"], sort=False).cumcount()
    order = np.lexsort((named["method"].map(ranks), image, named["dataset"].factorize()[0]))
    columns = [samples.method.tolist().index(name) for name in earlier_samples.method.tolist()]
    filled = {name: getattr(samples, name).copy() for name in ("maps", "made", "mu", "cells")}
    for name, values in filled.items():
        values[:, columns] = getattr(earlier_samples, name)
    return joined.take(order), replace(samples, **filled)
