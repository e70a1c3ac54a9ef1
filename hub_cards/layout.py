"""What a dataset folder contains, and what a folder is: new, unfinished, finished, or something else."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stackwalls.hub_cards.manifest import MANIFEST_NAME, Manifest, differences
from stackwalls.hub_cards.record import RECORDS, check_columns, check_rows
from stackwalls.hub_cards.writing.run_store import WORK_NAME, RunStore
from stackwalls.model import InputError, LabelSpace, RunError, StackwallsError, file_sha256
from stackwalls.model.files import is_temporary, regular_file

CARD_NAME = "README.md"
REJECTED_NAME = "rejected.parquet"
SCORES_NAME, CERTIFICATE_NAME = "scores.json", "certificate.json"
DATA_FOLDER = "data"
SHARD = re.compile(rf"{DATA_FOLDER}/test-\d{{5}}-of-\d{{5}}\.parquet")

ASSETS_FOLDER = "assets"
"""The images that a card shows."""

ASSET_NAMES = tuple(f"{ASSETS_FOLDER}/{name}" for name in ("wall.png", "examples.png"))

REVIEW_NAME = ".review"
"""Name of the folder inside the dataset folder that holds a reviewer's decisions. It is not part of the set."""

NOT_OURS = frozenset({".git", ".gitattributes", ".cache", ".DS_Store", "Thumbs.db", "desktop.ini", REVIEW_NAME})
"""What git, the Hub's client, file managers and a review put into a folder; skipped, never removed."""

_NAMED = 5
"""How many differences or names a message gives."""


@dataclass(frozen=True)
class Succession:
    """Which earlier sets and runs may become the set that is asked for.

    Attributes:
        extends: (spec there, spec asked for) → whether all rows made for the first may stay in a set of the second;
            by default of the same spec only.
        revised: whether a finished set of the same spec needs another run; by default it never does.
        any_version: whether the rows that stay may have been made with other versions.
        hint: what a user can do where nothing fits, for the message.
    """

    extends: Callable[[Mapping[str, Any], Mapping[str, Any]], bool] = lambda there, now: False
    revised: Callable[[], bool] | None = None
    any_version: bool = False
    hint: str = ""


def check_admissible(store: RunStore, asked: Mapping[str, Any], succession: Succession) -> Manifest | None:
    """The manifest if the folder is finished as asked for; None if the run can start or resume there.

    Reads, and changes nothing. `asked` has the "kind", "spec", "versions", "format" and "origin" of what is to be
    written.

    Raises:
        InputError: in every other case; the message says what differs and what to do.
    """
    folder = store.folder
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: choose a new or empty folder for the dataset.")
    if (folder / MANIFEST_NAME).exists():
        manifest = Manifest.read(folder)
        _check_finished(folder, manifest, asked, succession)
        need = succession.revised is not None and (store.begun() is not None or succession.revised())
        if manifest.spec == asked["spec"] and not need:
            return manifest
        begun = store.begun()
    else:
        begun = store.begun()
        _check_strangers(folder, begun is not None)
    if begun is not None and store.names():  # without records it has nothing to lose: another may take its place
        _check_begun(store, begun, asked, succession)
    return None


def _check_finished(folder: Path, there: Manifest, asked: Mapping[str, Any], succession: Succession) -> None:
    """InputError if a finished set neither is the one that is asked for nor may become it, or lacks a file."""
    _check_kind(folder, "a finished", there.kind, asked["kind"])
    found = differences({"spec": there.spec}, {"spec": asked["spec"]})
    runs = bool(found) or succession.revised is not None
    if not found or succession.extends(there.spec, asked["spec"]):
        found = []
        if runs and not succession.any_version and there.versions != asked["versions"]:
            found = differences({"versions": there.versions}, {"versions": asked["versions"]})
    if found:
        raise InputError(
            f"{folder} holds a finished dataset with other settings: {listed(found, '; ')}. {succession.hint}For "
            "other settings, choose another folder, or delete this one."
        )
    check_present(folder, there)


def _check_begun(store: RunStore, begun: Mapping[str, Any], asked: Mapping[str, Any], succession: Succession) -> None:
    """InputError if an unfinished run neither is the one that is asked for nor may become it."""
    folder, origin = store.folder, asked.get("origin")
    _check_kind(folder, "an unfinished", str(begun.get("kind")), asked["kind"])
    grown = begun["spec"] != asked["spec"] and succession.extends(begun["spec"], asked["spec"])
    there = {**begun, "spec": asked["spec"]} if grown else begun
    if found := differences({**there, "origin": origin}, asked):
        raise InputError(
            f"{folder} holds an unfinished run with other settings: {listed(found, '; ')}. {succession.hint}Finish it "
            f"with its own settings, choose another folder, or delete {store.path} to start again."
        )
    if (before := begun.get("origin")) != origin:
        kinds = [kind for found in (before, origin) for kind in found or {"other means": ""}]
        other = f"another {kinds[0]}" if kinds[0] == kinds[1] else f"a {kinds[0]}, not from a {kinds[1]}"
        raise InputError(
            f"{folder} was begun with the same settings from {other}: finish it as it was begun, choose another "
            "folder, or delete this one."
        )


