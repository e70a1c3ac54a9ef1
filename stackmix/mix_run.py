"""One run over the classes of a plan, part by part into a dataset folder."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from PIL import Image
from tqdm import tqdm

from stackwalls.hub_cards import FolderWriter
from stackwalls.model import RunError
from stackwalls.stackmix.class_rows import ClassRows
from stackwalls.stackmix.mix_plan import MixPlan

PART_ROWS = 16
"""Rows from which on a part is written: what a kill costs at most, beside the classes in the making."""


@dataclass(frozen=True)
class Progress:
    """How far a run has come; stored with every part.

    Attributes:
        position: how many classes of the plan's order were tried.
        classes: how many of them could be made.
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

    def after(self, made: ClassRows) -> Progress:
        """The progress when `made` is added."""
        used = self.used
        for row in made.rows:
            sources = (row[key] for key in ("top_source", "top_sha256", "bottom_source", "bottom_sha256"))
            used = hashlib.sha256("\0".join((used, *sources)).encode()).hexdigest()
        return Progress(
            fingerprint=self.fingerprint,
            position=self.position + 1,
            classes=self.classes + made.usable,
            rows=self.rows + len(made.rows),
            rejected=self.rejected + len(made.rejected),
            used=used,
        )


def write_classes(
    plan: MixPlan,
    make: Callable[[int], ClassRows],
    done: Progress,
    writer: FolderWriter,
    workers: int | None,
    progress: bool,
) -> Progress:
    """Make what is missing, part by part.

    Args:
        plan: the classes in their order.
        make: from a class to its rows; called by several threads.
        done: how far an earlier run has come.
        writer: the dataset folder.
        workers: threads; all cores by default.
        progress: show a progress bar on stderr.

    Raises:
        RunError: if too few classes could be made; nothing is left of the run then, or the disk is full.
    """
    total = (plan.wanted or len(plan.order)) * plan.spec.per_class
    rows: list[dict[str, Any]] = []
    rejected: list[dict[str, str]] = []
    failures: list[str] = []
    with (
        quiet_pillow(),
        tqdm(total=total, initial=done.rows, desc="mixing", unit="image", delay=1, disable=not progress) as bar,
    ):
        for made in _in_order(make, plan, done, workers or available_cores()):
            done = done.after(made)
            rows += made.rows
            rejected += made.rejected
            failures += [": ".join(entry.values()) for entry in made.rejected[-1:] if not made.usable]
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


def _in_order(make: Callable[[int], ClassRows], plan: MixPlan, done: Progress, workers: int) -> Iterator[ClassRows]:
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
                classes += made.usable
                yield made
        finally:
            for future in pending:
                future.cancel()


def _shortfall(plan: MixPlan, done: Progress, failures: list[str]) -> str:
    """The sentence for a run that made too few classes."""
    failed = done.position - done.classes
    shown = "; ".join(failures[:3]) + ("; …" if failed > len(failures[:3]) else "")
    return (
        f"Only {done.classes} of {plan.wanted or len(plan.order)} classes could be made, {failed} had too few usable "
        f"pictures ({shown}): repair or replace those, or ask for fewer classes or pairs in a new --out."
    )


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Pillow's warnings off: what they say of a picture is either handled or in `rejected`."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
