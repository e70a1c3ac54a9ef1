"""What is asked for, and what would be done; whatever can be refused is refused here, before anything is sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import Any

from huggingface_hub import HfApi, RepoCard
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils._http import get_session, hf_raise_for_status

from stackwalls.hub_cards.cards import check_card
from stackwalls.hub_cards.layout import CARD_NAME
from stackwalls.hub_cards.publishing.access import Account, check_may_write, find_account, token_of
from stackwalls.hub_cards.publishing.changes import Changes, compare
from stackwalls.hub_cards.publishing.hub_failures import (
    Patience,
    first_line,
    hub_sentences,
    quiet_client,
    retried,
    status_of,
)
from stackwalls.hub_cards.publishing.publishable import PublishableFolder, read_publishable
from stackwalls.hub_cards.publishing.repository import Repository, look
from stackwalls.model import InputError

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_REVISION = re.compile(r"[\w][\w./-]*")
_SLUG = re.compile(r"[^/\s]+/[^/\s]+")


@dataclass(frozen=True)
class PublishSpec:
    """A publication.

    Attributes:
        folder: a finished dataset or model folder.
        repository: `user/name`.
        gated: put the files behind the Hub's access request, each to be granted by hand.
        private: show the repository to its owners only.
        tag: of the commit, such as "v1.0".
        revision: the branch.
        collection: slug of a collection that the repository is added to.

    Raises:
        InputError: if a name cannot be one on the Hub.
    """

    folder: str
    repository: str
    gated: bool = False
    private: bool = False
    tag: str | None = None
    revision: str = "main"
    collection: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.repository):
            raise InputError(f"Expected the repository as user/name, but got {self.repository!r}.")
        for what, name in (("tag", self.tag), ("revision", self.revision)):
            if name is not None and not _REVISION.fullmatch(name):
                raise InputError(f"Expected the {what} as a name such as v1.0, but got {name!r}.")
        if self.collection is not None and not _SLUG.fullmatch(self.collection):
            raise InputError(
                f"Expected the collection's slug, user/title-0123456789ab as in its address, but got "
                f"{self.collection!r}."
            )


@dataclass(frozen=True)
class Plan:
    """What publishing would do, by what lies here and there now.

    Attributes:
        spec: what was asked for.
        folder: what goes up.
        there: the repository as it is.
        changes: between the two.
        account: whose token it is; None without one.
        licence: what the card states.
        endpoint: the Hub's address.
    """

    spec: PublishSpec
    folder: PublishableFolder
    there: Repository
    changes: Changes
    account: Account | None
    licence: str
    endpoint: str

    @property
    def gated(self) -> bool:
        """Whether the files will be behind an access request."""
        return self.spec.gated or self.there.gated

    @property
    def private(self) -> bool:
        """Whether the repository will be private."""
        return self.spec.private or self.there.private

    @property
    def url(self) -> str:
        """The repository's page."""
        prefix = "datasets/" if self.folder.repository_kind == "dataset" else ""
        return f"{self.endpoint}/{prefix}{self.spec.repository}"


def plan_publication(spec: PublishSpec, api: HfApi | None = None, patience: Patience | None = None) -> Plan:
    """Read the folder, look at the repository, and refuse whatever must not or cannot be published.

    Args:
        spec: what is asked for.
        api: the client; by default one with the user's own token and endpoint.
        patience: with passing failures.

    Raises:
        InputError: if the folder, its card, the tag or the collection will not do; the message says what to do.
        RunError: if the Hub cannot be reached, or the token may not write there.
    """
    api, patience = api or HfApi(), patience or Patience()
    token = token_of(api)
    folder = read_publishable(spec.folder, [token] if token else [])
    _check_terms(spec, folder)
    check_card(folder.path / CARD_NAME, folder.repository_kind)
    with hub_sentences("publish to", spec.repository), quiet_client():
        account = retried(partial(find_account, api), patience)
        retried(partial(validate_card, api, folder), patience)
        there = look(api, folder.repository_kind, spec.repository, spec.revision, patience)
        if account is not None:
            retried(partial(check_may_write, api, account, there), patience)
        changes = compare(folder, there)
        _check_tag(spec, there, changes)
        retried(partial(_check_collection, api, spec), patience)
    return Plan(spec, folder, there, changes, account, licence_of(folder.card), api.endpoint)


def validate_card(api: HfApi, folder: PublishableFolder) -> None:
    """Let the Hub check the card, as it will do when the card is committed.

    Raises:
        InputError: if it turns the card down.
    """
    asked = {"repoType": folder.repository_kind, "content": folder.card}
    response = get_session().post(f"{api.endpoint}/api/validate-yaml", json=asked)
    try:
        hf_raise_for_status(response)
    except HfHubHTTPError as error:
        if status_of(error) != 400:
            raise
        told = [str(problem.get("message")) for problem in _errors(response)] or [first_line(error)]
        raise InputError(f"The Hub does not accept the card of {folder.path}: {'; '.join(told)}.") from error


def licence_of(card: str) -> str:
    """The licence that a card states, by name where the Hub has no identifier for it; empty where it states none."""
    fields = RepoCard(card, ignore_metadata_errors=True).data
    licence = fields.get("license") or ""
    return str(fields.get("license_name") or licence if licence == "other" else licence)


def _errors(response: Any) -> list[dict[str, Any]]:
    try:
        found = response.json().get("errors", [])
    except (ValueError, AttributeError):
        return []
    return [problem for problem in found if isinstance(problem, dict)]


def _check_terms(spec: PublishSpec, folder: PublishableFolder) -> None:
    if folder.holds_foreign_pixels and not spec.gated and folder.manifest is not None:
        source = folder.manifest.spec["source"]
        raise InputError(
            f"{folder.path} holds pixels of {source!r}, and ImageNet's terms forbid giving its images to people who "
            "have not accepted them: publish with --recipe (ids, crops and hashes, no pixels) or --gated (behind an "
            "access request that you grant)."
        )


def _check_tag(spec: PublishSpec, there: Repository, changes: Changes) -> None:
    stands_for = there.tags.get(spec.tag or "")
    if stands_for and (changes or stands_for != there.head):
        raise InputError(
            f"The tag {spec.tag} of {there.name} is there and stands for another commit ({stands_for[:8]}): choose "
            f"another tag, or delete that one first (hf repos tag delete {there.name} {spec.tag} --repo-type "
            f"{there.kind})."
        )


def _check_collection(api: HfApi, spec: PublishSpec) -> None:
    if spec.collection is None:
        return
    try:
        api.get_collection(spec.collection)
    except HfHubHTTPError as error:
        if status_of(error) not in (401, 404):
            raise
        raise InputError(
            f"There is no collection {spec.collection} on the Hub that your token may see: make it there first, and "
            "copy its slug from its address."
        ) from error
