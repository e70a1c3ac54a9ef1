"""ImageNet-1k: class index ↔ WordNet synset ↔ name, the animals, and which class somebody's label stands for."""

import difflib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from stackwalls.model.errors import InputError

NUM_ANIMALS = 398
"""Classes 0 to 397 are the animals (Taimeskhanov et al. 2024, section 3.2)."""

AGREEMENT = 0.9
"""Share of the recognized names that must be at their own index: lists of ImageNet's names differ in a few words."""

_AMBIGUOUS = {"crane": (134, 517), "maillot": (638, 639)}
"""Names that head two of WordNet's lists of synonyms: a bird and a machine, and two garments."""


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


def normalized(text: str) -> str:
    """Lower case, with `_`, `-` and `,` read as spaces, so that folder names and lists of synonyms match."""
    return " ".join(re.sub("[_,-]", " ", text.lower()).split())


@lru_cache(maxsize=1)
def _exact() -> dict[str, ImageNetClass]:
    return {key: entry for entry in imagenet_classes() for key in (entry.synset, entry.name)}


@lru_cache(maxsize=1)
def _loose() -> dict[str, ImageNetClass]:
    """By normalized name; that of two classes (Cardigan, the dog, and cardigan, the garment) stands for neither."""
    names = Counter(map(normalized, class_names()))
    return {key: entry for entry in imagenet_classes() if names[key := normalized(entry.name)] == 1}


def find_class(text: str | int) -> ImageNetClass | None:
    """The class that an index (`7`, `007`), a synset or a name stands for, or None.

    In a name, case, `_`, `-` and commas do not matter.
    """
    key = str(text)
    if key.isascii() and key.isdigit():
        return imagenet_classes()[int(key)] if len(key) < 5 and int(key) < len(imagenet_classes()) else None
    return _exact().get(key, _loose().get(normalized(key)))


def class_of(text: str | int) -> int | None:
    """The index of the class that a label, folder or name of somebody else's dataset stands for, or None.

    ImageNet's long names list synonyms ("tench, Tinca tinca"): the whole counts, then the first that is a class name.

    Raises:
        InputError: if the name stands for two classes.
    """
    whole = str(text).strip()
    if whole.startswith("-"):  # -1 marks a hidden label; no name starts so
        return None
    if whole.lower() in _AMBIGUOUS:
        candidates = [imagenet_classes()[index] for index in _AMBIGUOUS[whole.lower()]]
        named = " or ".join(f"{entry.synset} ({entry.name}, index {entry.index})" for entry in candidates)
        raise InputError(f"The class name {whole!r} is ambiguous: it may be {named}. Use the synset or the index.")
    synonyms = (part for part in whole.split(",") if not part.strip().isdigit())
    found = next(filter(None, map(find_class, (whole, *synonyms))), None)
    return None if found is None else found.index


def check_numbering(names: Iterable[str], where: str) -> None:
    """Check that folders which are named by numbers do not count from 1.

    Raises:
        InputError: if 1000 is among them and 0 is not: then each number but that one would stand for the next class.
    """
    numbers = {int(name) for name in names if name.isascii() and name.isdecimal() and len(name) < 5}
    if len(imagenet_classes()) in numbers and 0 not in numbers:
        raise InputError(
            f"The folders of {where} are numbered from 1 to 1000: expected ImageNet-1k indices, 0 to 999. Name them by "
            "synset (n01440764), or by the index of the class."
        )


@lru_cache(maxsize=8)
def classes_of_names(names: tuple[str, ...]) -> tuple[int | None, ...]:
    """The class of each of a dataset's label names, by position; None where a name is not a class, or ambiguous.

    In a list of 1000 names of which nearly all that are recognized are at their own index, the position counts, not
    the spelling.
    """
    found = tuple(None if name.strip().lower() in _AMBIGUOUS else class_of(name) for name in names)
    agree = [position == index for position, index in enumerate(found) if index is not None]
    in_order = len(names) == len(imagenet_classes()) and agree and sum(agree) >= AGREEMENT * len(agree)
    return tuple(range(len(names))) if in_order else found


def is_imagenets(name: str) -> bool:
    """Whether a text that is not a number names a class of ImageNet-1k, or several."""
    return not name.isdecimal() and (name.strip().lower() in _AMBIGUOUS or class_of(name) is not None)


def are_imagenets(lists: Iterable[tuple[str, ...]]) -> bool:
    """Whether the labels of a source are ImageNet-1k's, by its lists of class names.

    They are if one name is a synset, if all names are ImageNet-1k's (see `classes_of_names`), and if there are none
    but numbers.
    """
    lists = tuple(lists)
    if any(re.fullmatch(r"n\d{8}", name) for names in lists for name in names):
        return True
    if all(name.isascii() and name.isdecimal() for names in lists for name in names):
        return True
    return all(
        index is not None or is_imagenets(name)
        for names in lists
        for name, index in zip(names, classes_of_names(names), strict=True)
    )


def parse_class(text: str | int) -> ImageNetClass:
    """The class that an index, a synset or a name stands for.

    Raises:
        InputError: if `text` is none of them, or stands for two classes; the message names the nearest class names.
    """
    index = class_of(text)
    if index is not None:
        return imagenet_classes()[index]
    near = difflib.get_close_matches(normalized(str(text)[:80]), [normalized(name) for name in class_names()], n=3)
    names = [name for name in class_names() if normalized(name) in near]
    hint = f" Did you mean {' or '.join(repr(name) for name in names)}?" if names else ""
    raise InputError(
        f"Unknown class {str(text)!r:.80}: expected an ImageNet-1k index (0 to 999), a synset (n01440764) "
        f"or a name (tench).{hint}"
    )


def parse_classes(texts: Iterable[str | int]) -> tuple[ImageNetClass, ...]:
    """`parse_class` over several, in the order given.

    Raises:
        InputError: if one is unknown or repeated.
    """
    found = tuple(parse_class(text) for text in texts)
    check_once((entry.index, entry.name) for entry in found)
    return found


def check_once(classes: Iterable[tuple[int, str]]) -> None:
    """InputError if a class, by index and name, is there twice."""
    for (index, name), times in Counter(classes).items():
        if times > 1:
            raise InputError(f"Class {name!r:.80} (index {index}) is asked for twice; name it once.")
