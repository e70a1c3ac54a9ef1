"""A folder with one sub-folder a class, as torchvision's `ImageFolder` reads it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from tqdm import tqdm

from stackwalls.model import InputError
from stackwalls.model.images.class_labels import class_of
from stackwalls.model.images.source import warn_left_out

PICTURE_SUFFIXES = (
    ".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
"""Endings of picture files, in any case: torchvision's `IMG_EXTENSIONS` and GIF."""


class ImageFolder:
    """Pictures in class sub-folders named by synset (`n01443537`), class name (`goldfish`) or index (`1`).

    Pictures may lie deeper inside a class's folder. Hidden files are passed over; folders that are no class and
    files that are no pictures by their ending are left out with a warning. Ids are paths relative to the folder.

    Args:
        root: the folder.
        progress: show a progress bar on stderr while listing.
    """

    def __init__(self, root: Path, *, progress: bool = False) -> None:
        self.root = root
        self.name = root.resolve().name
        self._progress = progress

    def index(self) -> dict[int, list[str]]:
        """Class index to the sorted ids of its pictures.

        Raises:
            InputError: if no sub-folder is a class, or none of them holds a picture.
        """
        folders = visible(self.root, folders=True)
        classes = {name: class_of(name) for name in folders}
        unknown = [name for name, index in classes.items() if index is None]
        if len(unknown) == len(folders):
            raise InputError(_no_class_folder(self.root, folders))
        warn_left_out("folder", unknown, "no ImageNet-1k class by synset, name or index")
        warn_left_out("picture", filter(is_picture, visible(self.root, folders=False)), "not in a class folder")
        found: dict[int, list[str]] = {}
        others: list[str] = []
        for name in tqdm(folders, desc="listing", unit="folder", delay=1, disable=not self._progress):
            index = classes[name]
            if index is not None:
                pictures = list(files_below(self.root, name, set()))
                others += (path for path in pictures if not is_picture(path))
                found.setdefault(index, []).extend(path for path in pictures if is_picture(path))
        warn_left_out("file", others, f"no picture by its name ({', '.join(PICTURE_SUFFIXES)})")
        held = {index: sorted(paths) for index, paths in sorted(found.items()) if paths}
        if not held:
            raise InputError(f"The class folders in {self.root} hold no pictures ({', '.join(PICTURE_SUFFIXES)}).")
        return held

    def fetch(self, image_ids: Collection[str]) -> None:
        """Nothing to do: files are read one by one."""

    def read(self, image_id: str) -> bytes:
        """The file's bytes."""
        return (self.root / image_id).read_bytes()


def is_picture(path: str) -> bool:
    """Whether `path` is a picture file by its ending, with a name that can be written as text."""
    text = path.encode(errors="ignore").decode() == path
    return text and path.lower().endswith(PICTURE_SUFFIXES)


def visible(folder: Path, *, folders: bool) -> list[str]:
    """Sorted names of the folders, or of the files, directly in `folder` that are not hidden.

    Raises:
        InputError: if `folder` cannot be listed.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(e.name for e in entries if e.is_dir() == folders and not e.name.startswith("."))
    except OSError as error:
        raise InputError(f"Cannot list the folder {folder} ({error.strerror}).") from error


def files_below(root: Path, folder: str, seen: set[tuple[int, int]]) -> Iterator[str]:
    """Paths relative to `root` of all files below `root / folder` that are not hidden, links followed once."""
    status = (root / folder).stat()
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    for name in visible(root / folder, folders=False):
        yield f"{folder}/{name}"
    for name in visible(root / folder, folders=True):
        yield from files_below(root, f"{folder}/{name}", seen)


def _no_class_folder(root: Path, folders: list[str]) -> str:
    """The sentence for a folder without class folders: what is there instead, and what to call."""
    deeper = [
        name for name in folders if any(class_of(inner) is not None for inner in visible(root / name, folders=True))
    ]
    if deeper:
        choices = " or ".join(f"--source {root / name}" for name in deeper)
        return f"{root} holds no class folders itself, but {', '.join(deeper)} inside it does: name it, {choices}."
    pictures = [name for name in visible(root, folders=False) if is_picture(name)]
    if pictures:
        return (
            f"{root} holds {len(pictures)} pictures directly and no class folders: say what they show with "
            "--labels FILE (lines of 'filename,label', or one synset a line in the order of the file names)."
        )
    if folders:
        return (
            f"None of the {len(folders)} folders in {root} ({', '.join(folders[:3])}, …) is an ImageNet-1k class: "
            "expected folders named by synset (n01443537), name (goldfish) or index (1)."
        )
    return (
        f"{root} holds no pictures: expected class folders named by synset (n01443537), name (goldfish) or "
        "index (1), or Parquet files."
    )
