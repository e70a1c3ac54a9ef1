"""Replace the pairs that a person turned down by others of their class; every other row stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stackwalls.hub_cards import (
    MANIFEST_NAME,
    DecisionLog,
    FolderWriter,
    Manifest,
    RowReader,
    stack_mix_features,
    turned_down,
)
from stackwalls.model import InputError, RunError, imagenet_classes
from stackwalls.model.images import LabelledImages, open_images
from stackwalls.stackmix.class_rows import ClassRows
from stackwalls.stackmix.former_set import FormerSet
from stackwalls.stackmix.mix_plan import MixPlan, plan_mix
from stackwalls.stackmix.mix_run import write_classes
from stackwalls.stackmix.mix_spec import MixSpec
from stackwalls.stackmix.mixing import (
    check_same_pictures,
    check_workers,
    found,
    make_class,
    mix,
    redone_there,
    resumed,
)
from stackwalls.stackmix.turned_down import TurnedDownPair


@dataclass(frozen=True)
class Redone:
    """What became of the pairs that were turned down.

    Attributes:
        manifest: of the set as it is now.
        replaced: image_ids of the rows that have another pair now.
        gone: image_ids of the rows that are gone: their class has no other pair left.
    """

    manifest: Manifest
    replaced: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def redo_turned_down(spec: MixSpec, out: Path, *, workers: int | None = None, progress: bool = False) -> Redone:
    """Replace what a person turned down in the finished set that `spec` describes.

    Each pair that was turned down gives its row to the next pair of its class, in the seeded order, that was not used;
    a row for which there is none is taken out. Every other row keeps its bytes and its place. The manifest's spec lists
    what was replaced as `redone`: spec and source give the same set from nothing, byte for byte, as long as the
    versions in the manifest are the same. rejected.parquet lists it too, with the reviewer's comment.

    Until the new set is wholly on the disk the old one stands. A kill after that leaves an unfinished folder, which the
    same command, or `mix`, finishes.

    Args:
        spec: what the set was made from.
        out: its folder.
        workers: threads that make composites; all cores by default.
        progress: show progress bars on stderr.

    Raises:
        InputError: if `out` holds no such finished set, or the source has other pictures now; nothing is written.
        RunError: if no row would be left, a review is under way, or the disk is full; the old set is left as it is.
    """
    check_workers(workers)
    source = open_images(spec.source, labels=spec.labels, progress=progress)
    earlier = redone_there(spec, source.name, out)
    if not (out / MANIFEST_NAME).is_file() and earlier:
        return _account(out, mix(spec, out, workers=workers, progress=progress), earlier)
    old = _finished(replace(spec, redone=earlier), source.name, out)
    with DecisionLog.open(out):
        decided = turned_down(out)
        plan = plan_mix(replace(spec, redone=earlier), source.index(), source.name)
        check_same_pictures(old.inputs["index_sha256"], plan, out, "was made")
        if not decided:
            return Redone(old)
        former = FormerSet(out, plan)
        new = former.pairs(decided)
        plan = replace(plan, spec=replace(spec, redone=(*earlier, *new)))
        return _account(out, _replace(plan, source, former, new, out, workers, progress), new)


def _finished(spec: MixSpec, source_name: str, out: Path) -> Manifest:
    """The manifest of the finished set of `spec`; InputError where there is none."""
    if not (out / MANIFEST_NAME).is_file():
        raise InputError(
            f"{out} holds no finished set, so there is nothing to replace: make it first, by the same command without "
            f"--redo-rejected, then look at it by `stackgen review {out}`."
        )
    with FolderWriter.open(
        out, kind="stack-mix", spec=spec.to_dict(source_name), features=stack_mix_features()
    ) as writer:
        assert writer.manifest is not None, "a folder with a manifest is finished, or refused"  # noqa: S101
        return writer.manifest


def _replace(
    plan: MixPlan,
    source: LabelledImages,
    former: FormerSet,
    new: tuple[TurnedDownPair, ...],
    out: Path,
    workers: int | None,
    progress: bool,
) -> Manifest:
    """Write the set anew: classes with a pair in `new` from the source, all others as they were."""
    old, touched = former.rows.manifest, {pair.synset for pair in new}
    count = len(plan.spec.redone)

    def make(index: int) -> ClassRows:
        if imagenet_classes()[index].synset in touched:
            return former.merged(make_class(source, plan, index), {pair.image_id for pair in new})
        return former.class_rows(index)

    asked = plan.spec.to_dict(old.spec["source"])
    with FolderWriter.open(out, kind="stack-mix", spec=asked, features=stack_mix_features(), replaces=old) as writer:
        done = resumed(writer.state, plan, out)
        again = [index for index in plan.order[done.position :] if imagenet_classes()[index].synset in touched]
        source.fetch([name for index in again for name in plan.images(index)[: 2 * (plan.spec.per_class + count)]])
        done = write_classes(plan, make, done, writer, workers, progress)
        if not done.rows:
            writer.discard()
            raise RunError(
                f"Every row of {out} was turned down and no class has another pair, so no set would be left; it stands "
                "as it was. Keep some, or make another set from another source or seed."
            )
        inputs = found(plan, done) | _first_versions(old, writer.versions)
        return writer.finish(requested=done.rows + done.rejected, inputs=inputs)


def _first_versions(old: Manifest, now: Mapping[str, str]) -> dict[str, Any]:
    """For the inputs: the versions that the rows which stay were made with, where they are others than today's."""
    first = old.inputs.get("first_versions", old.versions)
    return {"first_versions": first} if first != now else {}


def _account(out: Path, manifest: Manifest, new: tuple[TurnedDownPair, ...]) -> Redone:
    there = set(RowReader(out).columns("image_id")["image_id"])
    names = tuple(dict.fromkeys(pair.image_id for pair in new))
    replaced = tuple(name for name in names if name in there)
    return Redone(manifest, replaced, tuple(name for name in names if name not in there))
