"""Who one is, repositories and their settings, branches and tags, collections."""

from __future__ import annotations

from typing import Any

from loopback_hub_cards import metadata
from loopback_hub_handler import KIND, NAME, REVISION, HubHandler, route
from loopback_hub_state import Entry, HubError, Repository

NOW = "2026-01-01T00:00:00.000Z"


class AccountRoutes(HubHandler):
    """Everything but the files."""

    @route("GET", r"/api/whoami-v2")
    def whoami(self) -> None:
        user = self.user(required=True)
        assert user is not None
        orgs = [{"type": "org", "id": name, "name": name, "roleInOrg": "write"} for name in user.orgs]
        token = {"displayName": "test", "role": user.role, "createdAt": NOW}
        about = {"type": "user", "id": user.name, "name": user.name, "fullname": user.name, "email": None}
        self.send(200, about | {"isPro": False, "orgs": orgs, "auth": {"type": "access_token", "accessToken": token}})

    @route("HEAD GET", r"/api/telemetry/.*")
    def telemetry(self) -> None:
        self.send(200, {})

    @route("GET", r"/api/agent-harnesses")
    def agents(self) -> None:
        self.send(200, {"standardEnvVars": [], "harnesses": {}})

    @route("POST", r"/api/repos/create")
    def create(self) -> None:
        user, asked = self.user(required=True), self.json_body()
        assert user is not None
        kind = asked.get("type") or "model"
        if kind == "space" and asked.get("sdk") not in ("gradio", "streamlit", "docker", "static"):
            raise HubError(400, '"sdk" is required for a Space')
        name = f"{asked.get('organization') or user.name}/{asked['name']}"
        if not user.owns(name) or user.role != "write":
            raise HubError(403, f"You don't have the rights to create a {kind} under the namespace {name}")
        with self.state.lock:
            found = self.state.repositories.get((kind, name))
            if found:
                told = f"You already created this {kind} repo"
                raise HubError(409, told, body={"error": told, "url": self.state.repository_url(found)})
            private = bool(asked.get("private")) or asked.get("visibility") == "private"
            made = self.state.repositories[kind, name] = Repository(kind, name, private, asked.get("sdk") or "")
        if not self.answer_is_lost():
            url = self.state.repository_url(made)
            self.send(200, {"url": url, "name": name, "id": name, "private": private})

    @route("PUT", rf"/api/{KIND}/{NAME}/settings")
    def settings(self, kind: str, name: str) -> None:
        repository, asked = self.repository(kind, name, write=True), self.json_body()
        if "private" in asked or "visibility" in asked:
            repository.private = bool(asked.get("private")) or asked.get("visibility") == "private"
        if kind == "space" and "gated" in asked:
            raise HubError(400, "A Space cannot be gated")
        repository.gated = asked.get("gated", repository.gated)
        self.send(200, {"private": repository.private, "gated": repository.gated})

    @route("GET", rf"/api/{KIND}/{NAME}/auth-check(?P<write>/write)?")
    def auth_check(self, kind: str, name: str, write: str | None) -> None:
        self.repository(kind, name, write=bool(write), content=True)
        self.send(200, {})

    @route("GET", rf"/api/{KIND}/{NAME}(?:/revision/{REVISION})?")
    def info(self, kind: str, name: str, revision: str | None) -> None:
        repository = self.repository(kind, name)
        oid = repository.resolve(revision)
        tree = repository.tree(oid)
        card = metadata(tree["README.md"].data.decode()) if "README.md" in tree else None
        about = {"_id": "0" * 24, "id": name, "modelId": name, "author": name.split("/")[0], "sha": oid}
        about |= {"private": repository.private, "gated": repository.gated, "disabled": False, "cardData": card}
        about |= {"sdk": repository.sdk} if kind == "space" else {}
        about |= {"createdAt": NOW, "lastModified": NOW, "downloads": 0, "likes": 0}
        tags = list((card or {}).get("tags") or [])
        files = [_sibling(path, entry, "blobs" in self.query) for path, entry in sorted(tree.items())]
        self.send(200, about | {"tags": tags, "siblings": files})

    @route("GET", rf"/api/{KIND}/{NAME}/refs")
    def refs(self, kind: str, name: str) -> None:
        repository = self.repository(kind, name)

        def listed(where: str, refs: dict[str, str]) -> list[dict[str, str]]:
            return [{"name": ref, "ref": f"refs/{where}/{ref}", "targetCommit": oid} for ref, oid in refs.items()]

        heads = {ref: oid for ref, oid in repository.branches.items() if not ref.startswith("refs/")}
        branches, tags = listed("heads", heads), listed("tags", repository.tags)
        self.send(200, {"branches": branches, "tags": tags, "converts": [], "pullRequests": []})

    @route("GET", rf"/api/{KIND}/{NAME}/commits/{REVISION}")
    def commits(self, kind: str, name: str, revision: str) -> None:
        repository = self.repository(kind, name)
        oid: str | None = repository.resolve(revision)
        listed = []
        while oid:
            commit = repository.commits[oid]
            author = [{"user": name.split("/")[0]}]
            listed.append({"id": oid, "title": commit.title, "message": "", "date": NOW, "authors": author})
            oid = commit.parent
        self.send(200, listed)

    @route("POST", rf"/api/{KIND}/{NAME}/(?P<what>branch|tag)/{REVISION}")
    def make_ref(self, kind: str, name: str, what: str, revision: str) -> None:
        repository, asked = self.repository(kind, name, write=True), self.json_body()
        refs = repository.tags if what == "tag" else repository.branches
        ref = asked["tag"] if what == "tag" else revision
        if ref in refs:
            raise HubError(409, f"Reference already exists: {ref}")
        refs[ref] = repository.resolve(revision if what == "tag" else asked.get("startingPoint"))
        if not self.answer_is_lost():
            self.send(200, {})

    @route("GET", r"/api/collections/(?P<slug>[^/]+/[^/]+)")
    def collection(self, slug: str) -> None:
        self.send(200, self._collection(slug))

    @route("POST", r"/api/collections/(?P<slug>[^/]+/[^/]+)/items?")
    def add_to_collection(self, slug: str) -> None:
        user, item = self.user(required=True), self.json_body()["item"]
        self._collection(slug)
        assert user is not None
        if not user.owns(slug) or user.role != "write":
            raise HubError(403, "You don't have the rights to change this collection")
        entry = (item["type"], item["id"])
        if entry in self.state.collections[slug]:
            raise HubError(409, "This item is already in the collection")
        self.state.collections[slug].append(entry)
        self.send(200, self._collection(slug))

    def _collection(self, slug: str) -> dict[str, Any]:
        if slug not in self.state.collections:
            raise HubError(404, "Collection not found")
        owner = {"type": "user", "name": slug.split("/")[0], "fullname": slug, "avatarUrl": "", "isHf": False}
        items = [
            {"_id": f"{number}", "id": name, "type": kind, "position": number}
            for number, (kind, name) in enumerate(self.state.collections[slug])
        ]
        about = {"slug": slug, "title": slug, "owner": owner, "items": items, "lastUpdated": NOW, "position": 0}
        return about | {"private": False, "theme": "blue", "upvotes": 0, "description": None}


def _sibling(path: str, entry: Entry, blobs: bool) -> dict[str, Any]:
    about: dict[str, Any] = {"rfilename": path}
    if blobs:
        described = entry.described(path)
        about |= {"size": described["size"], "blobId": described["oid"]}
        if lfs := described.get("lfs"):
            about["lfs"] = {"sha256": lfs["oid"], "size": lfs["size"], "pointerSize": lfs["pointerSize"]}
    return about
