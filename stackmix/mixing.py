"""Make a STACK-MIX set: source → plan → composites → dataset folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from stackwalls.hub_cards import MANIFEST_NAME, FolderWriter, Manifest, stack_mix_features, unfinished_spec
from stackwalls.model import InputError, imagenet_classes
from stackwalls.model.images import LabelledImages, open_images
from stackwalls.stackmix.class_rows import ClassRows, make_class_rows
from stackwalls.stackmix.encoding import find_encoder
from stackwalls.stackmix.mix_plan import MixPlan, plan_mix
from stackwalls.stackmix.mix_run import Progress, write_classes
from stackwalls.stackmix.mix_spec import MixSpec
from stackwalls.stackmix.turned_down import TurnedDownPair


def mix(spec: MixSpec, out: Path, *, workers: int | None = None, progress: bool = False) -> Manifest:
    """Make the set that `spec` describes in the folder `out`, or go on with it where an earlier run stopped.

    The same spec and source give the same files, whatever the number of workers and however often the run was
    killed. A broken picture is passed over, another of its class takes its place; a class with too few usable
    pictures is replaced by the next in the seeded order, unless it was named. All of that is listed, with
    reasons, in the folder's `rejected.parquet`; in the manifest's counts, `requested` is the number of draws:
    rows kept and entries of that list. Where `out` holds the set with pairs that were replaced after a review
    (`redo_turned_down`), it is taken as it is.

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
    check_workers(workers)
    source = open_images(spec.source, labels=spec.labels, progress=progress)
    spec = replace(spec, redone=spec.redone or redone_there(spec, source.name, out))
    plan = plan_mix(spec, source.index(), source.name)
    asked = spec.to_dict(source.name)
    with FolderWriter.open(out, kind="stack-mix", spec=asked, features=stack_mix_features()) as writer:
        if writer.manifest is not None:
            check_same_pictures(writer.manifest.inputs["index_sha256"], plan, out, "was made")
            return writer.manifest
        done = resumed(writer.state, plan, out)
        source.fetch(plan.first_needed(done.position))
        done = write_classes(plan, lambda index: make_class(source, plan, index), done, writer, workers, progress)
        return writer.finish(requested=done.rows + done.rejected, inputs=found(plan, done))


def make_class(source: LabelledImages, plan: MixPlan, index: int) -> ClassRows:
    """The rows of one class of the plan."""
    spec, synset = plan.spec, imagenet_classes()[index].synset
    redone = [pair for pair in spec.redone if pair.synset == synset]
    encoder = find_encoder(spec.encoder)
    return make_class_rows(source, index, plan.images(index), spec.per_class, spec.wall, encoder, redone)


def redone_there(spec: MixSpec, source_name: str, out: Path) -> tuple[TurnedDownPair, ...]:
    """The pairs that were replaced after a review in the set that stands or was begun in `out`, if it is this one.

    Raises:
        InputError: if what stands there cannot be read.
    """
    there = Manifest.read(out).spec if (out / MANIFEST_NAME).is_file() else unfinished_spec(out) or {}
    without = {name: value for name, value in there.items() if name != "redone"}
    return TurnedDownPair.read(there.get("redone", ())) if without == spec.to_dict(source_name) else ()


def resumed(state: Mapping[str, Any] | None, plan: MixPlan, out: Path) -> Progress:
    """The progress that an unfinished run left behind, or a new one's.

    Raises:
        InputError: if the source has other pictures now.
    """
    if state is None:
        return Progress(plan.fingerprint)
    if "recipe" in state:
        raise InputError(
            f"{out} was begun from a recipe: finish it with --recipe, choose another folder, or delete this one."
        )
    done = Progress(**state)
    check_same_pictures(done.fingerprint, plan, out, "was begun")
    return done


def found(plan: MixPlan, done: Progress) -> dict[str, str]:
    """The manifest's inputs."""
    return {"index_sha256": plan.fingerprint, "used_sha256": done.used}


def check_same_pictures(fingerprint: str, plan: MixPlan, out: Path, verb: str) -> None:
    """The source holds the pictures that it held when the set in `out` was made.

    Raises:
        InputError: if it does not.
    """
    if fingerprint != plan.fingerprint:
        raise InputError(
            f"{out} {verb} with the same settings from other pictures than {plan.spec.source} holds now: "
            "bring those back, or take a new --out."
        )


def check_workers(workers: int | None) -> None:
    """Raise InputError for a number of threads below 1."""
    if workers is not None and workers < 1:
        raise InputError(f"Expected at least 1 worker, but got {workers}.")
