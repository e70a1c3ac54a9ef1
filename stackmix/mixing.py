"""Make a STACK-MIX set: source → plan → composites, a record for each class → dataset folder."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from stackwalls.hub_cards import (
    MANIFEST_NAME,
    FolderWriter,
    ItemRecord,
    Manifest,
    Succession,
    unfinished_spec,
)
from stackwalls.model import Cluster, InputError, RunError, parse_label_space
from stackwalls.model.images import LabeledImages, open_images
from stackwalls.stackmix.class_rows import ClassRows, make_class_rows
from stackwalls.stackmix.class_workers import rows_from
from stackwalls.stackmix.mix_plan import MixPlan, plan_mix
from stackwalls.stackmix.mix_spec import MixSpec, RejectedPair


def mix(
    spec: MixSpec,
    out: str | Path,
    *,
    workers: int | None = None,
    progress: bool = False,
    overwrite: bool = False,
    cluster: Cluster | None = None,
) -> Manifest:
    """Make the set that `spec` describes in the folder `out`, or resume it where an earlier run stopped.

    The same spec and source give the same files, whatever the number of workers and however often the run was killed.
    A broken image is skipped and another of its class replaces it; a class with too few usable images is replaced by
    the next in the seeded order, unless it was named. All of that is listed, with reasons, in the folder's
    `rejected.parquet`; in the manifest's counts, `requested` is the number of draws: rows kept and entries of that
    list. If `out` holds the set with pairs that were replaced after a review (`redo_rejected`), it is left as it is.

    The manifest's inputs: `index_sha256` of all classes and ids of the source, and `used_sha256`, a chain over the
    rows in order: SHA-256 of (the value before, top source, its SHA-256, bottom source, its SHA-256), joined by
    NUL, beginning with nothing.

    Args:
        spec: what to make.
        out: the dataset folder, new, empty, or begun with the same spec.
        workers: threads that make composites (Pillow works outside of Python's lock); all cores by default.
        progress: show progress bars on stderr.
        overwrite: replace a finished STACK-MIX set in `out`, which stays whole until the new one is.
        cluster: make the composites there instead of in threads; this process reads the source and writes `out`.

    Raises:
        InputError: if the source or the classes cannot be had, or `out` holds something else; nothing is written.
        RunError: if too few composites could be made, or the disk is full.
    """
    check_workers(workers)
    out = Path(out)
    source = open_source(spec, progress)
    if not overwrite:
        spec = replace(spec, redone=spec.redone or redone_there(spec, source, out))
    plan = plan_mix(spec, source.classes, source.index(), source.name)
    with open_set(plan, source.name, out, _replacing(out) if overwrite else None) as writer:
        if writer.manifest is not None:
            check_same_images(writer.manifest, plan, out)
            return writer.manifest
        return make_set(ClassMaker(plan, source, writer), workers, progress, cluster)


def open_source(spec: MixSpec, progress: bool) -> LabeledImages:
    """The images that a spec names; raises as `open_images`."""
    choice = None if spec.label_space is None else parse_label_space(spec.label_space)
    return open_images(spec.source, labels=spec.labels, label_space=choice, progress=progress)


def _replacing(out: Path) -> Succession:
    """The finished set in `out` may become any other one; an unfinished run with other settings may not."""
    there = Manifest.read(out).spec if (out / MANIFEST_NAME).is_file() else None
    return Succession(lambda earlier, _: earlier == there, revised=lambda: True, any_version=True)


class ClassMaker:
    """Makes the classes of a plan from its source and stores them, each as an item."""

    def __init__(self, plan: MixPlan, source: LabeledImages, writer: FolderWriter) -> None:
        self.plan, self.writer, self._source = plan, writer, source

    def fetch(self, classes: Iterable[int]) -> None:
        """Tell the source which images will be read if none is broken; one that reads best in bulk reads them now."""
        pairs = {index: self.plan.spec.per_class + len(self.plan.redone(index)) for index in classes}
        self._source.fetch([name for index, count in pairs.items() for name in self.plan.images(index)[: 2 * count]])

    def rows_of(self, index: int) -> ClassRows:
        """The rows of one class; called by several threads."""
        return make_class_rows(self._source, self.plan, index)

    def make(self, index: int) -> int:
        """Make a class and store it; how many rows it has."""
        return self._store(index, self.rows_of(index))

    def make_on(self, cluster: Cluster, classes: Iterable[int]) -> Iterator[int]:
        """`make` for each class, on a cluster, as they are done."""
        for index, made in rows_from(cluster, self.plan, self._source, classes):
            yield self._store(index, made)

    def _store(self, index: int, made: ClassRows) -> int:
        notes = {"usable": made.usable, "redone": self._redone(index)}
        return self.writer.write(self.plan.classes.key(index), made.rows, made.rejected, notes).rows

    def records(self) -> dict[int, ItemRecord | None]:
        """The classes that make the set as far as is known, in order; None for those that are missing."""
        found: dict[int, ItemRecord | None] = {}
        good = 0
        for index in self.plan.order:
            if good == self.plan.wanted:
                break
            record = self.writer.record(self.plan.classes.key(index))
            if record is not None and record.notes.get("redone") != self._redone(index):
                record = None  # of before a review that changed the class
            found[index] = record
            good += record is None or bool(record.notes["usable"])
        return found

    def _redone(self, index: int) -> list[dict[str, str]]:
        return [asdict(pair) for pair in self.plan.redone(index)]


def open_set(plan: MixPlan, source_name: str, out: Path, succession: Succession | None = None) -> FolderWriter:
    """The folder of a plan's set."""
    spec, origin = plan.spec.to_dict(source_name, plan.classes), {"source of images": plan.fingerprint}
    return FolderWriter.open(out, kind="stack-mix", spec=spec, origin=origin, succession=succession)


def make_set(maker: ClassMaker, workers: int | None, progress: bool, cluster: Cluster | None = None) -> Manifest:
    """Make the classes that are missing, in threads or on a cluster, and finish the folder.

    No class is made that is needed only if another one fails.

    Raises:
        RunError: if too few classes could be made; the records are removed then. With records left behind, a repaired
            image would not come back to a class that was made without it.
    """
    plan, writer, records = maker.plan, maker.writer, maker.records()
    total = (plan.wanted or len(plan.order)) * plan.spec.per_class
    done = sum(record.rows for record in records.values() if record is not None)
    with image_pool("mixing", total, done, workers, progress=progress) as (pool, bar):
        while missing := [index for index, record in records.items() if record is None]:
            maker.fetch(missing)
            for rows in pool.map(maker.make, missing) if cluster is None else maker.make_on(cluster, missing):
                bar.update(rows)
            records = maker.records()
    made = [record for record in records.values() if record is not None]
    if problem := _shortfall(plan, made, writer.path):
        writer.discard()
        raise RunError(problem)
    names, used = [record.name for record in made], ""
    for name in names:
        table = writer.rows(name).select(["top_source", "top_sha256", "bottom_source", "bottom_sha256"])
        for row in table.to_pylist():
            used = hashlib.sha256("\0".join((used, *row.values())).encode()).hexdigest()
    manifest = writer.finish(names, inputs={"index_sha256": plan.fingerprint, "used_sha256": used})
    if manifest is None:
        raise RunError(f"Another process changed {writer.path} meanwhile: run the same command again.")
    return manifest


def _shortfall(plan: MixPlan, records: Sequence[ItemRecord], out: Path) -> str:
    """The sentence for a run that made too few classes, or none of whose rows is left; empty for any other."""
    failures = [": ".join(record.rejected[-1].values()) for record in records if not record.notes["usable"]]
    good = len(records) - len(failures)
    if good < (plan.wanted or 1):
        shown = "; ".join(failures[:3]) + ("; …" if len(failures) > 3 else "")
        return (
            f"Only {good} of {plan.wanted or len(plan.order)} classes could be made, {len(failures)} had too few "
            f"usable images ({shown}): repair or replace those, or ask for fewer classes or pairs in a new --out."
        )
    if any(record.rows for record in records):
        return ""
    return (
        f"Every row of {out} was rejected and no class has another pair, so no set would be left; it was not changed. "
        "Keep some rows, or make another set from another source or seed."
    )


def redone_there(spec: MixSpec, source: LabeledImages, out: Path) -> tuple[RejectedPair, ...]:
    """The pairs that were replaced after a review in the finished or unfinished set in `out`, if it is this one.

    Raises:
        InputError: if what is there cannot be read.
    """
    there = Manifest.read(out).spec if (out / MANIFEST_NAME).is_file() else unfinished_spec(out) or {}
    without = {name: value for name, value in there.items() if name != "redone"}
    asked = spec.of(source.classes).to_dict(source.name, source.classes)
    return RejectedPair.read(there.get("redone", ())) if without == asked else ()


def check_same_images(manifest: Manifest, plan: MixPlan, out: Path) -> None:
    """InputError if the source does not hold the images that it held when the set in `out` was made."""
    if manifest.inputs["index_sha256"] != plan.fingerprint:
        raise InputError(
            f"{out} was made with the same settings from other images than {plan.spec.source} holds now: restore "
            "those, or choose a new --out."
        )


def check_workers(workers: int | None) -> None:
    """Raise InputError for a number of threads below 1."""
    if workers is not None and workers < 1:
        raise InputError(f"Expected at least 1 worker, but got {workers}.")


@contextmanager
def image_pool(
    doing: str, total: int, done: int, workers: int | None, *, progress: bool
) -> Iterator[tuple[ThreadPoolExecutor, tqdm[Any]]]:
    """Threads, by default one for each core that this process may use, and a progress bar.

    If the block fails, the threads stop. Pillow's warnings are off: what they say of an image is either handled or in
    `rejected`.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with (
        warnings.catch_warnings(),
        tqdm(total=total, initial=done, desc=doing, unit="image", delay=1, disable=not progress) as bar,
        ThreadPoolExecutor(workers or cores) as pool,
    ):
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            yield pool, bar
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
