"""`judge`: dataset × networks × methods × metrics → a score of every map, one row each; resumable and shared."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import torch
from torch import nn
from tqdm import tqdm

from stackwalls.evaluate.adapters import named_methods
from stackwalls.evaluate.adapters.isolation import same_network, undisturbed
from stackwalls.evaluate.judging.judged_maps import JudgedMaps, JudgedNetwork
from stackwalls.evaluate.judging.judgment import (
    BLIND,
    CONTROL,
    JUDGMENT_NAME,
    Judgment,
    about_judgment,
    check_judgment_folder,
    package_versions,
)
from stackwalls.evaluate.judging.judgment_page import write_judgment
from stackwalls.evaluate.judging.metric_registry import named_metrics
from stackwalls.evaluate.judging.metric_spec import Case, Maps, MetricSpec, Scorer
from stackwalls.evaluate.run.blocks import Block, ShareDone, SharedRun, blocks_of, share_of
from stackwalls.evaluate.run.evaluation_spec import EvaluationSpec
from stackwalls.evaluate.run.identity import identity_of, weights_hash, what_is_asked
from stackwalls.evaluate.subject import Subject
from stackwalls.hub_cards import Batch, StackDataset, open_dataset
from stackwalls.model import (
    InputError,
    Launch,
    Wall,
    local_arithmetic,
    preserved,
    reason_of,
    require_certificate,
    to_input,
)


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
    about = about_judgment(subjects, source, chosen, list(named), spec)
    work = _Work({name: JudgedNetwork(each, named, seed) for name, each in subjects.items()}, source, chosen, spec)
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
        "packages": package_versions(),
        **{
            name: what_is_asked(subject, weights_hash(subject.model), spec, data, [], named)
            for name, subject in subjects.items()
        },
    }


@dataclass(frozen=True, eq=False)
class _Work:
    """What is done with each block of images."""

    networks: Mapping[str, JudgedNetwork]
    source: StackDataset
    metrics: Mapping[str, MetricSpec]
    spec: EvaluationSpec

    def blocks(self) -> list[Block]:
        """Of few images each; a block's dataset is the number of its network."""
        count = max(self.spec.images_for(name, len(self.source)) for name in self.metrics)
        return blocks_of([count] * len(self.networks), [count] * len(self.networks))

    def rows(self, blocks: Sequence[Block], progress: bool) -> Iterator[tuple[Block, list[dict[str, Any]]]]:
        """Each block with its rows."""
        with tqdm(total=sum(map(len, blocks)), unit="image", disable=not progress) as bar:
            for number, (name, network) in enumerate(self.networks.items()):
                own = [block for block in blocks if block.dataset == number]
                spans = [(block.start, block.stop) for block in own]
                size = max(map(len, own), default=1)
                batches = self.source.batches(size, spans, "auto", network.subject.transform) if own else iter(())
                for block, batch in zip(own, batches, strict=True):
                    yield block, [{"network": name, **row} for row in self._of_batch(network, batch, block.start)]
                    bar.update(len(batch))

    def _of_batch(self, network: JudgedNetwork, batch: Batch, start: int) -> Iterator[dict[str, Any]]:
        subject = network.subject
        images = to_input(batch.images, subject.mean, subject.std, device=subject.device)
        with preserved(subject.model), torch.inference_mode(), local_arithmetic():
            targets: list[int] = subject.model(images).argmax(1).tolist()
        for found in network.maps(images, targets, start):
            if not isinstance(found, JudgedMaps):
                method, reason = found
                about = {"method": method, "variant": "m", "metric": "", "score": None, "error": reason}
                yield from ({"image_id": image_id, **about} for image_id in batch.image_ids)
                continue
            for image_id, row in _scored(
                subject, self._asked_for(found, start, len(self.source)), found, images, targets
            ):
                yield {"image_id": batch.image_ids[image_id], "method": found.method, "variant": found.variant, **row}

    def _asked_for(self, found: JudgedMaps, start: int, available: int) -> dict[str, tuple[MetricSpec, list[int]]]:
        """The metrics that score these maps, each with the positions in `found` of those that it scores."""
        chosen = {}
        for name, metric in self.metrics.items():
            most = self.spec.images_for(name, available) - start
            at = [index for index, place in enumerate(found.places) if place < most]
            if at and (metric.of_uniform or found.variant != "uniform"):
                chosen[name] = metric, at
        return chosen


def _scored(
    subject: Subject,
    metrics: Mapping[str, tuple[MetricSpec, list[int]]],
    found: JudgedMaps,
    images: torch.Tensor,
    targets: Sequence[int],
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(place in the batch, columns) of every metric on maps of one kind; a scorer runs once for all of its metrics."""
    calls: dict[tuple[Scorer, tuple[int, ...]], list[MetricSpec]] = {}
    for metric, chosen_of in metrics.values():
        calls.setdefault((metric.scorer, tuple(chosen_of)), []).append(metric)
    for (scorer, at), own in calls.items():
        places = [found.places[index] for index in at]
        chosen = images[places]
        maps = found.maps[list(at)]
        case = Case(subject.model, chosen, [targets[place] for place in places], maps, found.explain or _same(maps))
        numbers: Mapping[str, Any] | str
        try:
            with (
                same_network(subject, tuple(metric.name for metric in own)),
                undisturbed(subject.model, subject.kept, chosen, 0),
                torch.no_grad(),
            ):
                numbers = scorer(case)
            scores = [metric.of(numbers, len(at)).tolist() for metric in own]
            error = None
        except Exception as reason:  # a metric may raise anything; it becomes the reason
            scores, error = [[math.nan] * len(at)] * len(own), reason_of(reason)
        for metric, values in zip(own, scores, strict=True):
            for place, score in zip(places, values, strict=True):
                known = None if math.isnan(score) else score
                yield place, {"metric": metric.name, "score": known, "error": error}


def _same(maps: Maps) -> Callable[..., Maps]:
    return lambda _images, _targets: maps


class _Shared(SharedRun):
    """The run in a folder; a block's rows are in the header of its record."""

    def __init__(self, folder: Path, asked: Mapping[str, Any], launch: Launch) -> None:
        super().__init__(folder, asked, launch, JUDGMENT_NAME, lambda fingerprint: self._is_there(fingerprint))
        self._launched = launch

    def _is_there(self, fingerprint: str) -> bool:
        return Judgment.fingerprint_in(self._folder) == fingerprint

    def judgment(
        self, work: _Work, about: Mapping[str, Any], certificate: Mapping[str, Any], overwrite: bool, progress: bool
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
                write_judgment(found[0], folder)

            if not self.finish(blocks, finish):
                raise ShareDone(f"This process's share is done, others' are not: the last one writes {folder}.")
        return found[0] if found else Judgment.load(folder)


def _say(text: str) -> None:
    tqdm.write(text, file=sys.stderr)
