"""What lies where in a dataset folder, and what a folder is: new, unfinished, finished, or something else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackwalls.hub_cards.manifest import MANIFEST_NAME, Manifest, differences
from stackwalls.hub_cards.parts import WORK_NAME, WorkFolder
from stackwalls.hub_cards.shards import DATA_FOLDER
from stackwalls.hub_cards.whole_files import is_temporary
from stackwalls.model import InputError

CARD_NAME = "README.md"
REJECTED_NAME = "rejected.parquet"

NOT_OURS = frozenset({".git", ".gitattributes", ".cache", ".DS_Store", "Thumbs.db", "desktop.ini"})
"""What git, the Hub's client and file managers put into a folder; passed over, never removed."""

_SHARD = re.compile(r"test-\d{5}-of-\d{5}\.parquet")
_NAMED = 5
"""How many differences or names a message gives."""


def visible_names(folder: Path) -> list[str]:
    """Sorted names in a folder, without those of `NOT_OURS`."""
    return sorted(path.name for path in folder.iterdir() if path.name not in NOT_OURS)


def check_admissible(folder: Path, run: Mapping[str, Any]) -> Manifest | None:
    """Whether `run` may be written to `folder`; reads, and touches nothing.

    Args:
        folder: may be missing.
        run: "kind", "spec", "versions" and "format" of what is to be written.

    Returns:
        The manifest where the folder is finished with the same kind and spec; None where it is new, empty or
        unfinished with the same run.

    Raises:
        InputError: in every other case; the message says what differs and the way out.
    """
    if not folder.exists():
        return None
    if not folder.is_dir():
        raise InputError(f"{folder} is a file: choose a new or empty folder for the dataset.")
    names = visible_names(folder)
    if MANIFEST_NAME in names:
        return _check_finished(folder, run)
    work = WorkFolder(folder)
    begun = work.read_run() if WORK_NAME in names else None
    strange = [name for name in _files_below(folder, names) if not _is_part_of_a_run(name, begun is not None)]
    if strange:
        raise InputError(
            f"{folder} holds something else ({_listed(strange)}): choose a new or empty folder for the dataset."
        )
    # a run without a whole part has nothing to lose: another may take its place
    if begun is not None and work.has_parts() and (found := differences(begun, run)):
        raise InputError(
            f"{folder} holds an unfinished run with other settings: {_listed(found, '; ')}. Finish it with its own "
            "settings, choose another folder, or delete this one."
        )
    return None


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


def clear_data_folder(data: Path) -> None:
    """Remove shards, and what a kill left of them, from the data folder of an unfinished run."""
    for path in data.iterdir():
        if _SHARD.fullmatch(path.name) or is_temporary(path):
            path.unlink()


def _check_finished(folder: Path, run: Mapping[str, Any]) -> Manifest:
    manifest = Manifest.read(folder)
    there = {"kind": manifest.kind, "spec": manifest.spec}
    if found := differences(there, {"kind": run["kind"], "spec": run["spec"]}):
        raise InputError(
            f"{folder} holds a finished dataset with other settings: {_listed(found, '; ')}. Choose another folder, "
            "or delete this one."
        )
    check_present(folder, manifest)
    return manifest


def _files_below(folder: Path, names: list[str]) -> list[str]:
    """The names, with those in the data folder spelled out."""
    data = folder / DATA_FOLDER
    inside = [f"{DATA_FOLDER}/{name}" for name in visible_names(data)] if data.is_dir() else []
    return [name for name in names if name != DATA_FOLDER or not data.is_dir()] + inside


def _is_part_of_a_run(name: str, begun: bool) -> bool:
    """Whether a run that is not finished may have written `name`; before it is begun that is the work folder."""
    if name == WORK_NAME:
        return True
    path = Path(name)
    ours = path.name in (CARD_NAME, REJECTED_NAME) or bool(_SHARD.fullmatch(path.name)) or is_temporary(path)
    return begun and ours


def _listed(items: list[str], separator: str = ", ") -> str:
    more = f"{separator}and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return separator.join(items[:_NAMED]) + more
