"""What an upload would change: new, updated, unchanged, deleted and untouched files. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from stackwalls.hub_cards.layout import SHARD, listed
from stackwalls.hub_cards.manifest import RECIPE_KIND
from stackwalls.hub_cards.publishing.publishable import LocalFile, PublishableFolder
from stackwalls.hub_cards.publishing.repository import Repository
from stackwalls.model import InputError

RECIPE_TO_PIXELS = (RECIPE_KIND, "stack-mix")
"""The pixels may replace a recipe (behind a gate), not the other way round."""

READ_AS_ROWS = "data/test-*.parquet"
"""What the card's configuration reads."""


@dataclass(frozen=True)
class Changes:
    """The differences between a folder and a branch.

    Attributes:
        new: files that are not on the branch.
        updated: files that the branch has with other content.
        unchanged: files that the branch has with the same content.
        deleted: names of files of an earlier publication that are not in the folder.
        untouched: names of files that this package did not make; they stay.
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

    def local(self) -> Iterator[tuple[str, LocalFile]]:
        """The folder's files, each with "new", "updated" or "unchanged"."""
        for change in ("new", "updated", "unchanged"):
            yield from ((change, file) for file in getattr(self, change))

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
    others = sorted(there.files.keys() - names - {".gitattributes"})
    # of an earlier publication: listed by its manifest, or one of its shards
    deleted = [n for n in others if n in there.manifest_files or (there.manifest_kind and SHARD.fullmatch(n))]
    untouched = [name for name in others if name not in deleted]
    first = not there.manifest_kind and folder.manifest is not None
    foreign = [*untouched, *(there.files.keys() & names if first else ())]
    rows = sorted(name for name in foreign if fnmatchcase(name, READ_AS_ROWS))
    if folder.repository_kind == "dataset" and rows:
        raise InputError(
            f"{there.name} holds {listed(rows)}, which this package did not put there and which would be read "
            "as rows of this set: choose another name, or delete those files there first."
        )
    known = [(file, there.files.get(file.name)) for file in folder.files]
    return Changes(
        new=tuple(file for file, remote in known if remote is None),
        updated=tuple(file for file, remote in known if remote is not None and not remote.holds(file)),
        unchanged=tuple(file for file, remote in known if remote is not None and remote.holds(file)),
        deleted=tuple(deleted),
        untouched=tuple(untouched),
    )


def _check_kind(folder: PublishableFolder, there: Repository) -> None:
    if there.manifest_kind in ("", folder.kind) or (there.manifest_kind, folder.kind) == RECIPE_TO_PIXELS:
        return
    if (folder.kind, there.manifest_kind) == RECIPE_TO_PIXELS:
        raise InputError(
            f"{there.name} holds the pixels of this set, and they would stay in its history next to the recipe: choose "
            "another name, or delete that repository first."
        )
    raise InputError(
        f"{there.name} holds a {there.manifest_kind} set and {folder.path} a {folder.kind} set: choose another name."
    )
