"""Pairs that a person turned down, and which pairs take their place: pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stackwalls.model import InputError

Pair = tuple[int, int]
"""Positions of two pictures."""


@dataclass(frozen=True)
class TurnedDownPair:
    """One pair that was turned down.

    Attributes:
        image_id: the row that it stood in.
        top_source: id of the picture that the network sees.
        bottom_source: id of the picture in the dead zone.
        comment: the reviewer's words.

    Raises:
        InputError: if one of them is no text.
    """

    image_id: str
    top_source: str
    bottom_source: str
    comment: str = ""

    def __post_init__(self) -> None:
        texts = (self.image_id, self.top_source, self.bottom_source, self.comment)
        if not all(isinstance(text, str) for text in texts) or not all(texts[:3]):
            raise InputError(f"Expected an image_id, two sources and a comment of a pair turned down, but got {texts}.")

    @classmethod
    def read(cls, entries: Any) -> tuple[TurnedDownPair, ...]:
        """The pairs of a spec's `redone`.

        Raises:
            InputError: if it is no list of such pairs.
        """
        try:
            return tuple(cls(**entry) for entry in entries)
        except TypeError as error:
            raise InputError(f"Expected the spec's `redone` to list pairs that were turned down: {error}") from error

    @property
    def synset(self) -> str:
        """The class of the row."""
        return self.image_id.rpartition("_")[0]

    @property
    def item(self) -> str:
        """How the list of what was turned down names the pair."""
        return f"{self.image_id} ({self.top_source}, {self.bottom_source})"

    @property
    def reason(self) -> str:
        """Why it is there no longer."""
        return f"turned down in review: {self.comment}" if self.comment else "turned down in review"


def draw(pairs: Iterable[Pair], names: Sequence[str], redone: Sequence[TurnedDownPair]) -> Iterator[tuple[str, Pair]]:
    """(row, its pair) in the order of drawing; where a row comes twice, the later pair takes the earlier one's place.

    First the rows of `names` in order, then for each pair that was turned down its row again, with the next pair that
    was not used. Where the pairs run out, what follows gets none.

    Args:
        pairs: all pairs of the class in the order in which they are taken.
        names: the image_ids of its rows.
        redone: the pairs that were turned down, of this class.

    Raises:
        InputError: if a pair was turned down in a row that the class does not have.
    """
    if strange := [pair.image_id for pair in redone if pair.image_id not in names]:
        raise InputError(f"A pair was turned down in the row {strange[0]}, but its class has {len(names)} rows.")
    return zip([*names, *(pair.image_id for pair in redone)], pairs, strict=False)


def rejected_pairs(redone: Sequence[TurnedDownPair], gone: Collection[str]) -> list[dict[str, str]]:
    """{"item", "reason"} of each pair; the last one of a row that is gone says so.

    Args:
        redone: of one class, in order.
        gone: the image_ids of rows for which no pair was left.
    """
    last = {pair.image_id: number for number, pair in enumerate(redone)}
    note = "; its class has no other pair left, so the row is gone"
    return [
        {"item": pair.item, "reason": pair.reason + note * (pair.image_id in gone and last[pair.image_id] == number)}
        for number, pair in enumerate(redone)
    ]
