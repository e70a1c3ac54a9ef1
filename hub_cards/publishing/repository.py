"""What a repository on the Hub holds now, what a folder would change there, and whether the user's token may do it."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants, get_session, get_token
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils.sha import git_hash

from stackwalls.hub_cards.layout import SHARD, listed
from stackwalls.hub_cards.manifest import MANIFEST_NAME, RECIPE_KIND
from stackwalls.hub_cards.publishing.publishable import LocalFile, PublishableFolder
from stackwalls.model import LOG_IN, InputError, RunError, hub_answers, quotable, retried
from stackwalls.model.hub.failures import RepositoryKind, is_connection_failure

RECIPE_TO_PIXELS = (RECIPE_KIND, "stack-mix")
"""The pixels may replace a recipe (behind a gate), not the other way round."""


@dataclass(frozen=True)
class RemoteFile:
    """A file on the Hub: its SHA-256 if it is a large object, and git's hash of it."""

    size: int
    sha256: str
    git_oid: str

    def holds(self, file: LocalFile) -> bool:
        """Whether the content is that of a local file."""
        if self.sha256:
            return self.sha256 == file.scan.sha256
        return self.size == file.scan.size and self.git_oid == git_hash(file.path.read_bytes())


@dataclass(frozen=True)
class Repository:
    """One repository, as this token sees it at one moment.

    Attributes:
        name: `user/name`.
        head: last commit of the branch; empty if there is no such branch.
        files: of that commit, by path.
        tags: name → commit.
        manifest_kind: the kind that the manifest in that commit states; empty if there is no manifest.
        manifest_files: the files that it lists, and itself.
        sdk: of a Space.
    """

    kind: RepositoryKind
    name: str
    exists: bool = False
    private: bool = False
    gated: bool = False
    head: str = ""
    files: Mapping[str, RemoteFile] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    manifest_kind: str = ""
    manifest_files: frozenset[str] = frozenset()
    sdk: str = ""


@dataclass(frozen=True)
class Account:
    """The owner of a token, where they may create repositories, and the token's role ("read", "write", …)."""

    name: str
    namespaces: tuple[str, ...]
    role: str


@hub_answers()
def look(api: HfApi, kind: RepositoryKind, name: str, branch: str) -> Repository:
    """Read a branch of a repository; nothing is changed.

    Raises:
        InputError: if a Space is looked for and a dataset has its name, which is a mix-up of the two.
        Exception: whatever the client raises, except for a repository that does not exist.
    """
    if not retried(api.repo_exists, name, repo_type=kind):
        if kind == "space" and retried(api.repo_exists, name, repo_type="dataset"):
            raise InputError(f"{name} is a dataset on the Hub, and a leaderboard is a Space: choose another name.")
        return Repository(kind, name)
    info = retried(api.repo_info, name, repo_type=kind)
    refs = retried(api.list_repo_refs, name, repo_type=kind)
    head = next((_text(ref.target_commit) for ref in refs.branches if ref.name == branch), "")
    files = files_at(api, kind, name, head) if head else {}
    manifest = retried(_manifest, api, kind, name, head) if MANIFEST_NAME in files else {}
    return Repository(
        kind,
        name,
        exists=True,
        private=bool(info.private),
        gated=bool(getattr(info, "gated", False)),
        head=head,
        files=files,
        tags={_text(ref.name): _text(ref.target_commit) for ref in refs.tags},
        manifest_kind=quotable(str(manifest.get("kind", ""))),
        manifest_files=frozenset([MANIFEST_NAME, *manifest["files"]]) if manifest else frozenset(),
        sdk=quotable(str(getattr(info, "sdk", None) or "")),
    )


@hub_answers()
def files_at(api: HfApi, kind: RepositoryKind, name: str, commit: str) -> dict[str, RemoteFile]:
    """The files of one commit; the client itself retries a listing."""
    entries = api.list_repo_tree(name, recursive=True, revision=commit, repo_type=kind)
    return {
        _text(file.path): RemoteFile(int(file.size), _text(file.lfs.sha256) if file.lfs else "", _text(file.blob_id))
        for file in entries
        if isinstance(file, RepoFile)
    }


