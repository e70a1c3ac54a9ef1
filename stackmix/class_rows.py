"""The rows of one class: its pairs, with broken pictures passed over and listed."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from stackwalls.model import RunError, Wall, imagenet_classes
from stackwalls.model.images.decoding import BrokenImageError, decode_and_crop
from stackwalls.stackmix.composite import compose
from stackwalls.stackmix.encoding import Encoder, encode
from stackwalls.stackmix.pairing import most_pairs, pair_order
from stackwalls.stackmix.turned_down import TurnedDownPair, draw, rejected_pairs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stackwalls.model.images import LabelledImages

HELD = 64
"""Decoded pictures of one class that are kept for further pairs (10 MB)."""


@dataclass(frozen=True)
class ClassRows:
    """What became of one class.

    Attributes:
        index: the class.
        rows: its dataset rows; none, if it could not be given as many as asked.
        rejected: {"item", "reason"} of what was turned down: its broken pictures, the pairs that a person turned
            down, and the class itself where it could not be given as many as asked.
        usable: whether it could be given as many as asked, before a person turned any down.
    """

    index: int
    rows: list[dict[str, Any]]
    rejected: list[dict[str, str]]
    usable: bool = True


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

    def __init__(self, source: LabelledImages, image_ids: Sequence[str]) -> None:
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
            except (BrokenImageError, OSError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                self.rejected.append({"item": image_id, "reason": reason or type(error).__name__})
        return True

    def pixels(self, position: int) -> NDArray[np.uint8]:
        """`(224, 224, 3)` uint8 of the usable picture at `position`; decoded again where it is no longer held."""
        image_id = self.found[position].image_id
        if image_id not in self._pixels:
            self._hold(image_id, decode_and_crop(self._source.read(image_id)))
        return self._pixels[image_id]

    def _check(self, image_id: str) -> Picture:
        data = self._source.read(image_id)
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 in self._by_sha256:
            raise BrokenImageError(f"the same file as {self._by_sha256[sha256]}, byte for byte")
        self._hold(image_id, decode_and_crop(data))
        self._by_sha256[sha256] = image_id
        return Picture(image_id, sha256)

    def _hold(self, image_id: str, pixels: NDArray[np.uint8]) -> None:
        self._pixels[image_id] = pixels
        if len(self._pixels) > HELD:
            self._pixels.popitem(last=False)


def make_class_rows(
    source: LabelledImages,
    index: int,
    image_ids: Sequence[str],
    per_class: int,
    wall: Wall,
    encoder: Encoder,
    redone: Sequence[TurnedDownPair] = (),
) -> ClassRows:
    """Make the `per_class` composites of one class, all or none (but for those that a person turned down).

    Args:
        source: where the pictures are.
        index: the class.
        image_ids: its pictures in drawing order.
        per_class: how many pairs.
        wall: the dead zone.
        encoder: the file format.
        redone: pairs that were turned down, of this class; each gives its place to the next pair not used.

    Raises:
        InputError: if a pair was turned down in a row that the class does not have.
        RunError: if the pairs that were turned down are not those that the pictures make now.
    """
    pictures = UsablePictures(source, image_ids)
    synset = imagenet_classes()[index].synset
    names = [f"{synset}_{number:04d}" for number in range(per_class)]
    rows: dict[str, dict[str, Any]] = {}
    drawn = 0
    for image_id, (first, second) in draw(_pairs(pictures), names, redone):
        composite = compose(pictures.pixels(first), pictures.pixels(second), wall)
        if drawn >= per_class:
            _check_replaced(redone[drawn - per_class], rows[image_id])
        file = {"bytes": encode(composite, encoder), "path": image_id + encoder.suffix}
        top, bottom = pictures.found[first], pictures.found[second]
        rows[image_id] = {
            "image": file,
            "label": index,
            "image_id": image_id,
            "top_source": top.image_id,
            "bottom_source": bottom.image_id,
            "top_sha256": top.sha256,
            "bottom_sha256": bottom.sha256,
        }
        drawn += 1
    if drawn < per_class:
        return ClassRows(index, [], [*pictures.rejected, _too_few(index, pictures, image_ids, per_class)], usable=False)
    gone = {pair.image_id for pair in redone[drawn - per_class :]}
    kept = [row for image_id, row in rows.items() if image_id not in gone]
    return ClassRows(index, kept, pictures.rejected + rejected_pairs(redone, gone))


def _check_replaced(pair: TurnedDownPair, row: dict[str, Any]) -> None:
    if (pair.top_source, pair.bottom_source) != (row["top_source"], row["bottom_source"]):
        raise RunError(
            f"The pictures of {pair.synset} are not those that the set was made from: turned down was {pair.item}, but "
            f"that row is made of {row['top_source']} and {row['bottom_source']} now. Bring the former pictures back."
        )


def _too_few(index: int, pictures: UsablePictures, image_ids: Sequence[str], per_class: int) -> dict[str, str]:
    """The entry of a class that cannot be given as many pairs as asked."""
    usable = len(pictures.found)
    reason = (
        f"{usable} of its {len(image_ids)} pictures can be used, which makes {most_pairs(usable)} pairs "
        f"instead of {per_class}"
    )
    return {"item": class_item(index), "reason": reason}


def class_item(index: int) -> str:
    """How the list of what was turned down names a class."""
    entry = imagenet_classes()[index]
    return f"{entry.synset} ({entry.name})"


def _pairs(pictures: UsablePictures) -> Iterator[tuple[int, int]]:
    """`pair_order` of the usable pictures, without looking at more of them than the pairs taken need."""
    for start in count(0, 2):
        if not pictures.reach(start + 1):
            break
        yield start, start + 1
    usable = len(pictures.found)
    yield from islice(pair_order(usable), usable // 2, None)
