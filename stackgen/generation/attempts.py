"""Attempts at many items: while one frame is drawn, the frame before is looked at."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice

from PIL import Image

from stackwalls.hub_cards import ItemRecord
from stackwalls.model import memory_errors
from stackwalls.stackgen.diffusion import Flaw, FrameMaker, memory_advice
from stackwalls.stackgen.generation.generate_spec import GenerateSpec
from stackwalls.stackgen.generation.inspection import inspect_frame
from stackwalls.stackgen.generation.item_progress import is_done
from stackwalls.stackgen.generation.work_item import WorkItem, frame_seed
from stackwalls.stackgen.localising.localizer import Localizer
from stackwalls.stackgen.localising.outcome import Rejection
from stackwalls.stackgen.prompts.prompt import Prompt, prompt_for

AHEAD = 1
"""Batches that wait to be looked at while the next is drawn: one keeps the GPU busy, more would only hold memory."""

Write = Callable[[ItemRecord], None]


@dataclass(frozen=True)
class Attempt:
    """The next frame for an item: what is known of the item, the prompt and the seed."""

    item: WorkItem
    record: ItemRecord
    prompt: Prompt
    seed: int

    @classmethod
    def next(cls, item: WorkItem, record: ItemRecord, spec: GenerateSpec) -> Attempt:
        """The attempt after those that were turned down; seed and prompt follow from its number alone."""
        number = len(record.rejected)
        prompt = prompt_for(item.entry.index, number, spec.template, spec.wall)
        return cls(item, record, prompt, frame_seed(spec.seed, item, number))


class Attempts:
    """Makes attempts until every item is done; a record is written after each of them.

    Args:
        spec: the run.
        frames: draws the frames.
        localizer: finds the animals in them.
        hardware: the device's kind, for the records.
        write: stores a record; called from another thread.
    """

    def __init__(
        self, spec: GenerateSpec, frames: FrameMaker, localizer: Localizer, hardware: str, write: Write
    ) -> None:
        self._spec = spec
        self._frames = frames
        self._localizer = localizer
        self._hardware = hardware
        self._write = write

    def run(self, items: Iterator[tuple[WorkItem, ItemRecord]]) -> Iterator[ItemRecord]:
        """Work through items that are not done.

        Args:
            items: each with what is known of it; taken as they are needed.

        Yields:
            The record after each attempt, in the order of the attempts.
        """
        fresh = (Attempt.next(item, record, self._spec) for item, record in items)
        again: deque[Attempt] = deque()
        looking: deque[Future[list[Attempt | ItemRecord]]] = deque()
        with ThreadPoolExecutor(1, thread_name_prefix="inspection") as pool:
            while True:
                batch = [again.popleft() for _ in range(min(len(again), self._spec.batch_size))]
                batch += islice(fresh, self._spec.batch_size - len(batch))
                if batch:
                    looking.append(pool.submit(self._look, batch, self._draw(batch)))
                elif not looking:
                    return
                while len(looking) > (AHEAD if batch else 0):
                    for found in looking.popleft().result():
                        if isinstance(found, Attempt):
                            again.append(found)
                        yield found.record if isinstance(found, Attempt) else found

    def _draw(self, batch: Sequence[Attempt]) -> list[Image.Image | Flaw]:
        return self._frames.draw([attempt.prompt.text for attempt in batch], [attempt.seed for attempt in batch])

    def _look(self, batch: Sequence[Attempt], frames: Sequence[Image.Image | Flaw]) -> list[Attempt | ItemRecord]:
        """Judge and store each frame: the next attempt at its item, or the item's record where it is done."""
        good = [
            (attempt, frame) for attempt, frame in zip(batch, frames, strict=True) if isinstance(frame, Image.Image)
        ]
        nouns = [attempt.prompt.nouns for attempt, _ in good]
        with memory_errors(memory_advice(self._hardware)):
            located = self._localizer.locate([frame for _, frame in good], nouns) if good else []
        outcomes = {
            attempt.item: inspect_frame(frame, detections, self._spec.wall)
            for (attempt, frame), detections in zip(good, located, strict=True)
        }
        found: list[Attempt | ItemRecord] = []
        for attempt, frame in zip(batch, frames, strict=True):
            outcome = Rejection(frame.reason, "flaw") if isinstance(frame, Flaw) else outcomes[attempt.item]
            record = self._record(attempt, outcome)
            self._write(record)
            done = is_done(record, self._spec.attempts)
            found.append(_bare(record) if done else Attempt.next(attempt.item, record, self._spec))
        return found

    def _record(self, attempt: Attempt, outcome: dict[str, object] | Rejection) -> ItemRecord:
        record = replace(attempt.record, devices=tuple(sorted({*attempt.record.devices, self._hardware})))
        if isinstance(outcome, Rejection):
            return record.turned_down(outcome.reason)
        image_id = record.image_id
        row = {
            **outcome,
            "image": {"bytes": outcome["image"], "path": f"{image_id}.png"},
            "label": attempt.item.entry.index,
            "image_id": image_id,
            "prompt": attempt.prompt.text,
            "seed": attempt.seed,
            "attempt": len(record.rejected),
            "model": self._spec.model.name,
            "revision": self._spec.model.revision,
        }
        return replace(record, row=row)


def _bare(record: ItemRecord) -> ItemRecord:
    """Without the picture, which is on the disk."""
    if record.row is None:
        return record
    return replace(record, row={name: value for name, value in record.row.items() if name != "image"})
