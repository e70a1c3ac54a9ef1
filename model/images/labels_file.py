"""A list of labels for a flat folder of images: `read_labels_file`."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from stackwalls.model.errors import InputError
from stackwalls.model.files import read_bounded
from stackwalls.model.images.decoding import MAX_BYTES, SUFFIXES
from stackwalls.model.images.label_reader import LABEL_NAMES, LabelReader
from stackwalls.model.images.label_space import LabelSpace, imagenet
from stackwalls.model.images.labels import class_of, parse_class

_COLUMNS = (
    ("file_name", "filename", "file", "image", "image_name", "imageid", "image_id", "image_path", "img", "path",
     "file_path", "filepath", "picture", "name", "id"),
    (*LABEL_NAMES, "category", "species", "predictionstring"),
)  # fmt: skip
"""Names of the column of files and of that of labels in a list of labels, tried in this order."""

FORMS = (
    "expected lines of 'filename,label' (label: a synset, a class name, or the class's index 0 to 999 in the order "
    "of the sorted synsets; Kaggle's LOC_val_solution.csv is read too), or one synset a line in the order of the "
    "sorted file names"
)


def read_labels_file(path: Path, names: Sequence[str], reader: LabelReader) -> tuple[dict[str, int], LabelSpace]:
    """The class index of each file of `names` that the list labels, and the classes: those of all labels in it.

    Bare numbers, as in `ILSVRC2012_validation_ground_truth.txt`, are not accepted. They count from 1 in an order of the
    challenge's own (its development kit's meta.mat), and a wrong guess would label every image wrongly without a sign.

    Args:
        path: the list.
        names: file names of the images; a list may name them without their ending.
        reader: says which classes a list of names makes.

    Raises:
        InputError: if the file cannot be read, has another form, or names a label that is not a class.
    """
    try:
        lines = read_bounded(path, MAX_BYTES).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputError(f"Cannot read the labels file {path} ({reason}): {FORMS}.") from error
    numbered = [(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]
    divider = next((character for _, line in numbered[:1] for character in line if character in ",;\t"), ",")
    rows = [(number, _cells(line, divider)) for number, line in numbered]
    columns = _find_columns(path, rows[0][1]) if rows else None
    file, label = columns or (slice(1), slice(1, None))
    rows = rows[1:] if columns else rows
    if not rows:
        raise InputError(f"The labels file {path} is empty: {FORMS}.")
    if all(len(cells) == 1 for _, cells in rows):
        return _in_order(path, [cells[0] for _, cells in rows], names), imagenet()
    labeled = [(n, divider.join(cells[file]), _label(divider.join(cells[label]))) for n, cells in rows]
    classes = reader.space_of([tuple(sorted({label for _, _, label in labeled} - {""}))])
    return _by_name(path, labeled, names, classes), classes


def _label(cell: str) -> str:
    """A label as written; boxes may follow a synset ("n03995372 85 1 499 272")."""
    return cell[:9] if re.match(r"n\d{8}(\s|$)", cell) else cell


def _cells(line: str, divider: str) -> list[str]:
    """The cells of a line; a space divides it, too, after an image's name."""
    named = re.match(rf"(\S+(?:{'|'.join(map(re.escape, SUFFIXES))})) +([^ {divider}].*)$", line, re.IGNORECASE)
    try:
        cells = [named[1], named[2]] if named else next(csv.reader([line], delimiter=divider, skipinitialspace=True))
    except csv.Error:  # a cell of more than 131,072 characters
        cells = [line]
    return [cell.strip() for cell in cells]


def _find_columns(path: Path, header: list[str]) -> tuple[slice, slice] | None:
    """Where the file and the label are in a line, whose last cell may have dividers in it; None without a header.

    Raises:
        InputError: if only one of them has a usual name, among more than two columns.
    """
    lower = [cell.lower() for cell in header]
    file, label = (next((lower.index(name) for name in names if name in lower), None) for names in _COLUMNS)
    if file is None and label is None:
        return None
    if len(header) > 2 and (file is None or label is None):
        missing, names = ("file name", _COLUMNS[0]) if file is None else ("label", _COLUMNS[1])
        raise InputError(
            f"The labels file {path} has the columns {', '.join(header):.200}: expected one for the {missing}, named "
            f"{', '.join(names)}."
        )
    first = 1 - (label or 0) if file is None else file  # of two columns, the other
    last = 1 - first if label is None else label
    return slice(first, first + 1), slice(last, None if last == len(header) - 1 else last + 1)


def _in_order(path: Path, labels: list[str], names: Sequence[str]) -> dict[str, int]:
    """The labels of a list without file names: synsets only, as many as images."""
    if any(label.isdigit() for label in labels):
        raise InputError(
            f"The labels file {path} has bare numbers, which may be ILSVRC ids (1 to 1000, in an order of "
            f"their own, as in ILSVRC2012_validation_ground_truth.txt) or class indices; {FORMS}."
        )
    for number, label in enumerate(labels, start=1):
        if not re.fullmatch(r"n\d{8}", label) or class_of(label) is None:
            raise InputError(f"{path}, entry {number}: {label!r:.80} is not an ImageNet-1k synset; {FORMS}.")
    if len(labels) != len(names):
        raise InputError(
            f"The labels file {path} has {len(labels)} entries for {len(names)} images: a list without file "
            "names must have one for each."
        )
    return {name: parse_class(label).index for name, label in zip(sorted(names), labels, strict=True)}


def _by_name(path: Path, rows: list[tuple[int, str, str]], names: Sequence[str], classes: LabelSpace) -> dict[str, int]:
    """The labels of a list of `filename,label`."""
    stems = Counter(PurePosixPath(name).stem for name in names)
    by_key = {PurePosixPath(name).stem: name for name in names if stems[PurePosixPath(name).stem] == 1}
    by_key |= {name: name for name in names}
    labels: dict[str, int] = {}
    for number, cell, label in rows:
        if not label:
            raise InputError(f"{path}, line {number}: no label beside {cell!r:.80}; {FORMS}.")
        try:
            found = classes.of_text(label)
            index = classes.parse(label) if found is None else found
        except InputError as error:
            raise InputError(f"{path}, line {number}: {error}") from error
        name = by_key.get(PureWindowsPath(cell).name)  # after the last / or \\
        if name is not None and labels.setdefault(name, index) != index:
            raise InputError(f"{path}, line {number}: {cell!r:.80} was labeled as another class before.")
    if not labels:
        raise InputError(f"The labels file {path} names none of the images, but for example {rows[0][1]!r:.80}.")
    return labels
