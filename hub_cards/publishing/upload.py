"""`publish`: the repository as it was asked for, one commit, a check of every file, the tag, the collection."""

from functools import partial
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

from stackwalls.hub_cards.layout import listed
from stackwalls.hub_cards.publishing.plan import Plan
from stackwalls.hub_cards.publishing.repository import check_may_write, compare, files_at, look
from stackwalls.model import RunError, hub_answers, hub_failures, quiet_client, retried


def publish(plan: Plan, api: HfApi | None = None) -> str:
    """Do what a plan says. Safe to kill and repeat at any point: a second call does only what is left.

    Access is restricted before the first file is sent. The branch shows the old files or the new ones, never some of
    each. What was committed is compared with the folder by checksum before a tag or a collection names it.

    Returns:
        The commit that holds the folder.

    Raises:
        InputError: if the repository came to hold something else after the plan was made.
        RunError: if the Hub refuses, or cannot be reached after all retries.
    """
    api, spec, kind = api or HfApi(), plan.spec, plan.folder.repository_kind
    with hub_failures("publish to", kind, spec.repository), quiet_client():
        if plan.account is None:
            check_may_write(api, None, plan.there)
        _prepare(api, plan)
        commit = retried(_commit, api, plan)
        if spec.tag is not None:
            retried(_tag, api, plan, spec.tag, commit)
        if spec.collection is not None:
            retried(api.add_collection_item, spec.collection, spec.repository, kind, exists_ok=True)
    return commit


def _prepare(api: HfApi, plan: Plan) -> None:
    """Create and restrict the repository and create the branch, as far as this is left to do."""
    spec, there = plan.spec, plan.there
    where: dict[str, Any] = {"repo_id": spec.repository, "repo_type": plan.folder.repository_kind}
    if not there.exists:
        private = spec.private or None  # None: as the namespace's settings say
        sdk = "static" if plan.folder.repository_kind == "space" else None
        retried(api.create_repo, exist_ok=True, private=private, space_sdk=sdk, **where)
    if spec.private and there.exists and not there.private:
        retried(api.update_repo_settings, private=True, **where)
    if spec.gated and not there.gated:
        retried(api.update_repo_settings, gated="manual", **where)
    if not there.head and spec.revision != "main":
        retried(api.create_branch, branch=spec.revision, exist_ok=True, **where)


def _commit(api: HfApi, plan: Plan) -> str:
    """Bring the branch to hold the folder by one commit, or by none if it does already; its hash.

    Each try reads the branch again: repeating a commit blindly would make it twice if only the answer was lost. Not
    `upload_folder`: with xet it makes several commits, and the branch shows half a set.
    """
    folder, spec, kind = plan.folder, plan.spec, plan.folder.repository_kind
    final = partial(hub_failures, "publish to", kind, spec.repository)  # of reads, which are retried themselves
    with final():
        there = look(api, kind, spec.repository, spec.revision)
    changes = compare(folder, there)
    if not changes:
        return there.head
    deletions = [CommitOperationDelete(name) for name in changes.deleted]
    additions = [CommitOperationAdd(file.name, file.path) for file in changes.sent]
    commit = api.create_commit(
        spec.repository,
        [*deletions, *additions],
        commit_message=f"{folder.kind}, as made by stackwalls",
        repo_type=kind,
        revision=spec.revision,
        parent_commit=there.head,  # another client's commit is not overwritten unseen
    ).oid
    with final():
        files = files_at(api, kind, spec.repository, commit)
    wrong = [file.name for file in folder.files if file.name not in files or not files[file.name].holds(file)]
    if wrong:
        what = f"{spec.repository} at {commit[:8]} differs from {folder.path}: {listed(wrong)}"
        raise RunError(f"{what}. Run the same command again.")
    return str(commit)


@hub_answers()
def _tag(api: HfApi, plan: Plan, tag: str, commit: str) -> None:
    """Tag the commit, unless an earlier try already did."""
    name, kind = plan.spec.repository, plan.folder.repository_kind
    tags = {ref.name: ref.target_commit for ref in api.list_repo_refs(name, repo_type=kind).tags}
    if tags.get(tag) != commit:
        api.create_tag(name, tag=tag, revision=commit, repo_type=kind)
