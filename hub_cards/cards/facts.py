"""What a dataset's card is made from: the manifest, the first rows, and why samples were turned down."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stackwalls.hub_cards.manifest import Manifest

FIRST_ROWS = 4
"""Rows that a card may show."""

DRAWN = "drawn"
"""The source of the procedural pictures: nobody else's data is in them."""

_PARTICULAR = re.compile(r"[^\s,;]*[\d/#][^\s,;]*")
"""A word that belongs to one sample: with a digit in it, or a path."""


@dataclass(frozen=True)
class CardFacts:
    """What a dataset's card is made from.

    Attributes:
        manifest: the folder's, with every file that was written before the card.
        rows: the first rows, at least one.
        reasons: (kind of reason, how many were turned down for it), the most frequent first.
    """

    manifest: Manifest
    rows: Sequence[Mapping[str, Any]]
    reasons: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, manifest: Manifest, rows: Sequence[Mapping[str, Any]], rejected: Iterable[str]) -> CardFacts:
        """With the reasons (texts of rejected.parquet) counted by their kind."""
        tally = Counter(map(reason_kind, rejected))
        return cls(
            manifest, tuple(rows[:FIRST_ROWS]), tuple(sorted(tally.items(), key=lambda item: (-item[1], item[0])))
        )

    @property
    def drawn(self) -> bool:
        """Whether the pictures are procedural."""
        return self.manifest.spec.get("source") == DRAWN


def reason_kind(reason: str) -> str:
    """A reason without what belongs to one sample: "too small: 20 × 9 pixels" → "too small"."""
    general = re.split(r"[:(]", reason, maxsplit=1)[0].strip()
    return " ".join(_PARTICULAR.sub("…", general or reason).split())
