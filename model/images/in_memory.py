"""Images that are in memory or come from another library's dataset: anything with a length and items by number."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from PIL import Image

from stackwalls.model.errors import InputError, RunError
from stackwalls.model.hub.failures import first_line
from stackwalls.model.images.label_reader import LabelReader
from stackwalls.model.images.label_space import LabelChoice
from stackwalls.model.images.labeled import LabeledImages

_IN_PNG = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I")
"""PIL modes that a PNG file keeps, so that `decode` sees the image as it is; others are converted to RGB."""


@runtime_checkable
class MapStyle(Protocol):
    """torch's map-style dataset."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int, /) -> Any: ...


class InMemoryImages(LabeledImages):
    """A list of PIL images, or a map-style dataset of PIL images or of (PIL image, label); ids are the numbers.

    A dataset's `wnids` or `classes`, as torchvision's have them, say what its label numbers mean.

    Args:
        items: the dataset.
        unlabeled: whether to keep images without a label.
        label_space: see `LabelReader`.
    """

    def __init__(self, items: MapStyle, *, unlabeled: bool = False, label_space: LabelChoice = None) -> None:
        root = getattr(items, "root", None)
        self.name = Path(root).resolve().name if isinstance(root, str | Path) else "images"
        self._items, self._unlabeled, self._label_space = items, unlabeled, label_space

    def _add_labels(self, reader: LabelReader) -> None:
        targets = getattr(self._items, "targets", None)
        if not isinstance(targets, Sequence) or getattr(self._items, "target_transform", None) is not None:
            targets = [self._item(number)[1] for number in range(len(self._items))]
        named: Any = self._items
        while not hasattr(named, "classes") and hasattr(named, "dataset"):  # torch's Subset
            named = named.dataset
        names = getattr(named, "wnids", None) or getattr(named, "classes", None)
        known = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
        values = [value.item() if hasattr(value, "item") else value for value in targets]
        reader.add(values, names if known else None)

    def _row_id(self, row: int) -> str:
        return str(row)

    def _read(self, image_id: str, epoch: int) -> bytes:
        return self._read_row(int(image_id), epoch)

    def _read_row(self, row: int, epoch: int) -> bytes:
        image, _ = self._item(row)
        file = io.BytesIO()
        (image if image.mode in _IN_PNG else image.convert("RGB")).save(file, "PNG", compress_level=1)
        return file.getvalue()

    def _item(self, number: int) -> tuple[Image.Image, Any]:
        try:
            item = self._items[number]
        except Exception as error:  # whatever somebody's dataset raises is the reason
            raise RunError(
                f"Cannot read item {number} of {self.name}: {type(error).__name__}: {first_line(error)}."
            ) from error
        image, label = item if isinstance(item, tuple | list) and len(item) == 2 else (item, None)
        if not isinstance(image, Image.Image):
            what = f"a pair with {type(image).__name__}" if image is not item else type(item).__name__
            raise InputError(
                f"Item {number} of {self.name} is {what}: expected a PIL image or (PIL image, label). Leave out the "
                "dataset's transform; the images are resized and normalized here."
            )
        return image, label
