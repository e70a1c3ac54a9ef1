"""Attempts at many images: while one frame is drawn, the frame before is inspected, which gives a row or a reason."""

import io
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from PIL import Image

from stackwalls.hub_cards import REVIEWED, Decision, ItemRecord, image_sha256, review_reason
from stackwalls.model import Band, memory_errors
from stackwalls.stackgen.diffusion import Flaw, FrameMaker, memory_advice
from stackwalls.stackgen.generation.generate_spec import GenerateSpec, WorkItem, frame_seed
from stackwalls.stackgen.localizing.cropping import best_crop, cut
from stackwalls.stackgen.localizing.localizer import Detections, Localizer, Rejection
from stackwalls.stackgen.localizing.pairing import pick_pair
from stackwalls.stackgen.prompts.prompt import Prompt, prompt_for

# batches that wait to be inspected while the next is drawn: one keeps the GPU busy, more would only hold memory
AHEAD = 1
_ATTEMPT = " attempt "
Row = dict[str, Any]


@dataclass(frozen=True)
class Attempt:
    """The next frame for an image: what is known of the image, the prompt and the seed."""

    item: WorkItem
    record: ItemRecord
    prompt: Prompt
    seed: int


@dataclass(frozen=True)
class Attempts:
    """Makes attempts until every image is done.

    Attributes:
        hardware: the device's kind, for the records.
        write: stores the record after an attempt, and the row if there is one; called from another thread.
    """

    spec: GenerateSpec
    frames: FrameMaker
    localizer: Localizer
    hardware: str
    write: Callable[[ItemRecord, Row | None], None]

    def run(self, items: Iterator[tuple[WorkItem, ItemRecord]]) -> Iterator[ItemRecord]:
        """Work through images that are not done, each with what is known of it; they are taken as they are needed.

        Yields:
            The record after each attempt, in the order of the attempts.
        """
        fresh = (self._next(item, record) for item, record in items)
        again: deque[Attempt] = deque()
        inspected: deque[Future[list[Attempt | ItemRecord]]] = deque()
        with ThreadPoolExecutor(1, thread_name_prefix="inspection") as pool:
            while True:
                batch = [again.popleft() for _ in range(min(len(again), self.spec.batch_size))]
                batch += islice(fresh, self.spec.batch_size - len(batch))
                if batch:
                    texts, seeds = [each.prompt.text for each in batch], [each.seed for each in batch]
                    inspected.append(pool.submit(self._inspect, batch, self.frames.draw(texts, seeds)))
                elif not inspected:
                    return
                while len(inspected) > (AHEAD if batch else 0):
                    for found in inspected.popleft().result():
                        if isinstance(found, Attempt):
                            again.append(found)
                        yield found.record if isinstance(found, Attempt) else found

    def _next(self, item: WorkItem, record: ItemRecord) -> Attempt:
        """The attempt after the rejected ones; seed and prompt follow from its number alone."""
        number = len(record.rejected)
        prompt = prompt_for(item.label, number, self.spec.template, self.spec.wall, self.spec.nouns)
        return Attempt(item, record, prompt, frame_seed(self.spec.seed, item, number))

    def _inspect(self, batch: Sequence[Attempt], frames: Sequence[Image.Image | Flaw]) -> list[Attempt | ItemRecord]:
        """Judge and store each frame: the next attempt at its image, or the image's record if it is done."""
        good = [frame for frame in frames if not isinstance(frame, Flaw)]
        nouns = [each.prompt.nouns for each, frame in zip(batch, frames, strict=True) if not isinstance(frame, Flaw)]
        with memory_errors(memory_advice(self.hardware)):
            located = iter(self.localizer.locate(good, nouns))
        found: list[Attempt | ItemRecord] = []
        for attempt, frame in zip(batch, frames, strict=True):
            if isinstance(frame, Flaw):
                outcome: Row | Rejection = Rejection(frame.reason, "flaw")
            else:
                outcome = inspect_frame(frame, next(located), self.spec.band)
            record, row = self._judged(attempt, outcome)
            self.write(record, row)
            found.append(record if is_done(record, self.spec.attempts) else self._next(attempt.item, record))
        return found

    def _judged(self, attempt: Attempt, outcome: Row | Rejection) -> tuple[ItemRecord, Row | None]:
        """The record after an attempt, and the row if it was kept."""
        before = attempt.record
        devices = sorted({*before.notes.get("devices", ()), self.hardware})
        if isinstance(outcome, Rejection):
            reason = outcome.reason.replace("animal", "object") if self.spec.nouns.own else outcome.reason
            return with_rejected(replace(before, notes={"devices": devices}), reason), None
        row = {
            **outcome,
            "image": {"bytes": outcome["image"], "path": f"{before.name}.png"},
            "label": attempt.item.label,
            "image_id": before.name,
            "prompt": attempt.prompt.text,
            "seed": attempt.seed,
            "attempt": len(before.rejected),
            "model": self.spec.model.name,
            "revision": self.spec.model.revision,
        }
        return kept_record(before.name, before.rejected, row, devices), row


