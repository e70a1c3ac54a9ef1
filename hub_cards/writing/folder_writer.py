"""A dataset folder while it is written: rows and rejected samples by item, then a finished folder, whole or not at all.

An item is a class of STACK-MIX or an image of STACK-GEN. Items are made in any order, by any number of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from datasets import Features

from stackwalls.hub_cards.layout import Succession, check_admissible
from stackwalls.hub_cards.manifest import (
    MANIFEST_FORMAT,
    MANIFEST_NAME,
    Manifest,
    as_json,
    check_publishable,
    package_versions,
)
from stackwalls.hub_cards.record import RECORDS, encode_rows
from stackwalls.hub_cards.writing.finishing import Card, finish_folder
from stackwalls.hub_cards.writing.run_store import RunStore
from stackwalls.model import InputError, Launch, RunError

Rejected = dict[str, str]
"""{"item": what, "reason": why}."""


@dataclass(frozen=True)
class ItemRecord:
    """What is known of an item, without its rows.

    Attributes:
        rejected: samples that were rejected while it was made, in order.
        rows: how many rows it has.
        notes: JSON values of whoever makes it.
    """

    name: str
    rejected: tuple[Rejected, ...] = ()
    rows: int = 0
    notes: dict[str, Any] = field(default_factory=dict)


class FolderWriter:
    """Writes one dataset folder, item by item; made by `FolderWriter.open`, closed by `with`.

    After a kill, the next `open` for the same spec resumes with the items that were written. The bytes of the finished
    folder depend on the records alone, not on their order or the number of processes. Finishing needs room for the data
    twice. A set that is replaced stays whole until the shards of the new one are on the disk.

    Attributes:
        path: the dataset folder.
        manifest: of the finished folder; nothing more can be written then. None if it is not finished.
        versions: of the packages that rows written now depend on.
    """

    def __init__(self, path: Path, asked: Mapping[str, Any]) -> None:
        self.path = path
        self.manifest: Manifest | None = None
        self.versions: dict[str, str] = dict(asked["versions"])
        self._asked, self._store, self._open = asked, RunStore(path, MANIFEST_NAME), False
        self._features = Features()

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        kind: str,
        spec: Mapping[str, Any],
        versions: Mapping[str, str] | None = None,
        origin: Mapping[str, str] | None = None,
        succession: Succession | None = None,
        launch: Launch | None = None,
    ) -> FolderWriter:
        """Start a dataset folder, resume an unfinished one, or find it finished.

        Args:
            path: the folder; new, empty, or begun with the same arguments.
            kind: "stack-mix", "stack-mix-recipe" or "stack-gen".
            spec: what is asked for, as JSON values; the same spec has to give the same rows.
            versions: of further packages that the rows depend on (those that every folder depends on are known).
            origin: {kind of source: its hash}, for an unfinished run to be resumed from the same source only.
            succession: which other sets and runs in the folder may become this one.
            launch: this process among those that share the run; a single process by default.

        Raises:
            InputError: if the folder holds anything else (the message says what differs); nothing is touched then.
            RunError: if another process is writing it, or it cannot be written.
        """
        asked = as_json({"kind": kind, "spec": dict(spec), "versions": package_versions(versions)})
        asked |= {"format": MANIFEST_FORMAT, "origin": dict(origin) if origin else None}
        writer = cls(Path(path), asked)
        draft = writer._draft({"requested": 0, "kept": 0, "rejected": 0}, {})  # says what is wrong with the spec
        writer._features = RECORDS[kind](draft.classes)
        store, allowed = writer._store, succession or Succession()
        writer.manifest = store.begin(
            asked, lambda: check_admissible(store, asked, allowed), launch or Launch(), writer._carried
        )
        writer._open = writer.manifest is None
        return writer

    def record(self, name: str) -> ItemRecord | None:
        """What is known of an item; None if it was not written, or its record is not whole."""
        header = self._store.header(name)
        try:
            return None if header is None else ItemRecord(name, **header | {"rejected": tuple(header["rejected"])})
        except (KeyError, TypeError):
            return None  # not a record of this kind: the item is made again

    def rows(self, name: str) -> pa.Table:
        """The rows of an item.

        Raises:
            RunError: if its record is damaged; it was removed.
        """
        return pa.ipc.open_stream(self._store.read(name)[1]).read_all()

    def names(self) -> list[str]:
        """Sorted names of the items that were written."""
        return self._store.names()

    def write(
        self,
        name: str,
        rows: Sequence[Mapping[str, Any]] = (),
        rejected: Sequence[Rejected] = (),
        notes: Mapping[str, Any] | None = None,
    ) -> ItemRecord:
        """Store an item, in place of its earlier record if there is one.

        Args:
            name: of the item; a file name.
            rows: with the kind's columns (see `encode_rows`).
            rejected: samples that were rejected while the item was made.
            notes: JSON values, for `record`.

        Raises:
            InputError: if a row does not fit the columns, or a text must not be published.
            RunError: if the disk refuses; the earlier record is kept.
        """
        self._check_writing()
        table = encode_rows(rows, self._features)
        for entry in rejected:
            if entry.keys() != {"item", "reason"} or not all(isinstance(text, str) for text in entry.values()):
                raise InputError(f"Expected a rejected sample as {{'item': …, 'reason': …}}, but got {entry!r:.200}.")
        texts = [{key: value for key, value in row.items() if isinstance(value, str)} for row in rows]
        check_publishable({"rows": texts, "rejected": list(rejected)})
        record = ItemRecord(name, tuple(rejected), len(rows), as_json(notes or {}))
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        header = {"rejected": record.rejected, "rows": record.rows, "notes": record.notes}
        self._store.write(name, header, sink.getvalue().to_pybytes())
        return record

    def finish(
        self,
        names: Sequence[str] | None = None,
        *,
        inputs: Mapping[str, Any] | Callable[[], Mapping[str, Any] | None],
        requested: int | None = None,
        rejected: Sequence[Rejected] = (),
        card: Card | None = None,
    ) -> Manifest | None:
        """Make the finished folder out of the records if all are there; may be killed and repeated at any point.

        Args:
            names: the items in the order of their rows; by default all records, sorted by name.
            inputs: what was found, for the manifest; or a function that returns it, or None while an item is not done.
            requested: samples asked for (see `Manifest.counts`); by default rows and rejected samples together.
            rejected: rejected samples that are not in a record; they come last.
            card: makes README.md; by default the kind's own card, with its images.

        Returns:
            The manifest of the finished folder; None if another process has something left to do.

        Raises:
            InputError: if the inputs are not fit to be published or the counts disagree.
            RunError: if there is no row, a record is damaged, or the disk refuses; the records are kept.
        """
        if self.manifest is not None:
            return self.manifest
        self._check_writing()
        given: list[Mapping[str, Any] | None] = []

        def ready() -> bool:
            if names and self._store.missing(names):
                return False
            given.append(inputs() if callable(inputs) else inputs)
            return given[-1] is not None

        def write() -> None:
            items = self.names() if names is None else names
            records = [record for record in map(self.record, items) if record is not None]
            entries = [*(entry for record in records for entry in record.rejected), *rejected]
            kept = sum(record.rows for record in records)
            wanted = kept + len(entries) if requested is None else requested
            if not kept:
                why = "; ".join(f"{found['item']}: {found['reason']}" for found in entries[:3]) or "and none rejected"
                raise RunError(f"Of {wanted} requested images none was kept, so there is no dataset ({why}).")
            counts = {"requested": wanted, "kept": kept, "rejected": len(entries)}
            draft = self._draft(counts, as_json({**self._store.carried(), **(given[-1] or {})}))
            tables = (self.rows(record.name) for record in records if record.rows)
            # of a set that grew by classes, the records of earlier runs name fewer
            metadata = self._features.arrow_schema.metadata
            batches = (batch for table in tables for batch in table.replace_schema_metadata(metadata).to_batches())
            finish_folder(self.path, draft, batches, entries, card)

        if not self._store.finish(ready, write):
            return None
        self.manifest = Manifest.read(self.path)
        self.close()
        return self.manifest

    def discard(self) -> None:
        """Remove every record and let go of the folder: no set can come of what was begun."""
        self._check_writing()
        self._store.discard()
        self.close()

    def close(self) -> None:
        """Let go of the folder; a run without any record leaves nothing behind."""
        self._open = False
        self._store.close()

    def __enter__(self) -> FolderWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _carried(self) -> dict[str, Any]:
        """The license and the versions (if not today's) of a finished set that is replaced: some of its rows stay."""
        if not (self.path / MANIFEST_NAME).is_file():
            return {}
        old = Manifest.read(self.path)
        kept = {"licence": old.inputs.get("licence"), "first_versions": old.inputs.get("first_versions", old.versions)}
        return {key: value for key, value in kept.items() if value not in (None, self.versions)}

    def _check_writing(self) -> None:
        if not self._open:
            what = "is finished" if self.manifest else "is closed"
            raise InputError(f"Nothing can be written: the dataset folder {self.path} {what}. Open it again.")

    def _draft(self, counts: dict[str, int], inputs: dict[str, Any]) -> Manifest:
        """The manifest before the files are known; says what is wrong before anything is written."""
        asked = self._asked
        return Manifest(MANIFEST_FORMAT, asked["kind"], asked["spec"], asked["versions"], inputs, counts, {})
