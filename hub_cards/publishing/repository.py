"""What a repository on the Hub holds now: the files of a branch with their hashes, its other branches and tags."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile

from stackwalls.hub_cards.manifest import MANIFEST_NAME
from stackwalls.hub_cards.publishing.hub_failures import Patience, retried
from stackwalls.hub_cards.publishing.publishable import LocalFile, RepositoryKind


@dataclass(frozen=True)
class RemoteFile:
    """A file on the Hub: its SHA-256 where it is a large object, else git's name of it."""

    size: int
    sha256: str
    git_oid: str

    def holds(self, file: LocalFile) -> bool:
        """Whether the content is that of a file here."""
        if self.sha256:
            return self.sha256 == file.scan.sha256
        return bool(file.scan.git_oid) and self.git_oid == file.scan.git_oid


@dataclass(frozen=True)
class Repository:
    """One repository, seen at one moment.

    Attributes:
        kind: "dataset" or "model".
        name: `user/name`.
        exists: whether this token sees it.
        private: whether only its owners do.
        gated: whether its files are behind an access request.
        branch: the branch that was looked at.
        head: the branch's last commit; empty where there is no such branch.
        files: of that commit, by path.
        tags: name → commit.
        manifest_kind: what the manifest there says that it is; empty where there is none.
        manifest_files: the files that the manifest there lists, and itself.
    """

    kind: RepositoryKind
    name: str
    branch: str
    exists: bool = False
    private: bool = False
    gated: bool = False
    head: str = ""
    files: Mapping[str, RemoteFile] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    manifest_kind: str = ""
    manifest_files: frozenset[str] = frozenset()


def look(api: HfApi, kind: RepositoryKind, name: str, branch: str, patience: Patience) -> Repository:
    """Look at a branch of a repository; nothing is changed.

    Raises:
        Exception: whatever the client raises but for a repository that is not there.
    """
    try:
        info = retried(partial(api.repo_info, name, repo_type=kind), patience)
    except RepositoryNotFoundError:
        return Repository(kind, name, branch)
    refs = retried(partial(api.list_repo_refs, name, repo_type=kind), patience)
    head = next((ref.target_commit for ref in refs.branches if ref.name == branch), "")
    files = retried(partial(files_at, api, kind, name, head), patience) if head else {}
    there = MANIFEST_NAME in files
    manifest = retried(partial(_manifest, api, kind, name, head), patience) if there else {}
    listed = frozenset([MANIFEST_NAME, *manifest["files"]]) if manifest else frozenset()
    tags = {ref.name: ref.target_commit for ref in refs.tags}
    private, gated = bool(info.private), bool(getattr(info, "gated", False))
    kind_there = str(manifest.get("kind", ""))
    return Repository(kind, name, branch, True, private, gated, head, files, tags, kind_there, listed)


def files_at(api: HfApi, kind: RepositoryKind, name: str, commit: str) -> dict[str, RemoteFile]:
    """The files of one commit."""
    entries = api.list_repo_tree(name, recursive=True, revision=commit, repo_type=kind)
    return {entry.path: _remote_file(entry) for entry in entries if isinstance(entry, RepoFile)}


def _remote_file(entry: RepoFile) -> RemoteFile:
    return RemoteFile(entry.size, entry.lfs.sha256 if entry.lfs else "", entry.blob_id)


def _manifest(api: HfApi, kind: RepositoryKind, name: str, head: str) -> dict[str, Any]:
    """The manifest there, as far as it can be read; one of another version or program is none."""
    with tempfile.TemporaryDirectory() as folder:
        path = api.hf_hub_download(name, MANIFEST_NAME, repo_type=kind, revision=head, local_dir=folder)
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
        except ValueError:
            return {}
    known = isinstance(content, dict) and isinstance(content.get("files"), dict)
    return content if known else {}
