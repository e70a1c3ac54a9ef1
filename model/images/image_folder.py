"""Folders of images: one sub-folder a class, or flat with a list of labels."""

import csv
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from stackwalls.model.errors import InputError
from stackwalls.model.files import as_text, read_bounded
from stackwalls.model.images.decoding import MAX_BYTES
from stackwalls.model.images.labelled import (
    LABEL_NAMES,
    UNLABELLED,
    LabelledImages,
    LabelReader,
    warn_left_out,
)
from stackwalls.model.images.labels import check_numbering, class_of, parse_class

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Endings of image files, in any case: torchvision's `IMG_EXTENSIONS` and GIF."""

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


class ImageFolder(LabelledImages):
    """Images in class sub-folders named by synset (`n01443537`), class name (`goldfish`) or index (`1`).

    Images may be deeper inside a class's folder. Links are followed. Hidden files and folders are ignored; folders
    that are not a class and files that are not images by their ending are left out with a warning. Ids are paths
    relative to the folder.

    Args:
        labels: the list of labels of a flat folder, which has images directly in it (see `read_labels_file`).
        unlabelled: whether to keep images that are directly in the folder and so have no label.
    """

    def __init__(
        self, root: Path, labels: Path | None = None, *, unlabelled: bool = False, progress: bool = False
    ) -> None:
        self.root = root
        self.name = as_text(root.resolve().name)
        self._list, self._unlabelled, self._progress = labels, unlabelled, progress

    def _all_labels(self, reader: LabelReader) -> NDArray[np.int64]:
        return np.array(list(self._found.values()), dtype=np.int64)

    def _row_id(self, row: int) -> str:
        return self._paths[row]

    def _read(self, image_id: str, epoch: int) -> bytes:
        return read_bounded(self.root / image_id, MAX_BYTES)

    @cached_property
    def _found(self) -> dict[str, int]:
        """The label of each image by its path, sorted."""
        return dict(sorted((self._classes() if self._list is None else self._flat(self._list)).items()))

    @cached_property
    def _paths(self) -> list[str]:
        return list(self._found)

    def _flat(self, labels: Path) -> dict[str, int]:
        names = [name for name in visible(self.root, folders=False) if is_image(name)]
        if not names:
            raise InputError(
                f"{self.root} has no images directly in it; --labels is for a flat folder of images, and class folders "
                "need none."
            )
        found = read_labels_file(labels, names)
        warn_left_out("image", set(names) - found.keys(), f"not labelled by {labels.name}")
        return found

    def _classes(self) -> dict[str, int]:
        folders = visible(self.root, folders=True)
        direct = [name for name in visible(self.root, folders=False) if is_image(name)]
        found = dict.fromkeys(direct, UNLABELLED) if self._unlabelled else {}
        check_numbering(folders, str(self.root))
        classes = {name: class_of(name) for name in folders}
        unknown = [name for name, index in classes.items() if index is None]
        if len(unknown) == len(folders) and not found:
            raise InputError(_no_class_folder(self.root, folders, direct))
        warn_left_out("folder", unknown, "not an ImageNet-1k class by synset, name or index")
        if not self._unlabelled:
            warn_left_out("image", direct, "not in a class folder")
        others: list[str] = []
        empty: list[str] = []
        for name in tqdm(folders, desc="listing", unit="folder", delay=1, disable=not self._progress):
            index = classes[name]
            if index is not None:
                files = {path: is_image(path) for path in files_below(self.root, name)}
                others += (path for path in files if not files[path])
                found |= {path: index for path in files if files[path]}
                empty += [] if any(files.values()) else [name]
        warn_left_out("file", others, f"not an image by its name ({', '.join(SUFFIXES)})")
        if not found:
            raise InputError(f"The class folders in {self.root} have no images ({', '.join(SUFFIXES)}).")
        warn_left_out("folder", empty, "it has no images")
        return found


def is_image(path: str) -> bool:
    """Whether `path` is an image file by its ending, with a name that can be written as text."""
    return as_text(path) == path and path.lower().endswith(SUFFIXES)


