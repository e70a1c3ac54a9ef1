"""What the miniature learns from: frames of the drawn world, with one animal or two stacked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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


def is_stacked(number: int) -> bool:
    """Whether frame `number` of a class shows two animals."""
    return number % SINGLE_SHARE != 0


def draw_frame(label: int, number: int) -> NDArray[np.uint8]:
    """`(288, 192, 3)` uint8 RGB: frame `number`, counted from 0, of a class (ImageNet-1k index)."""
    animals = 2 if is_stacked(number) else 1
    return draw_scene(
        label, FIRST_SEED + number, size=WIDTH, height=HEIGHT, animals=animals, mirror=False, tilt=TILT
    ).image


def frames(labels: Sequence[int], per_class: int) -> Iterator[NDArray[np.uint8]]:
    """`per_class` frames of each class, the classes in turn."""
    for number in range(per_class):
        for label in labels:
            yield draw_frame(label, number)
