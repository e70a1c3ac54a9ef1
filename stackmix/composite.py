"""The composite of STACK-MIX: what a network sees from one picture, its dead zone from another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stackwalls.model import Wall


def compose(first: NDArray[np.uint8], second: NDArray[np.uint8], wall: Wall) -> NDArray[np.uint8]:
    """The first picture where the network sees, the second in the dead zone.

    Taimeskhanov, Sicre, Garreau (ECML PKDD 2024, arXiv 2404.01964), Eq. 6, for any wall; the paper's, `bottom:54`,
    gives rows :170 of the first over rows 170: of the second.

    Args:
        first: `(H, W, 3)` uint8, H = W = `wall.image_size`.
        second: the same shape and dtype.
        wall: the dead zone.

    Returns:
        `(H, W, 3)` uint8, a new array.

    Raises:
        ValueError: if a picture has another shape or dtype.
    """
    expected = (wall.image_size, wall.image_size, 3)
    for name, picture in (("first", first), ("second", second)):
        if picture.shape != expected or picture.dtype != np.uint8:
            raise ValueError(f"Expected `{name}` to be {expected} uint8, but got {picture.shape} {picture.dtype}.")
    composite = first.copy()
    dead = wall.index(2)
    composite[dead] = second[dead]
    return composite
