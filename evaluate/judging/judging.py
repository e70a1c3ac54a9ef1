"""`judge`: dataset × networks × methods × metrics → a score of every map, one row each; resumable and shared."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from torch import nn
from tqdm import tqdm

from stackwalls.evaluate.adapters import named_methods
from stackwalls.evaluate.judging.judged_maps import JudgedNetwork
from stackwalls.evaluate.judging.judgment import JUDGMENT_NAME, Judgment, check_judgment_folder
from stackwalls.evaluate.judging.judgment_page import save_judgment
from stackwalls.evaluate.judging.metric_registry import named_metrics
from stackwalls.evaluate.judging.metric_spec import MetricSpec
from stackwalls.evaluate.judging.scoring import Scoring
from stackwalls.evaluate.run.blocks import ShareDone, SharedRun, share_of
from stackwalls.evaluate.run.evaluation_spec import EvaluationSpec
from stackwalls.evaluate.run.identity import identity_of, weights_hash, what_is_asked
from stackwalls.evaluate.run.provenance import images_are, versions
from stackwalls.evaluate.subject import Subject
from stackwalls.hub_cards import StackDataset, open_dataset
from stackwalls.model import (
    InputError,
    Launch,
    Wall,
    require_certificate,
)

_PACKAGES = ("captum", "quantus", "torchcam")  # beside those of `provenance.versions`

BLIND, CONTROL = "blind", "control"
"""The networks of the rows."""


def judge(
    model: nn.Module,
    dataset: Any,
    metrics: Mapping[str, MetricSpec] | Iterable[str | MetricSpec] | None = None,
    methods: Any = None,
    *,
    control: nn.Module | None = None,
    wall: Wall | None = None,
    target_layer: nn.Module | None = None,
    limit: int | None = None,
    limits: Mapping[str, int] | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    overwrite: bool = False,
    launch: Launch | None = None,
    progress: bool = True,
) -> Judgment:
    """Ask faithfulness metrics which of two maps is better, where it is known: one lights what the network cannot see.

    Every method explains the class that the network predicts for every image. Each metric scores the method's map m,
    m′ (its dead zone set to 0), the opposite, a uniform map and a random one (see `judged_maps.VARIANTS`). Random
    numbers that a metric draws are the same for all maps of the same images.

    With `out`, a run that was killed resumes when called again with the same arguments, and several processes share it.

    Args:
        model: a `BlindModel`, or any module if `wall` and `target_layer` are given.
        dataset: as `evaluate` takes one.
        metrics: names of `METRICS`, or `MetricSpec`s of your own; `DEFAULT_METRICS` by default.
        methods: as `evaluate` takes them; the seven by default.
        control: a network that sees the whole image, of the same size, to ask the same; none by default.
        wall: the dead zone; the model's own by default.
        target_layer: the module whose output is the map; the model's own by default.
        limit: only the first `limit` images.
        limits: metric → the most images for that metric.
        seed: of the certificate's noise, of the random maps, and of what methods and metrics draw.
        out: a folder for the judgment: new, empty, or with an unfinished run of the same arguments.
        overwrite: whether another judgment in `out` may be replaced.
        launch: this process among several that share the run through `out`; a single process by default.
        progress: whether to show a progress bar on stderr.

    Raises:
        InputError: if an argument is out of range, or `out` contains something else.
        NotBlindError: if the model is not blind behind the wall.
        ShareDone: not an error: this process's share is done, others' are not.
    """
    chosen, named, launch = named_metrics(metrics), named_methods(methods), launch or Launch()
    spec = EvaluationSpec(tuple(chosen), limit=limit, limits=dict(limits or {}), seed=seed)
    if launch.world > 1 and out is None:
        raise InputError("Several processes share a run through a folder: name one (`out=`, --out).")
    if out is not None:
        check_judgment_folder(Path(out))
    source = dataset if isinstance(dataset, StackDataset) else open_dataset(dataset)
    subjects = {BLIND: Subject.of(model, wall, target_layer)}
    if control is not None:
        subjects[CONTROL] = Subject.of(control, subjects[BLIND].wall)
    for subject in subjects.values():
        subject.check_fits(source)
    certificate = require_certificate(subjects[BLIND].model, subjects[BLIND].wall, seed)
    about = _about(subjects, source, chosen, list(named), spec)
    work = Scoring({name: JudgedNetwork(each, named, seed) for name, each in subjects.items()}, source, chosen, spec)
    with ExitStack() as stack:
        folder = Path(out or stack.enter_context(TemporaryDirectory(prefix="stackwalls-")))
        asked = _asked(subjects, source, chosen, named, spec)
        return _Shared(folder, asked, launch).judgment(work, about, certificate.to_dict(), overwrite, progress)


def _asked(
    subjects: Mapping[str, Subject],
    source: StackDataset,
    metrics: Mapping[str, MetricSpec],
    named: Mapping[str, object],
    spec: EvaluationSpec,
) -> dict[str, Any]:
    """What the scores follow from, as JSON values."""
    data = {source.name: source.identity}
    return {
        "metrics": {name: identity_of(metric) for name, metric in metrics.items()},
        "packages": _versions(),
        **{
            name: what_is_asked(subject, weights_hash(subject.model), spec, data, [], named)
            for name, subject in subjects.items()
        },
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _about(
    subjects: Mapping[str, Subject],
    source: StackDataset,
    metrics: Mapping[str, MetricSpec],
    methods: list[str],
    spec: EvaluationSpec,
) -> dict[str, Any]:
    wall, manifest = subjects[BLIND].wall, source.manifest
    return {
        "model": subjects[BLIND].name,
        "control": subjects[CONTROL].name if CONTROL in subjects else None,
        "wall": str(wall),
        "image_size": wall.image_size,
        "dataset": source.name,
        "images": len(source) if spec.limit is None else min(spec.limit, len(source)),
        "images_are": "" if manifest is None else images_are(manifest.kind, manifest.spec),
        "methods": methods,
        "metrics": {
            name: {"higher": metric.higher, "package": metric.package, "source": metric.source}
            for name, metric in metrics.items()
        },
        "seed": spec.seed,
        "limits": dict(spec.limits),
        "device": subjects[BLIND].device.type,
        "versions": versions() | _versions(),
    }


class _Shared(SharedRun):
    """The run in a folder; a block's rows are in the header of its record."""

    def __init__(self, folder: Path, asked: Mapping[str, Any], launch: Launch) -> None:
        super().__init__(folder, asked, launch, JUDGMENT_NAME, lambda fingerprint: self._is_there(fingerprint))
        self._launched = launch

    def _is_there(self, fingerprint: str) -> bool:
        return Judgment.fingerprint_in(self._folder) == fingerprint

    def judgment(
        self, work: Scoring, about: Mapping[str, Any], certificate: Mapping[str, Any], overwrite: bool, progress: bool
    ) -> Judgment:
        """This process's share, and the judgment if it is the last one."""
        folder, blocks = self._folder, work.blocks()
        there = Judgment.fingerprint_in(folder)
        if there not in (None, self.fingerprint) and not overwrite:
            raise InputError(
                f"{folder} already contains a judgment of other arguments: choose another folder, or replace it "
                "(--overwrite)."
            )
        with self.begun(again=overwrite) as to_do:
            if not to_do:
                _say(f"The judgment in {folder} is from an identical run; --overwrite computes it again.")
                return Judgment.load(folder)
            own = share_of(blocks, self._launched)
            missing = [block for block in own if not self.has(block)]
            if len(missing) < len(own):
                _say(f"Resuming: {len(own) - len(missing)} of {len(own)} blocks of images are done.")
            for block, rows in work.rows(missing, progress and not self._launched.rank):
                self._store.write(block.name, {"rows": rows})
            found: list[Judgment] = []

            def finish() -> None:
                rows = [row for block in blocks for row in self._store.read(block.name)[0]["rows"]]
                found.append(Judgment(pd.DataFrame(rows), {**about, "fingerprint": self.fingerprint}, certificate))
                save_judgment(found[0], folder)

            if not self.finish(blocks, finish):
                raise ShareDone(f"This process's share is done, others' are not: the last one writes {folder}.")
        return found[0] if found else Judgment.load(folder)


def _say(text: str) -> None:
    tqdm.write(text, file=sys.stderr)
