"""Which picture is learnt from when, whatever the number of processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stackwalls.model.errors import InputError


class Place(NamedTuple):
    """One picture's turn: the epoch, its place in the epoch's order (from 0), and its number in the set."""

    epoch: int
    position: int
    number: int


@dataclass(frozen=True)
class BatchOrder:
    """The order of a whole training, and the share of it that one process has.

    Epoch e is a permutation that follows from (seed, e) alone. Step s takes the next `batch_size` of it; what does not
    fill a batch at an epoch's end is left out. A batch is cut into `accumulation` parts, a part into one piece for
    each process, so that a step holds the same pictures for any number of both.

    Attributes:
        size: pictures of an epoch.
        batch_size: pictures of a step, over all processes.
        seed: what the permutations follow from.
        rank: of this process.
        world: number of processes.
        accumulation: parts in which a batch goes through the network.

    Raises:
        InputError: if the pictures fill no batch, or the batch does not divide evenly.
    """

    size: int
    batch_size: int
    seed: int
    rank: int = 0
    world: int = 1
    accumulation: int = 1

    def __post_init__(self) -> None:
        if self.size < self.batch_size:
            raise InputError(
                f"{self.size} training pictures do not fill one batch of {self.batch_size}: lower --batch-size, or add "
                "pictures."
            )
        if self.batch_size % (self.world * self.accumulation):
            raise InputError(
                f"A batch of {self.batch_size} does not divide into {self.accumulation} parts for {self.world} "
                "processes: choose a --batch-size or --accumulate that does."
            )

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps of an epoch."""
        return self.size // self.batch_size

    @property
    def piece(self) -> int:
        """Pictures that go through this process's network at once."""
        return self.batch_size // (self.world * self.accumulation)

    def first(self, part: int) -> int:
        """Where this process's piece of a part begins in the batch."""
        return (part * self.world + self.rank) * self.piece

    def pieces(self, step: int, steps: int) -> Iterator[list[Place]]:
        """This process's pieces of steps [step, steps), `accumulation` a step."""
        for now in range(step, steps):
            epoch, within = divmod(now, self.steps_per_epoch)
            order = _permutation(self.size, self.seed, epoch)
            for part in range(self.accumulation):
                start = within * self.batch_size + self.first(part)
                yield [Place(epoch, position, int(order[position])) for position in range(start, start + self.piece)]


@lru_cache(maxsize=2)
def _permutation(size: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(size)
