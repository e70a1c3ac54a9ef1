"""The files of a publication: large ones first, a few at a time, then one commit of everything."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

from stackwalls.hub_cards.publishing.changes import Changes, compare
from stackwalls.hub_cards.publishing.hub_failures import Patience, passing, retried
from stackwalls.hub_cards.publishing.publishable import PublishableFolder
from stackwalls.hub_cards.publishing.repository import Repository, files_at, look
from stackwalls.model import RunError

AT_ONCE = 8
"""Large files of one step; a failure repeats at most these, and what is there already is not sent again."""


@dataclass(frozen=True)
class Uploaded:
    """What an upload did.

    Attributes:
        commit: the branch's commit that holds the folder.
        changes: between the folder and the branch before.
    """

    commit: str
    changes: Changes


def upload(api: HfApi, folder: PublishableFolder, name: str, branch: str, message: str, patience: Patience) -> Uploaded:
    """Bring a branch to hold the folder, by one commit, or by none where it does already.

    Large files go to the Hub's store first, where nothing refers to them yet; so the branch shows the old files until
    the commit and all the new ones after it. Each try looks at the branch anew and commits onto what it saw: a commit
    whose answer was lost is found done, not made twice, and somebody else's commit is not overwritten unseen.

    Raises:
        InputError: if the repository came to hold something else meanwhile.
        RunError: if the branch still differs after every try.
        Exception: what the client raises where another try would not help.
    """
    first: Changes | None = None
    for tried in range(1, patience.tries + 1):
        there = look(api, folder.repository_kind, name, branch, patience)
        changes = compare(folder, there)
        first = first or changes
        if not changes:
            return Uploaded(there.head, first)
        try:
            return Uploaded(_commit(api, there, changes, message, patience), first)
        except Exception as error:
            if not passing(error) or tried == patience.tries:
                raise
            patience.pause(tried, error)
    raise RunError(f"{name} still differs from {folder.path}: run the same command again.")


def check_uploaded(api: HfApi, folder: PublishableFolder, name: str, commit: str) -> None:
    """Compare every file of a commit with the folder, by checksum.

    Raises:
        RunError: naming the files that differ.
    """
    files = files_at(api, folder.repository_kind, name, commit)
    wrong = [file.name for file in folder.files if file.name not in files or not files[file.name].holds(file)]
    if wrong:
        raise RunError(
            f"{name} at {commit[:8]} does not hold what {folder.path} does: {', '.join(wrong[:5])}. Run the same "
            "command again."
        )


def _commit(api: HfApi, there: Repository, changes: Changes, message: str, patience: Patience) -> str:
    """The commit's hash."""
    additions = [CommitOperationAdd(file.name, file.path) for file in changes.sent]
    for start in range(0, len(additions), AT_ONCE):
        send = partial(
            api.preupload_lfs_files,
            there.name,
            additions[start : start + AT_ONCE],
            repo_type=there.kind,
            revision=there.branch,
            free_memory=False,  # the commit that follows needs them
        )
        retried(send, patience)
    send = partial(
        api.create_commit,
        there.name,
        [*map(CommitOperationDelete, changes.deleted), *additions],
        commit_message=message,
        repo_type=there.kind,
        revision=there.branch,
        parent_commit=there.head,
    )
    try:
        return str(send().oid)
    except Exception as error:
        if not passing(error) or _head(api, there, patience) != there.head:
            raise
        patience.pause(1, error)
        return str(send().oid)  # nothing was committed meanwhile, so nothing can be committed twice


def _head(api: HfApi, there: Repository, patience: Patience) -> str | None:
    """The branch's last commit now."""
    refs = retried(partial(api.list_repo_refs, there.name, repo_type=there.kind), patience)
    return next((ref.target_commit for ref in refs.branches if ref.name == there.branch), None)
