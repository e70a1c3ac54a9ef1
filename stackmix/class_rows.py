"""The rows of one class: its pairs, with broken images skipped and listed."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from stackwalls.model import RunError, Wall, imagenet_classes
from stackwalls.model.images.decoding import BrokenPictureError, read_picture
from stackwalls.stackmix.composite import Encoder, compose, encode
from stackwalls.stackmix.mix_plan import draw, most_pairs, pair_order, rejected_pairs
from stackwalls.stackmix.mix_spec import RejectedPair

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stackwalls.model.images import Source

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

    def __init__(self, source: Source, image_ids: Sequence[str]) -> None:
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
            except (BrokenPictureError, OSError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                self.rejected.append({"item": image_id, "reason": reason or type(error).__name__})
        return True

    def pixels(self, position: int) -> NDArray[np.uint8]:
        """`(224, 224, 3)` uint8 of the usable image at `position`; decoded again if it is no longer held."""
        image_id = self.found[position].image_id
        if image_id not in self._pixels:
            self._hold(image_id, read_picture(self._source.read(image_id)))
        return self._pixels[image_id]

    def _check(self, image_id: str) -> UsableImage:
        data = self._source.read(image_id)
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 in self._by_sha256:
            raise BrokenPictureError(f"the same file as {self._by_sha256[sha256]}, byte for byte")
        self._hold(image_id, read_picture(data))
        self._by_sha256[sha256] = image_id
        return UsableImage(image_id, sha256)

    def _hold(self, image_id: str, pixels: NDArray[np.uint8]) -> None:
        self._pixels[image_id] = pixels
        if len(self._pixels) > HELD:
            self._pixels.popitem(last=False)


def make_class_rows(
    source: Source,
    index: int,
    image_ids: Sequence[str],
    per_class: int,
    wall: Wall,
    encoder: Encoder,
    redone: Sequence[RejectedPair] = (),
) -> ClassRows:
    """Make the `per_class` composites of one class, all or none (except those that a reviewer rejected).

    Args:
        source: where the images are.
        index: the class.
        image_ids: its images in drawing order.
        per_class: how many pairs.
        wall: the dead zone.
        encoder: the file format.
        redone: rejected pairs of this class; each is replaced by the next pair that was not used.

    Raises:
        InputError: if a pair was rejected in a row that the class does not have.
        RunError: if the rejected pairs are not those that the images make now.
    """
    images = UsableImages(source, image_ids)
    synset = imagenet_classes()[index].synset
    names = [f"{synset}_{number:04d}" for number in range(per_class)]
    rows: dict[str, dict[str, Any]] = {}
    drawn = 0
    for image_id, (first, second) in draw(_pairs(images), names, redone):
        composite = compose(images.pixels(first), images.pixels(second), wall)
        if drawn >= per_class:
            _check_replaced(redone[drawn - per_class], rows[image_id])
        file = {"bytes": encode(composite, encoder), "path": image_id + encoder.suffix}
        top, bottom = images.found[first], images.found[second]
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
        return ClassRows(index, [], [*images.rejected, _too_few(index, images, image_ids, per_class)], usable=False)
    gone = {pair.image_id for pair in redone[drawn - per_class :]}
    kept = [row for image_id, row in rows.items() if image_id not in gone]
    return ClassRows(index, kept, images.rejected + rejected_pairs(redone, gone))


def _check_replaced(pair: RejectedPair, row: dict[str, Any]) -> None:
    if (pair.top_source, pair.bottom_source) != (row["top_source"], row["bottom_source"]):
        raise RunError(
            f"The images of {pair.synset} are not those that the set was made from: {pair.item} was rejected, but that "
            f"row is made of {row['top_source']} and {row['bottom_source']} now. Restore the former images."
        )


def _too_few(index: int, images: UsableImages, image_ids: Sequence[str], per_class: int) -> dict[str, str]:
    """The entry of a class that cannot be given as many pairs as asked."""
    usable = len(images.found)
    reason = (  # "pictures", as in every published rejected.parquet: the same spec gives the same bytes
        f"{usable} of its {len(image_ids)} pictures can be used, which makes {most_pairs(usable)} pairs "
        f"instead of {per_class}"
    )
    return {"item": class_item(index), "reason": reason}


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
