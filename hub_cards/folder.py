"""The dataset folder while it is written: parts that survive a kill, then a finished folder, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
from datasets import Features
from filelock import FileLock

from stackwalls.hub_cards.card import CARDS
from stackwalls.hub_cards.layout import CARD_NAME, REJECTED_NAME, check_admissible, clear_data_folder
from stackwalls.hub_cards.manifest import (
    MANIFEST_FORMAT,
    MANIFEST_NAME,
    Manifest,
    as_json,
    check_publishable,
    package_versions,
)
from stackwalls.hub_cards.parts import Progress, WorkFolder
from stackwalls.hub_cards.record import RECORDS, REJECTED_SCHEMA, encode_rows
from stackwalls.hub_cards.shards import (
    DATA_FOLDER,
    SHARD_BYTES,
    read_groups,
    regrouped,
    shard_name,
    write_parquet,
    write_shards,
)
from stackwalls.hub_cards.whole_files import (
    disk_errors,
    put_in_place,
    sync_folder,
    whole_file,
    write_whole,
)
from stackwalls.model import InputError, RunError, file_sha256

Card = Callable[[Manifest, dict[str, Any]], str]
"""From the manifest (without the card's own entry) and the first row to the text of README.md."""


class FolderWriter:
    """Writes one dataset folder, part by part; made by `FolderWriter.open`.

    Killed at any moment, the next `open` with the same spec goes on after the last part that was wholly written,
    and the finished folder is the same to the byte. While a run is unfinished its parts lie in `.unfinished/`,
    with a lock that keeps a second process out and that a kill frees. Finishing needs room for the data twice.

    Attributes:
        path: the dataset folder.
        complete: whether the folder is finished; nothing more can be written then.
        state: the state given with the last part that was wholly written, or None.
        rows_written: rows in all parts that were wholly written.
    """

    def __init__(self, path: Path, features: Features, run: Mapping[str, Any]) -> None:
        self.path = path
        self._features = features
        self._run = run
        self._work = WorkFolder(path)
        self._lock: FileLock | None = None
        self._created = False
        self._progress = Progress()
        self._manifest: Manifest | None = None

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        kind: str,
        spec: Mapping[str, Any],
        features: Features,
        versions: Mapping[str, str] | None = None,
    ) -> FolderWriter:
        """Begin a dataset folder, go on with an unfinished one, or find it finished.

        Args:
            path: the folder; new, empty, or begun with the same kind, spec and versions.
            kind: "stack-mix" or "stack-gen".
            spec: what is asked for, as JSON values; the same spec has to give the same rows.
            features: the kind's columns.
            versions: of further packages that the rows depend on (those that every folder depends on are known).

        Raises:
            InputError: if the folder holds anything else (the message says what differs); nothing is touched then.
            RunError: if another process is writing it, or it cannot be written.
        """
        asked = as_json({"kind": kind, "spec": dict(spec), "versions": package_versions(versions)})
        writer = cls(Path(path), features, asked | {"format": MANIFEST_FORMAT})
        writer._draft({"requested": 0, "kept": 0, "rejected": 0}, {})  # says what is wrong with the spec
        if features != RECORDS[kind]():
            raise InputError(
                f"Expected the columns of a {kind} folder, {list(RECORDS[kind]())}, but got {list(features)}."
            )
        writer._manifest = check_admissible(writer.path, writer._run)
        if writer._manifest is None:
            writer._begin()
        else:
            writer._sweep()
        return writer

    @property
    def complete(self) -> bool:
        """Whether the folder is finished."""
        return self._manifest is not None

    @property
    def manifest(self) -> Manifest | None:
        """The manifest of the finished folder, or None."""
        return self._manifest

    @property
    def state(self) -> dict[str, Any] | None:
        """The state given with the last part that was wholly written."""
        return self._progress.state

    @property
    def rows_written(self) -> int:
        """Rows in all parts that were wholly written, or in the finished folder."""
        return self._manifest.counts["kept"] if self._manifest else self._progress.rows

    def write_part(
        self, rows: Sequence[Mapping[str, Any]], rejected: Sequence[Mapping[str, str]], state: Mapping[str, Any]
    ) -> None:
        """Write some rows and some samples turned down; both are kept, or neither.

        The finished folder does not depend on how the rows are divided into parts.

        Args:
            rows: after the features; an image is {"bytes": the encoded file, "path": its bare name}.
            rejected: {"item": what, "reason": why}.
            state: JSON values that let the caller go on after this part.

        Raises:
            InputError: if a row does not fit the features, or a text is not fit to be published.
            RunError: if the disk refuses; the folder is as it was before.
        """
        self._check_writing()
        table = encode_rows(rows, self._features)
        for entry in rejected:
            if entry.keys() != {"item", "reason"} or not all(isinstance(text, str) for text in entry.values()):
                raise InputError(f"Expected a rejected sample as {{'item': …, 'reason': …}}, but got {entry!r:.200}.")
        check_publishable({"rows": [_texts(row) for row in rows], "rejected": list(rejected)})
        with disk_errors(self.path):
            self._work.add(self._progress.parts, table, rejected, state)
        self._progress = Progress(self._progress.parts + 1, self.rows_written + len(rows), as_json(state))

    def finish(self, *, requested: int, inputs: Mapping[str, Any], card: Card | None = None) -> Manifest:
        """Make the finished folder out of the parts; may be killed and repeated at any point.

        Args:
            requested: samples asked for (see `Manifest.counts`).
            inputs: what was found, for the manifest.
            card: makes README.md; by default the kind's own card (none where a kind has none).

        Raises:
            InputError: if the inputs are not fit to be published or the counts disagree.
            RunError: if there is no row, a part is damaged, or the disk refuses; the parts are kept.
        """
        if self._manifest is not None:
            return self._manifest
        self._check_writing()
        rejected = list(self._work.rejected(self._progress.parts))
        if not self._progress.rows:
            reasons = "; ".join(f"{entry['item']}: {entry['reason']}" for entry in rejected[:3]) or "and none rejected"
            raise RunError(f"Of {requested} requested samples none was kept, so there is no dataset ({reasons}).")
        counts = {"requested": requested, "kept": self._progress.rows, "rejected": len(rejected)}
        draft = self._draft(counts, as_json(inputs))
        with disk_errors(self.path):
            self._manifest = self._publish(draft, rejected, card or CARDS.get(draft.kind))
        self.close()
        return self._manifest

    def discard(self) -> None:
        """Remove every part and let go of the folder: what was begun can become none."""
        self._check_writing()
        with disk_errors(self.path):
            self._work.remove()
        self._progress = Progress()
        self.close()

    def close(self) -> None:
        """Let go of the folder; a run without any part leaves nothing behind. Called by `finish` and by `with`."""
        if self._lock is None:
            return
        lock, self._lock = self._lock, None
        try:
            with disk_errors(self.path):
                if self.complete or not self._work.has_parts():
                    self._work.remove()
            if self._created:
                with suppress(OSError):  # there are files in it
                    self.path.rmdir()
        finally:
            lock.release()

    def __enter__(self) -> FolderWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self) -> None:
        """Take the lock, look again, and read how far the run has come."""
        with disk_errors(self.path):
            self._created = not self.path.exists()
            self._work.path.mkdir(parents=True, exist_ok=True)
            self._lock = self._work.lock()
            try:
                self._manifest = check_admissible(self.path, self._run)
                if self._manifest is None:
                    self._progress = self._work.resume()
                    self._work.begin(self._run)
                else:
                    self.close()
            except BaseException:
                self.close()
                raise

    def _sweep(self) -> None:
        """Remove what a kill at the very end of an earlier run left beside the finished folder."""
        if self._work.path.is_dir():
            with suppress(RunError, OSError):  # another process is at it, or the disk is read-only: no harm
                self._lock = self._work.lock()
                self.close()

    def _check_writing(self) -> None:
        if self._lock is None:
            what = "is finished" if self.complete else "is closed"
            raise InputError(f"Nothing can be written: the dataset folder {self.path} {what}. Open it again.")

    def _draft(self, counts: dict[str, int], inputs: dict[str, Any]) -> Manifest:
        """The manifest before the files are known; says what is wrong before anything is written."""
        run = self._run
        return Manifest(MANIFEST_FORMAT, run["kind"], run["spec"], run["versions"], inputs, counts, {})

    def _publish(self, draft: Manifest, rejected: Sequence[Mapping[str, str]], card: Card | None) -> Manifest:
        """Shards, rejected.parquet, the card and, last, the manifest."""
        rows = self._write_shards()
        with whole_file(self.path / REJECTED_NAME) as file:
            write_parquet(file, pa.Table.from_pylist(list(rejected), schema=REJECTED_SCHEMA))
        files = {name: _entry(self.path / name) | {"rows": count} for name, count in rows.items()}
        files[REJECTED_NAME] = _entry(self.path / REJECTED_NAME) | {"rows": len(rejected)}
        if card is not None:
            first = next(read_groups([self.path / next(iter(rows))])).slice(0, 1).to_pylist()[0]
            write_whole(self.path / CARD_NAME, card(_with_files(draft, files), first).encode())
            files[CARD_NAME] = _entry(self.path / CARD_NAME)
        manifest = _with_files(draft, files)
        write_whole(self.path / MANIFEST_NAME, manifest.to_json().encode())
        return manifest

    def _write_shards(self) -> dict[str, int]:
        """Merge the parts; the shards get their names when all of them are wholly on the disk. Rows by name."""
        data = self.path / DATA_FOLDER
        data.mkdir(exist_ok=True)
        clear_data_folder(data)
        try:
            parts = self._work.checked_data(self._progress.parts)
            shards = write_shards(regrouped(read_groups(parts)), data, SHARD_BYTES)
            names = [shard_name(number, len(shards)) for number in range(len(shards))]
            for name, shard in zip(names, shards, strict=True):
                put_in_place(shard.path, self.path / name)
        except BaseException:
            with suppress(OSError):
                clear_data_folder(data)
                data.rmdir()
            raise
        sync_folder(data)
        return {name: shard.rows for name, shard in zip(names, shards, strict=True)}


def _texts(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if isinstance(value, str)}


def _entry(path: Path) -> dict[str, Any]:
    return {"sha256": file_sha256(path), "bytes": path.stat().st_size}


def _with_files(draft: Manifest, files: Mapping[str, dict[str, Any]]) -> Manifest:
    return Manifest(draft.format, draft.kind, draft.spec, draft.versions, draft.inputs, draft.counts, dict(files))
