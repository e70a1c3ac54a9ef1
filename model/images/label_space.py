"""The classes of a dataset or a network, by index, name and key: `LabelSpace`."""

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Literal, TypeAlias

from stackwalls.model.documents import TEXT, check_schema, each, parse_json
from stackwalls.model.errors import InputError
from stackwalls.model.files import as_text, read_bounded
from stackwalls.model.images.labels import (
    check_once,
    class_names,
    class_of,
    classes_of_names,
    imagenet_classes,
    normalized,
    parse_class,
)

MOST_CLASSES = 100_000
"""Most classes of a label space."""

_HASH = 12
"""Hexadecimal digits that tell keys apart: of 100,000 names without a Latin letter, two share them once in 50,000."""

_HASHED = re.compile(rf"-[0-9a-f]{{{_HASH}}}$")

_MOST_BYTES = 1 << 26
"""Of a file of class names."""


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
            if not isinstance(name, str) or not name.strip() or as_text(name) != name:
                raise InputError(f"Expected every class name to be a text that is not empty, but got {name!r:.80}.")
        if twice := [name for name, times in Counter(self.names).items() if times > 1]:
            raise InputError(f"The class name {twice[0]!r:.80} is there twice: expected a name of its own for each.")

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def is_imagenet(self) -> bool:
        """Whether these are ImageNet-1k's 1000 classes."""
        return self.names == class_names()

    @property
    def one_of(self) -> str:
        """What a label should be, for messages."""
        return "an ImageNet-1k class" if self.is_imagenet else f"one of the {len(self)} classes"

    def key(self, index: int) -> str:
        """What a class is called in ids and file names: ImageNet's synset, or the name in letters, digits and hyphens.

        It depends on the name alone, except where two names have the same letters and digits; keys are unique.
        """
        return self._keys[index]

    def of_key(self, key: str) -> int | None:
        """The class whose key this is, or None."""
        return self._by_key.get(key)

    @cached_property
    def _by_key(self) -> dict[str, int]:
        return {key: index for index, key in enumerate(self._keys)}

    @cached_property
    def _keys(self) -> tuple[str, ...]:
        if self.is_imagenet:
            return tuple(entry.synset for entry in imagenet_classes())
        plain = list(map(_slug, self.names))
        times = Counter(plain)
        return tuple(
            slug
            if times[slug] == 1 and slug != "class" and not _HASHED.search(slug)
            else f"{slug}-{sha256(name.encode()).hexdigest()[:_HASH]}"
            for slug, name in zip(plain, self.names, strict=True)
        )

    @cached_property
    def _by_text(self) -> dict[str, int]:
        """Names, keys, and normalized names that stand for one class only."""
        times = Counter(map(normalized, self.names))
        loose = {text: index for index, name in enumerate(self.names) if times[text := normalized(name)] == 1}
        return loose | self._by_key | {name: index for index, name in enumerate(self.names)}

    def find(self, text: str | int) -> int | None:
        """The class that an index (as a number), a name or a key stands for, or None. ImageNet's: see `class_of`."""
        if self.is_imagenet:
            return class_of(text)
        if isinstance(text, int):
            return text if 0 <= text < len(self) else None
        return self._by_text.get(text, self._by_text.get(normalized(text)))

    def of_text(self, text: str) -> int | None:
        """`find`, where an index may be a text, too: a folder's name, or a label in a list."""
        found = self.find(text)
        if found is None and not self.is_imagenet and text.isascii() and text.isdecimal() and len(text) < 10:
            return self.find(int(text))
        return found

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
        shown = ", ".join(f"{name:.60}" for name in self.names[:5]) + (", …" if len(self) > 5 else "")
        raise InputError(f"Unknown class {str(text)!r:.80}: expected one of the {len(self)} classes ({shown}).{hint}")

    def parse_all(self, texts: Iterable[str | int]) -> tuple[int, ...]:
        """`parse` over several, in the order given.

        Raises:
            InputError: if one is unknown or repeated.
        """
        found = tuple(map(self.parse, texts))
        check_once((index, self.names[index]) for index in found)
        return found

    def shown(self, index: int) -> str:
        """A class for messages and lists: its key and name, `n01443537 (goldfish)`."""
        return f"{self.key(index)} ({self.names[index]})"


@lru_cache(maxsize=1)
def imagenet() -> LabelSpace:
    """ImageNet-1k's label space."""
    return LabelSpace(class_names())


LabelChoice: TypeAlias = Literal["imagenet", "own"] | LabelSpace | None
"""Whose classes the labels of a source are; None: to be found out from their names (see `LabelReader`)."""


def check_label_choice(choice: object) -> None:
    """InputError if `choice` is not a `LabelChoice`."""
    if choice not in (None, "imagenet", "own") and not isinstance(choice, LabelSpace):
        raise InputError(f"Expected the label space to be 'imagenet', 'own' or a LabelSpace, but got {choice!r:.80}.")


def parse_label_space(text: str) -> LabelChoice:
    """Read `imagenet`, `own`, or the name of a file of class names (see `read_label_space`)."""
    if text == "imagenet":
        return "imagenet"
    return "own" if text == "own" else read_label_space(text, "imagenet, own, or ")


def read_label_space(path: str | Path, instead: str = "") -> LabelSpace:
    """Class names from a file: one per line, from index 0 on, or as JSON.

    JSON is a list of names, or an object from index to name, as transformers' `id2label`. A list of ImageNet-1k's 1000
    classes in its order, as names or synsets, is ImageNet-1k's label space.

    Args:
        path: of the file.
        instead: what else a user could have meant, for the message.

    Raises:
        InputError: if the file cannot be read, or its lines are not the names of classes; the message names it.
    """
    text = str(path)
    try:
        content = read_bounded(Path(path), _MOST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputError(
            f"Cannot read the class names {text!r} ({reason}): expected {instead}a file with a class name per line, or "
            "JSON."
        ) from error
    if content.lstrip()[:1] in ("[", "{"):
        lines = _json_names(text, content)
    else:
        lines = [line.strip() for line in content.rstrip().split("\n")]
    if lines == [""]:
        raise InputError(f"The file of class names {text} is empty: expected one name per line.")
    if "" in lines:
        raise InputError(
            f"Line {lines.index('') + 1} of the class names {text} is empty: a class's index is the number of its "
            "line, so remove it or fill it in."
        )
    try:
        names = LabelSpace(tuple(lines))
    except InputError as error:
        raise InputError(f"The class names {text} cannot be used: {error}") from error
    return imagenet() if classes_of_names(names.names) == tuple(range(len(class_names()))) else names


def _json_names(path: str, content: str) -> list[str]:
    """Names of classes by index, from a list or an object."""
    try:
        found = parse_json(content)
        check_schema(found, each(TEXT, of="array" if isinstance(found, list) else "object"))
    except ValueError as error:
        raise InputError(f"Cannot read the class names {path}: {error}.") from error
    if isinstance(found, list):
        return found
    if found.keys() != set(map(str, range(len(found)))):
        raise InputError(
            f"Expected the keys of {path} to be the indices of {len(found)} classes, 0 to {len(found) - 1}, but got "
            f"{', '.join(map(repr, list(found)[:3]))!s:.80}."
        )
    return [found[str(index)] for index in range(len(found))]


def _slug(name: str) -> str:
    """Letters without their accents, digits and hyphens; `class` where none is left, `class-7` for a number."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-")
    return f"class-{slug}".strip("-") if not slug or slug.isdecimal() else slug
