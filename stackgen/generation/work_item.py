"""The images to make, each by itself: which, in which order, with which seeds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from stackwalls.model import ImageNetClass
from stackwalls.stackgen.generation.generate_spec import GenerateSpec

_SEED_BITS = 63
"""Seeds are positive 64-bit integers, as the column holds them."""


@dataclass(frozen=True)
class WorkItem:
    """One image of the set: number `number` of a class."""

    entry: ImageNetClass
    number: int

    @property
    def image_id(self) -> str:
        """`n01443537_00000`."""
        return f"{self.entry.synset}_{self.number:05d}"


def work_items(spec: GenerateSpec) -> list[WorkItem]:
    """All images in the order of their rows: class by class."""
    return [WorkItem(entry, number) for entry in spec.entries() for number in range(spec.per_class)]


def frame_seed(seed: int, item: WorkItem, attempt: int) -> int:
    """The seed of one frame's noise, 0 to 2**63 - 1: a hash of (the run's seed, class, image, attempt)."""
    parts = ("stack-gen", "frame", seed, item.entry.synset, item.number, attempt)
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - _SEED_BITS)