def inspect_frame(frame: Image.Image, detections: Detections, band: Band) -> Row | Rejection:
    """Find the pair, find the crop, cut it out.

    Returns:
        The columns that follow from the (RGB) frame, `image` as the bytes of a PNG; or why there are none.
    """
    pair = pick_pair(detections, frame.size, band)
    if isinstance(pair, Rejection):
        return pair
    crop = best_crop(pair, frame.size, band)
    if isinstance(crop, Rejection):
        return crop
    file = io.BytesIO()
    cut(frame, crop, band.image_size).save(
        file, "PNG", compress_level=1
    )  # 3 times as fast as Pillow's default for 6 % more bytes
    return {
        "image": file.getvalue(),
        "seen_box": list(pair.seen),
        "hidden_box": list(pair.hidden),
        "crop": list(crop.box),
        "seen_score": pair.seen_score,
        "hidden_score": pair.hidden_score,
        "seen_share": crop.seen_share,
        "hidden_share": crop.hidden_share,
        "background": crop.background,
    }


def kept_record(name: str, rejected: Sequence[dict[str, str]], row: Row, devices: Sequence[str]) -> ItemRecord:
    """The record of an image with a row."""
    notes = {"devices": list(devices), "image_sha256": image_sha256(row["image"]["bytes"])}
    return ItemRecord(name, tuple(rejected), 1, notes)


def with_rejected(record: ItemRecord, reason: str) -> ItemRecord:
    """The record without its row (if it has one), whose attempt joins the rejected ones."""
    entry = {"item": f"{record.name}{_ATTEMPT}{len(record.rejected)}", "reason": reason}
    return replace(record, rejected=(*record.rejected, entry), rows=0)


def image_of(entry: Mapping[str, str]) -> str:
    """The image_id of an entry of rejected.parquet."""
    return entry["item"].rpartition(_ATTEMPT)[0]


def is_done(record: ItemRecord, attempts: int) -> bool:
    """Whether nothing more is to be tried for an image: one attempt was kept, or as many as allowed were rejected.

    After an image was rejected in review there are as many attempts again.
    """
    reviewed = [number for number, entry in enumerate(record.rejected, 1) if entry["reason"].startswith(REVIEWED)]
    return record.rows > 0 or len(record.rejected) >= attempts + max(reviewed, default=0)


def after_review(record: ItemRecord, decisions: Mapping[str, Decision]) -> ItemRecord:
    """The record without its row if the image in it was rejected; the comment becomes the reason.

    A decision is about one image, known by its SHA-256, and does not apply to a later one.
    """
    decision = decisions.get(record.name)
    if not record.rows or decision is None or not decision.rejected:
        return record
    same = decision.picture_sha256 == record.notes["image_sha256"]
    return with_rejected(record, review_reason(decision.comment)) if same else record


def summarize(records: Iterator[ItemRecord], attempts: int) -> dict[str, Any] | None:
    """The manifest's inputs, or None while an image is not done.

    Returns:
        "attempts" that were made, "given_up" (ids of the images that are missing), "turned_down" in review, and the
        "devices" that drew.
    """
    made = reviewed = 0
    given_up: list[str] = []
    devices: set[str] = set()
    for record in records:
        if not is_done(record, attempts):
            return None
        made += len(record.rejected) + record.rows
        reviewed += sum(entry["reason"].startswith(REVIEWED) for entry in record.rejected)
        given_up += [] if record.rows else [record.name]
        devices.update(record.notes.get("devices", ()))
    return {"attempts": made, "given_up": given_up, "turned_down": reviewed, "devices": sorted(devices)}
