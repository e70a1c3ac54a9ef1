"""From a spec and a source's index to the classes in their order and the pictures in theirs: pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stackwalls.model import ImageNetClass, InputError, class_order, imagenet_classes, parse_class
from stackwalls.stackmix.mix_spec import MixSpec
from stackwalls.stackmix.pairing import image_order, most_pairs

Index = Mapping[int, Sequence[str]]


@dataclass(frozen=True)
class MixPlan:
    """What to make, before any picture was looked at.

    Attributes:
        order: classes by index in the order in which they are made; those behind the first `wanted` stand in for
            classes that turn out to have too few usable pictures.
        wanted: how many classes the set must have; None: as many as can be made.
        fingerprint: SHA-256 (hexadecimal) of the source's index, every class and id.
    """

    spec: MixSpec
    index: Index
    order: tuple[int, ...]
    wanted: int | None
    fingerprint: str

    def images(self, class_index: int) -> list[str]:
        """The ids of a class's pictures in drawing order."""
        return image_order(self.index[class_index], imagenet_classes()[class_index].synset, self.spec.seed)

    def first_needed(self, start: int = 0) -> list[str]:
        """The ids that are read if no picture is broken, for the classes from position `start` of the order."""
        pictures = 2 * self.spec.per_class
        return [image_id for index in self.order[start : self.wanted] for image_id in self.images(index)[:pictures]]


def plan_mix(spec: MixSpec, index: Index, source_name: str) -> MixPlan:
    """Choose the classes.

    Raises:
        InputError: if the source has too few classes that can be paired, or a named one cannot be.
    """
    fingerprint = hashlib.sha256()
    for class_index, image_ids in sorted(index.items()):
        for image_id in sorted(image_ids):
            fingerprint.update(f"{class_index}\0{image_id}\n".encode())
    if isinstance(spec.classes, tuple):
        order = tuple(_checked(parse_class(name), spec, index, source_name) for name in spec.classes)
        return MixPlan(spec, index, order, len(order), fingerprint.hexdigest())
    entries = [imagenet_classes()[class_index] for class_index in index]
    candidates = [entry for entry in entries if entry.is_animal or not spec.animals]
    able = [entry.synset for entry in candidates if most_pairs(len(index[entry.index])) >= spec.per_class]
    if len(able) < (spec.classes or 1):
        asked = "one class" if spec.classes is None else f"{spec.classes} classes"
        raise InputError(
            f"Asked for {asked} with {spec.per_class} pair(s) each, but {len(able)} of the {len(candidates)} "
            f"{'animal ' * spec.animals}classes in {source_name} have pictures enough for that: ask for at most "
            "that many, or for fewer pairs, or give a source with two or more different pictures a class."
        )
    order = tuple(parse_class(synset).index for synset in class_order(able, spec.seed))
    return MixPlan(spec, index, order, spec.classes, fingerprint.hexdigest())


def _checked(entry: ImageNetClass, spec: MixSpec, index: Index, source_name: str) -> int:
    """The index of a named class, if the source has pictures enough of it."""
    pictures = len(index.get(entry.index, ()))
    if most_pairs(pictures) < spec.per_class:
        held = f"{pictures} picture(s)" if pictures else "no picture"
        raise InputError(
            f"The source {source_name} has {held} of class {entry.synset} ({entry.name}), which makes "
            f"{most_pairs(pictures)} pair(s) of two different ones, but {spec.per_class} were asked for."
        )
    return entry.index
