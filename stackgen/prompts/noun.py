"""`Nouns`: what a set's classes are called in prompts, by ImageNet's table or one's own list; `noun_of`: ImageNet's."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from stackwalls.model import InputError, LabelSpace, imagenet, imagenet_classes
from stackwalls.model.files import read_bounded

_FORM = "one noun per line, such as `red panda`, or noun and class name, such as `red panda,Ailurus fulgens`"
_MOST_BYTES = 8 << 20  # of a file
_MOST_LETTERS = 80  # of a noun: text encoders and detectors read few words

# vowels by sound: "hour", "8-ball", "MRI scanner", "X-ray", but "unicycle", "user", "ukulele", "European", "one-way"
_AN = re.compile(r"[aeiou]|hour|heir|honest|honou?r|8|11\b|18\b", re.IGNORECASE)
_A = re.compile(r"eu|ewe|uni(?![nm])|u[bfkst][aeiou]|ura|u-|one", re.IGNORECASE)
_SPELLED = re.compile(r"([A-Z])[B-DF-HJ-NP-TV-Z]*[AIO]?\b")  # letter by letter: capitals that are no syllable
_VOWEL_LETTERS = "AEFHILMNORSX"


@dataclass(frozen=True)
class Noun:
    """What to call a class."""

    text: str  # unambiguous: "rooster" for cock, "crane bird", "boxer dog"
    kind: str | None  # a common word that covers it ("bird", "dog"), which detectors know best; None if not an animal

    @property
    def article(self) -> str:
        """The indefinite article by sound: "a" or "an"."""
        word = unicodedata.normalize("NFKD", self.text)
        if spelled := _SPELLED.match(word):
            return "an" if spelled[1] in _VOWEL_LETTERS else "a"
        return "an" if _AN.match(word) and not _A.match(word) else "a"


def noun_of(label: int) -> Noun:
    """The noun for an ImageNet-1k class: from `animals.tsv` for the 398 animals, otherwise the class name.

    Raises:
        InputError: if `label` is not an index from 0 to 999.
    """
    classes = imagenet_classes()
    if not 0 <= label < len(classes):
        raise InputError(f"Expected a class index from 0 to {len(classes) - 1}, but got {label}.")
    return _table().get(classes[label].synset, Noun(classes[label].name, None))


@dataclass(frozen=True)
class Nouns:
    """What each class of a label space is called.

    Attributes:
        own: (noun, class name) of each class, in the order of the classes; empty for ImageNet-1k's.

    Raises:
        InputError: if a noun is not a few words, or a noun or class name is there twice.
    """

    own: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for noun, name in self.own:
            if not noun.strip() or not noun.isprintable() or set("{}") & set(noun) or len(noun) > _MOST_LETTERS:
                raise InputError(
                    f"Expected a noun of 1 to {_MOST_LETTERS} letters on one line and without braces, but got "
                    f"{noun!r:.100}."
                )
            if (other := seen.setdefault(noun.casefold(), name)) != name:
                raise InputError(
                    f"The noun {noun!r} is there twice, for the classes {other!r:.80} and {name!r:.80}, whose images "
                    "would look alike: name one of them more exactly."
                )
        if self.own:
            _ = self.classes

    @classmethod
    def parse(cls, values: Sequence[str]) -> Nouns:
        """Read the name of one text file, or nouns, each as a line of such a file: `noun`, or `noun,class name`.

        In the file, a tab may separate the two as well as a comma. Empty lines do not count.

        Raises:
            InputError: if the file cannot be read or is empty, or as `Nouns`.
        """
        path = Path(values[0])
        if len(values) == 1 and (path.suffix.lower() in (".txt", ".csv", ".tsv") or "/" in values[0] or _is_file(path)):
            values = _lines(path)
        return cls(tuple(_entry(line) for line in values))

    @classmethod
    def of_spec(cls, spec: Mapping[str, Any]) -> Nouns:
        """From the spec of a set. If it has no nouns, its own classes are called by their names, `_` read as a space.

        Raises:
            InputError: if it has not a noun for each class, or as `Nouns`.
        """
        names = spec.get("class_names", imagenet().names)
        nouns = spec.get("nouns") or [name.replace("_", " ") for name in spec.get("class_names", ())]
        if nouns and len(nouns) != len(names):
            raise InputError(f"Expected a noun for each class, but the spec has {len(nouns)} for {len(names)} classes.")
        return cls(tuple(zip(nouns, names, strict=False)))

    @cached_property
    def classes(self) -> LabelSpace:
        """The label space: ImageNet-1k's, or the class names."""
        return LabelSpace(tuple(name for _, name in self.own)) if self.own else imagenet()

    def labels(self, classes: Iterable[str | int]) -> tuple[int, ...]:
        """The classes that are named, by index. Raises InputError if one is unknown or named twice."""
        found = tuple(map(self.classes.parse, classes))
        if twice := [label for label, times in Counter(found).items() if times > 1]:
            name = self.classes.names[twice[0]]
            raise InputError(f"Class {name!r} (index {twice[0]}) is asked for twice; name it once.")
        return found

    def of(self, label: int) -> Noun:
        """The noun for a class. One's own is known to be an animal's if it is a noun of `stackgen prompts`."""
        if not self.own:
            return noun_of(label)
        text = self.own[label][0]
        return Noun(text, _kinds().get(text.casefold()))

    def extends(self, other: Nouns) -> bool:
        """Whether these are the other nouns, and perhaps more at the end, which leaves indices and keys as they are."""
        count = len(other.own)
        same = bool(self.own) == bool(count) and self.own[:count] == other.own
        return same and all(self.classes.key(label) == other.classes.key(label) for label in range(count))

    def to_dict(self) -> dict[str, Any]:
        """For a manifest's spec; nothing for ImageNet's."""
        if not self.own:
            return {}
        names = {} if self.classes.is_imagenet else {"class_names": list(self.classes.names)}
        return {"nouns": [noun for noun, _ in self.own], **names}


IMAGENET_NOUNS = Nouns()
"""Of ImageNet-1k's classes, by `noun_of`."""


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a noun may be longer than a file name
        return False


def _lines(path: Path) -> list[str]:
    try:
        text = read_bounded(path, _MOST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputError(f"Cannot read the nouns of {path} ({reason}): expected a text file with {_FORM}.") from error
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError(f"{path} has no nouns: expected {_FORM}.")
    return lines


def _entry(line: str) -> tuple[str, str]:
    """(noun, class name) of a line."""
    noun, divider, name = line.partition("\t" if "\t" in line else ",")
    noun, name = " ".join(noun.split()), name.strip()
    if divider and not name:
        raise InputError(f"There is no class name after the noun in {line!r:.80}: expected {_FORM}.")
    return noun, name or noun


@lru_cache(maxsize=1)
def _table() -> dict[str, Noun]:
    text = resources.files("stackwalls.stackgen.prompts").joinpath("animals.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines()[1:])
    return {synset: Noun(noun, kind) for synset, _, noun, kind in rows}


@lru_cache(maxsize=1)
def _kinds() -> dict[str, str | None]:
    return {noun.text.casefold(): noun.kind for noun in _table().values()}
