"""A flat folder of pictures and a list of their labels: ImageNet's validation set as it comes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from stackwalls.model import InputError
from stackwalls.model.images.image_folder import is_picture, visible
from stackwalls.model.images.labels_file import read_labels_file
from stackwalls.model.images.source import warn_left_out


class FlatFolder:
    """Pictures directly in one folder (`ILSVRC2012_val_00000001.JPEG`, …); ids are their file names.

    Args:
        root: the folder.
        labels: the list of labels (see `read_labels_file`).
    """

    def __init__(self, root: Path, labels: Path) -> None:
        self.root = root
        self.labels = labels
        self.name = root.resolve().name

    def index(self) -> dict[int, list[str]]:
        """Class index to the sorted file names of its pictures; pictures that the list passes over stay out.

        Raises:
            InputError: if there are no pictures, or the list of labels cannot be used.
        """
        names = [name for name in visible(self.root, folders=False) if is_picture(name)]
        if not names:
            raise InputError(
                f"{self.root} holds no pictures directly; --labels goes with a flat folder of pictures, "
                "and class folders need none."
            )
        labels = read_labels_file(self.labels, names)
        warn_left_out("picture", set(names) - labels.keys(), f"not labelled by {self.labels.name}")
        found: dict[int, list[str]] = {}
        for name in sorted(labels):
            found.setdefault(labels[name], []).append(name)
        return dict(sorted(found.items()))

    def fetch(self, image_ids: Collection[str]) -> None:
        """Nothing to do: files are read one by one."""

    def read(self, image_id: str) -> bytes:
        """The file's bytes."""
        return (self.root / image_id).read_bytes()
