"""What is asked for and what would be done, as text and as JSON.

Everything that can be rejected is rejected here, before any upload.
"""

import json
import re
from dataclasses import dataclass
from shlex import quote
from typing import Any

from huggingface_hub import HfApi, RepoCard

from stackwalls.hub_cards.cards.card_check import check_card
from stackwalls.hub_cards.layout import CARD_NAME, listed
from stackwalls.hub_cards.manifest import RESULTS_KIND
from stackwalls.hub_cards.publishing.publishable import PublishableFolder, read_publishable
from stackwalls.hub_cards.publishing.repository import (
    Account,
    Changes,
    Repository,
    check_may_write,
    compare,
    find_account,
    is_reachable,
    look,
    token_of,
)
from stackwalls.model import LOG_IN, HubId, InputError, first_line, hub_failures, quiet_client, retried, status_of

_REVISION = re.compile(r"[\w][\w./-]*")
_NO_PIXELS = "none: the report, the figures and the sample images show pixels, and stay on this machine"
_SLUG = re.compile(r"[^/\s]+/[^/\s]+")


@dataclass(frozen=True)
class PublishSpec:
    """What is to be published, and how.

    Attributes:
        folder: a finished folder of a dataset, a model, published results or a leaderboard.
        repository: `user/name`.
        gated: put the files behind an access request; you grant each request by hand.
        private: make the repository visible to its owners only.
        tag: for the commit, such as "v1.0".
        revision: the branch.
        collection: slug of a collection to add the repository to.

    Raises:
        InputError: if a name is not valid on the Hub.
    """

    folder: str
    repository: str
    gated: bool = False
    private: bool = False
    tag: str | None = None
    revision: str = "main"
    collection: str | None = None

    def __post_init__(self) -> None:
        if HubId.parse(self.repository) != HubId(self.repository):
            raise InputError(f"Expected the repository as user/name, but got {self.repository!r}.")
        for what, name in (("tag", self.tag), ("revision", self.revision)):
            if name is not None and not _REVISION.fullmatch(name):
                raise InputError(f"Expected the {what} as a name such as v1.0, but got {name!r}.")
        if self.collection is not None and not _SLUG.fullmatch(self.collection):
            expected = "Expected the collection's slug, user/title-0123456789ab as in its address"
            raise InputError(f"{expected}, but got {self.collection!r}.")


@dataclass(frozen=True)
class Plan:
    """What publishing would do, given the folder and the repository as they are now.

    Attributes:
        account: whose token it is; None without a token.
        license: what the card states, by name if the Hub has no identifier for it.
        endpoint: the Hub's address.
        reached: whether the Hub was asked; if not, `there` is an empty repository.
    """

    spec: PublishSpec
    folder: PublishableFolder
    there: Repository
    changes: Changes
    account: Account | None
    license: str
    endpoint: str
    reached: bool = True

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
        kind = self.folder.repository_kind
        return f"{self.endpoint}/{'' if kind == 'model' else f'{kind}s/'}{self.spec.repository}"

    @property
    def visibility(self) -> str:
        """Who will be able to read the files."""
        if self.private:
            return "its owners only (private)" + (", and then by access request (gated)" if self.gated else "")
        return "people whose access request you grant (gated)" if self.gated else "everybody (public)"

    def to_text(self) -> str:
        """What would be done: files, sizes, visibility, license, and what is left alone."""
        changes, folder = self.changes, self.folder
        rows = [(change, file.name, file.scan.size) for change, file in changes.local()]
        rows += [("deleted", name, self.there.files[name].size) for name in changes.deleted]
        width = max(len(name) for _, name, _ in rows)
        total = size_text(sum(file.scan.size for file in changes.sent))
        sent = f"{len(changes.sent)} of {len(folder.files)} files, {total}, in one commit"
        untouched = f"{listed(changes.untouched)} (on the Hub, not created by this package)"
        left_out = f"{listed(folder.left_out)} (in the folder, but not part of it as it was made)"
        account = self.account and f"{self.account.name} ({self.account.role} token)"
        facts = {
            "Sent": sent if changes else "nothing: the branch already holds this folder",
            "Repository": self._repository(),
            "Visible to": self.visibility,
            "License": self.license,
            "Tag": self.spec.tag,
            "Collection": self.spec.collection,
            "Account": account or f"none: {LOG_IN}, before you publish",
            "Untouched": changes.untouched and untouched,
            "Pixels": _NO_PIXELS if folder.kind == RESULTS_KIND else "",
            "Left out": folder.left_out and left_out,
        }
        lines = [f"{folder.path} → {self.url} ({folder.kind}, branch {self.spec.revision})", ""]
        lines += [f"  {change:<9}  {name:<{width}}  {size_text(size):>9}" for change, name, size in rows]
        return "\n".join([*lines, "", *(f"{name + ':':<13}{value}" for name, value in facts.items() if value)])

    def _repository(self) -> str:
        """Whether the repository exists, and what will change of it besides its files."""
        if not self.reached:
            return "not known, because the Hub cannot be reached: what is there already would not be sent"
        if not self.there.exists:
            return "new"
        changed = {
            "made private": self.spec.private and not self.there.private,
            "made gated": self.spec.gated and not self.there.gated,
            f"new branch {self.spec.revision}": not self.there.head,
        }
        return ", ".join(["exists", *(what for what, will in changed.items() if will)])

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON values."""
        changes, there = self.changes, self.there
        files: list[dict[str, Any]] = [
            {"path": file.name, "bytes": file.scan.size, "sha256": file.scan.sha256, "change": change}
            for change, file in changes.local()
        ]
        files += [{"path": name, "bytes": there.files[name].size, "change": "deleted"} for name in changes.deleted]
        return {
            "folder": str(self.folder.path),
            "kind": self.folder.kind,
            "repository": self.spec.repository,
            "repository_type": self.folder.repository_kind,
            "url": self.url,
            "revision": self.spec.revision,
            "exists": there.exists if self.reached else None,
            "private": self.private,
            "gated": self.gated,
            "licence": self.license,  # the key that programs know
            "tag": self.spec.tag,
            "collection": self.spec.collection,
            "account": self.account.name if self.account else None,
            "files": sorted(files, key=lambda file: str(file["path"])),
            "bytes_to_send": sum(file.scan.size for file in changes.sent),
            "untouched": list(changes.untouched),
            "left_out": list(self.folder.left_out),
        }


def plan_publication(spec: PublishSpec, api: HfApi | None = None, *, unreached: bool = False) -> Plan:
    """Read the folder and the repository, and reject what must not or cannot be published.

    Args:
        spec: what is asked for.
        api: the client.
        unreached: whether a plan is wanted, at once, if the Hub cannot be reached or `HF_HUB_OFFLINE` is set.

    Raises:
        InputError: if the folder, its card, the tag or the collection is not fit; the message says what to do.
        RunError: if the Hub cannot be reached, or the token may not write there.
    """
    api = api or HfApi()
    token = token_of(api)
    folder = read_publishable(spec.folder, [token] if token else [])
    _check_terms(spec, folder)
    check_card(folder.path / CARD_NAME, folder.repository_kind)
    card = RepoCard(folder.card, ignore_metadata_errors=True)
    stated = card.data.get("license_name" if card.data.get("license") == "other" else "license")
    empty = Repository(folder.repository_kind, spec.repository)
    with hub_failures("publish to", folder.repository_kind, spec.repository), quiet_client():
        if unreached and not is_reachable(api):
            changes = compare(folder, empty)
            return Plan(spec, folder, empty, changes, None, str(stated or ""), api.endpoint, reached=False)
        account = find_account(api)
        _validate(card, folder)
        there = look(api, folder.repository_kind, spec.repository, spec.revision)
        if account is not None:
            check_may_write(api, account, there)
        changes = compare(folder, there)
        _check_tag(spec, there, changes)
        _check_collection(api, spec)
    return Plan(spec, folder, there, changes, account, str(stated or ""), api.endpoint)


def size_text(count: int) -> str:
    """A number of bytes as people read it: "1.2 MB"."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} B"


