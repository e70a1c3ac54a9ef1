"""Contact sheets of the drawn world, to look at and for the documentation."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from stackwalls.model.images.drawn.scene import draw_scene


def contact_sheet(
    classes: Iterable[int], seed: int = 0, columns: int = 8, cell: int = 128, animals: int = 1
) -> NDArray[np.uint8]:
    """One picture of each class, row by row.

    Args:
        classes: ImageNet-1k indices; one may stand several times, and gets another picture each time.
        seed: of the first picture of a class; its k-th has `seed + k`.
        columns: pictures in a row; the last row is filled up with white.
        cell: width and height of a picture in pixels.
        animals: 1 or 2 in each picture.

    Returns:
        `(rows × cell, columns × cell, 3)` uint8 RGB.
    """
    drawn: dict[int, int] = {}
    pictures = []
    for index in classes:
        count = drawn[index] = drawn.get(index, -1) + 1
        pictures.append(draw_scene(index, seed + count, size=cell, animals=animals).image)
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * cell, columns * cell, 3), 255, dtype=np.uint8)
    for k, picture in enumerate(pictures):
        y, x = k // columns * cell, k % columns * cell
        sheet[y : y + cell, x : x + cell] = picture
    return sheet
