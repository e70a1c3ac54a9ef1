"""ImageNet-1k: class index ↔ WordNet synset ↔ name, the animals, and which class somebody's label stands for."""

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
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


MOST_CLASSES = 100_000
"""Most classes of a label space."""


@dataclass(frozen=True)
class LabelSpace:
    """The classes of a dataset or a network, by index: ImageNet-1k's, or one's own.

    Attributes:
        names: the name of each class; all different, none empty.

    Raises:
        InputError: if there are none, too many, or a name is empty, is there twice or is no text.
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.names) <= MOST_CLASSES:
            raise InputError(f"Expected 1 to {MOST_CLASSES:,} class names, but got {len(self.names):,}.")
        for name in self.names:
            if not isinstance(name, str) or not name.strip():
                raise InputError(f"Expected every class name to be a text that is not empty, but got {name!r:.80}.")
        if twice := [name for name, times in Counter(self.names).items() if times > 1]:
            raise InputError(f"The class name {twice[0]!r:.80} is there twice: expected a name of its own for each.")

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def is_imagenet(self) -> bool:
        """Whether these are ImageNet-1k's 1000 classes."""
        return self.names == class_names()

    def key(self, index: int) -> str:
        """What a class is called in ids and file names: ImageNet's synset, or the name in letters, digits and hyphens.

        It depends on the name alone, except where two names give the same key.
        """
        return self._keys[index]

    @cached_property
    def _keys(self) -> tuple[str, ...]:
        if self.is_imagenet:
            return tuple(entry.synset for entry in imagenet_classes())
        plain = [re.sub(r"[^a-z0-9]+", "-", _ascii(name).lower()).strip("-")[:60] for name in self.names]
        times = Counter(plain)
        return tuple(
            name if name and times[name] == 1 else f"{name or 'class'}-{sha256(full.encode()).hexdigest()[:8]}"
            for name, full in zip(plain, self.names, strict=True)
        )

    @cached_property
    def _by_text(self) -> dict[str, int]:
        """Names, keys, and normalized names that stand for one class only."""
        normalized = Counter(map(_normalized, self.names))
        loose = {text: i for i, name in enumerate(self.names) if normalized[text := _normalized(name)] == 1}
        keys = {key: index for index, key in enumerate(self._keys)}
        return loose | keys | {name: index for index, name in enumerate(self.names)}

    def find(self, text: str | int) -> int | None:
        """The class that an index (as a number), a name or a key stands for, or None. ImageNet's: see `class_of`."""
        if self.is_imagenet:
            return class_of(text)
        if isinstance(text, int):
            return text if 0 <= text < len(self) else None
        return self._by_text.get(text, self._by_text.get(_normalized(text)))

    def parse(self, text: str | int) -> int:
        """`find`, where there must be one.

        Raises:
            InputError: naming the nearest class names.
        """
        if self.is_imagenet:
            return parse_class(text).index
        if (index := self.find(text)) is not None:
            return index
        near = difflib.get_close_matches(str(text)[:80], self.names, n=3)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        shown = ", ".join(self.names[:5]) + (", …" if len(self) > 5 else "")
        raise InputError(f"Unknown class {str(text)!r:.80}: expected one of the {len(self)} classes ({shown}).{hint}")


@lru_cache(maxsize=1)
def imagenet() -> LabelSpace:
    """ImageNet-1k's label space."""
    return LabelSpace(class_names())


def _ascii(text: str) -> str:
    """Letters without their accents; others of other alphabets go."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _normalized(text: str) -> str:
    """Lower case, with `_`, `-` and `,` read as spaces, so that folder names and lists of synonyms match."""
    return " ".join(re.sub("[_,-]", " ", text.lower()).split())


@lru_cache(maxsize=1)
def _exact() -> dict[str, ImageNetClass]:
    return {key: entry for entry in imagenet_classes() for key in (entry.synset, entry.name)}


@lru_cache(maxsize=1)
def _loose() -> dict[str, ImageNetClass]:
    """By normalized name; that of two classes (Cardigan, the dog, and cardigan, the garment) stands for neither."""
    names = Counter(map(_normalized, class_names()))
    return {key: entry for entry in imagenet_classes() if names[key := _normalized(entry.name)] == 1}


def find_class(text: str | int) -> ImageNetClass | None:
    """The class that an index (`7`, `007`), a synset or a name stands for, or None.

    In a name, case, `_`, `-` and commas do not matter.
    """
    key = str(text)
    if key.isascii() and key.isdigit():
        return imagenet_classes()[int(key)] if len(key) < 5 and int(key) < len(imagenet_classes()) else None
    return _exact().get(key, _loose().get(_normalized(key)))


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


def parse_class(text: str | int) -> ImageNetClass:
    """The class that an index, a synset or a name stands for.

    Raises:
        InputError: if `text` is none of them, or stands for two classes; the message names the nearest class names.
    """
    index = class_of(text)
    if index is not None:
        return imagenet_classes()[index]
    near = difflib.get_close_matches(_normalized(str(text)[:80]), [_normalized(name) for name in class_names()], n=3)
    names = [name for name in class_names() if _normalized(name) in near]
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
    for entry, times in Counter(found).items():
        if times > 1:
            raise InputError(f"Class {entry.name!r} (index {entry.index}) is asked for twice; name it once.")
    return found
