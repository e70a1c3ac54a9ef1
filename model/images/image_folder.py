"""Folders of images: one sub-folder a class, or flat with a list of labels."""

import os
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from stackwalls.model.errors import InputError
from stackwalls.model.files import as_text, read_bounded
from stackwalls.model.images.decoding import MAX_BYTES, SUFFIXES
from stackwalls.model.images.label_reader import LabelReader, shortened, warn_left_out
from stackwalls.model.images.label_space import LabelChoice, LabelSpace
from stackwalls.model.images.labeled import LabeledImages
from stackwalls.model.images.labels import check_numbering, class_of
from stackwalls.model.images.labels_file import read_labels_file

SPLITS = {"train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation",
          "dev": "validation", "test": "test"}  # fmt: skip
"""Words at the start of a file's name that say its split, and names of folders of a split, as `datasets` reads them."""


class ImageFolder(LabeledImages):
    """Images in class sub-folders.

    Those of ImageNet-1k are named by synset (`n01443537`), class name (`goldfish`) or index (`1`). Classes of its own
    are the folders that have images, by name. Images may be deeper inside a class's folder. Links are followed. Hidden
    files and folders are ignored; folders that are not a class and files that are not images by their ending are left
    out with a warning. Ids are paths relative to the folder.

    Args:
        labels: the list of labels of a flat folder, which has images directly in it (see `read_labels_file`).
        unlabeled: whether to keep images that are directly in the folder and so have no label.
        label_space: see `LabelReader`.
    """

    def __init__(
        self,
        root: Path,
        labels: Path | None = None,
        *,
        unlabeled: bool = False,
        label_space: LabelChoice = None,
        progress: bool = False,
    ) -> None:
        self.root = root
        self.name = as_text(root.resolve().name)
        self._list, self._unlabeled, self._label_space, self._progress = labels, unlabeled, label_space, progress

    def _add_labels(self, reader: LabelReader) -> None:
        found, names = (self._classes(reader), None) if self._list is None else self._flat(self._list, reader)
        self._paths = sorted(found)
        reader.add([found[path] for path in self._paths], names)

    def _row_id(self, row: int) -> str:
        return self._paths[row]

    def _read(self, image_id: str, epoch: int) -> bytes:
        return read_bounded(self.root / image_id, MAX_BYTES)

    def _flat(self, labels: Path, reader: LabelReader) -> tuple[dict[str, int], tuple[str, ...]]:
        """The label of each image by its path, and what it is the number of."""
        names = [name for name in visible(self.root, folders=False) if is_image(name)]
        if not names:
            raise InputError(
                f"{self.root} has no images directly in it; --labels is for a flat folder of images, and class folders "
                "need none."
            )
        found, classes = read_labels_file(labels, names, reader)
        warn_left_out("image", set(names) - found.keys(), f"not labeled by {labels.name}")
        return found, classes.names

    def _classes(self, reader: LabelReader) -> dict[str, str | None]:
        """The class folder of each image by its path."""
        folders = visible(self.root, folders=True)
        direct = [name for name in visible(self.root, folders=False) if is_image(name)]
        classes = self._folder_classes(reader, folders, direct)
        unknown = [name for name in folders if classes.of_text(as_text(name)) is None]
        found: dict[str, str | None] = dict.fromkeys(direct) if self._unlabeled else {}
        if len(unknown) == len(folders) and not found:
            raise InputError(_no_class_folder(self.root, folders, direct, classes))
        what = "not an ImageNet-1k class by synset, name or index" if classes.is_imagenet else f"not {classes.one_of}"
        warn_left_out("folder", unknown, what)
        if not self._unlabeled:
            warn_left_out("image", direct, "not in a class folder")
        others: list[str] = []
        empty: list[str] = []
        for name in tqdm(folders, desc="listing", unit="folder", delay=1, disable=not self._progress):
            if name not in unknown:
                files = {path: is_image(path) for path in files_below(self.root, name)}
                others += (path for path in files if not files[path])
                found |= {path: name for path in files if files[path]}
                empty += [] if any(files.values()) else [name]
        warn_left_out("file", others, f"not an image by its name ({', '.join(SUFFIXES)})")
        if not found:
            raise InputError(
                _no_class_folder(self.root, [], direct, classes)
                if direct
                else f"The class folders in {self.root} have no images ({', '.join(SUFFIXES)})."
            )
        warn_left_out("folder", empty, "it has no images")
        return found

    def _folder_classes(self, reader: LabelReader, folders: list[str], direct: list[str]) -> LabelSpace:
        """The classes that folders of these names are.

        Raises:
            InputError: if the class folders are one level further down.
        """
        if self._label_space in (None, "imagenet"):
            check_numbering(folders, str(self.root))
        if self._label_space is None and not direct and (deeper := _deeper(self.root, folders)):
            raise InputError(deeper)
        return reader.space_of([tuple(map(as_text, folders))] if folders else [])


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


def _deeper(root: Path, folders: list[str]) -> str:
    """The sentence for a folder whose class folders are one level further down; empty for any other.

    That is so where ImageNet-1k's are, and where no folder has an image directly in it, but the only one, or one that
    is named as a split, has folders.
    """
    if any(class_of(name) is not None for name in folders):
        return ""
    inside = {name: visible(root / name, folders=True) for name in folders}
    deeper = [name for name in folders if any(class_of(inner) is not None for inner in inside[name])]
    if not deeper and not any(is_image(file) for name in folders for file in visible(root / name, folders=False)):
        deeper = [name for name in folders if inside[name] and (name.lower() in SPLITS or len(folders) == 1)]
    if not deeper:
        return ""
    choices = " or ".join(str(root / name) for name in deeper)
    return (
        f"{root} has no class folders itself, but {', '.join(deeper)} inside it does: name {choices}, or "
        f"read the folders as classes with --label-space own."
    )


def _no_class_folder(root: Path, folders: list[str], images: list[str], classes: LabelSpace) -> str:
    """The sentence for a folder without class folders: what is there instead, and what to name."""
    if folders and (deeper := _deeper(root, folders)):
        return deeper
    if images:
        return (
            f"{root} has {len(images)} images directly in it and no class folders: say what they show with "
            "--labels FILE (lines of 'filename,label', or one synset a line in the order of the file names)."
        )
    if folders:
        expected = (
            "folders named by synset (n01443537), name (goldfish) or index (1)"
            if classes.is_imagenet
            else f"folders named {shortened(classes.names)}"
        )
        shown = ", ".join(folders[:3])
        return f"None of the {len(folders)} folders in {root} ({shown}, …) is {classes.one_of}: expected {expected}."
    return (
        f"{root} has no images: expected class folders named by synset (n01443537), name (goldfish) or "
        "index (1), Parquet files, or tar shards."
    )
