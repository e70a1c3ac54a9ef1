"""The rows of one class: its pairs, with broken pictures passed over and listed."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from stackwalls.model import Wall, imagenet_classes
from stackwalls.stackmix.composite import compose
from stackwalls.stackmix.decoding import BrokenPictureError, read_picture
from stackwalls.stackmix.encoding import Encoder, encode
from stackwalls.stackmix.pairing import most_pairs, pair_order

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stackwalls.stackmix.sources import Source

HELD = 64
"""Decoded pictures of one class that are kept for further pairs (10 MB)."""


@dataclass(frozen=True)
class ClassRows:
    """What became of one class.

    Attributes:
        index: the class.
        rows: its dataset rows; none, if it could not be given as many as asked.
        rejected: {"item", "reason"} of what was turned down: its broken pictures, and the class itself where it
            has no rows.
    """

    index: int
    rows: list[dict[str, Any]]
    rejected: list[dict[str, str]]


@dataclass(frozen=True)
class Picture:
    """A usable picture of the source: its id and the SHA-256 of its file (hexadecimal)."""

    image_id: str
    sha256: str


class UsablePictures:
    """The usable pictures of one class, found one by one in the order given.

    A picture that cannot be decoded, or whose file equals an earlier one's byte for byte, is passed over and
    listed in `rejected`.
    """

    def __init__(self, source: Source, image_ids: Sequence[str]) -> None:
        self.rejected: list[dict[str, str]] = []
        self.found: list[Picture] = []
        self._source = source
        self._left = iter(image_ids)
        self._by_sha256: dict[str, str] = {}
        self._pixels: OrderedDict[str, NDArray[np.uint8]] = OrderedDict()

    def reach(self, position: int) -> bool:
        """Go on until there is a usable picture at `position`; False where the class ends before."""
        while len(self.found) <= position:
            image_id = next(self._left, None)
            if image_id is None:
                return False
            try:
                self.found.append(self._check(image_id))
            except (BrokenPictureError, OSError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                self.rejected.append({"item": image_id, "reason": reason or type(error).__name__})
        return True

    def pixels(self, position: int) -> NDArray[np.uint8]:
        """`(224, 224, 3)` uint8 of the usable picture at `position`; decoded again where it is no longer held."""
        image_id = self.found[position].image_id
        if image_id not in self._pixels:
            self._hold(image_id, read_picture(self._source.read(image_id)))
        return self._pixels[image_id]

    def _check(self, image_id: str) -> Picture:
        data = self._source.read(image_id)
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 in self._by_sha256:
            raise BrokenPictureError(f"the same file as {self._by_sha256[sha256]}, byte for byte")
        self._hold(image_id, read_picture(data))
        self._by_sha256[sha256] = image_id
        return Picture(image_id, sha256)

    def _hold(self, image_id: str, pixels: NDArray[np.uint8]) -> None:
        self._pixels[image_id] = pixels
        if len(self._pixels) > HELD:
            self._pixels.popitem(last=False)


def make_class_rows(
    source: Source, index: int, image_ids: Sequence[str], per_class: int, wall: Wall, encoder: Encoder
) -> ClassRows:
    """Make the `per_class` composites of one class, all or none.

    Args:
        source: where the pictures are.
        index: the class.
        image_ids: its pictures in drawing order.
        per_class: how many pairs.
        wall: the dead zone.
        encoder: the file format.
    """
    pictures = UsablePictures(source, image_ids)
    entry = imagenet_classes()[index]
    rows = []
    for number, (first, second) in enumerate(islice(_pairs(pictures), per_class)):
        image_id = f"{entry.synset}_{number:04d}"
        composite = compose(pictures.pixels(first), pictures.pixels(second), wall)
        file = {"bytes": encode(composite, encoder), "path": image_id + encoder.suffix}
        top, bottom = pictures.found[first], pictures.found[second]
        rows.append(
            {
                "image": file,
                "label": index,
                "image_id": image_id,
                "top_source": top.image_id,
                "bottom_source": bottom.image_id,
                "top_sha256": top.sha256,
                "bottom_sha256": bottom.sha256,
            }
        )
    if len(rows) < per_class:
        usable = len(pictures.found)
        reason = (
            f"{usable} of its {len(image_ids)} pictures can be used, which makes {most_pairs(usable)} pairs "
            f"instead of {per_class}"
        )
        pictures.rejected.append({"item": f"{entry.synset} ({entry.name})", "reason": reason})
        rows = []
    return ClassRows(index, rows, pictures.rejected)


def _pairs(pictures: UsablePictures) -> Iterator[tuple[int, int]]:
    """`pair_order` of the usable pictures, without looking at more of them than the pairs taken need."""
    for start in count(0, 2):
        if not pictures.reach(start + 1):
            break
        yield start, start + 1
    usable = len(pictures.found)
    yield from islice(pair_order(usable), usable // 2, None)