def visible(folder: Path, *, folders: bool) -> list[str]:
    """Sorted names of the folders, or of the files, directly in `folder` that are not hidden.

    Raises:
        InputError: if `folder` cannot be listed.
    """

    def is_folder(entry: os.DirEntry[str]) -> bool:
        return Path(entry).is_dir() if entry.is_symlink() else entry.is_dir()  # False for a link to itself

    try:
        with os.scandir(folder) as entries:
            return sorted(e.name for e in entries if is_folder(e) == folders and not e.name.startswith("."))
    except OSError as error:
        raise InputError(f"Cannot list the folder {folder} ({error.strerror}).") from error


def files_below(root: Path, folder: str) -> Iterator[str]:
    """Paths relative to `root` of all files below `root / folder` that are not hidden, links followed once."""
    seen: set[tuple[int, int]] = set()
    left = [folder]
    while left:
        inside = left.pop()
        status = (root / inside).stat()
        if (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            yield from (f"{inside}/{name}" for name in visible(root / inside, folders=False))
            left += (f"{inside}/{name}" for name in reversed(visible(root / inside, folders=True)))


def _no_class_folder(root: Path, folders: list[str], images: list[str]) -> str:
    """The sentence for a folder without class folders: what is there instead, and what to name."""
    deeper = [
        name for name in folders if any(class_of(inner) is not None for inner in visible(root / name, folders=True))
    ]
    if deeper:
        choices = " or ".join(str(root / name) for name in deeper)
        return f"{root} has no class folders itself, but {', '.join(deeper)} inside it does: name {choices}."
    if images:
        return (
            f"{root} has {len(images)} images directly in it and no class folders: say what they show with "
            "--labels FILE (lines of 'filename,label', or one synset a line in the order of the file names)."
        )
    if folders:
        return (
            f"None of the {len(folders)} folders in {root} ({', '.join(folders[:3])}, …) is an ImageNet-1k class: "
            "expected folders named by synset (n01443537), name (goldfish) or index (1)."
        )
    return (
        f"{root} has no images: expected class folders named by synset (n01443537), name (goldfish) or "
        "index (1), Parquet files, or tar shards."
    )


def read_labels_file(path: Path, names: Sequence[str]) -> dict[str, int]:
    """The class index of each file of `names` that the list labels.

    Bare numbers, as in `ILSVRC2012_validation_ground_truth.txt`, are not accepted. They count from 1 in an order of the
    challenge's own (its development kit's meta.mat), and a wrong guess would label every image wrongly without a sign.

    Args:
        path: the list.
        names: file names of the images; a list may name them without their ending.

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
        return _in_order(path, [cells[0] for _, cells in rows], names)
    return _by_name(path, [(n, divider.join(cells[file]), divider.join(cells[label])) for n, cells in rows], names)


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


def _by_name(path: Path, rows: list[tuple[int, str, str]], names: Sequence[str]) -> dict[str, int]:
    """The labels of a list of `filename,label`."""
    stems = Counter(PurePosixPath(name).stem for name in names)
    by_key = {PurePosixPath(name).stem: name for name in names if stems[PurePosixPath(name).stem] == 1}
    by_key |= {name: name for name in names}
    labels: dict[str, int] = {}
    for number, cell, label in rows:
        if not label:
            raise InputError(f"{path}, line {number}: no label beside {cell!r:.80}; {FORMS}.")
        try:
            first = label.split()[0]  # boxes may follow the synset ("n03995372 85 1 499 272")
            found = class_of(first) if re.fullmatch(r"n\d{8}", first) else class_of(label)
            index = parse_class(label).index if found is None else found
        except InputError as error:
            raise InputError(f"{path}, line {number}: {error}") from error
        name = by_key.get(PureWindowsPath(cell).name)  # after the last / or \\
        if name is not None and labels.setdefault(name, index) != index:
            raise InputError(f"{path}, line {number}: {cell!r:.80} was labelled as another class before.")
    if not labels:
        raise InputError(f"The labels file {path} names none of the images, but for example {rows[0][1]!r:.80}.")
    return labels
