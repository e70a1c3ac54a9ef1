"""The labels of a flat folder of pictures: from the kinds of lists that go around for ImageNet's validation set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from stackwalls.model import InputError, parse_class
from stackwalls.model.images.class_labels import class_of

HEADERS = frozenset({"file", "file_name", "filename", "image", "image_id", "imageid", "name", "path"})
"""First cells that make a first line a header."""

FORMS = (
    "expected lines of 'filename,label' (label: a synset, a class name, or the class's index 0 to 999 in the order "
    "of the sorted synsets; Kaggle's LOC_val_solution.csv is read too), or one synset a line in the order of the "
    "sorted file names"
)


def read_labels_file(path: Path, names: Sequence[str]) -> dict[str, int]:
    """The class index of each file of `names` that the list labels.

    Not accepted: bare numbers, as in `ILSVRC2012_validation_ground_truth.txt`. They count from 1 in an order of
    the challenge's own (its development kit's meta.mat), not in that of the sorted synsets, and a wrong guess
    would label every picture wrongly without a sign of it.

    Args:
        path: the list.
        names: file names of the pictures; a list may name them without their ending.

    Raises:
        InputError: if the file cannot be read, has another form, or names a label that is no class.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputError(f"Cannot read the labels file {path} ({reason}): {FORMS}.") from error
    rows = [(number, _split(line)) for number, line in enumerate(lines, start=1) if line]
    if rows and rows[0][1][0].lower() in HEADERS:
        rows = rows[1:]
    if not rows:
        raise InputError(f"The labels file {path} is empty: {FORMS}.")
    if all(label is None for _, (_, label) in rows):
        return _in_order(path, [cell for _, (cell, _) in rows], names)
    return _by_name(path, rows, names)


def _split(line: str) -> tuple[str, str | None]:
    """(filename, label), or (the whole line, None): a comma, a tab or, after a picture's name, a space divides."""
    named = re.match(r"(\S+\.(?:bmp|jpe?g|png|webp))\s+(\S.*)$", line, re.IGNORECASE)
    for cells in ([named[1], named[2]] if named else [], line.split(",", 1), line.split("\t", 1)):
        if len(cells) == 2:
            return cells[0].strip().strip('"'), cells[1].strip().strip('"')
    return line, None


def _in_order(path: Path, labels: list[str], names: Sequence[str]) -> dict[str, int]:
    """The labels of a list without file names: synsets only, as many as pictures."""
    numbers = [label for label in labels if label.isdigit()]
    if numbers:
        raise InputError(
            f"The labels file {path} holds bare numbers, which may be ILSVRC ids (1 to 1000, in an order of "
            f"their own, as in ILSVRC2012_validation_ground_truth.txt) or class indices; {FORMS}."
        )
    for number, label in enumerate(labels, start=1):
        if not re.fullmatch(r"n\d{8}", label) or class_of(label) is None:
            raise InputError(f"{path}, entry {number}: {label!r} is no ImageNet-1k synset; {FORMS}.")
    if len(labels) != len(names):
        raise InputError(
            f"The labels file {path} has {len(labels)} entries for {len(names)} pictures: a list without file "
            "names must have one for each."
        )
    return {name: parse_class(label).index for name, label in zip(sorted(names), labels, strict=True)}


def _by_name(path: Path, rows: list[tuple[int, tuple[str, str | None]]], names: Sequence[str]) -> dict[str, int]:
    """The labels of a list of `filename,label`."""
    by_key = {key: name for name in names for key in (name, PurePosixPath(name).stem)}
    labels: dict[str, int] = {}
    for number, (cell, label) in rows:
        if not label:
            raise InputError(f"{path}, line {number}: no label beside {cell!r}; {FORMS}.")
        index = _class_index(path, number, label)
        name = by_key.get(PurePosixPath(cell).name)
        if name is not None and labels.setdefault(name, index) != index:
            raise InputError(f"{path}, line {number}: {cell!r} was labelled as another class before.")
    if not labels:
        raise InputError(f"The labels file {path} names none of the pictures, but for example {rows[0][1][0]!r}.")
    return labels


def _class_index(path: Path, line: int, label: str) -> int:
    """The class of one label; of a label with boxes behind it ("n03995372 85 1 499 272"), its first word."""
    first = label.split()[0]
    found = class_of(first) if re.fullmatch(r"n\d{8}", first) else class_of(label)
    if found is not None:
        return found
    try:
        return parse_class(label).index
    except InputError as error:
        raise InputError(f"{path}, line {line}: {error}") from error
