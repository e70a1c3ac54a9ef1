"""Images made on a cluster, each with all its attempts by one worker, which holds the text-to-image model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from stackwalls.hub_cards import ItemRecord
from stackwalls.model import Cluster, Failure
from stackwalls.stackgen.diffusion import FrameMaker
from stackwalls.stackgen.generation.attempts import Attempts, Row, is_done, with_rejected
from stackwalls.stackgen.generation.generate_spec import GenerateSpec, WorkItem
from stackwalls.stackgen.localizing.localizer import Localizer

Group: TypeAlias = Sequence[tuple[WorkItem, ItemRecord]]
"""Images that one worker makes side by side, with what is known of each; `batch_size` of them at most."""


@dataclass(frozen=True)
class Tools:
    """What draws frames, what finds the animals in them, and the device's kind."""

    frames: FrameMaker
    localizer: Localizer
    hardware: str


@dataclass(frozen=True)
class _Made:
    """The records after each attempt, and the last one of each image with its row."""

    attempts: list[ItemRecord]
    images: list[tuple[ItemRecord, Row | None]]


@dataclass(frozen=True)
class _MakeImages:
    """What each worker gets once; it loads the model when it starts."""

    spec: GenerateSpec
    tools: Callable[[], Tools]

    def __call__(self) -> Callable[[Group], _Made]:
        tools = self.tools()

        def work(group: Group) -> _Made:
            last: dict[str, tuple[ItemRecord, Row | None]] = {}

            def keep(record: ItemRecord, row: Row | None) -> None:
                last[record.name] = record, row

            attempts = Attempts(self.spec, tools.frames, tools.localizer, tools.hardware, keep)
            return _Made(list(attempts.run(iter(group))), list(last.values()))

        return work


def made_on(
    cluster: Cluster,
    spec: GenerateSpec,
    tools: Callable[[], Tools],
    groups: Iterable[Group],
    write: Callable[[ItemRecord, Row | None], None],
) -> Iterator[ItemRecord]:
    """As `Attempts.run`, but each group's attempts when all its images are done; `write` stores each image once.

    If a group ends its worker again and again, all attempts that its images have left are rejected with the reason.
    """
    for group, found in cluster.results(_MakeImages(spec, tools), groups):
        if isinstance(found, Failure):
            given_up = [_given_up(record, spec.attempts, found.reason) for _, record in group]
            found = _Made(given_up, [(record, None) for record in given_up])
        for record, row in found.images:
            write(record, row)
        yield from found.attempts


def _given_up(record: ItemRecord, attempts: int, reason: str) -> ItemRecord:
    while not is_done(record, attempts):
        record = with_rejected(record, reason)
    return record
