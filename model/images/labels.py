"""ImageNet-1k: class index ↔ WordNet synset ↔ name, and the animals among the classes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from stackwalls.model.errors import InputError

NUM_ANIMALS = 398
"""Classes 0 to 397 are the animals (Taimeskhanov et al. 2024, section 4.1)."""


@dataclass(frozen=True)
class ImageNetClass:
    """One of the 1000 classes: `index` in the order of the sorted synsets, `synset` as in `n01440764`, `name`."""

    index: int
    synset: str
    name: str

    @property
    def is_animal(self) -> bool:
        """Whether the class is one of the 398 animals."""
        return self.index < NUM_ANIMALS


@lru_cache(maxsize=1)
def imagenet_classes() -> tuple[ImageNetClass, ...]:
    """The 1000 classes in index order; names as in torchvision's `IMAGENET1K` categories, which are unique."""
    text = resources.files("stackwalls.model.images").joinpath("imagenet_classes.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines()[1:])
    return tuple(ImageNetClass(int(index), synset, name) for index, synset, name in rows)


@lru_cache(maxsize=1)
def class_names() -> tuple[str, ...]:
    """The 1000 names in index order."""
    return tuple(entry.name for entry in imagenet_classes())


def animals() -> tuple[ImageNetClass, ...]:
    """The 398 animal classes in index order."""
    return imagenet_classes()[:NUM_ANIMALS]


def _normalised(text: str) -> str:
    """Lower case, with `_` and `-` read as spaces, so that folder names match."""
    return " ".join(text.lower().replace("_", " ").replace("-", " ").split())


@lru_cache(maxsize=1)
def _exact() -> dict[str, int]:
    return {key: entry.index for entry in imagenet_classes() for key in (str(entry.index), entry.synset, entry.name)}


@lru_cache(maxsize=1)
def _loose() -> dict[str, int]:
    """Normalised names; those of two classes (Cardigan, the dog, and cardigan, the garment) stand for neither."""
    indices: dict[str, list[int]] = {}
    for entry in imagenet_classes():
        indices.setdefault(_normalised(entry.name), []).append(entry.index)
    return {key: found[0] for key, found in indices.items() if len(found) == 1}


def find_class(text: str | int) -> ImageNetClass | None:
    """The class that an index, a synset or a name stands for, or None; case, `_` and `-` do not matter in a name."""
    index = _exact().get(str(text), _loose().get(_normalised(str(text))))
    return None if index is None else imagenet_classes()[index]


def parse_class(text: str | int) -> ImageNetClass:
    """The class that an index, a synset or a name stands for.

    Raises:
        InputError: if `text` is none of them; the message names the nearest class names.
    """
    found = find_class(text)
    if found is not None:
        return found
    near = difflib.get_close_matches(_normalised(str(text)), [_normalised(name) for name in class_names()], n=3)
    names = [name for name in class_names() if _normalised(name) in near]
    hint = f" Did you mean {' or '.join(repr(name) for name in names)}?" if names else ""
    raise InputError(
        f"Unknown class {str(text)!r}: expected an ImageNet-1k index (0 to 999), a synset (n01440764) "
        f"or a name (tench).{hint}"
    )


def parse_classes(texts: Iterable[str | int]) -> tuple[ImageNetClass, ...]:
    """`parse_class` over several, in the order given.

    Raises:
        InputError: if one is unknown or stands twice.
    """
    found = tuple(parse_class(text) for text in texts)
    seen: set[int] = set()
    for entry in found:
        if entry.index in seen:
            raise InputError(f"Class {entry.name!r} (index {entry.index}) is asked for twice; name it once.")
        seen.add(entry.index)
    return found
