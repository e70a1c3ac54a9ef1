"""`ReviewSession`: a dataset folder under review: its rows, the marks on their images, and the decisions."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from shlex import quote
from threading import Lock
from typing import Any, NamedTuple

from stackwalls.hub_cards import (
    KEPT,
    MEANINGS,
    REJECTED,
    UNDECIDED,
    Decision,
    DecisionLog,
    RowReader,
    current_decisions,
    image_sha256,
)
from stackwalls.model import InputError, Wall

REJECTED_AT_ONCE = 100  # entries of the list of rejected samples that are sent at a time
COMMANDS = {"stack-mix": "mix", "stack-gen": "generate"}  # that make each kind of set with images
Mark = dict[str, float]  # left, top, width, height as shares of the image's side, 0 to 1


class Counts(NamedTuple):
    """How many images were kept, rejected, and neither."""

    kept: int
    rejected: int
    undecided: int


class ReviewSession(AbstractContextManager["ReviewSession"]):
    """One review of a finished folder, from `ReviewSession.open`. Safe to use from several threads."""

    def __init__(self, folder: Path, rows: RowReader, log: DecisionLog) -> None:
        self.folder = folder
        self.kind = rows.manifest.kind
        self._classes = rows.manifest.classes
        self._rows = rows
        self._log = log
        columns = rows.columns("image_id", "label")
        self._ids, self._labels = columns["image_id"], columns["label"]
        self._rejected = rows.rejected()
        self._decisions = current_decisions(folder, rows)
        self._lock = Lock()

    @classmethod
    def open(cls, folder: Path) -> ReviewSession:
        """Start a review, or resume one.

        Raises:
            InputError: if it is not a finished folder with images, or its file of decisions is damaged.
            RunError: if another process reviews it, or writing fails.
        """
        rows = RowReader(folder)
        if rows.manifest.kind not in COMMANDS:
            raise InputError(
                f"{folder} is a {rows.manifest.kind} folder, which has no images: rebuild the set from it first, then "
                "review that."
            )
        with ExitStack() as stack:
            session = cls(folder, rows, stack.enter_context(DecisionLog.open(folder)))
            stack.pop_all()  # the session closes it
            return session

    def __len__(self) -> int:
        return len(self._ids)

    def overview(self) -> dict[str, Any]:
        """What the page needs of all rows: JSON values, without the images."""
        names, wall = self._classes.names, self._rows.manifest.wall
        with self._lock:
            verdicts = {image_id: decision.verdict for image_id, decision in self._decisions.items()}
        return {
            "name": self.folder.resolve().name,
            "kind": self.kind,
            "thing": "animal" if self._classes.is_imagenet else "object",
            "wall": {"text": str(wall), "marks": wall_marks(wall)},
            "ids": self._ids,
            "labels": self._labels,
            "classes": {label: names[label] for label in sorted(set(self._labels))},
            "verdicts": verdicts,
            "rejected": len(self._rejected),
            "redo": self.redo_command(),
        }

    def row(self, number: int) -> dict[str, Any]:
        """All of a row but its image: JSON values.

        Raises:
            IndexError: if there is no such row.
        """
        row, image_id = self._rows[number], self._ids[number]
        with self._lock:
            decision = self._decisions.get(image_id)
        return {
            "row": number,
            "image_id": image_id,
            "class": self._classes.names[self._labels[number]],
            "boxes": box_marks(row),
            "caption": [
                {"name": name, "value": _text(value), "meaning": MEANINGS.get(name, "")}
                for name, value in row.items()
                if name not in ("image", "label", "image_id") and value is not None
            ],
            "verdict": decision.verdict if decision else UNDECIDED,
            "comment": decision.comment if decision else "",
        }

    def image(self, number: int) -> tuple[bytes, str]:
        """A row's encoded image and its media type.

        Raises:
            IndexError: if there is no such row.
        """
        encoded: bytes = self._rows[number]["image"]["bytes"]
        return encoded, "image/png" if encoded.startswith(b"\x89PNG") else "image/webp"

    def rejected(self, start: int) -> dict[str, Any]:
        """Some of the samples rejected while the set was made, from entry `start` on."""
        return {"from": start, "of": len(self._rejected), "items": self._rejected[start : start + REJECTED_AT_ONCE]}

    def decide(self, number: int, verdict: str, comment: str) -> dict[str, Any]:
        """Store a decision; it is on disk when this returns.

        Raises:
            IndexError: if there is no such row.
            InputError: if it is not a decision.
            RunError: if writing fails; nothing is decided then.
        """
        encoded = self._rows[number]["image"]["bytes"]
        decision = Decision(self._ids[number], image_sha256(encoded), verdict, comment.strip())
        with self._lock:
            self._log.record(decision)
            self._decisions[decision.image_id] = decision
        return {"row": number, "image_id": decision.image_id, "verdict": verdict, "comment": decision.comment}

    def counts(self) -> Counts:
        """The progress of the review."""
        with self._lock:
            verdicts = [decision.verdict for decision in self._decisions.values()]
        kept, rejected = verdicts.count(KEPT), verdicts.count(REJECTED)
        return Counts(kept, rejected, len(self) - kept - rejected)

    def redo_command(self) -> str:
        """The command that replaces the rejected images; … stands for the options that made the set."""
        return f"stackgen {COMMANDS[self.kind]} … --out {quote(str(self.folder))} --redo-rejected"

    def __exit__(self, *_: object) -> None:
        self._log.close()


def wall_marks(wall: Wall) -> list[Mark]:
    """The dead zone, as rectangles that do not overlap."""
    size = wall.image_size
    return [
        {"left": left / size, "top": top / size, "width": (right - left) / size, "height": (bottom - top) / size}
        for top, left, bottom, right in wall.dead
    ]


def box_marks(row: Mapping[str, Any]) -> dict[str, Mark]:
    """The boxes of a STACK-GEN row inside its crop, by column name without `_box`; empty if there is no crop.

    Boxes and crop are left, top, right, bottom in the generated frame.
    """
    if row.get("crop") is None:
        return {}
    left, top, right, bottom = row["crop"]
    marks = {}
    for name, box in row.items():
        if name.endswith("_box") and box is not None:
            x0, x1 = (min(max((x - left) / (right - left), 0.0), 1.0) for x in box[::2])
            y0, y1 = (min(max((y - top) / (bottom - top), 0.0), 1.0) for y in box[1::2])
            if x1 > x0 and y1 > y0:
                marks[name.removesuffix("_box")] = {"left": x0, "top": y0, "width": x1 - x0, "height": y1 - y0}
    return marks


def _text(value: Any) -> str:
    """A value for people: numbers to three decimal places."""
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(inner)}" for name, inner in value.items())
    return str(value)
