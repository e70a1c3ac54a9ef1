"""From a block's images to its rows and samples, by all methods."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from stackwalls.evaluate.engine.batch_sizes import BatchSizes
from stackwalls.evaluate.engine.engine import EngineExplainer
from stackwalls.evaluate.maps import Explainer
from stackwalls.evaluate.run.blocks import Block
from stackwalls.evaluate.run.evaluation_spec import EvaluationSpec
from stackwalls.evaluate.run.measuring import Outcome, PreparedBatch, explain_batch
from stackwalls.evaluate.run.samples import Sample, Samples, gather, sample_positions, shrink
from stackwalls.evaluate.subject import Subject
from stackwalls.hub_cards import Batch, StackDataset
from stackwalls.model import RunError

_SECONDS_BETWEEN, _IN_A_FILE = 0.5, 30.0
"""Between two updates of the bar while a single call runs; in a file, where each is kept, between any two."""


def seconds_between_updates() -> float:
    """Of the progress bar on stderr."""
    return _SECONDS_BETWEEN if sys.stderr.isatty() else _IN_A_FILE


Row = dict[str, Any]

Outcomes = Mapping[tuple[int, str], Outcome]
"""(index in the batch, method) → outcome."""


@dataclass(eq=False)
class BlockRun:
    """What stays the same over blocks.

    Attributes:
        subject: the network under test.
        spec: what was asked for.
        sources: the datasets.
        explainers: of all methods.
        sizes: how much is computed at once.
        bar: counts maps.
    """

    subject: Subject
    spec: EvaluationSpec
    sources: Sequence[StackDataset]
    explainers: Sequence[Explainer]
    sizes: BatchSizes
    bar: tqdm[Any]
    _shown: float = -math.inf

    def over(self, blocks: Sequence[Block]) -> Iterator[tuple[Block, list[Row], Samples]]:
        """Each block with its rows and samples; `blocks` in order, and each dataset is read once."""
        for number, source in enumerate(self.sources):
            own = [block for block in blocks if block.dataset == number]
            if not own:
                continue
            batches = source.batches(self.sizes.images, [(block.start, block.stop) for block in own])
            for block in own:
                yield block, *self._one(source, block, batches)

    def _one(self, source: StackDataset, block: Block, batches: Iterator[Batch]) -> tuple[list[Row], Samples]:
        counts = {method: self.spec.images_for(method, len(source)) for method in self.spec.methods}
        sampled = set(sample_positions(max(counts.values())))
        engine = next((one for one in self.explainers if isinstance(one, EngineExplainer)), None)
        rows: list[Row] = []
        samples: list[Sample] = []
        position = block.start
        while position < block.stop:
            batch = next(batches, None)
            if batch is None:
                raise RunError(f"{source.name} ended after {position} images, but said that it has {len(source)}.")
            prepared = PreparedBatch.of(
                self.subject, batch, source.name, position, engine, self.spec.target, self.sizes
            )
            left = {method: min(max(count - position, 0), len(prepared)) for method, count in counts.items()}
            outcomes = self._outcomes(prepared, left)
            rows += _rows(source.name, prepared, outcomes, self.spec.methods)
            chosen = [index for index in range(len(prepared)) if position + index in sampled]
            samples += [_sample(source.name, prepared, outcomes, index) for index in chosen]
            position += len(prepared)
        return rows, gather(samples, self.spec.methods, self.subject.wall.image_size)

    def _outcomes(self, prepared: PreparedBatch, left: Mapping[str, int]) -> Outcomes:
        outcomes = {}
        for explainer in self.explainers:
            first, *others = explainer.methods
            # in a file it is named with the next update
            on_terminal = seconds_between_updates() < _IN_A_FILE
            self.bar.set_description(f"{first} and {len(others)} more" if others else first, refresh=on_terminal)
            for index, method, outcome in explain_batch(
                self.subject, explainer, prepared, left, self.spec.target, self._on_pass
            ):
                outcomes[index, method] = outcome
                self.bar.update()
            self.bar.set_postfix_str("", refresh=False)
        return outcomes

    def _on_pass(self, done: int, total: int) -> None:
        if time.monotonic() - self._shown > seconds_between_updates():
            self._shown = time.monotonic()
            self.bar.set_postfix_str(f"pass {done} of {total}")


def _rows(dataset: str, prepared: PreparedBatch, outcomes: Outcomes, methods: Sequence[str]) -> list[Row]:
    """Image by image, so that the order does not depend on the batch size."""
    return [
        {"dataset": dataset, **prepared.columns(index), "method": method, **outcomes[index, method].columns}
        for index in range(len(prepared))
        for method in methods
        if (index, method) in outcomes
    ]


def _sample(dataset: str, prepared: PreparedBatch, outcomes: Outcomes, index: int) -> Sample:
    own = {method: found for (i, method), found in outcomes.items() if i == index and found.map is not None}
    maps = {method: shrink(found.map) for method, found in own.items() if found.map is not None}
    mu = {method: found.columns["mu"] for method, found in own.items()}
    about = prepared.columns(index)
    image = prepared.batch.images[index]
    return Sample(dataset, about["image_id"], about["label"], about["prediction"], image, maps, mu)
