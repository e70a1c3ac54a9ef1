"""Which ImageNet-1k class a label of somebody's data set stands for."""

from __future__ import annotations

from collections.abc import Sequence

from stackwalls.model import find_class, imagenet_classes

AGREEMENT = 0.9
"""Share of the recognised names that must stand at their own index for 1000 names to be ImageNet-1k in order.

Lists of its class names differ in a few words ("crane" is a bird in one and a machine in the other)."""


def class_of(text: str | int) -> int | None:
    """The class index that a synset, a name or an index stands for, or None.

    ImageNet's long names list synonyms ("tench, Tinca tinca"): the first one that is a class's name counts.
    """
    whole = str(text).strip()
    if whole.startswith("-"):  # -1 marks a hidden label; a name never starts so
        return None
    synonyms = (part for part in whole.split(",") if not part.strip().isdigit())
    found = next(filter(None, map(find_class, (whole, *synonyms))), None)
    return None if found is None else found.index


def classes_of_names(names: Sequence[str]) -> tuple[int | None, ...]:
    """The class of each of a data set's label names, by position; None where a name is no class.

    A list of 1000 names of which nearly all that are recognised stand at their own index is ImageNet-1k in its
    usual order: there the position counts, not the spelling.
    """
    found = tuple(class_of(name) for name in names)
    known = [position == index for position, index in enumerate(found) if index is not None]
    if len(names) == len(imagenet_classes()) and known and sum(known) >= AGREEMENT * len(known):
        return tuple(range(len(names)))
    return found
