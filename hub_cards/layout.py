"""What lies where in a dataset folder, and what a folder is: new, unfinished, finished, or something else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackwalls.hub_cards.manifest import MANIFEST_NAME, Manifest, differences
from stackwalls.hub_cards.parts import WORK_NAME, WorkFolder
from stackwalls.hub_cards.shards import DATA_FOLDER
from stackwalls.model import InputError
from stackwalls.model.files import is_temporary

CARD_NAME = "README.md"
REJECTED_NAME = "rejected.parquet"

ASSETS_FOLDER = "assets"
"""The pictures that a card shows."""

ASSET_NAMES = tuple(f"{ASSETS_FOLDER}/{name}" for name in ("wall.png", "examples.png"))

REVIEW_NAME = ".review"
"""Name of the folder inside the dataset folder that holds what a person decided; no part of the set."""

NOT_OURS = frozenset({".git", ".gitattributes", ".cache", ".DS_Store", "Thumbs.db", "desktop.ini", REVIEW_NAME})
"""What git, the Hub's client, file managers and a review put into a folder; passed over, never removed."""

BASE = "base"
"""Key in the file of a begun run: SHA-256 of the manifest of the finished set that it replaces."""

_SHARD = re.compile(r"test-\d{5}-of-\d{5}\.parquet")
_NAMED = 5
"""How many differences or names a message gives."""


def visible_names(folder: Path) -> list[str]:
    """Sorted names in a folder, without those of `NOT_OURS`."""
    return sorted(path.name for path in folder.iterdir() if path.name not in NOT_OURS)


def check_admissible(folder: Path, run: Mapping[str, Any], replaces: Manifest | None = None) -> Manifest | None:
    """Whether `run` may be written to `folder`; reads, and touches nothing.

    Args:
        folder: may be missing.
        run: "kind", "spec", "versions" and "format" of what is to be written.
        replaces: of a finished set with another spec that may be there and give way.

    Returns:
        The manifest where the folder is finished with the same kind and spec; None where it is new, empty,
        unfinished with the same run, or holds the set that gives way.

    Raises:
        InputError: in every other case; the message says what differs and the way out.
    """
    if not folder.exists():
        return None
    if not folder.is_dir():
        raise InputError(f"{folder} is a file: choose a new or empty folder for the dataset.")
    names = visible_names(folder)
    if MANIFEST_NAME in names:
        return _check_finished(folder, run, replaces)
    work = WorkFolder(folder)
    begun = work.read_run() if WORK_NAME in names else None
    check_strangers(folder, begun is not None)
    # a run without a whole part has nothing to lose: another may take its place
    if begun is None or not work.has_parts():
        return None
    check_same_kind(folder, "an unfinished", str(begun.get("kind")), run["kind"])
    if found := differences(_without_base(begun), run):
        raise InputError(
            f"{folder} holds an unfinished run with other settings: {listed(found, '; ')}. Finish it with its own "
            "settings, choose another folder, or delete this one."
        )
    return None


def check_strangers(folder: Path, begun: bool) -> None:
    """A folder without a manifest holds nothing but what a run has written.

    Args:
        folder: may be missing.
        begun: whether a run was begun in it.

    Raises:
        InputError: naming what else there is.
    """
    names = visible_names(folder) if folder.exists() else []
    strange = [name for name in _files_below(folder, names) if not _is_part_of_a_run(name, begun)]
    if strange:
        raise InputError(
            f"{folder} holds something else ({listed(strange)}): choose a new or empty folder for the dataset."
        )


def check_same_kind(folder: Path, what: str, there: str, wanted: str) -> None:
    """Where a folder holds a set of another kind, its settings need not be compared.

    Raises:
        InputError: if it does.
    """
    if there != wanted:
        raise InputError(
            f"{folder} holds {what} {there} set, and this would be a {wanted} set: choose another folder, or delete "
            "this one."
        )


def check_present(folder: Path, manifest: Manifest) -> None:
    """Every file of the manifest is there and has its size; hashes are for `verify`.

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
            f"make the dataset anew (`stackgen verify {folder}` lists everything that is wrong)."
        )


def clear_data_folder(data: Path, *, shards: bool = True) -> None:
    """Remove shards (unless they are a finished set's), and what a kill left of others, from the data folder."""
    for path in data.iterdir():
        if (shards and _SHARD.fullmatch(path.name)) or is_temporary(path):
            path.unlink()


def unfinished_spec(folder: Path) -> dict[str, Any] | None:
    """The spec of the run that was begun in a folder where no finished set stands; None where there is none.

    Raises:
        InputError: if it cannot be read.
    """
    if (folder / MANIFEST_NAME).exists():
        return None
    begun = WorkFolder(folder).read_run()
    return None if begun is None else dict(begun.get("spec", {}))


def _without_base(begun: Mapping[str, Any]) -> dict[str, Any]:
    """What a begun run asks for, whatever set it replaces."""
    return {name: value for name, value in begun.items() if name != BASE}


def _check_finished(folder: Path, run: Mapping[str, Any], replaces: Manifest | None) -> Manifest | None:
    manifest = Manifest.read(folder)
    if manifest == replaces and manifest.kind == run["kind"] and manifest.spec != run["spec"]:
        check_present(folder, manifest)
        return None
    check_same_kind(folder, "a finished", manifest.kind, run["kind"])
    if found := differences({"spec": manifest.spec}, {"spec": run["spec"]}):
        raise InputError(
            f"{folder} holds a finished dataset with other settings: {listed(found, '; ')}. Choose another folder, "
            "or delete this one."
        )
    check_present(folder, manifest)
    return manifest


def _files_below(folder: Path, names: list[str]) -> list[str]:
    """The names, with those in the folders for data and for the card's pictures spelled out."""
    spelled = [name for name in (DATA_FOLDER, ASSETS_FOLDER) if (folder / name).is_dir()]
    inside = [f"{name}/{file}" for name in spelled for file in visible_names(folder / name)]
    return [name for name in names if name not in spelled] + inside


def _is_part_of_a_run(name: str, begun: bool) -> bool:
    """Whether a run that is not finished may have written `name`; before it is begun that is the work folder."""
    if name == WORK_NAME:
        return True
    path = Path(name)
    ours = name in (CARD_NAME, REJECTED_NAME, *ASSET_NAMES) or bool(_SHARD.fullmatch(path.name)) or is_temporary(path)
    return begun and ours


def listed(items: list[str], separator: str = ", ") -> str:
    """The first few of many, and how many more there are."""
    more = f"{separator}and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return separator.join(items[:_NAMED]) + more
