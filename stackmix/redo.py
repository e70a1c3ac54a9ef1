"""Replace the pairs that a reviewer rejected by others of their class; every other row stays as it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

from stackwalls.hub_cards import (
    MANIFEST_NAME,
    DecisionLog,
    FolderWriter,
    Manifest,
    RowReader,
    Succession,
    rejected_images,
)
from stackwalls.model import InputError, RunError
from stackwalls.model.images import LabeledImages
from stackwalls.stackmix.class_rows import ClassRows
from stackwalls.stackmix.mix_plan import MixPlan, plan_mix
from stackwalls.stackmix.mix_spec import MixSpec, RejectedPair
from stackwalls.stackmix.mixing import (
    ClassMaker,
    check_same_images,
    check_workers,
    make_set,
    mix,
    open_set,
    open_source,
    redone_there,
)

PROVENANCE = ("image_id", "top_source", "bottom_source", "top_sha256", "bottom_sha256")


@dataclass(frozen=True)
class Redone:
    """What became of the rejected pairs.

    Attributes:
        manifest: of the set as it is now.
        replaced: image_ids of the rows that have another pair now.
        gone: image_ids of the rows that were removed: their class has no other pair left.
    """

    manifest: Manifest
    replaced: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def redo_rejected(spec: MixSpec, out: Path, *, workers: int | None = None, progress: bool = False) -> Redone:
    """Replace what a reviewer rejected in the finished set that `spec` describes.

    Each rejected pair is replaced by the next unused pair of its class in the seeded order; a row for which there is
    none is removed. Every other row keeps its bytes and its place. The manifest's spec lists what was replaced as
    `redone`, so that spec, source and the same package versions give the same set from nothing, byte for byte.
    rejected.parquet lists it too, with the reviewer's comment.

    The old set stays until the new one is on disk. A kill after that leaves an unfinished folder, which the same
    command, or `mix`, finishes.

    Args:
        spec: what the set was made from.
        out: its folder.
        workers: threads that make composites; all cores by default.
        progress: show progress bars on stderr.

    Raises:
        InputError: if `out` holds no such finished set, or the source has other images now.
        RunError: if no row would be left, a review is under way, or the disk is full; the old set is not changed.
    """
    check_workers(workers)
    source = open_source(spec, progress)
    earlier = redone_there(spec, source, out)
    if not (out / MANIFEST_NAME).is_file():
        if not earlier:
            raise InputError(
                f"{out} holds no finished set, so there is nothing to replace: make it first, by the same command "
                f"without --redo-rejected, then look at it by `stackgen review {quote(str(out))}`."
            )
        return _outcome(out, mix(spec, out, workers=workers, progress=progress), earlier)
    plan = plan_mix(replace(spec, redone=earlier), source.classes, source.index(), source.name)
    with open_set(plan, source.name, out) as writer:
        old = writer.manifest
    if old is None:
        raise RunError(f"Another process changed {out} meanwhile: run the same command again.")
    with DecisionLog.open(out):
        decided = rejected_images(out)
        check_same_images(old, plan, out)
        if not decided:
            return Redone(old)
        former = RowReader(out)
        rows = [former[n] for n, name in enumerate(former.columns("image_id")["image_id"]) if name in decided]
        new = tuple(
            RejectedPair(row["image_id"], row["top_source"], row["bottom_source"], decided[row["image_id"]].comment)
            for row in rows
        )
        plan = replace(plan, spec=replace(plan.spec, redone=(*earlier, *new)))
        succession = Succession(lambda there, now: {**there, "redone": 0} == {**now, "redone": 0}, any_version=True)
        with open_set(plan, source.name, out, succession) as writer:
            manifest = make_set(_Replacing(plan, source, writer, former, new), workers, progress)
        return _outcome(out, manifest, new)


class _Replacing(ClassMaker):
    """Makes classes with a newly rejected pair from the source, and takes every other row from the former set."""

    def __init__(
        self, plan: MixPlan, source: LabeledImages, writer: FolderWriter, old: RowReader, new: Iterable[RejectedPair]
    ) -> None:
        super().__init__(plan, source, writer)
        self._former = old
        self._replaced = {pair.image_id for pair in new}
        self._touched = {plan.classes.of_key(pair.key) for pair in new}
        self._rejected = _by_class(old.rejected(), plan)
        self._numbers: dict[int, list[int]] = {}
        for number, label in enumerate(old.columns("label")["label"]):
            self._numbers.setdefault(label, []).append(number)

    def fetch(self, classes: Iterable[int]) -> None:
        super().fetch(index for index in classes if index in self._touched)

    def rows_of(self, index: int) -> ClassRows:
        rows = [self._former[number] for number in self._numbers.get(index, ())]
        if index not in self._touched:
            return ClassRows(rows, self._rejected.get(index, []), bool(rows or self.plan.redone(index)))
        former = {row["image_id"]: row for row in rows}
        made = super().rows_of(index)
        again = {row["image_id"]: row for row in made.rows}
        for image_id in former.keys() - self._replaced:
            now = again.get(image_id)
            if now is None or any(now[name] != former[image_id][name] for name in PROVENANCE):
                raise RunError(
                    f"The images of {self.plan.classes.shown(index)} are not those that the set was made from: "
                    f"{image_id} would be made of other files now. Restore the former ones; the set was not changed."
                )
        return replace(made, rows=[row if name in self._replaced else former[name] for name, row in again.items()])


def _by_class(rejected: Iterable[dict[str, str]], plan: MixPlan) -> dict[int, list[dict[str, str]]]:
    """The entries of rejected.parquet by class."""
    owner: dict[str, int] = {}
    for index in plan.order:
        items = [*plan.index[index], plan.classes.shown(index), *(pair.item for pair in plan.redone(index))]
        owner |= dict.fromkeys(items, index)
    found: dict[int, list[dict[str, str]]] = {}
    for entry in rejected:
        if entry["item"] not in owner:
            raise RunError(
                f"rejected.parquet lists {entry['item']!r}, which does not belong to a class of the set: `stackgen "
                "verify` says what is wrong with it."
            )
        found.setdefault(owner[entry["item"]], []).append(entry)
    return found


def _outcome(out: Path, manifest: Manifest, new: tuple[RejectedPair, ...]) -> Redone:
    there = set(RowReader(out).columns("image_id")["image_id"])
    names = dict.fromkeys(pair.image_id for pair in new)
    return Redone(manifest, tuple(n for n in names if n in there), tuple(n for n in names if n not in there))
