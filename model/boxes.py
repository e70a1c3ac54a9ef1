"""Rectangles of pixels: the union of several as the fewest and largest, or as ones that do not overlap."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle of pixels or cells: rows `top` to `bottom` and columns `left` to `right`, both ends exclusive."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the rectangle: `maps[(..., *box.slices)]` of `(..., H, W)`, `image[box.slices]` of `(H, W, 3)`."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def area(self) -> int:
        """Number of pixels."""
        return (self.bottom - self.top) * (self.right - self.left)

    def scaled(self, factor: int) -> Box:
        """The same rectangle where each cell is `factor` × `factor` pixels."""
        return Box(*(edge * factor for edge in self))


class _Grid:
    """A union of boxes on the grid of their edges: a strip of rows is an integer, whose bits are the dead columns."""

    def __init__(self, boxes: Iterable[Box], size: int) -> None:
        boxes = tuple(boxes)
        self.rows = sorted({0, size, *(edge for box in boxes for edge in (box.top, box.bottom))})
        self.columns = sorted({0, size, *(edge for box in boxes for edge in (box.left, box.right))})
        at = {edge: bit for bit, edge in enumerate(self.columns)}
        self.all = (1 << (len(self.columns) - 1)) - 1
        self.strips = [0] * (len(self.rows) - 1)
        numbers = {edge: number for number, edge in enumerate(self.rows)}
        for box in boxes:
            bits = (1 << at[box.right]) - (1 << at[box.left])
            for strip in range(numbers[box.top], numbers[box.bottom]):
                self.strips[strip] |= bits

    def box(self, first: int, last: int, bits: int) -> Box:
        """Strips `first` to `last`, inclusive, of one run of columns."""
        left, right = (bits & -bits).bit_length() - 1, bits.bit_length()
        return Box(self.rows[first], self.columns[left], self.rows[last + 1], self.columns[right])


def _runs(bits: int) -> Iterator[int]:
    """The runs of neighboring ones, each as a number of its own."""
    while bits:
        low = bits & -bits
        run = bits & ~(bits + low)
        yield run
        bits ^= run


@lru_cache(4096)
def largest(boxes: tuple[Box, ...], size: int) -> tuple[Box, ...]:
    """The largest rectangles inside a union of boxes that are not covered by others; the same for equal unions."""
    grid = _Grid(boxes, size)
    strips, found = grid.strips, {}
    for first in range(len(strips)):
        common = grid.all
        for last in range(first, len(strips)):
            common &= strips[last]
            if not common:
                break
            for run in _runs(common):
                above, below = strips[first - 1] if first else 0, strips[last + 1] if last + 1 < len(strips) else 0
                if above & run != run and below & run != run:
                    found[grid.box(first, last, run)] = (range(first, last + 1), run)
    for box in sorted(found, key=lambda box: (box.area, box)):
        covered = [0] * len(strips)
        for other, (lines, run) in found.items():
            if other != box:
                for line in lines:
                    covered[line] |= run
        lines, run = found[box]
        if all(covered[line] & run == run for line in lines):
            del found[box]

    def order(box: Box) -> tuple[bool, bool, Box]:  # bands of rows, of columns, then the rest
        return box.right - box.left < size, box.bottom - box.top < size, box

    return tuple(sorted(found, key=order))


def partition(boxes: tuple[Box, ...], size: int, *, seen: bool) -> tuple[Box, ...]:
    """A union of boxes, or what is left of the image, as few strips: of rows or of columns, whichever are fewer."""
    turned = tuple(Box(left, top, right, bottom) for top, left, bottom, right in boxes)
    by_rows = _strips(boxes, size, seen=seen)
    by_columns = [Box(top, left, bottom, right) for left, top, right, bottom in _strips(turned, size, seen=seen)]
    return tuple(sorted(by_columns if len(by_columns) < len(by_rows) else by_rows))


def _strips(boxes: tuple[Box, ...], size: int, *, seen: bool) -> list[Box]:
    grid = _Grid(boxes, size)
    done: list[Box] = []
    growing: dict[int, int] = {}  # run of columns → its first strip
    for number, bits in enumerate([*grid.strips, grid.all if seen else 0]):
        runs = set(_runs(grid.all & ~bits if seen else bits))
        done += [grid.box(growing.pop(run), number - 1, run) for run in growing.keys() - runs]
        for run in runs - growing.keys():
            growing[run] = number
    return done
