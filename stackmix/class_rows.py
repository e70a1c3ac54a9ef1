"""The rows of one class: its pairs, with broken images skipped and listed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Protocol

from stackwalls.model import RunError, Transform
from stackwalls.model.images.decoding import BrokenImageError, decode_and_crop
from stackwalls.stackmix.composite import compose, encode
from stackwalls.stackmix.mix_plan import MixPlan, draw, most_pairs, pair_order, rejected_pairs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HELD = 64
"""Decoded images of one class that are kept for further pairs (10 MB)."""


class Files(Protocol):
    """The encoded images of a class by id, as `LabeledImages` has them."""

    def read(self, image_id: str) -> bytes:
        """The file; raises BrokenImageError or OSError if there is none."""
        ...


@dataclass(frozen=True)
class ClassRows:
    """What became of one class.

    Attributes:
        rows: its dataset rows; none if it has too few images for as many as asked.
        rejected: {"item", "reason"} of its broken images, of the pairs that a reviewer rejected, and of the class
            itself if it has too few images.
        usable: whether it has enough images, before a reviewer rejected any pair.
    """

    rows: list[dict[str, Any]]
    rejected: list[dict[str, str]]
    usable: bool = True


class UsableImages:
    """The usable images of one class, found one by one in the order given.

    An image that cannot be decoded, or whose file equals an earlier one's byte for byte, is skipped and listed in
    `rejected`.

    Attributes:
        ids: those found so far.
        hashes: SHA-256 (hexadecimal) of the file of each.
    """

    def __init__(self, source: Files, image_ids: Sequence[str], transform: Transform) -> None:
        self.rejected: list[dict[str, str]] = []
        self.ids: list[str] = []
        self.hashes: list[str] = []
        self._left = iter(image_ids)
        self._load = lru_cache(HELD)(partial(_load, source, transform))

    def reach(self, position: int) -> bool:
        """Read on until there is a usable image at `position`; False if the class ends before."""
        while len(self.ids) <= position:
            image_id = next(self._left, None)
            if image_id is None:
                return False
            try:
                sha256 = self._load(image_id)[0]
                if sha256 in self.hashes:
                    same = self.ids[self.hashes.index(sha256)]
                    raise BrokenImageError(f"the same file as {same}, byte for byte")
                self.ids.append(image_id)
                self.hashes.append(sha256)
            except (BrokenImageError, OSError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                self.rejected.append({"item": image_id, "reason": reason or type(error).__name__})
        return True

    def pixels(self, position: int) -> NDArray[np.uint8]:
        """`(H, H, 3)` uint8 of the usable image at `position`; decoded again if it is no longer held."""
        return self._load(self.ids[position])[1]


def _load(source: Files, transform: Transform, image_id: str) -> tuple[str, NDArray[np.uint8]]:
    data = source.read(image_id)
    return hashlib.sha256(data).hexdigest(), decode_and_crop(data, transform)


def make_class_rows(source: Files, plan: MixPlan, index: int) -> ClassRows:
    """Make the composites of one class, as many as the plan asks for or none (except those that a reviewer rejected).

    Each rejected pair is replaced by the next pair that was not used.

    Raises:
        InputError: if a pair was rejected in a row that the class does not have.
        RunError: if the rejected pairs are not those that the images make now.
    """
    image_ids, redone, spec = plan.images(index), plan.redone(index), plan.spec
    images = UsableImages(source, image_ids, spec.crop)
    names = [f"{plan.classes.key(index)}_{number:04d}" for number in range(spec.per_class)]
    rows: dict[str, dict[str, Any]] = {}
    drawn = 0
    for drawn, (image_id, (first, second)) in enumerate(draw(_pairs(images), names, redone), start=1):
        composite = compose(images.pixels(first), images.pixels(second), spec.wall)
        if drawn > spec.per_class:
            pair, row = redone[drawn - spec.per_class - 1], rows[image_id]
            if (pair.top_source, pair.bottom_source) != (row["top_source"], row["bottom_source"]):
                raise RunError(
                    f"The images of {pair.key} are not those that the set was made from: {pair.item} was rejected, "
                    f"but that row is made of {row['top_source']} and {row['bottom_source']} now. Restore the former "
                    "images."
                )
        rows[image_id] = {
            "image": {"bytes": encode(composite, spec.encoder), "path": f"{image_id}.{spec.encoder}"},
            "label": index,
            "image_id": image_id,
            "top_source": images.ids[first],
            "bottom_source": images.ids[second],
            "top_sha256": images.hashes[first],
            "bottom_sha256": images.hashes[second],
        }
    if drawn < spec.per_class:
        usable = len(images.ids)
        reason = (
            f"{usable} of its {len(image_ids)} images can be used, which makes {most_pairs(usable)} pairs instead of "
            f"{spec.per_class}"
        )
        return ClassRows([], [*images.rejected, {"item": plan.classes.shown(index), "reason": reason}], usable=False)
    gone = {pair.image_id for pair in redone[drawn - spec.per_class :]}
    kept = [row for image_id, row in rows.items() if image_id not in gone]
    return ClassRows(kept, images.rejected + rejected_pairs(redone, gone))


def _pairs(images: UsableImages) -> Iterator[tuple[int, int]]:
    """`pair_order` of the usable images, without reading more of them than the pairs taken need."""
    for start in count(0, 2):
        if not images.reach(start + 1):
            break
        yield start, start + 1
    usable = len(images.ids)
    yield from islice(pair_order(usable), usable // 2, None)
