"""What the miniature learns from: frames of the drawn world, with one animal or two stacked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwalls.model.images.drawn import draw_scene

WIDTH, HEIGHT = 192, 288
"""Of a frame, in pixels: portrait, for a stack."""

FIRST_SEED = 2_000_000
"""Of the training frames. Smaller seeds are left to the classifiers and to STACK-MIX."""

TILT = 3.0
"""Largest rotation of an animal, in degrees. All face right: with mirrored ones, small models draw two heads."""

SINGLE_SHARE = 5
"""One frame in this many shows a single animal."""


@dataclass(frozen=True)
class Frame:
    """One training frame.

    Attributes:
        image: `(288, 192, 3)` uint8 RGB.
        label: ImageNet-1k index.
        stacked: whether it shows two animals.
    """

    image: NDArray[np.uint8]
    label: int
    stacked: bool


def draw_frame(label: int, number: int) -> Frame:
    """Frame `number` of a class, counted from 0."""
    stacked = number % SINGLE_SHARE != 0
    animals = 2 if stacked else 1
    scene = draw_scene(label, FIRST_SEED + number, size=WIDTH, height=HEIGHT, animals=animals, mirror=False, tilt=TILT)
    return Frame(scene.image, label, stacked)


def frames(labels: Sequence[int], per_class: int, rank: int = 0, world: int = 1) -> Iterator[Frame]:
    """This process's share of `per_class` frames of each class, the classes in turn."""
    for position in range(rank, len(labels) * per_class, world):
        yield draw_frame(labels[position % len(labels)], position // len(labels))
