"""From the text of `--source` to a source."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from stackwalls.model import InputError
from stackwalls.model.images.drawn_images import DrawnPictures
from stackwalls.model.images.flat_folder import FlatFolder
from stackwalls.model.images.image_folder import ImageFolder, visible
from stackwalls.model.images.parquet import ParquetPictures
from stackwalls.model.images.source import Source

KINDS = (
    "expected a folder of pictures, a Parquet file or a folder of them, a dataset on the Hub (owner/name, with "
    "@revision and :split if need be) or 'drawn'"
)

SPLITS = {"train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation",
          "dev": "validation", "test": "test"}  # fmt: skip
"""Words at the start of a Parquet file's name that say its split, as `datasets` reads them."""


def open_source(text: str, *, labels: Path | None = None, progress: bool = False) -> Source:
    """The source that `text` names; nothing is read yet but names.

    Args:
        text: `drawn`; a folder of class folders; a flat folder, with `labels`; a Parquet file, a folder of them or
            a pattern (`data/val-*.parquet`); `owner/name[@revision][:split]` on the Hugging Face Hub (with
            `hf://datasets/` in front even where a folder of that name is here).
        labels: the list of labels of a flat folder (see `read_labels_file`).
        progress: show progress bars on stderr where reading takes long.

    Raises:
        InputError: if there is no such source, or it is of no known kind.
    """
    path = Path(text)
    if labels is not None:
        if not path.is_dir():
            raise InputError(
                f"--labels goes with a flat folder of pictures, but the source {text!r} is not a folder here."
            )
        return FlatFolder(path, labels)
    if text == "drawn":
        return DrawnPictures()
    if text.startswith("hf://"):
        return _hub(text.removeprefix("hf://datasets/"), progress)
    if path.is_dir():
        if any(name.endswith(".parquet") for name in visible(path, folders=False)):
            return _parquet(path, "*.parquet", progress)
        return ImageFolder(path, progress=progress)
    if path.name.endswith(".parquet"):
        return _parquet(path.parent, path.name, progress)
    if path.exists():
        raise InputError(f"The source {text} is a file of no known kind: {KINDS}.")
    if _hub_id(text) and not path.parent.is_dir():
        return _hub(text, progress)
    raise InputError(f"There is no source {text!r}: {KINDS}.")


def _hub_id(text: str) -> re.Match[str] | None:
    return re.fullmatch(r"(\w[\w.-]*/[\w.-]+)(?:@([^:@]+))?(?::([\w.-]+))?", text)


def _hub(text: str, progress: bool) -> Source:
    from stackwalls.model.images.hub import open_hub

    parts = _hub_id(text)
    if not parts:
        raise InputError(f"Cannot read the dataset id {text!r}: expected owner/name[@revision][:split].")
    return open_hub(parts[1], revision=parts[2], split=parts[3] or "validation", progress=progress)


def _parquet(folder: Path, pattern: str, progress: bool) -> Source:
    """The Parquet files in `folder` that `pattern` matches, if they are of one split."""
    paths = sorted(path for path in folder.glob(pattern) if path.is_file() and not path.name.startswith("."))
    if not paths:
        raise InputError(f"There is no file {folder / pattern}: {KINDS}.")
    splits = {SPLITS.get(re.split(r"[^a-z]", path.name.lower())[0]) for path in paths}
    if len(splits) > 1:
        raise InputError(
            f"{folder} holds Parquet files of several splits ({', '.join(path.name for path in paths[:5])}): name "
            f"one file, or the files of one split by a quoted pattern such as '{folder}/val*.parquet'."
        )
    name = paths[0].name if len(paths) == 1 else folder.resolve().name
    return ParquetPictures(name, {path.name: partial(str, path) for path in paths}, progress=progress)
