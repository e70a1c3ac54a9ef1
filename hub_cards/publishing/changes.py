"""What an upload would change: new, updated, unchanged and deleted files, and those that are not touched. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from stackwalls.hub_cards.manifest import RECIPE_KIND
from stackwalls.hub_cards.publishing.publishable import LocalFile, PublishableFolder
from stackwalls.hub_cards.publishing.repository import Repository
from stackwalls.model import InputError

RECIPE_TO_PIXELS = (RECIPE_KIND, "stack-mix")
"""A recipe may be followed by the pixels (behind a gate), not the other way round."""

READ_AS_ROWS = "data/test-*.parquet"
"""What the card's configuration reads: a file too many there would be rows too many."""

_SHARD = re.compile(r"data/test-\d{5}-of-\d{5}\.parquet")
_OF_THE_HUB = frozenset({".gitattributes"})


@dataclass(frozen=True)
class Changes:
    """Between a folder and a branch.

    Attributes:
        new: files that are not there.
        updated: files that are there with another content.
        unchanged: files that are there as they are here.
        deleted: names of files there that an earlier publication left, and this one no longer has.
        untouched: names of files there that are not of this package's making: they stay.
    """

    new: tuple[LocalFile, ...]
    updated: tuple[LocalFile, ...]
    unchanged: tuple[LocalFile, ...]
    deleted: tuple[str, ...]
    untouched: tuple[str, ...]

    @property
    def sent(self) -> tuple[LocalFile, ...]:
        """What has to be uploaded."""
        return (*self.new, *self.updated)

    def __bool__(self) -> bool:
        return bool(self.sent or self.deleted)


def compare(folder: PublishableFolder, there: Repository) -> Changes:
    """What would change on a branch if the folder were published there.

    Raises:
        InputError: if the repository holds something else: another kind of dataset, or Parquet files that would be
            read as rows of this one.
    """
    _check_kind(folder, there)
    names = {file.name for file in folder.files}
    others = sorted(there.files.keys() - names - _OF_THE_HUB)
    deleted = [name for name in others if _is_ours(name, there)]
    untouched = [name for name in others if name not in deleted]
    _check_no_foreign_rows(folder, there, untouched)
    if not there.manifest_kind and folder.manifest is not None:
        _check_no_foreign_rows(folder, there, [name for name in there.files if name in names])
    same = {file.name for file in folder.files if file.name in there.files and there.files[file.name].holds(file)}

    def chosen(wanted: Iterable[str]) -> tuple[LocalFile, ...]:
        inside = set(wanted)
        return tuple(file for file in folder.files if file.name in inside)

    return Changes(
        new=chosen(names - there.files.keys()),
        updated=chosen((names & there.files.keys()) - same),
        unchanged=chosen(same),
        deleted=tuple(deleted),
        untouched=tuple(untouched),
    )


def _is_ours(name: str, there: Repository) -> bool:
    """Whether an earlier publication of this package made a file: its manifest lists it, or it is one of its shards."""
    return name in there.manifest_files or bool(there.manifest_kind and _SHARD.fullmatch(name))


def _check_kind(folder: PublishableFolder, there: Repository) -> None:
    if there.manifest_kind in ("", folder.kind) or (there.manifest_kind, folder.kind) == RECIPE_TO_PIXELS:
        return
    if (folder.kind, there.manifest_kind) == RECIPE_TO_PIXELS:
        raise InputError(
            f"{there.name} holds the pixels of this set, and they would stay in its history beside the recipe: choose "
            "another name, or delete that repository first."
        )
    raise InputError(
        f"{there.name} holds a {there.manifest_kind} set and {folder.path} a {folder.kind} set: choose another name."
    )


def _check_no_foreign_rows(folder: PublishableFolder, there: Repository, names: list[str]) -> None:
    foreign = [name for name in names if fnmatchcase(name, READ_AS_ROWS)]
    if folder.repository_kind == "dataset" and foreign:
        raise InputError(
            f"{there.name} holds {', '.join(foreign[:3])}, which this package did not put there and which would be "
            "read as rows of this set: choose another name, or delete those files there first."
        )
