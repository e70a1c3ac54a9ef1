"""The rows of one class: its pairs, with broken images skipped and listed."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from stackwalls.model import RunError, imagenet_classes
from stackwalls.model.images.decoding import BrokenImageError, decode_and_crop
from stackwalls.stackmix.composite import compose, encode, find_encoder
from stackwalls.stackmix.mix_plan import MixPlan, draw, most_pairs, pair_order, rejected_pairs
from stackwalls.stackmix.mix_spec import RejectedPair

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stackwalls.model.images import LabelledImages

HELD = 64
"""Decoded images of one class that are kept for further pairs (10 MB)."""


@dataclass(frozen=True)
class ClassRows:
    """What became of one class.

    Attributes:
        index: the class.
        rows: its dataset rows; none if it has too few images for as many as asked.
        rejected: {"item", "reason"} of its broken images, of the pairs that a reviewer rejected, and of the class
            itself if it has too few images.
        usable: whether it has enough images, before a reviewer rejected any pair.
    """

    index: int
    rows: list[dict[str, Any]]
    rejected: list[dict[str, str]]
    usable: bool = True


@dataclass(frozen=True)
class UsableImage:
    """A usable image of the source: its id and the SHA-256 of its file (hexadecimal)."""

    image_id: str
    sha256: str


class UsableImages:
    """The usable images of one class, found one by one in the order given.

    An image that cannot be decoded, or whose file equals an earlier one's byte for byte, is skipped and listed in
    `rejected`.
    """

    def __init__(self, source: LabelledImages, image_ids: Sequence[str]) -> None:
        self.rejected: list[dict[str, str]] = []
        self.found: list[UsableImage] = []
        self._source = source
        self._left = iter(image_ids)
        self._by_sha256: dict[str, str] = {}
        self._pixels: OrderedDict[str, NDArray[np.uint8]] = OrderedDict()

    def reach(self, position: int) -> bool:
        """Read on until there is a usable image at `position`; False if the class ends before."""
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
        """`(224, 224, 3)` uint8 of the usable image at `position`; decoded again if it is no longer held."""
        image_id = self.found[position].image_id
        if image_id not in self._pixels:
            self._hold(image_id, decode_and_crop(self._source.read(image_id)))
        return self._pixels[image_id]

    def _check(self, image_id: str) -> UsableImage:
        data = self._source.read(image_id)
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 in self._by_sha256:
            raise BrokenImageError(f"the same file as {self._by_sha256[sha256]}, byte for byte")
        self._hold(image_id, decode_and_crop(data))
        self._by_sha256[sha256] = image_id
        return UsableImage(image_id, sha256)

    def _hold(self, image_id: str, pixels: NDArray[np.uint8]) -> None:
        self._pixels[image_id] = pixels
        if len(self._pixels) > HELD:
            self._pixels.popitem(last=False)


def make_class_rows(source: LabelledImages, plan: MixPlan, index: int) -> ClassRows:
    """Make the composites of one class, as many as the plan asks for or none (except those that a reviewer rejected).

    Each rejected pair is replaced by the next pair that was not used.

    Raises:
        InputError: if a pair was rejected in a row that the class does not have.
        RunError: if the rejected pairs are not those that the images make now.
    """
    image_ids, redone, spec = plan.images(index), plan.redone(index), plan.spec
    images, encoder = UsableImages(source, image_ids), find_encoder(spec.encoder)
    names = [f"{imagenet_classes()[index].synset}_{number:04d}" for number in range(spec.per_class)]
    rows: dict[str, dict[str, Any]] = {}
    drawn = 0
    for image_id, (first, second) in draw(_pairs(images), names, redone):
        composite = compose(images.pixels(first), images.pixels(second), spec.wall)
        if drawn >= spec.per_class:
            _check_replaced(redone[drawn - spec.per_class], rows[image_id])
        top, bottom = images.found[first], images.found[second]
        rows[image_id] = {
            "image": {"bytes": encode(composite, encoder), "path": image_id + encoder.suffix},
            "label": index,
            "image_id": image_id,
            "top_source": top.image_id,
            "bottom_source": bottom.image_id,
            "top_sha256": top.sha256,
            "bottom_sha256": bottom.sha256,
        }
        drawn += 1
    if drawn < spec.per_class:
        usable = len(images.found)
        reason = (
            f"{usable} of its {len(image_ids)} images can be used, which makes {most_pairs(usable)} pairs instead of "
            f"{spec.per_class}"
        )
        too_few = {"item": class_item(index), "reason": reason}
        return ClassRows(index, [], [*images.rejected, too_few], usable=False)
    gone = {pair.image_id for pair in redone[drawn - spec.per_class :]}
    kept = [row for image_id, row in rows.items() if image_id not in gone]
    return ClassRows(index, kept, images.rejected + rejected_pairs(redone, gone))


def _check_replaced(pair: RejectedPair, row: dict[str, Any]) -> None:
    if (pair.top_source, pair.bottom_source) != (row["top_source"], row["bottom_source"]):
        raise RunError(
            f"The images of {pair.synset} are not those that the set was made from: {pair.item} was rejected, but that "
            f"row is made of {row['top_source']} and {row['bottom_source']} now. Restore the former images."
        )


def class_item(index: int) -> str:
    """How rejected.parquet names a class."""
    entry = imagenet_classes()[index]
    return f"{entry.synset} ({entry.name})"


def _pairs(images: UsableImages) -> Iterator[tuple[int, int]]:
    """`pair_order` of the usable images, without reading more of them than the pairs taken need."""
    for start in count(0, 2):
        if not images.reach(start + 1):
            break
        yield start, start + 1
    usable = len(images.found)
    yield from islice(pair_order(usable), usable // 2, None)
