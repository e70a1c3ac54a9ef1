"""The dataset folder while it is written: parts that survive a kill, then a finished folder, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from datasets import Features
from filelock import FileLock

from stackwalls.hub_cards.finishing import Card, finish_folder
from stackwalls.hub_cards.layout import BASE, check_admissible
from stackwalls.hub_cards.manifest import (
    MANIFEST_FORMAT,
    MANIFEST_NAME,
    Manifest,
    as_json,
    check_publishable,
    package_versions,
)
from stackwalls.hub_cards.parts import Progress, WorkFolder
from stackwalls.hub_cards.record import RECORDS, encode_rows
from stackwalls.hub_cards.shards import read_groups
from stackwalls.model import InputError, RunError, file_sha256
from stackwalls.model.files import disk_errors


class FolderWriter:
    """Writes one dataset folder, part by part; made by `FolderWriter.open`.

    Killed at any moment, the next `open` with the same spec goes on after the last part that was wholly written,
    and the finished folder is the same to the byte. While a run is unfinished its parts lie in `.unfinished/`,
    with a lock that keeps a second process out and that a kill frees. Finishing needs room for the data twice.
    A set that is to be replaced stays whole until the shards of the new one are on the disk; then the folder is an
    unfinished one, whose parts are all there, until it is finished.

    Attributes:
        path: the dataset folder.
        complete: whether the folder is finished; nothing more can be written then.
        state: the state given with the last part that was wholly written, or None.
        rows_written: rows in all parts that were wholly written.
    """

    def __init__(
        self, path: Path, features: Features, run: Mapping[str, Any], replaces: Manifest | None = None
    ) -> None:
        self.path = path
        self._replaces = replaces
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
        replaces: Manifest | None = None,
    ) -> FolderWriter:
        """Begin a dataset folder, go on with an unfinished one, or find it finished.

        Args:
            path: the folder; new, empty, or begun with the same kind, spec and versions.
            kind: "stack-mix" or "stack-gen".
            spec: what is asked for, as JSON values; the same spec has to give the same rows.
            features: the kind's columns.
            versions: of further packages that the rows depend on (those that every folder depends on are known).
            replaces: the manifest of the finished set of another spec that is there and gives way to this one. The
                caller writes all rows of the new set, those that stay too.

        Raises:
            InputError: if the folder holds anything else (the message says what differs); nothing is touched then.
            RunError: if another process is writing it, or it cannot be written.
        """
        asked = as_json({"kind": kind, "spec": dict(spec), "versions": package_versions(versions)})
        writer = cls(Path(path), features, asked | {"format": MANIFEST_FORMAT}, replaces)
        writer._draft({"requested": 0, "kept": 0, "rejected": 0}, {})  # says what is wrong with the spec
        if features != RECORDS[kind]():
            raise InputError(
                f"Expected the columns of a {kind} folder, {list(RECORDS[kind]())}, but got {list(features)}."
            )
        writer._manifest = check_admissible(writer.path, writer._run, replaces)
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
    def versions(self) -> dict[str, str]:
        """The versions of the packages that rows written now depend on."""
        return dict(self._run["versions"])

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
            card: makes README.md; by default the kind's own card, with its pictures.

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
            self._manifest = finish_folder(
                self.path,
                draft,
                lambda: read_groups(self._work.checked_data(self._progress.parts)),
                rejected,
                card,
                self._replaces,
            )
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
                self._manifest = check_admissible(self.path, self._run, self._replaces)
                if self._manifest is None:
                    self._begin_run()
                else:
                    self.close()
            except BaseException:
                self.close()
                raise

    def _begin_run(self) -> None:
        base = _base(self.path)
        run = {**self._run, **({} if base is None else {BASE: base})}
        if base is not None and self._work.read_run() != run:
            self._work.clear()  # left by another run that was to replace a set; none of its parts is needed
        self._progress = self._work.resume()
        self._work.begin(run)

    def _sweep(self) -> None:
        """Remove what a kill at the very end of an earlier run left; not a run that is to replace the finished set."""
        if self._work.path.is_dir():
            with suppress(InputError, RunError, OSError):  # another process is at it, the disk is read-only: no harm
                begun = self._work.read_run() or {}
                if begun.get(BASE) != _base(self.path):
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


def _base(folder: Path) -> str | None:
    """What a run that replaces the finished set in `folder` remembers of it; None where there is none."""
    path = folder / MANIFEST_NAME
    return file_sha256(path) if path.is_file() else None


def _texts(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if isinstance(value, str)}
