"""Open what `evaluate` reads: a finished dataset folder, here or on the Hub, or any other labeled images."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from shlex import quote

import datasets
import huggingface_hub
import pyarrow.parquet as pq
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError, OfflineModeIsEnabled
from huggingface_hub.hf_api import RepoFile

from stackwalls.hub_cards.layout import REJECTED_NAME, check_present, open_parquet
from stackwalls.hub_cards.manifest import MANIFEST_NAME, RECIPE_KIND, Manifest
from stackwalls.hub_cards.row_reader import RowReader, check_unchanged, shard_rows
from stackwalls.hub_cards.stack_dataset import StackDataset
from stackwalls.hub_cards.writing.run_store import WORK_NAME
from stackwalls.model import (
    HubId,
    InputError,
    LabelChoice,
    RunError,
    StackwallsError,
    commit_of,
    first_line,
    hub_failures,
)
from stackwalls.model.files import as_text
from stackwalls.model.images import ImageRow, LabeledImages, MapStyle, open_images
from stackwalls.model.images.hub import download_hub, opening, stream_hub
from stackwalls.model.images.opening import also_not_here, find_hub_id

SPLIT = "test"
"""The only split of STACK-MIX and STACK-GEN."""

READ_AHEAD = 100
"""Rows that are fetched while those before them are used: a row group, 15 MB of images at most."""

_BLOCK = 1 << 20
"""Bytes of a request for less than that, such as a footer or a column of labels."""


def open_dataset(source: str | Path | datasets.Dataset | MapStyle, *, label_space: LabelChoice = None) -> StackDataset:
    """Open a dataset for reading in batches.

    Args:
        source: one of
            - a finished dataset folder, whose files must all be present with the sizes in its manifest;
            - `user/name[@revision]` on the Hugging Face Hub, which is streamed (split `test` unless `:split` follows);
              a local path of that name is read instead, unless it starts with `hf://datasets/`;
            - whatever else `open_images` opens; images without a label get the label -1.
        label_space: see `open_images`; a finished set has its own.

    Raises:
        InputError: if it is none of these, is unfinished or incomplete; the message says what was tried.
        RunError: if the Hub cannot be reached.
    """
    if isinstance(source, str | Path):
        if not str(source).strip():
            raise InputError("No dataset was named: expected a dataset folder, an image folder, or a Hub id.")
        hub = find_hub_id(source)
        if hub is not None:
            with also_not_here(str(source)):
                return _open_hub(hub, label_space)
        folder = Path(source)
        if (folder / MANIFEST_NAME).is_file():
            return _open_finished(folder, label_space)
        _check_is_no_part(folder)
    images = open_images(source, unlabeled=True, label_space=label_space)
    return _of_images(images.name, images)


def dataset_classes(source: str | Path) -> tuple[int, ...]:
    """The classes that a finished set has rows of, in index order; no image is read.

    Args:
        source: a finished dataset folder, or `user/name[@revision]` on the Hugging Face Hub; or a recipe.

    Raises:
        InputError: if it is neither, or was made by something else than this package.
        RunError: if the Hub refuses access, or cannot be reached.
    """
    folder = Path(source)
    if (folder / MANIFEST_NAME).is_file():
        return tuple(sorted(set(RowReader(folder).columns("label")["label"])))
    labels: set[int] = set()
    with _set_at(source) as (hub, commit, manifest):
        for name in manifest.shards():
            with _opened_shard(hub.repository, commit, name) as file:
                labels.update(file.read(columns=["label"], use_threads=False).column("label").to_pylist())
    return tuple(sorted(labels))


def dataset_manifest(source: str | Path) -> Manifest:
    """The manifest of a finished set; arguments and errors as in `dataset_classes`."""
    if (Path(source) / MANIFEST_NAME).is_file():
        return Manifest.read(Path(source))
    with _set_at(source) as (_, _, manifest):
        return manifest


@contextmanager
def _set_at(source: str | Path) -> Iterator[tuple[HubId, str, Manifest]]:
    """A finished set on the Hub: its id, the commit and its manifest."""
    hub = None if Path(source).exists() else HubId.parse(str(source))
    if hub is None:
        raise InputError(
            f"There is no finished dataset folder {source}, and it is not a Hub id either: expected a folder that "
            "`stackgen mix` or `generate` made, or user/name[@revision]."
        )
    with opening(hub):
        commit = _commit(hub)
        manifest = _manifest_at(hub.repository, commit)
        if manifest is None:
            why = f"it has no {MANIFEST_NAME}, so it is not a set of this package"
            raise InputError(f"Cannot read the classes of {hub}: {why}. Name them one by one.")
        yield hub, commit, manifest


def _check_is_no_part(folder: Path) -> None:
    """Refuse what was to become a dataset folder of this package, or was one."""
    if (folder / WORK_NAME).is_dir():
        raise InputError(
            f"The dataset folder {folder} is unfinished: run the command that makes it again; it resumes where it "
            "stopped."
        )
    if (folder / REJECTED_NAME).is_file():
        raise InputError(
            f"{folder} is a dataset folder of this package but has no {MANIFEST_NAME}: copy or download that file too."
        )


def _open_finished(folder: Path, label_space: LabelChoice) -> StackDataset:
    manifest = Manifest.read(folder)
    _check_is_set(str(folder), manifest, label_space)
    check_present(folder, manifest)
    return _on_disk(as_text(folder.resolve().name), folder, manifest)


def _on_disk(name: str, folder: Path, manifest: Manifest) -> StackDataset:
    check = partial(check_unchanged, folder, manifest)

    def checked() -> str:
        for shard in manifest.shards():
            check(shard)
        return manifest.to_json()

    checked()
    rows = partial(shard_rows, manifest, lambda name: open_parquet(folder / name), check=check)
    dataset = StackDataset(name, rows, manifest.counts["kept"], manifest.wall, manifest, checked)
    _check_rows(dataset, ((row.image_id, row.label) for row in rows(columns=("image_id", "label"))))
    return dataset


def _of_images(name: str, images: LabeledImages) -> StackDataset:
    dataset = StackDataset(name, images.rows, len(images.labels), contents=images.contents, classes=images.classes)
    _check_rows(dataset, zip(images.ids, images.labels.tolist(), strict=True))
    return dataset


def _check_rows(dataset: StackDataset, rows: Iterable[tuple[str, int]]) -> None:
    """Check all ids and labels before any image is used."""
    ids: set[str] = set()
    for number, row in enumerate(rows):
        dataset.check_row(number, *row, ids)


def _check_is_set(name: str, manifest: Manifest, label_space: LabelChoice) -> None:
    if label_space is not None:
        raise InputError(f"{name} is a finished set, whose classes are known: leave out the label space.")
    if manifest.kind == RECIPE_KIND:
        raise InputError(
            f"{name} is a recipe of STACK-MIX without pixels: rebuild the set from your own copy of the images with "
            f"`stackgen mix --recipe {quote(name)} --source … --out stack-mix`, and open that."
        )


def _open_hub(hub: HubId, label_space: LabelChoice) -> StackDataset:
    """A dataset on the Hub, pinned to the commit that its revision names now.

    A set of this package is read a row group at a time, from any row on; any other is streamed by `datasets`. With
    HF_HUB_OFFLINE set, the cache is read.
    """
    with opening(hub):
        try:
            commit = _commit(hub)
        except OfflineModeIsEnabled:
            return _open_cached(hub, label_space)
        manifest = _manifest_at(hub.repository, commit)
    if manifest is not None:
        _check_is_set(str(hub), manifest, label_space)
        with opening(hub):
            _check_stored(hub, commit, manifest)
        rows = partial(_streamed, hub.repository, commit, manifest)
        return StackDataset(
            str(hub), rows, manifest.counts["kept"], manifest.wall, manifest, contents=manifest.to_json()
        )
    pinned = HubId(hub.repository, commit, hub.split)
    stream = stream_hub(pinned, SPLIT, unlabeled=True, label_space=label_space)
    if stream.size:
        return StackDataset(str(hub), stream.rows, stream.size, contents=stream.contents, classes=stream.classes)
    images = download_hub(pinned, SPLIT, unlabeled=True, label_space=label_space)  # the card does not say the length
    return _of_images(str(hub), images)


def _commit(hub: HubId) -> str:
    return commit_of(huggingface_hub.HfApi().repo_info(hub.repository, repo_type="dataset", revision=hub.revision))


def _check_stored(hub: HubId, commit: str, manifest: Manifest) -> None:
    """Check that the commit stores the files of the manifest, by the hashes that the Hub has of them.

    Raises:
        InputError: naming a file that is missing or another one.
    """
    files = huggingface_hub.HfApi().get_paths_info(
        hub.repository, manifest.shards(), repo_type="dataset", revision=commit
    )
    stored = {file.path: file.lfs.sha256 for file in files if isinstance(file, RepoFile) and file.lfs is not None}
    for name in manifest.shards():
        if stored.get(name) != manifest.files[name]["sha256"]:
            raise InputError(
                f"{name} of {hub} is not the file that its {MANIFEST_NAME} describes (SHA-256): publish the set again."
            )


def _manifest_at(repository: str, commit: str) -> Manifest | None:
    """The manifest beside the data, if the dataset was published from a folder of this package."""
    try:
        path = huggingface_hub.hf_hub_download(repository, MANIFEST_NAME, repo_type="dataset", revision=commit)
    except LocalEntryNotFoundError:  # not a file that is missing there, but a Hub that does not answer
        raise
    except EntryNotFoundError:
        return None
    return Manifest.read(Path(path).parent)


@contextmanager
def _opened_shard(repository: str, commit: str, name: str) -> Iterator[pq.ParquetFile]:
    """A Parquet file on the Hub; only what is read is downloaded."""
    where = f"datasets/{repository}@{commit}/{name}"
    with (
        huggingface_hub.HfFileSystem().open(where, "rb", block_size=_BLOCK) as remote,
        # read on this thread: Arrow's own may outlive the interpreter that the file belongs to, and abort the process
        pq.ParquetFile(remote, pre_buffer=False) as file,
    ):
        yield file


def _streamed(repository: str, commit: str, manifest: Manifest, start: int = 0) -> Iterator[ImageRow]:
    opened = partial(_opened_shard, repository, commit)
    try:
        with hub_failures("read", "dataset", repository):
            yield from _ahead(shard_rows(manifest, opened, start), READ_AHEAD)
    except StackwallsError:
        raise
    except (OSError, ValueError) as error:  # Arrow's errors are ValueErrors
        raise RunError(f"Cannot read {repository} at {commit[:8]}: {first_line(error)}.") from error


def _ahead(rows: Iterator[ImageRow], count: int) -> Iterator[ImageRow]:
    """The same rows, `count` of them taken by another thread while those before are used."""
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(lambda: list(islice(rows, count)))
        while held := waiting.result():
            waiting = thread.submit(lambda: list(islice(rows, count)))
            yield from held


def _open_cached(hub: HubId, label_space: LabelChoice) -> StackDataset:
    """What `hf download` or an earlier `load_dataset` left on this disk."""
    cached = partial(huggingface_hub.snapshot_download, repo_type="dataset", local_files_only=True)
    try:
        folder = Path(cached(hub.repository, revision=hub.revision))
        manifest = Manifest.read(folder)
        check_present(folder, manifest)
    except (InputError, LocalEntryNotFoundError, FileNotFoundError):
        pass  # not a set of this package, or not all of it
    else:
        _check_is_set(str(hub), manifest, label_space)
        return _on_disk(str(hub), folder, manifest)
    try:
        return _of_images(str(hub), download_hub(hub, SPLIT, unlabeled=True, label_space=label_space))
    except StackwallsError as error:
        raise RunError(
            f"Cannot read {hub}: HF_HUB_OFFLINE is set and no whole copy is in the cache; unset it, or run "
            f"`hf download {hub.repository} --repo-type dataset` while there is a connection."
        ) from error
