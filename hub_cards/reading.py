"""Open whatever holds labelled square images: a dataset folder, a Hub id, a `datasets.Dataset`, an image folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import datasets
import huggingface_hub
import pyarrow as pa
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

from stackwalls.hub_cards.layout import check_present
from stackwalls.hub_cards.manifest import MANIFEST_NAME, Manifest
from stackwalls.hub_cards.parts import WORK_NAME
from stackwalls.hub_cards.picture_folder import open_picture_folder
from stackwalls.hub_cards.shards import read_groups
from stackwalls.hub_cards.stack_dataset import PictureRow, StackDataset
from stackwalls.hub_cards.table_rows import open_table
from stackwalls.model import InputError, RunError

SPLIT = "test"
"""The only split of STACK-MIX and STACK-GEN."""

_HUB_PREFIX = "hf://datasets/"
_HUB_ID = re.compile(r"(?P<id>[A-Za-z0-9][\w.-]*/[\w.-]+)(@(?P<revision>[\w./-]+))?")


def open_dataset(source: str | Path | datasets.Dataset) -> StackDataset:
    """Open a dataset for reading in batches.

    Args:
        source: one of
            - a finished dataset folder: every file of its manifest must be there with its size;
            - an image folder, with one sub-folder a class (see `picture_folder`);
            - `user/name` or `user/name@revision` on the Hugging Face Hub, split `test`; what exists here under that
              name is read instead, unless it is written `hf://datasets/user/name`;
            - a `datasets.Dataset` with an `image` column.

    Raises:
        InputError: if it is none of these, is unfinished or incomplete; the message says what was tried.
        RunError: if the Hub cannot be reached.
    """
    if isinstance(source, datasets.Dataset):
        return open_table(source, source.info.dataset_name or "dataset")
    if not isinstance(source, str | Path):
        raise InputError(
            "Expected a folder, a Hub id (user/name) or a datasets.Dataset (one split of a DatasetDict), but got "
            f"{type(source).__name__}."
        )
    text, path = str(source), Path(source)
    if text.startswith(_HUB_PREFIX):
        return _open_hub(text.removeprefix(_HUB_PREFIX), f"{text!r}")
    if path.is_dir():
        return _open_folder(path)
    if path.exists():
        raise InputError(f"Expected a folder or a Hub id, but {path} is a file: name the folder that holds it.")
    tried = f"There is no folder {path.absolute()}"
    if isinstance(source, str) and _HUB_ID.fullmatch(text):
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
    check_present(folder, manifest)
    rows = partial(_shard_rows, [folder / name for name in manifest.shards()])
    return StackDataset(folder.resolve().name, rows, manifest.counts["kept"], manifest.wall, manifest)


def _shard_rows(shards: list[Path]) -> Iterator[PictureRow]:
    """The rows of a folder's shards, one row group in memory at a time."""
    for path in shards:
        try:
            for batch in read_groups([path], columns=["image", "label", "image_id"]):
                for row in batch.to_pylist():
                    yield PictureRow(row["image_id"], row["label"], row["image"]["bytes"])
        except (pa.ArrowException, OSError, ValueError) as error:
            raise RunError(f"Cannot read {path} ({error}): `stackgen verify` says what is wrong with it.") from error


def _open_hub(text: str, tried: str) -> StackDataset:
    match = _HUB_ID.fullmatch(text)
    if match is None:
        raise InputError(f"Cannot read {tried}: expected {_HUB_PREFIX}user/name or user/name@revision.")
    repository, revision = match["id"], match["revision"]
    try:
        table = datasets.load_dataset(_HUB_PREFIX + repository, split=SPLIT, revision=revision)
        manifest = _hub_manifest(repository, revision)
    except datasets.exceptions.DatasetNotFoundError as error:
        raise InputError(
            f"Cannot open {tried}: the Hub shows no such dataset; if it is private or gated, log in with an account "
            f"that has access. {_first_line(error)}"
        ) from error
    except ValueError as error:
        raise InputError(f"Cannot open {tried} from the Hub as split {SPLIT!r}: {_first_line(error)}") from error
    except (ConnectionError, HfHubHTTPError, OSError) as error:
        raise RunError(f"Cannot reach the Hub for {tried}: {_first_line(error)}") from error
    return open_table(table, text, manifest)


def _hub_manifest(repository: str, revision: str | None) -> Manifest | None:
    """The manifest beside the data, where the dataset was published from a folder of this package."""
    try:
        path = huggingface_hub.hf_hub_download(repository, MANIFEST_NAME, repo_type="dataset", revision=revision)
    except EntryNotFoundError:
        return None
    return Manifest.read(Path(path).parent)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
