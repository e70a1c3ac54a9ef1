"""The wall: the rows (or columns) of the input that a network cannot see, its dead zone."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from stackwalls.model.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Axis = Literal["rows", "columns"]

IMAGE_SIZE = 224
"""Height and width of the network's input in pixels (VGG's, and the paper's)."""

_FORMS = "'bottom:54', 'top:54', 'left:54', 'right:54', 'rows:80:144' or 'columns:80:144'"


@dataclass(frozen=True)
class Wall:
    """The dead zone of an input: pixel rows (or columns) `start` to `stop` (exclusive, counted from 0).

    Attributes:
        axis: "rows" or "columns".
        start: first dead row or column.
        stop: one past the last dead row or column.
        image_size: height and width of the square input, in pixels.

    Raises:
        InputError: unless 0 <= start < stop <= image_size, with something left to see.
    """

    axis: Axis
    start: int
    stop: int
    image_size: int = IMAGE_SIZE

    def __post_init__(self) -> None:
        if self.axis not in ("rows", "columns"):
            raise InputError(f"Expected the wall's axis to be 'rows' or 'columns', but got {self.axis!r}.")
        if not 0 <= self.start < self.stop <= self.image_size:
            raise InputError(
                f"Expected a wall inside the image, 0 <= start < stop <= {self.image_size}, "
                f"but got {self.axis} {self.start} to {self.stop}."
            )
        if self.size == self.image_size:
            raise InputError(f"A wall over all {self.image_size} {self.axis} leaves the network nothing to see.")

    @classmethod
    def parse(cls, text: str, image_size: int = IMAGE_SIZE) -> Wall:
        """Read `bottom:54`, `top:54`, `left:54`, `right:54` (sizes in pixels) or a band, `rows:80:144`.

        Raises:
            InputError: if `text` has another form or does not fit the image.
        """
        side = re.fullmatch(r"(bottom|top|left|right):(\d{1,9})", text)
        band = re.fullmatch(r"(rows|columns):(\d{1,9}):(\d{1,9})", text)
        if side:
            name, size = side[1], int(side[2])
            if not 0 < size < image_size:
                raise InputError(f"The wall {text!r} does not fit: expected a size of 1 to {image_size - 1} pixels.")
            axis: Axis = "rows" if name in ("bottom", "top") else "columns"
            start = image_size - size if name in ("bottom", "right") else 0
            return cls(axis, start, start + size, image_size)
        if band:
            return cls("rows" if band[1] == "rows" else "columns", int(band[2]), int(band[3]), image_size)
        raise InputError(f"Cannot read the wall {text!r:.80}: expected {_FORMS}.")

    def __str__(self) -> str:
        """The shortest form that `parse` reads back."""
        first, last = ("top", "bottom") if self.axis == "rows" else ("left", "right")
        if self.start == 0:
            return f"{first}:{self.size}"
        if self.stop == self.image_size:
            return f"{last}:{self.size}"
        return f"{self.axis}:{self.start}:{self.stop}"

    @property
    def size(self) -> int:
        """Number of dead pixel rows (or columns)."""
        return self.stop - self.start

    @property
    def share(self) -> float:
        """Dead share of the image's area, in (0, 1)."""
        return self.size / self.image_size

    @property
    def chance(self) -> float:
        """Mu of a uniform map, the chance level: the square root of the dead share."""
        return math.sqrt(self.share)

    @property
    def seen(self) -> tuple[tuple[int, int], ...]:
        """The intervals (start, stop) of rows (or columns) that the network sees: one, or two around a band."""
        ends = ((0, self.start), (self.stop, self.image_size))
        return tuple((start, stop) for start, stop in ends if start < stop)

    def index(self, ndim: int) -> tuple[slice, ...]:
        """Index of the dead zone in an array whose last two axes are image height and width.

        `images[wall.index(images.ndim)]` is the dead zone of `(..., H, W)`.
        """
        dead = slice(self.start, self.stop)
        spatial = (dead, slice(None)) if self.axis == "rows" else (slice(None), dead)
        return (*(slice(None),) * (ndim - 2), *spatial)

    def mask(self) -> NDArray[np.bool_]:
        """`(image_size, image_size)` bool, True in the dead zone."""
        import numpy as np

        mask = np.zeros((self.image_size, self.image_size), dtype=bool)
        mask[self.index(2)] = True
        return mask

    def rescaled(self, size: int) -> Wall | None:
        """The wall on a `size` × `size` map of the same image, or None if its edges fall between cells."""
        start, stop = self.start * size, self.stop * size
        if start % self.image_size or stop % self.image_size:
            return None
        return Wall(self.axis, start // self.image_size, stop // self.image_size, size)

    def widened(self, multiple: int) -> Wall:
        """The smallest wall around this one whose edges are multiples of `multiple` pixels (or the image's edges).

        A backbone of stride 32 needs a wall on multiples of 32: `bottom:54` becomes `bottom:64`.

        Raises:
            InputError: if that leaves nothing to see.
        """
        start = self.start - self.start % multiple
        stop = min(-(-self.stop // multiple) * multiple, self.image_size)
        return Wall(self.axis, start, stop, self.image_size)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the text form, the interval and the numbers derived from it."""
        return {
            "wall": str(self),
            "axis": self.axis,
            "dead_start": self.start,
            "dead_stop": self.stop,
            "image_size": self.image_size,
            "dead_share": self.share,
            "chance_level": self.chance,
        }


VGG16_WALL = Wall("rows", 170, 224)
"""The paper's wall: the dead zone of MaskedVGG16 (derived by `receptive_field`, and tested to be this)."""
