"""From blocks of images to rows: every metric on every map."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from tqdm import tqdm

from stackwalls.evaluate.adapters.isolation import same_network, undisturbed
from stackwalls.evaluate.judging.judged_maps import JudgedMaps, JudgedNetwork
from stackwalls.evaluate.judging.metric_spec import Case, Maps, MetricSpec, Scorer
from stackwalls.evaluate.run.blocks import Block, blocks_of
from stackwalls.evaluate.run.evaluation_spec import EvaluationSpec
from stackwalls.evaluate.subject import Subject
from stackwalls.hub_cards import Batch, StackDataset
from stackwalls.model import local_arithmetic, preserved, reason_of, to_input


@dataclass(frozen=True, eq=False)
class Scoring:
    """Metrics on the maps of some networks: from blocks of images to rows."""

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
                subject, self._asked_for(found, start, len(self.source)), found, images, targets, self.spec.seed
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
    seed: int,
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
                undisturbed(subject.model, subject.kept, chosen, seed),
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
