"""The wall: the pixels of the input that a network cannot see, its dead zone."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from stackwalls.model.boxes import Box, largest, partition
from stackwalls.model.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Axis = Literal["rows", "columns"]

IMAGE_SIZE = 224
"""Height and width of the network's input in pixels (VGG's, and the paper's)."""

_FORMS = "'bottom:54', 'top:54', 'left:54', 'right:54', 'rows:80:144', 'columns:80:144', or 'box:TOP:LEFT:BOTTOM:RIGHT'"

_LONGEST = 5000
"""Characters of the longest text that is read."""


@dataclass(frozen=True)
class Band:
    """A dead zone across the whole image: rows (or columns) `start` to `stop`, exclusive.

    Attributes:
        axis: "rows" or "columns".
        start: first dead row or column, from 0.
        stop: one past the last dead row or column.
        image_size: height and width of the image.
    """

    axis: Axis
    start: int
    stop: int
    image_size: int

    @property
    def size(self) -> int:
        """Number of dead rows (or columns)."""
        return self.stop - self.start

    @property
    def seen(self) -> tuple[tuple[int, int], ...]:
        """The intervals (start, stop) of rows (or columns) that are seen: one, or two around a band in the middle."""
        ends = ((0, self.start), (self.stop, self.image_size))
        return tuple((start, stop) for start, stop in ends if start < stop)


