"""Blocks computed on a cluster: the encoded images travel with each block, its rows and samples come back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from stackwalls.evaluate.adapters import PrecomputedExplainer
from stackwalls.evaluate.classes import Matching
from stackwalls.evaluate.run.block_run import BlockRun
from stackwalls.evaluate.run.blocks import Block
from stackwalls.evaluate.run.evaluation_spec import EvaluationSpec
from stackwalls.evaluate.run.provenance import device_name, method_notes
from stackwalls.evaluate.run.samples import Samples
from stackwalls.evaluate.subject import Subject
from stackwalls.hub_cards import StackDataset
from stackwalls.model import Cluster, Failure, InputError, exact_arithmetic, find_device

Rows: TypeAlias = list[dict[str, Any]]
_Task: TypeAlias = tuple[Block, StackDataset]


@dataclass(frozen=True, eq=False)
class BlockWorkers:
    """A run of blocks on a cluster.

    Raises:
        InputError: if maps are precomputed: they are read here, and no worker has them.
    """

    cluster: Cluster
    run: BlockRun
    named: Mapping[str, object]

    def __post_init__(self) -> None:
        if read := [one.methods[0] for one in self.run.explainers if isinstance(one, PrecomputedExplainer)]:
            raise InputError(f"The maps of {read[0]} are computed already, so a cluster is of no use: leave out --ray.")

    def over(self, blocks: Sequence[Block]) -> Iterator[tuple[Block, Rows, Samples]]:
        """As `BlockRun.over`, but each block as it is done."""
        with self.run.bar(blocks) as bar:
            for (block, excerpt), found in self.cluster.results(self._work(), self._tasks(blocks)):
                done = self.run.failed(block, excerpt, found.reason) if isinstance(found, Failure) else found
                bar.update(len(done[0]))
                yield block, *done

    def without(self, done: Collection[str]) -> BlockWorkers:
        """As `BlockRun.without`."""
        return replace(self, run=self.run.without(done))

    def described(self) -> dict[str, Any]:
        """For `run.json`, what a worker says of its GPU and of the methods on it; nothing if its device is the CPU."""
        if self.cluster.device == "cpu":
            return {}
        return self.cluster.once(_Described(self._work()))

    def _work(self) -> _MakeRun:
        run = self.run
        subject = replace(run.subject)  # without what was cached
        return _MakeRun(self.cluster.device, subject, run.spec, dict(self.named), run.matchings, tuple(run.done))

    def _tasks(self, blocks: Sequence[Block]) -> Iterator[_Task]:
        for number, source in enumerate(self.run.sources):
            own = [block for block in blocks if block.dataset == number]
            yield from zip(own, source.excerpts([(block.start, block.stop) for block in own]), strict=True)


@dataclass(frozen=True, eq=False)
class _MakeRun:
    """What each worker gets once: network and methods in one pickle, so that a method keeps its network."""

    device: str
    subject: Subject
    spec: EvaluationSpec
    named: Mapping[str, object]
    matchings: Sequence[Matching]
    done: Sequence[str]

    def here(self) -> BlockRun:
        """The run on this worker's device."""
        self.subject.model.to(find_device(self.device))
        return replace(BlockRun.of(self.subject, self.spec, self.named, (), self.matchings), done=self.done)

    def __call__(self) -> Callable[[_Task], tuple[Rows, Samples]]:
        run = self.here()

        def work(task: _Task) -> tuple[Rows, Samples]:
            with exact_arithmetic():
                return run.alone(*task)

        return work


@dataclass(frozen=True, eq=False)
class _Described:
    """See `BlockWorkers.described`."""

    make: _MakeRun

    def __call__(self) -> dict[str, Any]:
        run = self.make.here()
        return {"device": device_name(run.subject.device), "method_notes": method_notes(run.explainers)}
