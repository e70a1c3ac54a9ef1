"""A dataset on the Hugging Face Hub, streamed: its rows come as they are read and stay nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub
import pyarrow.parquet as pq
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from stackwalls.hub_cards.layout import check_present
from stackwalls.hub_cards.manifest import MANIFEST_NAME, Manifest
from stackwalls.hub_cards.shard_rows import shard_rows
from stackwalls.hub_cards.stack_dataset import PictureRow, StackDataset
from stackwalls.hub_cards.table_rows import open_stream, open_table
from stackwalls.model import LOG_IN, InputError, RunError, StackwallsError, first_line, hub_failures

HUB_PREFIX = "hf://datasets/"

SPLIT = "test"
"""The only split of STACK-MIX and STACK-GEN."""

READ_AHEAD = 100
"""Rows that are fetched while those before them are used: a row group, 15 MB of images at most."""

_BLOCK = 1 << 20
"""Bytes of a request for less than that, such as a footer or a column of labels."""


def open_hub_dataset(repository: str, revision: str | None, tried: str) -> StackDataset:
    """Open `user/name` at a branch, tag or commit, pinned to the commit that it names now.

    One that was published from a folder of this package is read a row group at a time, and can be begun at any row;
    any other is streamed by `datasets`. With HF_HUB_OFFLINE set, what an earlier download left in the cache is read.

    Args:
        repository: `user/name`.
        revision: the default branch by default.
        tried: how messages call it.

    Raises:
        InputError: if the Hub shows no such dataset or revision, or it has no split `test`.
        RunError: if the Hub refuses access, or cannot be reached.
    """
    name = f"{repository}@{revision}" if revision else repository
    with opening(repository, tried):
        try:
            commit = huggingface_hub.HfApi().repo_info(repository, repo_type="dataset", revision=revision).sha
        except OfflineModeIsEnabled:
            return _open_cached(repository, revision, name)
        manifest = manifest_at(repository, str(commit))
        if manifest is None:
            return _open_foreign(repository, str(commit), name)
    rows = partial(_streamed, repository, str(commit), manifest)
    return StackDataset(name, rows, manifest.counts["kept"], manifest.wall, manifest, rows_from=rows)


def manifest_at(repository: str, commit: str) -> Manifest | None:
    """The manifest beside the data, where the dataset was published from a folder of this package."""
    try:
        path = huggingface_hub.hf_hub_download(repository, MANIFEST_NAME, repo_type="dataset", revision=commit)
    except LocalEntryNotFoundError:  # not a file that is missing there, but a Hub that does not answer
        raise
    except EntryNotFoundError:
        return None
    return Manifest.read(Path(path).parent)


@contextmanager
def opened_shard(repository: str, commit: str, name: str) -> Iterator[pq.ParquetFile]:
    """A Parquet file on the Hub, of which only what is read travels."""
    where = f"datasets/{repository}@{commit}/{name}"
    with (
        huggingface_hub.HfFileSystem().open(where, "rb", block_size=_BLOCK) as remote,
        # read on this thread: Arrow's own may outlive the interpreter that the file belongs to, and abort the process
        pq.ParquetFile(remote, pre_buffer=False) as file,
    ):
        yield file


def _streamed(repository: str, commit: str, manifest: Manifest, start: int = 0) -> Iterator[PictureRow]:
    opened = partial(opened_shard, repository, commit)
    try:
        with hub_failures("read", "dataset", repository):
            yield from _ahead(shard_rows(manifest, opened, start), READ_AHEAD)
    except StackwallsError:
        raise
    except (OSError, ValueError) as error:  # Arrow's errors are ValueErrors
        raise RunError(f"Cannot read {repository} at {commit[:8]}: {first_line(error)}.") from error


def _ahead(rows: Iterator[PictureRow], count: int) -> Iterator[PictureRow]:
    """The same rows, `count` of them taken by another thread while those before are used."""
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(lambda: list(islice(rows, count)))
        while held := waiting.result():
            waiting = thread.submit(lambda: list(islice(rows, count)))
            yield from held


def _open_foreign(repository: str, commit: str, name: str) -> StackDataset:
    """A dataset of somebody else's making, as `datasets` streams it; held on the disk where its length is not said."""
    read = partial(datasets.load_dataset, HUB_PREFIX + repository, split=SPLIT, revision=commit)
    table = read(streaming=True)
    split = (table.info.splits or {}).get(SPLIT)
    if split is None or not split.num_examples:
        return open_table(read(), name)
    return open_stream(table, name, split.num_examples, contents=f"{repository}@{commit}")


def _open_cached(repository: str, revision: str | None, name: str) -> StackDataset:
    """What `hf download` or an earlier `load_dataset` left on this disk."""
    try:
        folder = Path(
            huggingface_hub.snapshot_download(repository, repo_type="dataset", revision=revision, local_files_only=True)
        )
        manifest = Manifest.read(folder)
        check_present(folder, manifest)
    except (InputError, LocalEntryNotFoundError, FileNotFoundError):
        return _open_prepared(repository, revision, name)

    def rows(start: int = 0) -> Iterator[PictureRow]:
        return shard_rows(manifest, lambda shard: pq.ParquetFile(folder / shard), start)

    return StackDataset(name, rows, manifest.counts["kept"], manifest.wall, manifest, rows_from=rows)


def _open_prepared(repository: str, revision: str | None, name: str) -> StackDataset:
    try:
        table = datasets.load_dataset(HUB_PREFIX + repository, split=SPLIT, revision=revision)
    except Exception as error:  # it raises errors of many kinds where nothing is cached
        raise RunError(
            f"Cannot read {name}: HF_HUB_OFFLINE is set and no whole copy is in the cache; unset it, or run "
            f"`hf download {repository} --repo-type dataset` while there is a connection."
        ) from error
    return open_table(table, name)


@contextmanager
def opening(repository: str, tried: str) -> Iterator[None]:
    """One sentence for whatever goes wrong while a dataset is opened.

    Raises:
        InputError: if there is no such dataset.
        RunError: if it may not be read, or the Hub cannot be reached.
    """
    page = f"{_endpoint()}/datasets/{repository}"
    try:
        yield
    except StackwallsError:
        raise
    except GatedRepoError as error:
        raise RunError(
            f"Cannot open {tried}: it is gated. Ask for access at {page}, and {LOG_IN} with the account that was "
            f"granted it ({first_line(error)})."
        ) from error
    except RevisionNotFoundError as error:
        raise InputError(f"Cannot open {tried}: {repository} has no such revision ({first_line(error)}).") from error
    except (RepositoryNotFoundError, datasets.exceptions.DatasetNotFoundError) as error:
        raise InputError(
            f"Cannot open {tried}: the Hub shows no such dataset; if it is private or gated, {LOG_IN} with an "
            f"account that has access ({first_line(error)})."
        ) from error
    except LocalEntryNotFoundError as error:
        raise RunError(f"Cannot reach the Hub for {tried}: {first_line(error)}.") from error
    except (ValueError, FileNotFoundError) as error:
        raise InputError(f"Cannot open {tried} from the Hub as split {SPLIT!r}: {first_line(error)}.") from error
    except Exception:
        with hub_failures("read", "dataset", tried):
            raise


def _endpoint() -> Any:
    return huggingface_hub.constants.ENDPOINT
