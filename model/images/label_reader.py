"""From the values of a label column to classes: `LabelReader`, for all sources alike."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from stackwalls.model.errors import InputError
from stackwalls.model.images.label_space import (
    MOST_CLASSES,
    LabelChoice,
    LabelSpace,
    check_label_choice,
    imagenet,
)
from stackwalls.model.images.labels import are_imagenets, classes_of_names, is_imagenets

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABEL_NAMES = ("synset", "wnid", "label", "labels", "class", "cls", "class_name", "target", "fine_label")
"""Names of the label column, tried in this order: a synset says more than a number."""

UNLABELED = -1
"""The label of an image whose class is not known."""

_LEFT_OUT = -2

_SHOWN = 80
"""Characters of a name or label that a message shows."""


class LabelReader:
    """The classes of a source, and the class of each of its rows.

    Which classes these are is settled when all parts of the column are added:

    | names | classes |
    |---|---|
    | `label_space` given | those |
    | one is a synset, or all are names or indices of ImageNet-1k's classes; numbers without names | ImageNet-1k's |
    | any others | the names themselves: a list of names in its order, texts sorted as torchvision sorts folders |

    | value | becomes |
    |---|---|
    | an index; a position in the column's own names; a name or (of ImageNet-1k) a synset | its class |
    | None, -1 | unlabeled: left out with a warning, or kept as -1 where unlabeled images are useful |
    | the name of another class | left out with a warning |
    | a number out of range, an ambiguous name, anything else | InputError |

    Args:
        where: the source, for messages.
        unlabeled: whether images without a label are kept.
        label_space: the classes; "imagenet"; "own" for the source's own names; None for the rule above.
    """

    def __init__(self, where: str, *, unlabeled: bool = False, label_space: LabelChoice = None) -> None:
        check_label_choice(label_space)
        self._where, self._unlabeled, self._choice = where, unlabeled, label_space
        self._lists: dict[tuple[str, ...], None] = {}  # as a set in order
        self._codes: dict[tuple[Any, tuple[str, ...] | None], int] = {}
        self._first_rows: list[int] = []
        self._parts: list[NDArray[np.int64]] = []
        self._rows = 0

    def add(self, values: Sequence[Any], names: Sequence[str] | None = None) -> None:
        """Add the column, or a further part of it. Rows count on over several calls.

        Args:
            values: of the column.
            names: of the label numbers, where the source lists them.

        Raises:
            InputError: if a value is neither a number nor a text, or a name is no text.
        """
        if wrong := [value for value in values if type(value) not in (int, str, type(None))]:
            raise InputError(
                f"The labels of {self._where} are of the type {type(wrong[0]).__name__}, such as {wrong[0]!r:.60}: "
                "expected one index, synset or class name for each image."
            )
        listed = None if names is None else self._list(names)
        known: dict[Any, int] = {}  # of this part: a list of names takes long to look up
        for row, value in enumerate(values, self._rows):
            if value not in known:
                known[value] = self._codes.setdefault((value, listed), len(self._codes))
                if known[value] == len(self._first_rows):
                    self._first_rows.append(row)
        self._parts.append(np.fromiter(map(known.__getitem__, values), dtype=np.int64, count=len(values)))
        self._rows += len(values)

    def _list(self, names: Sequence[str]) -> tuple[str, ...]:
        listed = tuple(names)
        if listed not in self._lists:
            if wrong := [name for name in listed if not isinstance(name, str)]:
                raise InputError(f"Expected the class names of {self._where} to be texts, but got {wrong[0]!r:.60}.")
            self._lists[listed] = None
        return listed

    @cached_property
    def classes(self) -> LabelSpace:
        """The classes, settled by what was added until now.

        Raises:
            InputError: if the names cannot be those of a label space.
        """
        texts = {value for value, _ in self._codes if isinstance(value, str) and value != str(UNLABELED)}
        lists = [*self._lists, *([tuple(sorted(texts))] if texts else [])]
        if self._numbers and self._choice is None:
            return imagenet()
        if self._numbers and self._choice == "own":
            if lists:
                raise InputError(
                    f"Some labels of {self._where} are names and some are numbers without names, such as "
                    f"{min(self._numbers)}: name the classes with --label-space FILE, one per line."
                )
            if not 0 <= min(self._numbers) <= max(self._numbers) < MOST_CLASSES:
                raise InputError(
                    f"The labels of {self._where} are numbers from {min(self._numbers)!s:.{_SHOWN}} to "
                    f"{max(self._numbers)!s:.{_SHOWN}}: expected indices, 0 to {MOST_CLASSES - 1}."
                )
            lists = [tuple(map(str, range(max(self._numbers) + 1)))]
        return self.space_of(lists)

    @property
    def _numbers(self) -> set[int]:
        """The labels that are numbers without names."""
        return {value for value, names in self._codes if isinstance(value, int) and names is None} - {UNLABELED}

    def space_of(self, lists: Sequence[tuple[str, ...]]) -> LabelSpace:
        """The classes of a source with these lists of names; ImageNet-1k's if there are none."""
        if isinstance(self._choice, LabelSpace):
            return self._choice
        if self._choice == "imagenet" or (self._choice is None and are_imagenets(lists)):
            return imagenet()
        try:
            return LabelSpace(tuple(dict.fromkeys(chain(*(LabelSpace(names).names for names in lists)))))
        except InputError as error:
            raise InputError(f"The class names of {self._where} cannot be used: {error}") from error

    def kept(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows to keep, by number, and the class of each, -1 where it has none; warns of the others.

        Raises:
            InputError: if there are none, or for a value as in the table above; the message names the row.
        """
        table = [self._class(*key, row) for key, row in zip(self._codes, self._first_rows, strict=True)]
        codes = np.concatenate([np.empty(0, dtype=np.int64), *self._parts])
        labels = np.array(table, dtype=np.int64)[codes]
        rows = np.flatnonzero(labels >= (UNLABELED if self._unlabeled else 0))
        times = np.bincount(codes, minlength=len(table)).tolist()
        unknown: Counter[str] = Counter()
        for (value, names), label, count in zip(self._codes, table, times, strict=True):
            if label == _LEFT_OUT:
                unknown[str(value) if names is None or isinstance(value, str) else names[value]] += count
        self._warn(rows, unknown, int((labels == UNLABELED).sum()))
        return rows, labels[rows]

    def read_one(self, value: Any, names: Sequence[str] | None = None) -> int:
        """The class of the next value, for a stream, which cannot leave images out; -1 where that is allowed.

        Raises:
            InputError: if it is not one of the classes.
        """
        label = self._class(value, None if names is None else self._list(names), self._rows)
        self._rows += 1
        if label == _LEFT_OUT or (label == UNLABELED and not self._unlabeled):
            ways = "remove it, or use a copy on this disk"
            if self._choice is None and names is None:
                ways = "name your own classes with --label-space FILE, one per line, or use a copy on this disk"
            raise InputError(
                f"The label of row {self._rows - 1} of {self._where} is {value!r:.{_SHOWN}}, which is not "
                f"{self.classes.one_of}, and a stream cannot leave images out: {ways}."
            )
        return label

    def _class(self, value: Any, names: tuple[str, ...] | None, row: int) -> int:
        if value is None or value == UNLABELED or value == str(UNLABELED):
            return UNLABELED
        if isinstance(value, str):
            found = self.classes.of_text(value)
            return _LEFT_OUT if found is None else found
        size = len(self.classes if names is None else names)
        if not 0 <= value < size:
            name = "a synset (n01440764) or a class name" if self.classes.is_imagenet else "or a class name"
            raise InputError(
                f"The label of row {row} of {self._where} is {value!s:.{_SHOWN}}: expected 0 to {size - 1}, {name}."
            )
        if names is None:
            return int(value)
        found = classes_of_names(names)[value] if self.classes.is_imagenet else self.classes.find(names[value])
        return self._class(names[value], names, row) if found is None else found

    def _warn(self, rows: NDArray[np.int64], unknown: Counter[str], hidden: int) -> None:
        """Say what is left out, and what the classes are where that may surprise."""
        if not rows.size:
            shown = ", ".join(f"{name:.{_SHOWN}}" for name in sorted(unknown)[:3]) or (
                "no row is labeled" if hidden else "there are no rows"
            )
            raise InputError(f"No row of {self._where} has {self.classes.one_of} as its label ({shown}).")
        warn_left_out("label", unknown, f"not {self.classes.one_of}; {unknown.total()} rows")
        if hidden and not self._unlabeled:
            warnings.warn(f"Left out {hidden} rows of {self._where} without a label.", stacklevel=4)
        if self._choice is None and self.classes.is_imagenet:
            if self._numbers:
                warnings.warn(
                    f"The labels of {self._where} are plain numbers: they are read as ImageNet-1k class indices, 0 to "
                    "999.",
                    stacklevel=4,
                )
        elif self._choice is None and (known := [name for name in self.classes.names if is_imagenets(name)]):
            warnings.warn(
                f"{len(known)} of the {len(self.classes)} class names of {self._where} ({shortened(known)}) are "
                "ImageNet-1k's and the others are not, so all are read as classes of its own: --label-space imagenet "
                "reads ImageNet-1k's only.",
                stacklevel=4,
            )


def shortened(names: Iterable[str]) -> str:
    """The first five of some names, as a message shows them."""
    listed = sorted(f"{name if name.isprintable() else ascii(name):.{_SHOWN}}" for name in names)
    return ", ".join(listed[:5]) + (", …" if len(listed) > 5 else "")


def warn_left_out(thing: str, names: Iterable[str], why: str) -> None:
    """Warn that `names`, if there are any, are left out: how many, the first few of them, and why."""
    if count := len(listed := list(names)):
        plural = "s" if count > 1 else ""
        warnings.warn(f"Left out {count} {thing}{plural} ({shortened(listed)}): {why}.", stacklevel=3)
