"""The dataset folder while several processes write it, item by item; a finished one can grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
from datasets import Features
from filelock import FileLock

from stackwalls.hub_cards.finishing import Card, finish_folder
from stackwalls.hub_cards.item_record import ItemRecord, read_header, read_record, write_record
from stackwalls.hub_cards.item_work import Grows, ItemWork, Revise
from stackwalls.hub_cards.manifest import (
    MANIFEST_FORMAT,
    Manifest,
    as_json,
    check_publishable,
    package_versions,
)
from stackwalls.hub_cards.record import encode_rows
from stackwalls.hub_cards.shards import ROWS_PER_GROUP
from stackwalls.model import RunError
from stackwalls.model.files import disk_errors

Summary = Callable[[Iterator[ItemRecord]], dict[str, Any] | None]
"""From the records of all items (in order, without pictures) to the manifest's inputs; None while one is not done."""


class ItemFolder:
    """Writes one dataset folder of items that are made independently; made by `ItemFolder.open`.

    Each item has a record of its own in `.unfinished/items/`, written whole, by whichever process makes the item.
    The process that finds all of them done finishes the folder, under a lock. The finished folder follows from the
    records alone: neither the number of processes nor a kill changes a byte.

    A finished folder grows: `open` with a larger request unpacks its rows into records, beside which the others are
    made. Until all of them are done the finished set stays as it is.

    Attributes:
        path: the dataset folder.
        manifest: of the folder where it is finished as asked for; nothing is left to do then.
    """

    def __init__(self, path: Path, features: Features, run: Mapping[str, Any]) -> None:
        self.path = path
        self.manifest: Manifest | None = None
        self._features = features
        self._run = run
        self._work = ItemWork(path)
        self._claim: FileLock | None = None
        self._alone = False

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        kind: str,
        spec: Mapping[str, Any],
        features: Features,
        grows: Grows,
        versions: Mapping[str, str] | None = None,
        revise: Revise | None = None,
    ) -> ItemFolder:
        """Begin a dataset folder, go on with an unfinished one, let a finished one grow, or find it finished.

        Args:
            path: the folder; new, empty, or made with the same kind, spec and versions, or a smaller spec.
            kind: "stack-gen".
            spec: what is asked for, as JSON values.
            features: the kind's columns.
            grows: (a spec, a later one) → whether the later one asks for all of the first, and for the rest alike.
            versions: of further packages that the rows depend on.
            revise: from the record of an item that has a row to the record that takes its place (or the same one).

        Raises:
            InputError: if the folder holds anything else (the message says what differs); nothing is touched then.
            RunError: if another process does not let go of it, or it cannot be written.
        """
        asked = as_json({"kind": kind, "spec": dict(spec), "versions": package_versions(versions)})
        folder = cls(Path(path), features, asked | {"format": MANIFEST_FORMAT})
        folder._draft(0, 0, 0, {})  # says what is wrong with the spec
        with disk_errors(folder.path):
            folder.manifest = folder._work.begin(folder._run, grows, revise)
        return folder

    def claim(self, rank: int, world: int) -> None:
        """Say that this process makes the items of `rank` of `world`; a second one that says the same is refused.

        Raises:
            RunError: if another process does so.
        """
        self._alone = world == 1
        self._claim = self._work.claim(rank, world)

    def header(self, image_id: str) -> ItemRecord:
        """How far an item has come; an empty record where it was not begun. Without the picture's bytes."""
        return read_header(self._work.items, image_id) or ItemRecord(image_id)

    def write(self, record: ItemRecord) -> None:
        """Store how far an item has come.

        Raises:
            InputError: if the row does not fit the columns, or a text is not fit to be published.
            RunError: if the disk refuses; the record is as it was before.
        """
        if record.row is not None:
            encode_rows([record.row], self._features)
            texts = {name: value for name, value in record.row.items() if isinstance(value, str)}
            check_publishable({"row": texts})
        check_publishable({"rejected": list(record.rejected)})
        with disk_errors(self.path):
            write_record(self._work.items, record)

    def finish(self, order: Sequence[str], summary: Summary, card: Card | None = None) -> Manifest | None:
        """Make the finished folder out of the records, if all are done; may be killed and repeated at any point.

        Args:
            order: the items' ids in the order of their rows.
            summary: the manifest's inputs from the records, or None while one is not done.
            card: makes README.md; by default the kind's own card, with its pictures.

        Returns:
            The manifest of the finished folder; None where another process has something left to do.

        Raises:
            RunError: if no item has a row, a record is damaged, or the disk refuses; the records are kept.
        """
        if self.manifest is not None:
            return self.manifest
        with disk_errors(self.path), self._work.locked():
            found, ours = self._work.standing(self._run)
            if found is not None or not ours:
                self.manifest = found
                if found is not None:
                    self._work.remove()
                return found
            inputs = summary(self.header(image_id) for image_id in order)
            if inputs is None:
                return None
            self.manifest = self._publish(order, as_json({**self._work.stated(), **inputs}), card)
            self._work.remove()
        return self.manifest

    def close(self) -> None:
        """Let go of the folder; a run alone that made nothing leaves nothing behind. Called by `with`."""
        if self._claim is not None:
            self._claim.release()
            self._claim = None
            if self._alone and self.manifest is None:
                with suppress(OSError, RunError):
                    self._work.remove_if_empty()

    def __enter__(self) -> ItemFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _publish(self, order: Sequence[str], inputs: dict[str, Any], card: Card | None) -> Manifest:
        """Write the finished folder from the records, in place of an earlier one."""
        kept = [image_id for image_id in order if self.header(image_id).row is not None]
        rejected = [entry for image_id in order for entry in self.header(image_id).rejections()]
        if not kept:
            shown = "; ".join(f"{entry['item']}: {entry['reason']}" for entry in rejected[:3])
            raise RunError(f"Of {len(order)} requested images none was kept, so there is no dataset ({shown}).")
        draft = self._draft(len(order), len(kept), len(rejected), inputs)
        base = self._work.base()
        return finish_folder(self.path, draft, lambda: self._batches(kept), rejected, card, replaces=base)

    def _batches(self, kept: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows in order, a group of them in memory at a time."""
        for start in range(0, len(kept), ROWS_PER_GROUP):
            records = [read_record(self._work.items, image_id) for image_id in kept[start : start + ROWS_PER_GROUP]]
            rows = [record.row for record in records if record.row is not None]
            yield from encode_rows(rows, self._features).to_batches()

    def _draft(self, requested: int, kept: int, rejected: int, inputs: dict[str, Any]) -> Manifest:
        counts = {"requested": requested, "kept": kept, "rejected": rejected}
        run = self._run
        return Manifest(MANIFEST_FORMAT, run["kind"], run["spec"], run["versions"], inputs, counts, {})
