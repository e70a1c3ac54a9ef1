"""The work folder of items: who may write, what run it belongs to, and a finished set taken apart into records."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from stackwalls.hub_cards.item_record import SUFFIX, ItemRecord, read_header, reasons_by_item, write_record
from stackwalls.hub_cards.layout import REJECTED_NAME, check_present, check_same_kind, check_strangers, listed
from stackwalls.hub_cards.manifest import MANIFEST_NAME, Manifest, differences
from stackwalls.hub_cards.parts import ITEMS_NAME, WorkFolder
from stackwalls.hub_cards.shards import read_groups
from stackwalls.model import InputError, RunError, file_sha256

Grows = Callable[[Mapping[str, Any], Mapping[str, Any]], bool]
"""(a spec, a later one) → whether the later one asks for all of the first, and for the rest alike."""

Revise = Callable[[ItemRecord], ItemRecord]
"""From the record of an item that has a row to the record that takes its place, or the same one."""

PATIENCE = 600
"""Seconds to wait for a process that begins or finishes the same folder."""

_BASE = "base"
"""Key of run.json: SHA-256 of the manifest of the finished set that the run builds on."""

_LICENCE = "licence"
"""Key of run.json, as in a manifest's inputs: the licence that was stated for that set."""


class ItemWork:
    """`.unfinished/`: `run.json`, the lock, and `items/` with a record for each item that was begun."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._work = WorkFolder(folder)
        self.items = self._work.path / ITEMS_NAME

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's lock; wait for a process that begins or finishes it.

        Raises:
            RunError: if it is not let go of in `PATIENCE` seconds.
        """
        lock = FileLock(self._work.path / "lock")
        try:
            while not lock.is_locked:
                self._work.path.mkdir(parents=True, exist_ok=True)
                with suppress(FileNotFoundError):  # the process that finished the folder has just removed it
                    lock.acquire(timeout=PATIENCE)
        except Timeout as error:
            raise RunError(
                f"Another process has been writing {self._folder} for {PATIENCE} s: wait until it is done, or choose "
                "another folder."
            ) from error
        try:
            yield
        finally:
            lock.release()

    def claim(self, rank: int, world: int) -> FileLock:
        """A lock that says: a process makes the items of `rank` of `world`.

        Raises:
            RunError: if another process holds it.
        """
        lock = FileLock(self._work.path / f"worker-{rank}-of-{world}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            which = f" as process {rank} of {world}" if world > 1 else ""
            raise RunError(
                f"Another process is writing {self._folder}{which}: wait until it is done, or choose another folder."
            ) from error
        return lock

    def begin(self, run: Mapping[str, Any], grows: Grows, revise: Revise | None) -> Manifest | None:
        """Make the folder ready for records of `run`, or find it finished as asked for.

        Raises:
            InputError: if it holds anything else; nothing is touched then.
        """
        self._look(run, grows)  # a refusal leaves no trace, not even a lock
        created = not self._folder.exists()
        with self.locked():
            try:
                return self._begin(run, grows, revise)
            except BaseException:
                if created:
                    self.remove_if_empty()
                raise

    def standing(self, run: Mapping[str, Any]) -> tuple[Manifest | None, bool]:
        """The manifest, if the folder was finished meanwhile, and whether the work folder still belongs to `run`."""
        there, begun = self._there(), self._begun()
        if there is not None and begun is None:
            return there, False
        return None, begun is not None and not differences(_without_base(begun), run)

    def base(self) -> Manifest | None:
        """The manifest of the finished set that the run builds on, while it is there."""
        return self._there()

    def stated(self) -> dict[str, Any]:
        """What was stated for the finished set that the run builds on: its licence, if one was."""
        return _stated(self._work.read_run())

    def remove(self) -> None:
        """Remove the work folder."""
        self._work.remove()

    def remove_if_empty(self) -> None:
        """Remove the work folder where no record is in it, and the dataset folder if nothing else is there."""
        if not self._work.has_parts() and self._work.path.is_dir():
            self._work.remove()
            with suppress(OSError):  # there are files in it
                self._folder.rmdir()

    def _there(self) -> Manifest | None:
        return Manifest.read(self._folder) if (self._folder / MANIFEST_NAME).is_file() else None

    def _begun(self) -> dict[str, Any] | None:
        """What the work folder belongs to; None where that is nothing, or a set that was finished since."""
        begun = self._work.read_run()
        manifest = self._folder / MANIFEST_NAME
        if begun is not None and manifest.is_file() and begun.get(_BASE) != file_sha256(manifest):
            return None
        return begun

    def _look(self, run: Mapping[str, Any], grows: Grows) -> tuple[Manifest | None, dict[str, Any] | None]:
        """The finished set and the run that is under way.

        Raises:
            InputError: if `run` may not go on from there.
        """
        if self._folder.exists() and not self._folder.is_dir():
            raise InputError(f"{self._folder} is a file: choose a new or empty folder for the dataset.")
        there, begun = self._there(), self._begun()
        if there is None:
            check_strangers(self._folder, begun is not None)
            if begun is not None and self._work.has_parts():
                _check(self._folder, "an unfinished", _without_base(begun), run, grows)
            return None, begun
        check_present(self._folder, there)
        finished = {"kind": there.kind, "spec": there.spec, "versions": there.versions, "format": there.format}
        if begun is not None and there.spec != run["spec"]:
            _check(self._folder, "an unfinished", _without_base(begun), run, grows)
        if there.kind == run["kind"] and there.spec == run["spec"]:
            return there, begun
        _check(self._folder, "a finished", finished, run, grows)
        return there, begun

    def _begin(self, run: Mapping[str, Any], grows: Grows, revise: Revise | None) -> Manifest | None:
        there, begun = self._look(run, grows)
        if there is None:
            if begun is None:
                self._work.clear()  # records that belong to no run
            self.items.mkdir(exist_ok=True)
            self._work.begin({**run, **_stated(begun)})
            return None
        if begun is None:
            self._work.clear()
            changed = there.spec != run["spec"] or (
                revise is not None and any(revise(record) != record for record in unpacked(self._folder, there))
            )
            if not changed:
                self._work.remove()
                return there
            if there.versions != run["versions"]:
                raise InputError(_other_versions(self._folder, there.versions, run["versions"]))
            self._unpack(there, revise)
        elif there.spec == run["spec"] and revise is None:
            return there  # it is being extended or redone; the finished set is what is asked for
        elif revise is not None:
            self._revise(revise)
        base = file_sha256(self._folder / MANIFEST_NAME)
        self._work.begin({**run, **_stated(there.inputs), _BASE: base})
        return None

    def _unpack(self, there: Manifest, revise: Revise | None) -> None:
        self.items.mkdir(exist_ok=True)
        for record in unpacked(self._folder, there):
            write_record(self.items, revise(record) if revise is not None and record.row is not None else record)

    def _revise(self, revise: Revise) -> None:
        """Once more over records that are there: what was turned down since is made anew too."""
        for path in sorted(self.items.glob(f"*{SUFFIX}")):
            record = read_header(self.items, path.name.removesuffix(SUFFIX))
            if record is not None and record.row is not None and (revised := revise(record)) != record:
                write_record(self.items, revised)


def unpacked(folder: Path, manifest: Manifest) -> Iterator[ItemRecord]:
    """The records that a finished folder was made of, one row group in memory at a time."""
    reasons = reasons_by_item(pq.read_table(folder / REJECTED_NAME).to_pylist())
    devices = tuple(manifest.inputs.get("devices", ()))
    for batch in read_groups(folder / name for name in manifest.shards()):
        for row in batch.to_pylist():
            image = row["image"] | {"sha256": hashlib.sha256(row["image"]["bytes"]).hexdigest()}
            rejected = tuple(reasons.pop(row["image_id"], ()))
            yield ItemRecord(row["image_id"], rejected, row | {"image": image}, devices)
    for image_id, rest in reasons.items():
        yield ItemRecord(image_id, tuple(rest), None, devices)


def _without_base(run: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in run.items() if key not in (_BASE, _LICENCE)}


def _stated(values: Mapping[str, Any] | None) -> dict[str, Any]:
    return {_LICENCE: values[_LICENCE]} if values and _LICENCE in values else {}


def _check(folder: Path, what: str, there: Mapping[str, Any], run: Mapping[str, Any], grows: Grows) -> None:
    """Refuse a run that neither is the one that is there nor asks for all of it and more.

    Raises:
        InputError: saying what differs.
    """
    found = differences(there, run)
    if not found:
        return
    check_same_kind(folder, what, str(there.get("kind")), run["kind"])
    same = {key: value for key, value in there.items() if key != "spec"}
    if grows(there["spec"], run["spec"]):
        found = differences(same, {key: value for key, value in run.items() if key != "spec"})
        if not found:
            return
    raise InputError(
        f"{folder} holds {what} set with other settings: {listed(found, '; ')}. It can grow by asking for more "
        "classes, images a class or attempts with the same settings; for others, choose another folder, or delete this "
        "one."
    )


def _other_versions(folder: Path, there: Mapping[str, str], now: Mapping[str, str]) -> str:
    return (
        f"{folder} was made with other versions: {listed(differences(there, now), '; ')}. Install those to go on, or "
        "choose another folder."
    )