def _validate(card: RepoCard, folder: PublishableFolder) -> None:
    """Let the Hub check the card, as it does again when the card is committed."""
    try:
        retried(card.validate, repo_type=folder.repository_kind)
    except ValueError as error:  # the Hub's answer, of which the client makes nothing
        try:
            reason = "; ".join(str(problem["message"]) for problem in json.loads(str(error))["errors"])
        except (ValueError, KeyError, TypeError):
            reason = first_line(error)
        raise InputError(f"The Hub does not accept the card of {folder.path}: {reason}.") from error


def _check_terms(spec: PublishSpec, folder: PublishableFolder) -> None:
    if spec.gated and folder.repository_kind == "space":
        raise InputError("A Space has no access requests: leave out --gated, or restrict it to its owners (--private).")
    if folder.manifest is None or not folder.holds_foreign_pixels or spec.gated:
        return
    if folder.manifest.inputs.get("licence") and not folder.holds_imagenet:
        return  # images of the publisher's own, or under a license that lets them be passed on
    source = folder.manifest.spec["source"]
    if not folder.holds_imagenet and not folder.manifest.classes.is_imagenet:
        raise InputError(
            f"{folder.path} holds pixels of {source!r}, and its card does not state their license: state it with "
            "--license. Without the right to pass the images on, publish it with --recipe (ids, crops and hashes, no "
            "pixels) or --gated (behind an access request that you grant)."
        )
    yours = "" if folder.holds_imagenet else " If the images are not ImageNet's, state their license with --license."
    raise InputError(
        f"{folder.path} holds pixels of {source!r}, and ImageNet's terms forbid giving its images to people who "
        "have not accepted them. Publish it with --recipe (ids, crops and hashes, no pixels) or --gated (behind an "
        f"access request that you grant).{yours}"
    )


def _check_tag(spec: PublishSpec, there: Repository, changes: Changes) -> None:
    stands_for = there.tags.get(spec.tag or "")
    if stands_for and (changes or stands_for != there.head):
        raise InputError(
            f"{there.name} already has the tag {spec.tag}, on another commit ({stands_for[:8]}): choose another tag, "
            "or delete that one first "
            f"(hf repos tag delete {there.name} {quote(str(spec.tag))} --repo-type {there.kind})."
        )


def _check_collection(api: HfApi, spec: PublishSpec) -> None:
    if spec.collection is None:
        return
    try:
        retried(api.get_collection, spec.collection)
    except Exception as error:
        if status_of(error) not in (401, 404):
            raise
        raise InputError(
            f"There is no collection {spec.collection} on the Hub that your token can see: create it there first, and "
            "copy the slug from its address."
        ) from error