def _text(value: Any) -> str:
    """A name or a hash in an answer of the Hub.

    Raises:
        TypeError: if it is none.
    """
    if not isinstance(value, str) or not value.isprintable():
        raise TypeError(f"expected a name, but got {value!r}")
    return value


def _manifest(api: HfApi, kind: RepositoryKind, name: str, head: str) -> dict[str, Any]:
    """The manifest there; empty if another program wrote it."""
    with tempfile.TemporaryDirectory() as folder:
        path = api.hf_hub_download(name, MANIFEST_NAME, repo_type=kind, revision=head, local_dir=folder)
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            return {}
    known = isinstance(content, dict) and isinstance(content.get("files"), dict)
    return content if known else {}


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
    rows = sorted(name for name in foreign if fnmatchcase(name, "data/test-*.parquet"))  # as in the card's metadata
    if folder.repository_kind == "dataset" and rows:
        raise InputError(
            f"{there.name} holds {listed(rows)}, which this package did not put there and which would be read "
            "as rows of this set: choose another name, or delete those files there first."
        )
    found: dict[str, list[LocalFile]] = {"new": [], "updated": [], "unchanged": []}
    for file in folder.files:
        remote = there.files.get(file.name)
        found["new" if remote is None else "unchanged" if remote.holds(file) else "updated"].append(file)
    new, updated, unchanged = map(tuple, found.values())
    return Changes(new, updated, unchanged, tuple(deleted), tuple(untouched))


def _check_kind(folder: PublishableFolder, there: Repository) -> None:
    if there.sdk not in ("", "static"):
        raise InputError(f"{there.name} is a {there.sdk} Space, and a leaderboard a static one: choose another name.")
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


def token_of(api: HfApi) -> str | None:
    """The token that the client sends, from wherever it was given or found (HF_TOKEN, `hf auth login`)."""
    return api.token if isinstance(api.token, str) else None if api.token is False else get_token()


def is_reachable(api: HfApi) -> bool:
    """Whether the Hub answers, whatever it answers; it is asked once, and not if the client is offline."""
    try:
        get_session().head(api.endpoint, timeout=5)
    except Exception as error:
        if is_connection_failure(error) or constants.is_offline_mode():
            return False
        raise
    return True


@hub_answers()
def find_account(api: HfApi) -> Account | None:
    """Whose token it is; None without a token. Raises what the client raises for an unknown token."""
    if token_of(api) is None:
        return None
    told: dict[str, Any] = retried(api.whoami)
    organizations = [_text(org["name"]) for org in told.get("orgs", []) if org.get("roleInOrg") != "read"]
    role = _text(told.get("auth", {}).get("accessToken", {}).get("role", ""))
    return Account(name := _text(told["name"]), (name, *organizations), role)


def check_may_write(api: HfApi, account: Account | None, repository: Repository) -> None:
    """Check that the token may write to a repository, or create it.

    A read token passes `create_repo(exist_ok=True)` and fails only at the upload, so its role is checked first.

    Raises:
        RunError: if it may not.
        Exception: what the client raises if the Hub refuses.
    """
    cannot = f"Cannot publish to {repository.name}"
    if account is None:
        raise RunError(f"{cannot}: there is no access token; {LOG_IN}.")
    if account.role == "read":
        create = "create one with write access in the Hub's settings"
        raise RunError(f"{cannot}: the access token of {account.name} is read-only; {create}, then {LOG_IN}.")
    if repository.exists:
        retried(api.auth_check, repository.name, repo_type=repository.kind, write=True)
    elif (namespace := repository.name.split("/")[0]) not in account.namespaces:
        allowed = ", ".join(account.namespaces)
        raise RunError(
            f"{cannot}: the token belongs to {account.name}, who may write to {allowed}, not to {namespace}."
        )
