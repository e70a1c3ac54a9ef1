"""A dataset folder under review: its rows, one at a time, and what was decided about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any

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
from stackwalls.model import InputError, class_names
from stackwalls.stackgen.review.marks import box_marks, wall_mark

REJECTED_AT_ONCE = 100
"""Entries of the list of what was given up that are sent at a time."""

COMMANDS = {"stack-mix": "mix", "stack-gen": "generate"}
"""The command that makes each kind of set that has pictures."""

_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Counts:
    """How many pictures were kept, turned down, and neither."""

    kept: int
    turned_down: int
    undecided: int


class ReviewSession:
    """One review of a finished folder; made by `ReviewSession.open`. May be used from several threads."""

    def __init__(self, folder: Path, rows: RowReader, log: DecisionLog) -> None:
        self.folder = folder
        self.kind = rows.manifest.kind
        self._rows = rows
        self._log = log
        columns = rows.columns("image_id", "label")
        self._ids: list[str] = columns["image_id"]
        self._labels: list[int] = columns["label"]
        self._rejected = rows.rejected()
        self._decisions = current_decisions(folder, rows)
        self._lock = Lock()

    @classmethod
    def open(cls, folder: Path) -> ReviewSession:
        """Begin a review, or go on with one.

        Raises:
            InputError: if it is no finished folder with pictures, or its file of decisions was damaged.
            RunError: if another process reviews it, or the disk refuses.
        """
        rows = RowReader(folder)
        if rows.manifest.kind not in COMMANDS:
            raise InputError(
                f"{folder} is a {rows.manifest.kind} folder, which has no pictures to look at: rebuild the set from "
                "it first, then review that."
            )
        log = DecisionLog.open(folder)
        try:
            return cls(folder, rows, log)
        except BaseException:
            log.close()
            raise

    def __len__(self) -> int:
        return len(self._ids)

    def overview(self) -> dict[str, Any]:
        """What the page needs of all rows: JSON values, without the pictures."""
        names = class_names()
        with self._lock:
            decided = dict(self._decisions)
        return {
            "name": self.folder.resolve().name,
            "kind": self.kind,
            "wall": {"text": str(self._rows.manifest.wall), **wall_mark(self._rows.manifest.wall)},
            "ids": self._ids,
            "labels": self._labels,
            "classes": {label: names[label] for label in sorted(set(self._labels))},
            "verdicts": {image_id: decision.verdict for image_id, decision in decided.items()},
            "rejected": len(self._rejected),
            "redo": self.redo_command(),
        }

    def row(self, number: int) -> dict[str, Any]:
        """All that is known of a row but its picture: JSON values.

        Raises:
            IndexError: if there is no such row.
        """
        row = self._rows[number]
        image_id = self._ids[number]
        with self._lock:
            decision = self._decisions.get(image_id)
        shown = ("image", "label", "image_id")
        return {
            "row": number,
            "image_id": image_id,
            "class": class_names()[self._labels[number]],
            "boxes": box_marks(row),
            "caption": [
                {"name": name, "value": _text(value), "meaning": MEANINGS.get(name, "")}
                for name, value in row.items()
                if name not in shown and value is not None
            ],
            "verdict": decision.verdict if decision else UNDECIDED,
            "comment": decision.comment if decision else "",
        }

    def picture(self, number: int) -> tuple[bytes, str]:
        """A row's encoded picture and its media type.

        Raises:
            IndexError: if there is no such row.
        """
        encoded: bytes = self._rows[number]["image"]["bytes"]
        return encoded, "image/png" if encoded.startswith(_PNG) else "image/webp"

    def rejected(self, start: int) -> dict[str, Any]:
        """Some of what was given up while the set was made, from entry `start` on."""
        return {"from": start, "of": len(self._rejected), "items": self._rejected[start : start + REJECTED_AT_ONCE]}

    def decide(self, number: int, verdict: str, comment: str) -> dict[str, Any]:
        """Store a decision; it is on the disk when this returns.

        Raises:
            IndexError: if there is no such row.
            InputError: if it is no decision.
            RunError: if the disk refuses; nothing is decided then.
        """
        encoded = self._rows[number]["image"]["bytes"]
        decision = Decision(self._ids[number], image_sha256(encoded), verdict, comment.strip())
        with self._lock:
            self._log.record(decision)
            self._decisions[decision.image_id] = decision
        return {"row": number, "image_id": decision.image_id, "verdict": verdict, "comment": decision.comment}

    def counts(self) -> Counts:
        """How far the review has come."""
        with self._lock:
            verdicts = [decision.verdict for decision in self._decisions.values()]
        kept, turned_down = verdicts.count(KEPT), verdicts.count(REJECTED)
        return Counts(kept, turned_down, len(self) - kept - turned_down)

    def redo_command(self) -> str:
        """What to type to replace the pictures that were turned down; … stands for what made the set."""
        return f"stackgen {COMMANDS[self.kind]} … --out {self.folder} --redo-rejected"

    def close(self) -> None:
        """Let go of the folder."""
        self._log.close()

    def __enter__(self) -> ReviewSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _text(value: Any) -> str:
    """A value for people: numbers to three digits after the point."""
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(inner)}" for name, inner in value.items())
    return str(value)
