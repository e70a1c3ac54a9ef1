"""Replace the pairs that a reviewer rejected by others of their class; every other row stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stackwalls.hub_cards import (
    MANIFEST_NAME,
    Decision,
    DecisionLog,
    FolderWriter,
    Manifest,
    RowReader,
    Succession,
    rejected_images,
)
from stackwalls.model import InputError, RunError, imagenet_classes
from stackwalls.model.images import LabelledImages, open_images
from stackwalls.stackmix.class_rows import ClassRows, class_item
from stackwalls.stackmix.mix_plan import MixPlan, plan_mix
from stackwalls.stackmix.mix_spec import MixSpec, RejectedPair
from stackwalls.stackmix.mixing import (
    ClassMaker,
    check_same_images,
    check_workers,
    make_set,
    mix,
    open_set,
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

    Each rejected pair is replaced by the next pair of its class, in the seeded order, that was not used; a row for
    which there is none is removed. Every other row keeps its bytes and its place. The manifest's spec lists what was
    replaced as `redone`: spec and source give the same set from nothing, byte for byte, as long as the versions in the
    manifest are the same. rejected.parquet lists it too, with the reviewer's comment.

    The old set stays until the new one is completely on the disk. A kill after that leaves an unfinished folder, which
    the same command, or `mix`, finishes.

    Args:
        spec: what the set was made from.
        out: its folder.
        workers: threads that make composites; all cores by default.
        progress: show progress bars on stderr.

    Raises:
        InputError: if `out` holds no such finished set, or the source has other images now; nothing is written.
        RunError: if no row would be left, a review is under way, or the disk is full; the old set is not changed.
    """
    check_workers(workers)
    source = open_images(spec.source, labels=spec.labels, progress=progress)
    earlier = redone_there(spec, source.name, out)
    if not (out / MANIFEST_NAME).is_file():
        if not earlier:
            raise InputError(
                f"{out} holds no finished set, so there is nothing to replace: make it first, by the same command "
                f"without --redo-rejected, then look at it by `stackgen review {out}`."
            )
        return _outcome(out, mix(spec, out, workers=workers, progress=progress), earlier)
    plan = plan_mix(replace(spec, redone=earlier), source.index(), source.name)
    with open_set(plan, source.name, out) as writer:
        old = writer.manifest
    if old is None:
        raise RunError(f"Another process changed {out} meanwhile: run the same command again.")
    with DecisionLog.open(out):
        decided = rejected_images(out)
        check_same_images(old, plan, out)
        if not decided:
            return Redone(old)
        former = FormerSet(out, plan)
        new = former.pairs(decided)
        plan = replace(plan, spec=replace(plan.spec, redone=(*earlier, *new)))
        succession = Succession(lambda there, now: _settings(there) == _settings(now), any_version=True)
        with open_set(plan, source.name, out, succession) as writer:
            manifest = make_set(_Replacing(plan, source, writer, former, new), workers, progress)
        return _outcome(out, manifest, new)


class FormerSet:
    """A finished set, class by class, while some of its pairs are replaced.

    Raises:
        InputError: if it is not finished.
        RunError: if it cannot be read.
    """

    def __init__(self, folder: Path, plan: MixPlan) -> None:
        self._rows = RowReader(folder)
        columns = self._rows.columns("image_id", "label")
        self._ids: list[str] = columns["image_id"]
        self._numbers: dict[int, list[int]] = {}
        for number, label in enumerate(columns["label"]):
            self._numbers.setdefault(label, []).append(number)
        self._rejected = _by_class(self._rows.rejected(), plan)
        self._redone = {pair.synset for pair in plan.spec.redone}

    def pairs(self, decided: Mapping[str, Decision]) -> tuple[RejectedPair, ...]:
        """The pairs of the rows that `decided` names, in the order of the rows."""
        rows = ((self._rows[number], image_id) for number, image_id in enumerate(self._ids) if image_id in decided)
        return tuple(
            RejectedPair(image_id, row["top_source"], row["bottom_source"], decided[image_id].comment)
            for row, image_id in rows
        )

    def class_rows(self, index: int) -> ClassRows:
        """A class as it is."""
        rows = [self._rows[number] for number in self._numbers.get(index, ())]
        usable = bool(rows) or imagenet_classes()[index].synset in self._redone
        return ClassRows(index, rows, self._rejected.get(index, []), usable)

    def merged(self, made: ClassRows, redone: set[str]) -> ClassRows:
        """A class that was made again, with every row but those of `redone` as it was.

        Raises:
            RunError: if such a row would be made of other images now.
        """
        former = {row["image_id"]: row for row in self.class_rows(made.index).rows}
        again = {row["image_id"]: row for row in made.rows}
        for image_id in former.keys() - redone:
            now = again.get(image_id)
            if now is None or any(now[name] != former[image_id][name] for name in PROVENANCE):
                raise RunError(
                    f"The images of {class_item(made.index)} are not those that the set was made from: {image_id} "
                    "would be made of other files now. Restore the former ones; the set was not changed."
                )
        return replace(made, rows=[row if name in redone else former[name] for name, row in again.items()])


class _Replacing(ClassMaker):
    """Makes classes with a newly rejected pair from the source, and takes all others from the former set."""

    def __init__(
        self,
        plan: MixPlan,
        source: LabelledImages,
        writer: FolderWriter,
        former: FormerSet,
        new: Sequence[RejectedPair],
    ) -> None:
        super().__init__(plan, source, writer)
        self._former = former
        self._replaced = {pair.image_id for pair in new}
        self._touched = {pair.synset for pair in new}

    def fetch(self, classes: Iterable[int]) -> None:
        super().fetch(index for index in classes if imagenet_classes()[index].synset in self._touched)

    def rows_of(self, index: int) -> ClassRows:
        if imagenet_classes()[index].synset in self._touched:
            return self._former.merged(super().rows_of(index), self._replaced)
        return self._former.class_rows(index)


def _settings(spec: Mapping[str, object]) -> dict[str, object]:
    """A spec without what was replaced."""
    return {name: value for name, value in spec.items() if name != "redone"}


def _by_class(rejected: Iterable[dict[str, str]], plan: MixPlan) -> dict[int, list[dict[str, str]]]:
    """The entries of rejected.parquet by class."""
    owner = {image_id: index for index in plan.order for image_id in plan.index[index]}
    for index in plan.order:
        owner |= dict.fromkeys([class_item(index), *(pair.item for pair in plan.redone(index))], index)
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
    names = tuple(dict.fromkeys(pair.image_id for pair in new))
    replaced = tuple(name for name in names if name in there)
    return Redone(manifest, replaced, tuple(name for name in names if name not in there))
