"""Which classes, images and pairs a seed chooses: pure, and by hashes, so that it never changes.

Classes and images are drawn without replacement in the order of the SHA-256 of (what is drawn, seed, class, image).
Unlike a shuffle, that order does not depend on a library's random stream, nor on what else there is to draw from: a
class that is added to the source leaves the pairs of the others as they were.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from stackwalls.hub_cards import review_reason
from stackwalls.model import NUM_ANIMALS, InputError, LabelSpace, class_order, drawing_rank
from stackwalls.stackmix.mix_spec import MixSpec, RejectedPair

Index = Mapping[int, Sequence[str]]

Pair = tuple[int, int]
"""Positions of two images."""


@dataclass(frozen=True)
class MixPlan:
    """What to make, before any image is read.

    Attributes:
        spec: what is asked for, with named classes by their keys.
        classes: the source's.
        index: of the source.
        order: classes by index in the order in which they are made; those after the first `wanted` replace classes
            that turn out to have too few usable images.
        wanted: how many classes the set must have; None: as many as can be made.
        fingerprint: SHA-256 (hexadecimal) of the source's index, every class and id.
    """

    spec: MixSpec
    classes: LabelSpace
    index: Index
    order: tuple[int, ...]
    wanted: int | None
    fingerprint: str

    def images(self, class_index: int) -> list[str]:
        """The ids of a class's images in drawing order."""
        return image_order(self.index[class_index], self.classes.key(class_index), self.spec.seed)

    def redone(self, class_index: int) -> list[RejectedPair]:
        """The pairs of a class that were rejected."""
        return [pair for pair in self.spec.redone if pair.key == self.classes.key(class_index)]


def plan_mix(spec: MixSpec, classes: LabelSpace, index: Index, source_name: str) -> MixPlan:
    """Choose the classes.

    Raises:
        InputError: if the source has too few classes that can be paired, or a named one is unknown or cannot be.
    """
    spec = spec.of(classes)
    fingerprint = hashlib.sha256()
    for class_index, image_ids in sorted(index.items()):
        for image_id in sorted(image_ids):
            fingerprint.update(f"{class_index}\0{image_id}\n".encode())
    if isinstance(spec.classes, tuple):
        order = classes.parse_all(spec.classes)
        for class_index in order:
            images = len(index.get(class_index, ()))
            if most_pairs(images) < spec.per_class:
                held = f"{images} image(s)" if images else "no image"
                raise InputError(
                    f"The source {source_name} has {held} of class {classes.shown(class_index)}, which makes "
                    f"{most_pairs(images)} pair(s) of two different ones, but {spec.per_class} were asked for."
                )
        return MixPlan(spec, classes, index, order, len(order), fingerprint.hexdigest())
    candidates = [class_index for class_index in index if class_index < NUM_ANIMALS or not spec.animals]
    able = {classes.key(each): each for each in candidates if most_pairs(len(index[each])) >= spec.per_class}
    if len(able) < (spec.classes or 1):
        asked = "one class" if spec.classes is None else f"{spec.classes} classes"
        raise InputError(
            f"Asked for {asked} with {spec.per_class} pair(s) each, but {len(able)} of the {len(candidates)} "
            f"{'animal ' * spec.animals}classes in {source_name} have enough images for that: ask for at most that "
            "many, or for fewer pairs, or give a source with two or more different images per class."
        )
    order = tuple(able[key] for key in class_order(able, spec.seed))
    return MixPlan(spec, classes, index, order, spec.classes, fingerprint.hexdigest())


def image_order(image_ids: Iterable[str], key: str, seed: int) -> list[str]:
    """The ids of the images of the class with this key in the order in which they are drawn."""
    return sorted(image_ids, key=lambda image_id: drawing_rank("image", seed, key, image_id))


def pair_order(count: int) -> Iterator[Pair]:
    """Positions (first, second) of the pairs of `count` images, in the order in which they are taken.

    (0, 1), (2, 3), …: every image is taken once before any is taken twice. After those come the pairs between them,
    (1, 2), (3, 4), …, around the end, then the pairs of images two apart, and so on, until each image was first with
    every other: `most_pairs(count)` pairs, all different. More pairs never change the first.
    """
    for distance in range(1, count):
        for start in (*range(0, count, 2), *range(1, count, 2)):
            yield start, (start + distance) % count


def most_pairs(count: int) -> int:
    """How many ordered pairs of two different images `count` images make."""
    return count * (count - 1)


def draw(pairs: Iterable[Pair], names: Sequence[str], redone: Sequence[RejectedPair]) -> Iterator[tuple[str, Pair]]:
    """(row, its pair) in the order of drawing; if a row comes twice, the later pair replaces the earlier one.

    First the rows of `names` in order, then for each rejected pair its row again, with the next unused pair. When the
    pairs run out, the remaining rows get none.

    Args:
        pairs: all pairs of the class in the order in which they are taken.
        names: the image_ids of its rows.
        redone: the rejected pairs of the class.

    Raises:
        InputError: if a pair was rejected in a row that the class does not have.
    """
    if strange := [pair.image_id for pair in redone if pair.image_id not in names]:
        raise InputError(f"A pair was rejected in the row {strange[0]}, but its class has {len(names)} rows.")
    return zip([*names, *(pair.image_id for pair in redone)], pairs, strict=False)


def rejected_pairs(redone: Sequence[RejectedPair], gone: Collection[str]) -> list[dict[str, str]]:
    """{"item", "reason"} of each pair of a class; the last one of each row in `gone` says that no pair was left."""
    last = {pair.image_id: number for number, pair in enumerate(redone)}
    note = "; its class has no other pair left, so the row is gone"
    return [
        {
            "item": pair.item,
            "reason": review_reason(pair.comment) + note * (pair.image_id in gone and last[pair.image_id] == number),
        }
        for number, pair in enumerate(redone)
    ]
