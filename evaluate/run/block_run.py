"""From blocks of images to rows and samples, by all methods, with a progress bar that counts maps."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from tqdm import tqdm

from stackwalls.evaluate.classes import Matching
from stackwalls.evaluate.engine.attention import AttentionExplainer, AttentionPass
from stackwalls.evaluate.engine.batch_sizes import BatchSizes
from stackwalls.evaluate.engine.engine import EngineExplainer
from stackwalls.evaluate.maps import Explainer
from stackwalls.evaluate.metrics import is_signed
from stackwalls.evaluate.run.blocks import Block
from stackwalls.evaluate.run.evaluation_spec import EvaluationSpec
from stackwalls.evaluate.run.measuring import Outcome, PreparedBatch, explain_batch
from stackwalls.evaluate.run.samples import MAP_SIZE, Sample, Samples, gather, in_cells, sample_positions, shrink
from stackwalls.evaluate.subject import Subject
from stackwalls.hub_cards import Batch, StackDataset
from stackwalls.model import InputError, RunError

_SECONDS_BETWEEN, _IN_A_FILE = 0.5, 30.0
"""Between two updates of the bar during a single call; in a file, where each is kept, between any two."""


@dataclass(frozen=True, eq=False)
class BlockRun:
    """What stays the same over blocks; with `progress`, a bar on stderr; `done` methods get no rows and no maps."""

    subject: Subject
    spec: EvaluationSpec
    sources: Sequence[StackDataset]
    matchings: Sequence[Matching]  # of each source
    explainers: Sequence[Explainer]
    sizes: BatchSizes
    progress: bool
    done: Collection[str] = ()

    def over(self, blocks: Sequence[Block]) -> Iterator[tuple[Block, list[dict[str, Any]], Samples]]:
        """Each block with its rows and samples; `blocks` in order, and each dataset is read once."""
        spec = self.spec
        left = [name for name in spec.methods if name not in self.done]
        counts = [
            dict.fromkeys(spec.methods, 0) | {name: spec.images_for(name, len(source)) for name in left}
            for source in self.sources
        ]
        maps = sum(_left(most, block.start, len(block)) for block in blocks for most in counts[block.dataset].values())
        with _Bar(maps, self.progress) as bar:
            for number, source in enumerate(self.sources):
                own = [block for block in blocks if block.dataset == number]
                if not own:
                    continue
                spans = [(block.start, block.stop) for block in own]
                batches = source.batches(self.sizes.images, spans, spec.transform, self.subject.transform)
                for block in own:
                    yield block, *self._one(source, block, batches, counts[number], bar)

    def _one(
        self, source: StackDataset, block: Block, batches: Iterator[Batch], counts: Mapping[str, int], bar: _Bar
    ) -> tuple[list[dict[str, Any]], Samples]:
        most = max(self.spec.images_for(name, len(source)) for name in self.spec.methods)
        sampled = set(sample_positions(most))
        engine = next((one for one in self.explainers if isinstance(one, EngineExplainer)), None)
        rows: list[dict[str, Any]] = []
        samples: list[Sample] = []
        position = block.start
        while position < block.stop:
            batch = next(batches, None)
            if batch is None:
                raise RunError(f"{source.name} ended after {position} images, but said that it has {len(source)}.")
            left = {method: _left(count, position, len(batch)) for method, count in counts.items()}
            prepared = PreparedBatch.of(
                self.subject,
                batch,
                self.matchings[block.dataset],
                self.spec.target,
                source.name,
                position,
                engine,
                self.sizes,
                self._attention({method for method, count in left.items() if count == len(batch)}),
            )
            outcomes = self._outcomes(prepared, left, bar, first=block.number == position == 0)
            # image by image, so that the order does not depend on the batch size
            for index in range(len(prepared)):
                own = {name: outcomes[index, name] for name in self.spec.methods if index < left[name]}
                about = {"dataset": source.name, **prepared.columns(index)}
                rows += [{**about, "method": name, **outcome.columns} for name, outcome in own.items()]
                if position + index in sampled:
                    samples.append(_sample(about, batch.images[index], own))
            position += len(prepared)
        return rows, gather(samples, self.spec.methods, self.subject.wall.image_size)

    def _attention(self, methods: Collection[str]) -> Callable[[torch.Tensor], AttentionPass] | None:
        """What makes the forward pass with its attention, if one of these methods needs it: they explain all images."""
        for explainer in self.explainers:
            if isinstance(explainer, AttentionExplainer):
                own = [name for name in explainer.methods if name in methods]
                return partial(explainer.forward, methods=own) if own else None
        return None

    def _outcomes(
        self, prepared: PreparedBatch, left: Mapping[str, int], bar: _Bar, first: bool
    ) -> dict[tuple[int, str], Outcome]:
        """(index in the batch, method) → outcome; `first` if the batch begins the run, which a signed map then ends."""
        outcomes = {}
        for explainer in self.explainers:
            bar.begin(explainer.methods)
            for index, method, outcome in explain_batch(explainer, prepared, left, bar.on_pass):
                if first and index == 0 and is_signed(fault := outcome.columns.get("error")):
                    raise InputError(f"{method} on the first image, {prepared.batch.image_ids[0]}: {fault}.")
                outcomes[index, method] = outcome
                bar.update()
            bar.set_postfix_str("", refresh=False)
        return outcomes


class _Bar(tqdm):  # type: ignore[type-arg]
    """Counts maps, over all datasets and methods."""

    def __init__(self, maps: int, shown: bool) -> None:
        self._between = _SECONDS_BETWEEN if sys.stderr.isatty() else _IN_A_FILE
        self._last = -math.inf
        super().__init__(total=maps, unit="map", disable=not shown, smoothing=0.05, mininterval=self._between)

    def begin(self, methods: Sequence[str]) -> None:
        """Name the methods that run now; in a file they are named with the next update."""
        first, *others = methods
        on_terminal = self._between < _IN_A_FILE
        self.set_description(f"{first} and {len(others)} more" if others else first, refresh=on_terminal)

    def on_pass(self, done: int, total: int) -> None:
        """Show how far a long call is."""
        if time.monotonic() - self._last > self._between:
            self._last = time.monotonic()
            self.set_postfix_str(f"pass {done} of {total}")


def _left(count: int, position: int, most: int) -> int:
    """How many of the `most` images from a position on are among the first `count`."""
    return min(max(count - position, 0), most)


def _sample(about: Mapping[str, Any], image: Any, outcomes: Mapping[str, Outcome]) -> Sample:
    maps = {name: shrink(outcome.map) for name, outcome in outcomes.items() if outcome.map is not None}
    mu = {name: outcomes[name].columns["mu"] for name in maps}
    side = min(len(image), MAP_SIZE)
    cells = {name: in_cells(raw, side) for name in maps if (raw := outcomes[name].raw) is not None}
    return Sample(about["dataset"], about["image_id"], about["label"], about["prediction"], image, maps, mu, cells)
