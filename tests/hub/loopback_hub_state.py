"""What the loopback Hub holds: users, repositories, commits, large objects; and who may do what."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

LFS_SUFFIXES = (".parquet", ".safetensors", ".bin", ".pt", ".png", ".jpg", ".jpeg", ".webp", ".npz", ".npy", ".zip")
GITATTRIBUTES = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LFS_SUFFIXES).encode()
REGULAR_MAX = 10 * 1024 * 1024


class HubError(Exception):
    """An answer other than success, with the headers that the clients go by."""

    def __init__(
        self, status: int, message: str, code: str = "", headers: dict[str, str] | None = None, body: Any = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.body = status, message, body
        self.headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {}), **(headers or {})}


@dataclass(frozen=True)
class User:
    """The owner of a token."""

    name: str
    role: str = "write"
    orgs: tuple[str, ...] = ()

    def owns(self, repository: str) -> bool:
        return repository.split("/")[0] in (self.name, *self.orgs)


@dataclass(frozen=True)
class Entry:
    """A file of a commit: its bytes, or the SHA-256 and size of a large object."""

    data: bytes = b""
    sha256: str = ""
    size: int = 0

    @property
    def pointer(self) -> bytes:
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {self.size}\n".encode()

    @property
    def oid(self) -> str:
        """Git's own name of the blob."""
        blob = self.pointer if self.sha256 else self.data
        return hashlib.sha1(b"blob %d\0" % len(blob) + blob).hexdigest()

    def described(self, path: str) -> dict[str, Any]:
        """As the tree and the paths-info answers give it."""
        if not self.sha256:
            return {"type": "file", "path": path, "size": len(self.data), "oid": self.oid}
        lfs = {"oid": self.sha256, "size": self.size, "pointerSize": len(self.pointer)}
        return {"type": "file", "path": path, "size": self.size, "oid": self.oid, "lfs": lfs}


Tree = dict[str, Entry]

EXAMPLE_SPACE: Tree = {
    "README.md": Entry(b"---\ntitle: Space\nsdk: static\n---\n"),
    "index.html": Entry(b"<link rel=stylesheet href=style.css>Welcome to your static Space!"),
    "style.css": Entry(b"body {}"),
}
"""What the Hub puts into a new static Space."""


@dataclass(frozen=True)
class Commit:
    """One state of a branch."""

    tree: Tree
    parent: str | None
    title: str


class Repository:
    """Commits, branches and tags of one repository."""

    def __init__(self, kind: str, name: str, private: bool, sdk: str = "") -> None:
        self.kind, self.name, self.private, self.sdk = kind, name, private, sdk
        self.gated: str | bool = False
        self.allowed: set[str] = set()
        self.commits: dict[str, Commit] = {}
        self.branches: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.states: list[tuple[str, Tree, str | bool]] = []
        """The watcher: every state that a branch ever had: its name, the files, and who could read them then."""
        example = EXAMPLE_SPACE if sdk == "static" else {}
        self.commit("main", None, {".gitattributes": Entry(GITATTRIBUTES), **example}, "initial commit")

    def commit(self, branch: str, parent: str | None, tree: Tree, title: str) -> str:
        text = repr(
            (self.kind, self.name, parent, title, len(self.commits), sorted((p, e.oid) for p, e in tree.items()))
        )
        oid = hashlib.sha1(text.encode()).hexdigest()
        self.commits[oid] = Commit(tree, parent, title)
        self.branches[branch] = oid
        self.states.append((branch, tree, self.gated))
        return oid

    def resolve(self, revision: str | None) -> str:
        name = unquote(revision or "main").removeprefix("refs/heads/")
        found = self.branches.get(name) or self.tags.get(name) or (name if name in self.commits else None)
        if found is None:
            raise HubError(404, f"Invalid rev id: {name}", "RevisionNotFound")
        return found

    def tree(self, revision: str | None = None) -> Tree:
        return self.commits[self.resolve(revision)].tree


@dataclass
class Fault:
    """What goes wrong with requests that match, `times` times after the first `skip`, or with every so many-th one."""

    path: str = ".*"
    method: str = ".*"
    times: int = 1
    skip: int = 0
    every: int = 0
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0
    drop: bool = False
    drop_upload_after: int | None = None
    drop_download_after: int | None = None
    drop_answer: bool = False
    answer: Callable[[Any], None] | None = None
    """Writes an answer of its own to the handler that it is given."""
    change: Callable[[int, bytes, dict[str, str]], tuple[int, bytes, dict[str, str]]] | None = None
    """Makes another of the true answer's status, body and headers."""
    seen: int = 0

    def strikes(self, method: str, path: str) -> bool:
        if not re.fullmatch(self.method, method) or not re.search(self.path, path):
            return False
        self.seen += 1
        if self.every:
            return self.seen % self.every == 0
        return self.skip < self.seen <= self.skip + self.times


class HubState:
    """Everything that the server knows; large objects lie in `root/lfs` under their SHA-256."""

    def __init__(self, root: Path, users: dict[str, User]) -> None:
        self.root, self.users = root, users
        self.objects = root / "lfs"
        self.objects.mkdir(parents=True, exist_ok=True)
        self.url = ""
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.collections: dict[str, list[tuple[str, str]]] = {}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        self.uploaded: list[str] = []
        """SHA-256 of each large object that was sent, in order."""
        self.problems: list[Exception] = []
        self.xet: Any = None
        self.lock = threading.RLock()

    def fault_for(self, method: str, path: str) -> Fault | None:
        with self.lock:
            self.requests.append((method, path))
            striking = [fault for fault in self.faults if fault.strikes(method, path)]  # each of them counts
            return striking[0] if striking else None

    def user(self, headers: Any, required: bool = False) -> User | None:
        authorization = headers.get("Authorization")
        if authorization is None:
            if required:
                raise HubError(401, "Invalid username or password.")
            return None
        user = self.users.get(authorization.removeprefix("Bearer "))
        if user is None:
            raise HubError(401, "Invalid credentials in Authorization header")
        return user

    def repository(
        self, kind: str, name: str, user: User | None, *, write: bool = False, content: bool = False
    ) -> Repository:
        """The repository, or what the Hub answers to somebody who may not do that with it."""
        found = self.repositories.get((kind, name))
        owner = user is not None and user.owns(name)
        if found is None or (found.private and not owner):
            raise HubError(404 if user else 401, "Repository not found", "RepoNotFound")
        if write and not owner:
            raise HubError(403, f"You don't have the required permissions to write to {kind}s/{name}")
        if write and user is not None and user.role != "write":
            raise HubError(403, "Forbidden: you must use a write token to upload to a repository.")
        if content and found.gated and not owner and (user is None or user.name not in found.allowed):
            told = "you must be in the authorized list" if user else "you must be authenticated to access it"
            raise HubError(403 if user else 401, f"Access to {kind} {name} is restricted and {told}.", "GatedRepo")
        return found

    def object_path(self, sha256: str) -> Path:
        return self.objects / sha256

    def files(self, kind: str, name: str, revision: str | None = None) -> dict[str, bytes]:
        """Every file of a revision but .gitattributes."""
        tree = self.repositories[kind, name].tree(revision)
        return {path: self.content(entry) for path, entry in tree.items() if path != ".gitattributes"}

    def content(self, entry: Entry) -> bytes:
        return self.object_path(entry.sha256).read_bytes() if entry.sha256 else entry.data

    def repository_url(self, repository: Repository) -> str:
        return f"{self.url}/{'' if repository.kind == 'model' else repository.kind + 's/'}{repository.name}"