@dataclass(frozen=True)
class Wall:
    """The dead zone of a square input: a union of rectangles of pixels.

    Two walls are equal if their dead pixels are, however they were written.

    Attributes:
        boxes: rectangles whose union is the dead zone. They may overlap; as few and as large as possible, in a fixed
            order.
        image_size: height and width of the input, in pixels.

    Raises:
        InputError: unless the boxes are inside the image, with something dead and something left to see.
    """

    boxes: tuple[Box, ...]
    image_size: int = IMAGE_SIZE

    def __post_init__(self) -> None:
        if not self.image_size >= 1:
            raise InputError(f"Expected an image of 1 pixel or more, but got {self.image_size}.")
        boxes = tuple(Box(*box) for box in self.boxes)
        if not boxes:
            raise InputError("Expected a wall with at least one dead pixel, but got none.")
        for box in boxes:
            inside = 0 <= box.top < box.bottom <= self.image_size and 0 <= box.left < box.right <= self.image_size
            if not inside:
                raise InputError(
                    f"Expected a wall inside the image, 0 <= start < stop <= {self.image_size}, but got {tuple(box)} "
                    "(top, left, bottom, right)."
                )
        fewest = largest(boxes, self.image_size)
        if fewest == (Box(0, 0, self.image_size, self.image_size),):
            raise InputError(f"A wall over all {self.image_size} × {self.image_size} pixels leaves nothing to see.")
        object.__setattr__(self, "boxes", fewest)

    @classmethod
    def of_band(cls, axis: Axis, start: int, stop: int, image_size: int = IMAGE_SIZE) -> Wall:
        """A band across the image: dead rows (or columns) `start` to `stop`, exclusive."""
        if axis not in ("rows", "columns"):
            raise InputError(f"Expected the wall's axis to be 'rows' or 'columns', but got {axis!r}.")
        box = Box(start, 0, stop, image_size) if axis == "rows" else Box(0, start, image_size, stop)
        return cls((box,), image_size)

    @classmethod
    def parse(cls, text: str, image_size: int | None = None) -> Wall:
        """Read a wall.

        Args:
            text: `bottom:54`, `top:54`, `left:54`, `right:54` (pixels); a band, `rows:80:144` or `columns:80:144`; a
                rectangle, `box:TOP:LEFT:BOTTOM:RIGHT`; or several of them, `bottom:64+left:32`. Of another image than
                224 × 224 with its size: `bottom:32@128`.
            image_size: height and width of the input where the text does not say it; 224 by default.

        Raises:
            InputError: if `text` has another form, does not fit the image, or names another size.
        """
        parts, at, named = text[:_LONGEST].partition("@")
        size = IMAGE_SIZE if image_size is None else image_size
        if at:
            if not re.fullmatch(r"[1-9]\d{0,4}", named):
                raise InputError(f"Cannot read the wall {text!r:.80}: expected the image's size after @, such as @128.")
            if image_size is not None and int(named) != image_size:
                raise InputError(
                    f"The wall {text!r:.80} is of an image of {named} pixels, but {image_size} are asked for: leave "
                    f"out one of them."
                )
            size = int(named)
        return cls(tuple(_parse_part(part, size) for part in parts.split("+")), size)

    def __str__(self) -> str:
        """The shortest form that `parse` reads back; the same for equal walls."""
        size = "" if self.image_size == IMAGE_SIZE else f"@{self.image_size}"
        return "+".join(_part(box, self.image_size) for box in self.boxes) + size

    @cached_property
    def band(self) -> Band | None:
        """The dead zone as one band of rows or columns across the image; None if it has another form."""
        if len(self.boxes) > 1:
            return None
        (box,), side = self.boxes, self.image_size
        if (box.left, box.right) == (0, side):
            return Band("rows", box.top, box.bottom, side)
        return Band("columns", box.left, box.right, side) if (box.top, box.bottom) == (0, side) else None

    @cached_property
    def dead(self) -> tuple[Box, ...]:
        """The dead zone as rectangles that do not overlap, by their corner."""
        return partition(self.boxes, self.image_size, seen=False)

    @cached_property
    def seen(self) -> tuple[Box, ...]:
        """What is left to see as few rectangles that do not overlap, by their corner."""
        return partition(self.boxes, self.image_size, seen=True)

    @property
    def share(self) -> float:
        """Dead share of the image's area, in (0, 1)."""
        return sum(box.area for box in self.dead) / self.image_size**2

    @property
    def chance(self) -> float:
        """Mu of a uniform map, the chance level: the square root of the dead share."""
        return math.sqrt(self.share)

    def mask(self) -> NDArray[np.bool_]:
        """`(image_size, image_size)` bool, True in the dead zone."""
        import numpy as np

        mask = np.zeros((self.image_size, self.image_size), dtype=bool)
        for box in self.boxes:
            mask[box.slices] = True
        return mask

    def covers(self, other: Wall) -> bool:
        """Whether all dead pixels of another wall, of an image of the same size, are dead here too."""
        union = (*self.boxes, *other.boxes)
        return self.image_size == other.image_size and largest(union, self.image_size) == self.boxes

    def rescaled(self, size: int) -> Wall | None:
        """The wall on a `size` × `size` map of the same image, or None if its edges fall between cells."""
        if any(edge * size % self.image_size for box in self.boxes for edge in box):
            return None
        return Wall(tuple(Box(*(edge * size // self.image_size for edge in box)) for box in self.boxes), size)

    def widened(self, multiple: int) -> Wall:
        """The smallest wall around this one whose edges are multiples of `multiple` pixels (or the image's edges).

        A backbone of stride 32 needs a wall on multiples of 32: `bottom:54` becomes `bottom:64`.

        Raises:
            InputError: if that leaves nothing to see.
        """

        def up(edge: int) -> int:
            return min(-(-edge // multiple) * multiple, self.image_size)

        wider = (
            Box(top - top % multiple, left - left % multiple, up(bottom), up(right))
            for top, left, bottom, right in self.boxes
        )
        return Wall(tuple(wider), self.image_size)

    def description(self) -> str:
        """Where the dead pixels are, and how many: `pixel rows 170 to 223 (54 of 224), 24.1 % of the image`."""
        size = f" ({self.band.size} of {self.image_size})" if self.band else ""
        return f"pixel {self.where}{size}, {100 * self.share:.1f} % of the image"

    @property
    def where(self) -> str:
        """The dead pixels in words: `rows 170 to 223`, or rows and columns of each rectangle."""
        return " and ".join(map(self.named, self.boxes))

    def named(self, box: Box) -> str:
        """A rectangle of the image in words: `rows 0 to 9`, `columns 5 to 8`, or both."""
        rows, columns = f"rows {box.top} to {box.bottom - 1}", f"columns {box.left} to {box.right - 1}"
        if (box.left, box.right) == (0, self.image_size):
            return rows
        return columns if (box.top, box.bottom) == (0, self.image_size) else f"{rows} × {columns}"

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the text form, the boxes (top, left, bottom, right) and the numbers derived from them."""
        return {
            "wall": str(self),
            "boxes": [list(box) for box in self.boxes],
            "image_size": self.image_size,
            "dead_share": self.share,
            "chance_level": self.chance,
        }


def _parse_part(text: str, size: int) -> Box:
    side = re.fullmatch(r"(bottom|top|left|right):(\d{1,9})", text)
    edges = re.fullmatch(r"(rows|columns|box)((?::\d{1,9})+)", text)
    if side:
        depth = int(side[2])
        if not 0 < depth < size:
            raise InputError(f"The wall {text!r} does not fit: expected a size of 1 to {size - 1} pixels.")
        return {
            "top": Box(0, 0, depth, size),
            "bottom": Box(size - depth, 0, size, size),
            "left": Box(0, 0, size, depth),
            "right": Box(0, size - depth, size, size),
        }[side[1]]
    numbers = [int(number) for number in edges[2].split(":")[1:]] if edges else []
    if edges and len(numbers) == (4 if edges[1] == "box" else 2):
        if edges[1] == "box":
            return Box(*numbers)
        start, stop = numbers
        return Box(start, 0, stop, size) if edges[1] == "rows" else Box(0, start, size, stop)
    raise InputError(f"Cannot read the wall {text!r:.80}: expected {_FORMS}, or several of them joined by +.")


def _part(box: Box, size: int) -> str:
    if (box.left, box.right) == (0, size):
        if box.top == 0 or box.bottom == size:
            return f"top:{box.bottom}" if box.top == 0 else f"bottom:{size - box.top}"
        return f"rows:{box.top}:{box.bottom}"
    if (box.top, box.bottom) == (0, size):
        if box.left == 0 or box.right == size:
            return f"left:{box.right}" if box.left == 0 else f"right:{size - box.left}"
        return f"columns:{box.left}:{box.right}"
    return "box:" + ":".join(map(str, box))


VGG16_WALL = Wall.of_band("rows", 170, 224)
"""The paper's wall: the dead zone of MaskedVGG16 (derived by `receptive_field`, and tested to be this)."""


def usual_wall(image_size: int = IMAGE_SIZE) -> Wall:
    """The paper's wall, or the same share of images of another size, at the bottom: `bottom:31@128`."""
    return Wall.of_band("rows", image_size - round(VGG16_WALL.share * image_size), image_size, image_size)
