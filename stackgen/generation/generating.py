"""Make a STACK-GEN set: items → attempts → records → dataset folder, in any number of processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path

from tqdm import tqdm

from stackwalls.hub_cards import (
    MANIFEST_NAME,
    DecisionLog,
    ItemFolder,
    ItemRecord,
    Manifest,
    read_decisions,
    stack_gen_features,
)
from stackwalls.model import InputError, Launch
from stackwalls.stackgen.diffusion import FrameMaker
from stackwalls.stackgen.generation.attempts import Attempts
from stackwalls.stackgen.generation.generate_spec import GenerateSpec, grows
from stackwalls.stackgen.generation.item_progress import after_review, is_done, summarise
from stackwalls.stackgen.generation.work_item import WorkItem, work_items
from stackwalls.stackgen.localising.localizer import Localizer

VERSIONED = ("diffusers", "opencv-python-headless", "torch", "transformers")
"""Packages that a set's pictures depend on, beside those of every folder."""


def generate(
    spec: GenerateSpec,
    out: Path,
    *,
    frames: Callable[[], FrameMaker],
    localizer: Localizer,
    hardware: str,
    launch: Launch | None = None,
    redo: bool = False,
    progress: bool = False,
) -> Manifest | None:
    """Make this process's share of the set that `spec` describes, and finish the folder if nothing else is missing.

    Process r of W makes the items r, r + W, …; each item's record is written whole after every attempt. The process
    that finds all items done finishes the folder. What comes out follows from the spec alone (on one kind of device,
    at one batch size): not from the number of processes, nor from kills. A folder that was finished with a smaller
    request grows, its rows unchanged.

    Args:
        spec: what to make.
        out: the dataset folder.
        frames: loads what draws; called only if something is to be drawn.
        localizer: finds the animals; its name and revision are the spec's.
        hardware: the device's kind.
        launch: this process's share; the launcher's environment by default.
        redo: make new attempts for the images that were turned down in review.
        progress: show a progress bar on stderr.

    Returns:
        The manifest of the finished folder; None where other processes still have something to do.

    Raises:
        InputError: if `out` holds something else, or the model cannot be called like that; nothing is lost.
        RunError: if memory or disk are short, or no image at all could be made.
    """
    launch = launch or Launch.of()
    items = work_items(spec)
    with ExitStack() as stack:
        if redo:
            _check_redo(out)
            if launch.rank == 0 and (out / MANIFEST_NAME).is_file():
                stack.enter_context(DecisionLog.open(out))  # no review while the set is replaced
        folder = stack.enter_context(_open(spec, out, redo))
        if folder.manifest is not None:
            return folder.manifest
        folder.claim(launch.rank, launch.world)
        mine = items[launch.rank :: launch.world]
        known = ((item, folder.header(item.image_id)) for item in mine)
        missing = [item for item, record in known if not is_done(record, spec.attempts)]
        if missing:
            attempts = Attempts(spec, frames(), localizer, hardware, folder.write)
            todo = ((item, folder.header(item.image_id)) for item in missing)
            _work(attempts, todo, spec, len(mine), len(mine) - len(missing), progress and launch.rank == 0)
        return folder.finish([item.image_id for item in items], partial(summarise, attempts=spec.attempts))


def _open(spec: GenerateSpec, out: Path, redo: bool) -> ItemFolder:
    decisions = read_decisions(out) if redo else {}
    return ItemFolder.open(
        out,
        kind="stack-gen",
        spec=spec.to_dict(),
        features=stack_gen_features(),
        grows=grows,
        versions={name: version(name) for name in VERSIONED},
        revise=partial(after_review, decisions=decisions) if redo else None,
    )


def _check_redo(out: Path) -> None:
    if not out.is_dir():
        raise InputError(f"There is no folder {out} in which images were turned down: give the one that was reviewed.")


def _work(
    attempts: Attempts,
    items: Iterator[tuple[WorkItem, ItemRecord]],
    spec: GenerateSpec,
    total: int,
    done: int,
    progress: bool,
) -> None:
    """Make the items; the bar counts them, with the attempts so far."""
    made = kept = 0
    with tqdm(total=total, initial=done, desc="generating", unit="image", disable=not progress) as bar:
        for record in attempts.run(items):
            made += 1
            kept += record.row is not None
            if is_done(record, spec.attempts):
                bar.update(1)
            bar.set_postfix_str(f"{kept} kept of {made} attempts", refresh=False)
