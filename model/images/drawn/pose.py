"""`Pose`: how one animal of a species holds itself; every number in [-1, 1], 0 for the still pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOISE = 64
"""Numbers that a pattern can draw on, so that spots do not lie on a grid."""


@dataclass(frozen=True)
class Pose:
    """Joint positions of one animal, each in [-1, 1].

    Attributes:
        head: nodded down (1) or raised (-1).
        tail: swung.
        bend: how the back is bent, or how stout the animal is.
        limbs: swing of four limbs.
        noise: `(64,)` small irregularities.
    """

    head: float
    tail: float
    bend: float
    limbs: tuple[float, float, float, float]
    noise: NDArray[np.float64]

    @classmethod
    def still(cls) -> Pose:
        """The pose in which a species is compared with another."""
        return cls(0.0, 0.0, 0.0, (0.0, 0.0, 0.0, 0.0), np.zeros(NOISE))

    @classmethod
    def seeded(cls, rng: np.random.Generator) -> Pose:
        """A pose drawn uniformly."""
        head, tail, bend, *limbs = rng.uniform(-1, 1, 7).tolist()
        return cls(head, tail, bend, (limbs[0], limbs[1], limbs[2], limbs[3]), rng.uniform(-1, 1, NOISE))
