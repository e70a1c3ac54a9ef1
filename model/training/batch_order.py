"""Which image is learned from when, whatever the number of processes."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stackwalls.model.errors import InputError


class Place(NamedTuple):
    """One image's turn: the epoch, the position in the epoch's order (from 0), and the image's number in the set."""

    epoch: int
    position: int
    number: int


@dataclass(frozen=True)
class BatchOrder:
    """The order of a whole training, and one process's share of it.

    Epoch e is a permutation that follows from (seed, e) alone. Step s takes the next `batch_size` images of it; an
    incomplete batch at the end of an epoch is dropped. A batch is cut into `accumulation` parts, and a part into one
    piece per process, so a step has the same images for any number of parts and processes.

    Attributes:
        size: images per epoch.
        batch_size: images per step, over all processes.
        seed: of the permutations.
        rank: of this process, out of `world`.
        world: number of processes.
        accumulation: number of parts in which a batch goes through the network.

    Raises:
        InputError: if the images do not fill a batch, or the batch does not divide evenly.
    """

    size: int
    batch_size: int
    seed: int
    rank: int = 0
    world: int = 1
    accumulation: int = 1

    def __post_init__(self) -> None:
        if self.size < self.batch_size:
            few = f"{self.size} training images do not fill a batch of {self.batch_size}."
            raise InputError(f"{few} Lower --batch-size, or add images.")
        if self.batch_size % (self.world * self.accumulation):
            raise InputError(
                f"A batch of {self.batch_size} does not divide into {self.accumulation} parts for {self.world} "
                "processes. Choose a --batch-size or --accumulate that does."
            )

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps per epoch."""
        return self.size // self.batch_size

    @property
    def piece(self) -> int:
        """Number of images that go through this process's network at once."""
        return self.batch_size // (self.world * self.accumulation)

    def first(self, part: int) -> int:
        """Index in the batch of the first image of this process's piece of a part."""
        return (part * self.world + self.rank) * self.piece

    def pieces(self, step: int, steps: int) -> Iterator[list[Place]]:
        """This process's pieces of steps [step, steps), `accumulation` per step."""
        for now in range(step, steps):
            epoch, within = divmod(now, self.steps_per_epoch)
            order = _permutation(self.size, self.seed, epoch)
            for part in range(self.accumulation):
                start = within * self.batch_size + self.first(part)
                yield [Place(epoch, position, int(order[position])) for position in range(start, start + self.piece)]


@lru_cache(maxsize=2)
def _permutation(size: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(size)
