"""Open whatever holds labelled square images: a dataset folder, a Hub id, a `datasets.Dataset`, an image folder."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import datasets
import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq

from stackwalls.hub_cards.hub_dataset import HUB_PREFIX, open_hub_dataset
from stackwalls.hub_cards.layout import check_present
from stackwalls.hub_cards.manifest import MANIFEST_NAME, RECIPE_KIND, Manifest
from stackwalls.hub_cards.picture_folder import open_picture_folder
from stackwalls.hub_cards.run_store import WORK_NAME
from stackwalls.hub_cards.shard_rows import shard_rows
from stackwalls.hub_cards.stack_dataset import PictureRow, StackDataset
from stackwalls.hub_cards.table_rows import open_table
from stackwalls.model import InputError, RunError

HUB_ID = re.compile(r"(?P<id>[A-Za-z0-9][\w.-]*/[\w.-]+)(@(?P<revision>[\w./-]+))?")


def open_dataset(source: str | Path | datasets.Dataset) -> StackDataset:
    """Open a dataset for reading in batches.

    Args:
        source: one of
            - a finished dataset folder: every file of its manifest must be there with its size;
            - an image folder, with one sub-folder a class (see `picture_folder`);
            - `user/name` or `user/name@revision` on the Hugging Face Hub, split `test`, which is streamed; what exists
              here under that name is read instead, unless it is written `hf://datasets/user/name`;
            - a `datasets.Dataset` with an `image` column.

    Raises:
        InputError: if it is none of these, is unfinished or incomplete; the message says what was tried.
        RunError: if the Hub cannot be reached.
    """
    if isinstance(source, datasets.Dataset):
        return open_table(source, source.info.dataset_name or "dataset")
    if not isinstance(source, str | Path):
        raise InputError(
            "Expected a folder, a Hub id (user/name) or a datasets.Dataset (one split of a DatasetDict; "
            "datasets.Dataset.from_list makes one of dictionaries with an `image` and a `label`), but got "
            f"{type(source).__name__}."
        )
    text, path = str(source), Path(source)
    if not text.strip():
        raise InputError("No dataset was named: expected a dataset folder, an image folder, or a Hub id.")
    if text.startswith(HUB_PREFIX):
        return _open_hub(text.removeprefix(HUB_PREFIX), f"{text!r}")
    if path.is_dir():
        _say_what_is_hidden(text)
        return _open_folder(path)
    if path.exists():
        raise InputError(f"Expected a folder or a Hub id, but {path} is a file: name the folder that holds it.")
    tried = f"There is no folder {path.absolute()}"
    if isinstance(source, str) and HUB_ID.fullmatch(text):
        return _open_hub(text, f"{text!r} ({tried[0].lower()}{tried[1:]})")
    raise InputError(
        f"{tried}, and {text!r} is no Hub id either: expected a dataset folder, an image folder, or "
        "user/name[@revision] on the Hugging Face Hub."
    )


def _open_folder(folder: Path) -> StackDataset:
    if (folder / MANIFEST_NAME).is_file():
        return _open_finished(folder)
    if (folder / WORK_NAME).is_dir():
        raise InputError(
            f"The dataset folder {folder} is unfinished: run the command that makes it again; it goes on where it was."
        )
    if (folder / "data").is_dir() and any((folder / "data").glob("*.parquet")):
        raise InputError(
            f"{folder} holds Parquet files but no {MANIFEST_NAME}: if it is a dataset folder of this package, copy or "
            "download that file too; if not, open it with datasets.load_dataset and pass one split."
        )
    return open_picture_folder(folder)


def _open_finished(folder: Path) -> StackDataset:
    manifest = Manifest.read(folder)
    _check_has_pixels(str(folder), manifest)
    check_present(folder, manifest)
    rows = partial(_rows_on_disk, folder, manifest)
    name = folder.resolve().name
    return StackDataset(name, rows, manifest.counts["kept"], manifest.wall, manifest, rows_from=rows)


def _check_has_pixels(name: str, manifest: Manifest) -> None:
    if manifest.kind == RECIPE_KIND:
        raise InputError(
            f"{name} is a recipe of STACK-MIX without pixels: make the set from your own copy of the pictures, by "
            f"`stackgen mix --recipe {name} --source … --out stack-mix`, and open that."
        )


def _rows_on_disk(folder: Path, manifest: Manifest, start: int = 0) -> Iterator[PictureRow]:
    """The rows of a folder's shards, one row group in memory at a time."""
    path = folder

    def opened(name: str) -> pq.ParquetFile:
        nonlocal path
        path = folder / name
        return pq.ParquetFile(path)

    try:
        yield from shard_rows(manifest, opened, start)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RunError(f"Cannot read {path} ({error}): `stackgen verify` says what is wrong with it.") from error


def _open_hub(text: str, tried: str) -> StackDataset:
    match = HUB_ID.fullmatch(text)
    if match is None:
        raise InputError(f"Cannot read {tried}: expected {HUB_PREFIX}user/name or user/name@revision.")
    found = open_hub_dataset(match["id"], match["revision"], tried)
    if found.manifest is not None:
        _check_has_pixels(text, found.manifest)
    return found


def _say_what_is_hidden(text: str) -> None:
    """Warn where a folder here goes before a dataset of the Hub that was read from here before."""
    if HUB_ID.fullmatch(text):
        cache = Path(huggingface_hub.constants.HF_HUB_CACHE)
        if (cache / f"datasets--{text.replace('/', '--')}").is_dir():
            warnings.warn(
                f"{text} is the folder of that name here, not the dataset on the Hub: write {HUB_PREFIX}{text} for "
                "that one.",
                stacklevel=3,
            )
