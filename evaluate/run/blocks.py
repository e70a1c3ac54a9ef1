"""The run's images in fixed blocks: what one process does in one go, and what is kept whole over a kill."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stackwalls.model import Launch

BLOCK_IMAGES = 32
"""Images a block, whatever the number of processes: so a batch holds the same images in every split of the work."""

SLOW_BLOCK_IMAGES = 8
"""The same where a method takes long: a killed run loses the block that it was at, with ScoreCAM on a CPU minutes."""


@dataclass(frozen=True)
class Block:
    """Consecutive images of one dataset.

    Attributes:
        number: of all blocks of the run, from 0, datasets one after another.
        dataset: number of the dataset, from 0.
        start: position of the first image in it.
        stop: one after the position of the last image.
    """

    number: int
    dataset: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def blocks_of(images: Sequence[int], slow: Sequence[int]) -> list[Block]:
    """All blocks of a run, in the order of its rows.

    Args:
        images: how many images of each dataset are evaluated.
        slow: how many of these, its first ones, a method gets that takes long.
    """
    spans = [
        (dataset, *span) for dataset, counts in enumerate(zip(images, slow, strict=True)) for span in _spans(*counts)
    ]
    return [Block(number, *span) for number, span in enumerate(spans)]


def _spans(count: int, slow: int) -> Iterator[tuple[int, int]]:
    start = 0
    while start < count:
        stop = min(start + (SLOW_BLOCK_IMAGES if start < slow else BLOCK_IMAGES), count)
        yield start, stop
        start = stop


def share_of(blocks: Sequence[Block], launch: Launch) -> list[Block]:
    """The blocks of one process: every `world`-th, since a method with a limit makes the first ones take long."""
    return list(blocks[launch.rank :: launch.world])
