"""Publishing: the repository as it was asked for, the upload, a check of every file, the tag, the collection."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from huggingface_hub import HfApi

from stackwalls.hub_cards.publishing.access import check_may_write
from stackwalls.hub_cards.publishing.changes import Changes
from stackwalls.hub_cards.publishing.hub_failures import Patience, hub_sentences, quiet_client, retried
from stackwalls.hub_cards.publishing.publication import Plan
from stackwalls.hub_cards.publishing.upload import check_uploaded, upload


@dataclass(frozen=True)
class Published:
    """What publishing did.

    Attributes:
        plan: what was asked for, and what lay where.
        commit: that holds the folder now.
        changes: between the folder and the branch before; none where the folder was there already.
    """

    plan: Plan
    commit: str
    changes: Changes


def publish(plan: Plan, api: HfApi | None = None, patience: Patience | None = None) -> Published:
    """Do what a plan says; may be killed and repeated at any point, and repeated does nothing that is done.

    Access is restricted before the first file is sent. The branch shows the old files or the new ones, never some of
    each. What was sent is compared with the folder by checksum before a tag or a collection names it.

    Args:
        plan: as `plan_publication` gives it.
        api: the client; by default one with the user's own token and endpoint.
        patience: with passing failures.

    Raises:
        RunError: if the Hub refuses or cannot be reached, however often it is tried; the same call goes on.
    """
    api, patience, spec = api or HfApi(), patience or Patience(), plan.spec
    with hub_sentences("publish to", spec.repository), quiet_client():
        if plan.account is None:
            check_may_write(api, None, plan.there)
        _prepare(api, plan, patience)
        message = f"{plan.folder.kind}, as made by stackwalls"
        uploaded = upload(api, plan.folder, spec.repository, spec.revision, message, patience)
        retried(partial(check_uploaded, api, plan.folder, spec.repository, uploaded.commit), patience)
        if spec.tag is not None:
            retried(partial(_tag, api, plan, uploaded.commit), patience)
        if spec.collection is not None:
            retried(partial(_collect, api, plan, spec.collection), patience)
    return Published(plan, uploaded.commit, uploaded.changes)


def _prepare(api: HfApi, plan: Plan, patience: Patience) -> None:
    """Make the repository, restrict it, and begin the branch, where that is not so already."""
    spec, there = plan.spec, plan.there
    where: dict[str, Any] = {"repo_id": spec.repository, "repo_type": plan.folder.repository_kind}
    if not there.exists:
        private = spec.private or None  # None: what the namespace's settings say
        retried(partial(api.create_repo, exist_ok=True, private=private, **where), patience)
    if spec.private and there.exists and not there.private:
        retried(partial(api.update_repo_settings, private=True, **where), patience)
    if spec.gated and not there.gated:
        retried(partial(api.update_repo_settings, gated="manual", **where), patience)
    if not there.head and spec.revision != "main":
        retried(partial(api.create_branch, branch=spec.revision, exist_ok=True, **where), patience)


def _tag(api: HfApi, plan: Plan, commit: str) -> None:
    """Tag the commit; a tag that an earlier try left on it is as good."""
    name, kind, tag = plan.spec.repository, plan.folder.repository_kind, str(plan.spec.tag)
    tags = {ref.name: ref.target_commit for ref in api.list_repo_refs(name, repo_type=kind).tags}
    if tags.get(tag) != commit:
        api.create_tag(name, tag=tag, revision=commit, repo_type=kind)


def _collect(api: HfApi, plan: Plan, slug: str) -> None:
    api.add_collection_item(slug, plan.spec.repository, plan.folder.repository_kind, exists_ok=True)