def _check_strangers(folder: Path, begun: bool) -> None:
    """InputError if a folder without a manifest holds anything but what a run (if one was begun) has written."""
    ours = {WORK_NAME, *((CARD_NAME, REJECTED_NAME, *ASSET_NAMES) if begun else ())}
    strange = [name for name in _visible_files(folder) if name not in ours]
    if begun:
        strange = [name for name in strange if not (SHARD.fullmatch(name) or is_temporary(Path(name)))]
    if strange:
        raise InputError(
            f"{folder} holds something else ({listed(strange)}): choose a new or empty folder for the dataset."
        )


def check_present(folder: Path, manifest: Manifest) -> None:
    """Every file of the manifest is there and has its size; `verify` checks the hashes.

    Raises:
        InputError: naming the first file that is missing or has another size.
    """
    for name, entry in sorted(manifest.files.items()):
        path = folder / name
        if not path.is_file():
            what = "is missing"
        elif path.stat().st_size != entry["bytes"]:
            what = f"has {path.stat().st_size} bytes instead of {entry['bytes']}"
        else:
            continue
        raise InputError(
            f"{name} {what} in the dataset folder {folder}: copy or download it again, or delete the folder and "
            f"rebuild the dataset (`stackgen verify {quote(str(folder))}` lists everything that is wrong)."
        )


def file_entry(path: Path) -> dict[str, Any]:
    """What the manifest says of a file: its SHA-256 and its size."""
    return {"sha256": file_sha256(path), "bytes": path.stat().st_size}


def shard_name(number: int, count: int) -> str:
    """`data/test-00000-of-00001.parquet`."""
    return f"{DATA_FOLDER}/test-{number:05d}-of-{count:05d}.parquet"


@contextmanager
def open_parquet(path: Path, needed: pa.Schema | None = None) -> Iterator[pq.ParquetFile]:
    """A Parquet file of a folder.

    Args:
        path: of the file.
        needed: columns that it must have.

    Raises:
        RunError: naming the file, if it is not a regular file, is damaged (also if that shows later, inside) or lacks a
            column.
    """
    try:
        with pq.ParquetFile(regular_file(path)) as file:
            if needed is not None:
                check_columns(file.schema_arrow, needed)
            yield file
    except StackwallsError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunError(f"Cannot read {path} ({reason}): `stackgen verify` says what is wrong with it.") from error


def read_groups(
    paths: Iterable[Path],
    columns: list[str] | None = None,
    needed: pa.Schema | None = None,
    classes: LabelSpace | None = None,
) -> Iterator[pa.RecordBatch]:
    """The rows of Parquet files in order, one row group in memory at a time (`iter_batches` would read ahead).

    With `needed`, the files must have these columns, and their values must be sound (see `record.check_rows`). Raises
    RunError as `open_parquet` does.
    """
    for path in paths:
        with open_parquet(path, needed) as file:
            for group in range(file.num_row_groups):
                for batch in file.read_row_group(group, columns=columns, use_threads=False).to_batches():
                    if needed is not None:
                        check_rows(batch, classes)
                    yield batch


def record_batches(
    folder: Path, manifest: Manifest, columns: list[str] | None = None, shards: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of a set, or of some of its shards, as `read_groups` reads and checks them."""
    paths = [folder / name for name in (manifest.shards() if shards is None else shards)]
    return read_groups(paths, columns, RECORDS[manifest.kind](manifest.classes).arrow_schema, manifest.classes)


def unfinished_spec(folder: Path) -> dict[str, Any] | None:
    """The spec of the unfinished run in a folder without a finished set; None if there is none.

    Raises:
        InputError: if it cannot be read.
    """
    begun = None if (folder / MANIFEST_NAME).exists() else RunStore(folder, MANIFEST_NAME).begun()
    return None if begun is None else dict(begun.get("spec", {}))


def listed(items: Sequence[str], separator: str = ", ") -> str:
    """The first few of many, and how many more there are."""
    more = f"{separator}and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return separator.join(items[:_NAMED]) + more


def unknown_files(folder: Path, known: Collection[str]) -> Iterator[str]:
    """Files and links that are not among `known`, except those of an unfinished run and of `NOT_OURS`."""
    unfinished = (folder / WORK_NAME).is_dir()
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        skipped = relative.parts[0] == WORK_NAME or not NOT_OURS.isdisjoint(relative.parts)
        skipped |= unfinished and is_temporary(path)  # half of a file that a run was writing when it was killed
        if not skipped and relative.as_posix() not in known and (path.is_symlink() or not path.is_dir()):
            yield relative.as_posix()


def _check_kind(folder: Path, what: str, there: str, wanted: str) -> None:
    """InputError for a set of another kind; its settings need not be compared."""
    if there != wanted:
        raise InputError(
            f"{folder} holds {what} {there} set, and this would be a {wanted} set: choose another folder, or delete "
            "this one."
        )


def _visible_files(folder: Path) -> Iterator[str]:
    """Sorted names in a folder without those of `NOT_OURS`, and the files in its folders for data and card images."""
    for path in sorted(folder.iterdir()) if folder.exists() else ():
        if path.name in (DATA_FOLDER, ASSETS_FOLDER) and path.is_dir():
            yield from (f"{path.name}/{name}" for name in _visible_files(path))
        elif path.name not in NOT_OURS:
            yield path.name
