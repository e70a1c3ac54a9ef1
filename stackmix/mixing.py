"""Make a STACK-MIX set: source → plan → composites → dataset folder."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from stackwalls.hub_cards import FolderWriter, Manifest, stack_mix_features
from stackwalls.model import InputError, RunError
from stackwalls.stackmix.class_rows import ClassRows, make_class_rows
from stackwalls.stackmix.encoding import find_encoder
from stackwalls.stackmix.mix_plan import MixPlan, plan_mix
from stackwalls.stackmix.mix_spec import MixSpec
from stackwalls.stackmix.sources import Source, open_source

PART_ROWS = 16
"""Rows from which on a part is written: what a kill costs at most, beside the classes in the making."""


@dataclass(frozen=True)
class _Progress:
    """How far a run has come; stored with every part.

    Attributes:
        position: how many classes of the plan's order were tried.
        classes: how many of them were made.
        rows: rows made.
        rejected: entries in the list of what was turned down.
        used: SHA-256 over the rows' sources so far.
        fingerprint: the plan's.
    """

    fingerprint: str
    position: int = 0
    classes: int = 0
    rows: int = 0
    rejected: int = 0
    used: str = ""

    def after(self, made: ClassRows) -> _Progress:
        """The progress when `made` is added."""
        used = self.used
        for row in made.rows:
            sources = (row[key] for key in ("top_source", "top_sha256", "bottom_source", "bottom_sha256"))
            used = hashlib.sha256("\0".join((used, *sources)).encode()).hexdigest()
        return _Progress(
            fingerprint=self.fingerprint,
            position=self.position + 1,
            classes=self.classes + bool(made.rows),
            rows=self.rows + len(made.rows),
            rejected=self.rejected + len(made.rejected),
            used=used,
        )


def mix(spec: MixSpec, out: Path, *, workers: int | None = None, progress: bool = False) -> Manifest:
    """Make the set that `spec` describes in the folder `out`, or go on with it where an earlier run stopped.

    The same spec and source give the same files, whatever the number of workers and however often the run was
    killed. A broken picture is passed over, another of its class takes its place; a class with too few usable
    pictures is replaced by the next in the seeded order, unless it was named. All of that is listed, with
    reasons, in the folder's `rejected.parquet`; in the manifest's counts, `requested` is the number of draws:
    rows kept and entries of that list.

    The manifest's inputs: `index_sha256` of all classes and ids of the source, and `used_sha256`, a chain over the
    rows in order: SHA-256 of (the value before, top source, its SHA-256, bottom source, its SHA-256), joined by
    NUL, beginning with nothing.

    Args:
        spec: what to make.
        out: the dataset folder, new, empty, or begun with the same spec.
        workers: threads that make composites (Pillow works outside of Python's lock); all cores by default.
        progress: show progress bars on stderr.

    Raises:
        InputError: if the source or the classes cannot be had, or `out` holds something else; nothing is written.
        RunError: if too few composites could be made, or the disk is full.
    """
    if workers is not None and workers < 1:
        raise InputError(f"Expected at least 1 worker, but got {workers}.")
    source = open_source(spec.source, labels=spec.labels, progress=progress)
    plan = plan_mix(spec, source.index(), source.name)
    asked = spec.to_dict(source.name)
    with FolderWriter.open(out, kind="stack-mix", spec=asked, features=stack_mix_features()) as writer:
        if writer.manifest is not None:
            return _finished(writer.manifest, plan, out)
        done = _resumed(writer.state, plan, out)
        with _quiet_pillow():
            done = _write(source, plan, done, writer, workers or _cores(), progress)
        inputs = {"index_sha256": plan.fingerprint, "used_sha256": done.used}
        return writer.finish(requested=done.rows + done.rejected, inputs=inputs)


def _write(
    source: Source, plan: MixPlan, done: _Progress, writer: FolderWriter, workers: int, progress: bool
) -> _Progress:
    """Make what is missing, part by part."""
    spec = plan.spec
    source.fetch(plan.first_needed(done.position))
    make = partial(
        make_class_rows, source, per_class=spec.per_class, wall=spec.wall, encoder=find_encoder(spec.encoder)
    )
    total = (plan.wanted or len(plan.order)) * spec.per_class
    rows: list[dict[str, Any]] = []
    rejected: list[dict[str, str]] = []
    failures: list[str] = []
    with tqdm(total=total, initial=done.rows, desc="mixing", unit="image", delay=1, disable=not progress) as bar:
        for made in _in_order(lambda index: make(index, plan.images(index)), plan, done, workers):
            done = done.after(made)
            rows += made.rows
            rejected += made.rejected
            failures += [": ".join(entry.values()) for entry in made.rejected[-1:] if not made.rows]
            bar.update(len(made.rows))
            if len(rows) >= PART_ROWS:
                writer.write_part(rows, rejected, asdict(done))
                rows, rejected = [], []
    if done.classes < (plan.wanted or 1):
        # with parts left behind, a repaired picture would not come back to a class that was made without it
        writer.discard()
        raise RunError(_shortfall(plan, done, failures))
    if rows or rejected:
        writer.write_part(rows, rejected, asdict(done))
    return done


def _in_order(make: Callable[[int], ClassRows], plan: MixPlan, done: _Progress, workers: int) -> Iterator[ClassRows]:
    """What `make` gives for the classes of the plan, in order, until as many as are wanted were made.

    No class is begun that is needed only if another one fails.
    """
    left = iter(plan.order[done.position :])
    classes = done.classes
    pending: deque[Future[ClassRows]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            while True:
                ahead = 2 * workers if plan.wanted is None else min(2 * workers, plan.wanted - classes)
                while len(pending) < ahead and (index := next(left, None)) is not None:
                    pending.append(pool.submit(make, index))
                if not pending:
                    return
                made = pending.popleft().result()
                classes += bool(made.rows)
                yield made
        finally:
            for future in pending:
                future.cancel()


def _resumed(state: Mapping[str, Any] | None, plan: MixPlan, out: Path) -> _Progress:
    """The progress that an unfinished run left behind, or a new one's.

    Raises:
        InputError: if the source has other pictures now.
    """
    if state is None:
        return _Progress(plan.fingerprint)
    done = _Progress(**state)
    if done.fingerprint != plan.fingerprint:
        raise InputError(_changed(out, "was begun", plan))
    return done


def _finished(manifest: Manifest, plan: MixPlan, out: Path) -> Manifest:
    """The manifest of a set that is there already.

    Raises:
        InputError: if it was made from other pictures.
    """
    if manifest.inputs["index_sha256"] != plan.fingerprint:
        raise InputError(_changed(out, "was made", plan))
    return manifest


def _changed(out: Path, verb: str, plan: MixPlan) -> str:
    return (
        f"{out} {verb} with the same settings from other pictures than {plan.spec.source} holds now: "
        "bring those back, or take a new --out."
    )


def _shortfall(plan: MixPlan, done: _Progress, failures: list[str]) -> str:
    """The sentence for a run that made too few classes."""
    failed = done.position - done.classes
    shown = "; ".join(failures[:3]) + ("; …" if failed > len(failures[:3]) else "")
    return (
        f"Only {done.classes} of {plan.wanted or len(plan.order)} classes could be made, {failed} had too few usable "
        f"pictures ({shown}): repair or replace those, or ask for fewer classes or pairs in a new --out."
    )


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    """Pillow's warnings off: what they say of a picture is either handled or in `rejected`."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
