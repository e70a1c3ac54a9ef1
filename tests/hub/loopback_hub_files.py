"""Files of the loopback Hub: listings, uploads small and large, commits, downloads by range."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from io import BytesIO
from typing import Any, BinaryIO
from urllib.parse import parse_qs, urlencode

import loopback_hub_cards
from loopback_hub_handler import KIND, NAME, PREFIX, REVISION, HubHandler, route
from loopback_hub_state import LFS_SUFFIXES, REGULAR_MAX, Entry, HubError, Tree

PAGE = 1000
"""Entries of one answer of a listing."""


class FileRoutes(HubHandler):
    """Everything about files."""

    @route("GET", rf"/api/{KIND}/{NAME}/tree/{REVISION}(?:/(?P<inside>.+))?")
    def listing(self, kind: str, name: str, revision: str, inside: str | None) -> None:
        files = self.repository(kind, name, content=True).tree(revision)
        recursive = self.query.get("recursive", ["false"])[0].lower() in ("true", "1")
        listed = _listed(files, f"{inside.rstrip('/')}/" if inside else "", recursive)
        if inside and not listed:
            raise HubError(404, f"{inside} does not exist on {revision}", "EntryNotFound")
        start = int(self.query.get("cursor", ["0"])[0])
        headers = {}
        if start + PAGE < len(listed):
            query = urlencode({key: value[0] for key, value in self.query.items()} | {"cursor": start + PAGE})
            headers["Link"] = f'<{self.state.url}{self.place}?{query}>; rel="next"'
        self.send(200, listed[start : start + PAGE], headers)

    @route("POST", rf"/api/{KIND}/{NAME}/paths-info/{REVISION}")
    def paths_info(self, kind: str, name: str, revision: str) -> None:
        body = self.body()
        is_json = "json" in self.headers.get("Content-Type", "")
        asked: Any = json.loads(body) if is_json else parse_qs(body.decode())
        files = self.repository(kind, name, content=True).tree(revision)
        found = []
        for path in asked.get("paths", []):
            if path in files:
                found.append(files[path].described(path))
            elif any(other.startswith(f"{path}/") for other in files):
                found.append(_folder(path))
        self.send(200, found)

    @route("POST", r"/api/validate-yaml")
    def validate(self) -> None:
        problems = loopback_hub_cards.problems(self.json_body()["content"])
        if problems:
            errors = [{"message": problem} for problem in problems]
            raise HubError(400, "; ".join(problems), body={"errors": errors, "warnings": []})
        self.send(200, {"errors": [], "warnings": []})

    @route("POST", rf"/api/{KIND}/{NAME}/preupload/{REVISION}")
    def preupload(self, kind: str, name: str, revision: str) -> None:
        files = self.repository(kind, name, write="create_pr" not in self.query).tree(revision)
        told = []
        for file in self.json_body()["files"]:
            path, there = file["path"], files.get(file["path"])
            binary = b"\0" in base64.b64decode(file.get("sample") or "")
            large = path.endswith(LFS_SUFFIXES) or file["size"] > REGULAR_MAX or binary
            about = {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
            told.append(about | ({"oid": there.sha256 or there.oid} if there else {}))
        self.send(200, {"files": told})

    @route("POST", rf"/{PREFIX}{NAME}\.git/info/lfs/objects/batch")
    def batch(self, kind: str, name: str) -> None:
        repository, asked = self.repository(kind, name, write=True), self.json_body()
        objects = []
        for wanted in asked["objects"]:
            about = {"oid": wanted["oid"], "size": wanted["size"]}
            if not self.state.object_path(wanted["oid"]).exists():
                upload = {"href": f"{self.state.url}/__lfs__/{wanted['oid']}", "header": {}}
                verify = f"{self.state.repository_url(repository)}.git/info/lfs/objects/verify"
                about["actions"] = {"upload": upload, "verify": {"href": verify, "header": {}}}
            objects.append(about)
        self.send(200, {"transfer": "basic", "objects": objects})

    @route("PUT", r"/__lfs__/(?P<sha256>[0-9a-f]{64})")
    def put_object(self, sha256: str) -> None:
        temporary = self.state.root / f"tmp-{threading.get_ident()}-{time.monotonic_ns()}"
        digest = hashlib.sha256()
        try:
            with temporary.open("wb") as file:
                for chunk in self.body_chunks():
                    file.write(chunk)
                    digest.update(chunk)
            if digest.hexdigest() != sha256:
                raise HubError(400, f"sha256 mismatch for {sha256}")
            temporary.replace(self.state.object_path(sha256))
        finally:
            temporary.unlink(missing_ok=True)
        self.state.uploaded.append(sha256)
        if not self.answer_is_lost():
            self.send(200, b"", {"ETag": f'"{sha256}"'})

    @route("POST", rf"/{PREFIX}{NAME}\.git/info/lfs/objects/verify")
    def verify_object(self, kind: str, name: str) -> None:
        asked = self.json_body()
        path = self.state.object_path(asked["oid"])
        if not path.exists() or path.stat().st_size != asked["size"]:
            raise HubError(404, "object not found")
        self.send(200, {})

    @route("GET", rf"/api/{KIND}/{NAME}/xet-write-token/{REVISION}")
    def xet_token(self, kind: str, name: str, revision: str) -> None:
        self.repository(kind, name, write=True)
        if self.state.xet is None:
            raise HubError(404, "xet is not enabled here")
        expires = int(time.time()) + 3600
        self.send(200, {"casUrl": self.state.xet.new_place(), "accessToken": "xet", "exp": expires})

    @route("POST", rf"/api/{KIND}/{NAME}/commit/{REVISION}")
    def commit(self, kind: str, name: str, revision: str) -> None:
        as_request = self.query.get("create_pr") == ["1"]  # which whoever may read may make
        repository = self.repository(kind, name, write=not as_request)
        lines = [json.loads(line) for line in self.body().splitlines() if line.strip()]
        header = next(line["value"] for line in lines if line["key"] == "header")
        with self.state.lock:
            branch = revision.removeprefix("refs/heads/")
            parent = repository.resolve(branch)
            if header.get("parentCommit") and parent != header["parentCommit"]:
                raise HubError(412, "A commit has happened since. Please refresh and try again.")
            tree = dict(repository.tree(parent))
            if self.state.xet is not None:
                named = (line["value"]["oid"] for line in lines if line["key"] == "lfsFile")
                self.state.xet.materialise({sha256: self.state.object_path(sha256) for sha256 in named})
            for line in lines:
                self._apply(line["key"], line["value"], tree)
            request = sum(ref.startswith("refs/pr/") for ref in repository.branches) + 1 if as_request else 0
            oid = repository.commit(f"refs/pr/{request}" if request else branch, parent, tree, header["summary"])
        if not self.answer_is_lost():
            url = self.state.repository_url(repository)
            told = {"success": True, "commitOid": oid, "commitUrl": f"{url}/commit/{oid}", "hookOutput": ""}
            self.send(200, told | ({"pullRequestUrl": f"{url}/discussions/{request}"} if request else {}))

    def _apply(self, key: str, value: Any, tree: Tree) -> None:
        """One operation of a commit."""
        if key == "file":
            data = base64.b64decode(value["content"])
            if value["path"] == "README.md" and (problems := loopback_hub_cards.problems(data.decode())):
                raise HubError(400, "Invalid YAML in README.md: " + "; ".join(problems))
            tree[value["path"]] = Entry(data)
        elif key == "lfsFile":
            path = self.state.object_path(value["oid"])
            if not path.exists():
                raise HubError(400, f"LFS pointer pointed to a file that does not exist: {value['path']}")
            tree[value["path"]] = Entry(sha256=value["oid"], size=path.stat().st_size)
        elif key == "deletedFile" and tree.pop(value["path"], None) is None:
            raise HubError(404, "A file with this name doesn't exist", "EntryNotFound")

    @route("GET HEAD", rf"/{PREFIX}{NAME}/resolve/{REVISION}/(?P<path>.+)")
    def resolve(self, kind: str, name: str, revision: str, path: str) -> None:
        repository = self.repository(kind, name, content=True)
        oid = repository.resolve(revision)
        headers = {"X-Repo-Commit": oid}
        entry = repository.tree(oid).get(path)
        if entry is None:
            raise HubError(404, "Entry not found", "EntryNotFound", headers)
        size = entry.size if entry.sha256 else len(entry.data)
        etag = f'"{entry.sha256 or entry.oid}"'
        headers |= {"ETag": etag, "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
        if kind == "space" and path.endswith(".html"):  # as the Space itself serves its page, from a host of its own
            headers["Content-Type"] = "text/html; charset=utf-8"
        headers["Access-Control-Allow-Origin"] = "*"
        if entry.sha256:
            headers |= {"X-Linked-Size": str(size), "X-Linked-Etag": etag}
        start, stop, status = 0, size, 200
        if asked := re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", "")):
            start, stop = _span(asked[1], asked[2], size)
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
            status = 206
        self._send_file(entry, start, stop, status, headers)

    def _send_file(self, entry: Entry, start: int, stop: int, status: int, headers: dict[str, str]) -> None:
        self.drain()
        if self.fault and self.fault.change:
            status, _, headers = self.fault.change(status, b"", headers)
        self.send_response(status)
        for key, value in (headers | {"Content-Length": str(stop - start)}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        most = self.fault.drop_download_after if self.fault else None
        end = stop if most is None else min(stop, start + most)
        file: BinaryIO = self.state.object_path(entry.sha256).open("rb") if entry.sha256 else BytesIO(entry.data)
        with file:
            file.seek(start)
            while start < end:
                chunk = file.read(min(1 << 18, end - start))
                self.wfile.write(chunk)
                start += len(chunk)
        if end < stop:
            self.wfile.flush()
            self.cut()


def _listed(files: Tree, prefix: str, recursive: bool) -> list[dict[str, Any]]:
    folders: dict[str, dict[str, Any]] = {}
    listed = []
    for path, entry in sorted(files.items()):
        if not path.startswith(prefix):
            continue
        parts = path.removeprefix(prefix).split("/")
        for depth in range(1, len(parts) if recursive else min(2, len(parts))):
            folder = prefix + "/".join(parts[:depth])
            folders[folder] = _folder(folder)
        if recursive or len(parts) == 1:
            listed.append(entry.described(path))
    return [*folders.values(), *listed]


def _folder(path: str) -> dict[str, Any]:
    return {"type": "directory", "path": path, "size": 0, "oid": hashlib.sha1(path.encode()).hexdigest()}


def _span(first: str, last: str, size: int) -> tuple[int, int]:
    """The bytes that a Range header asks for, as start and stop."""
    start = int(first) if first else max(0, size - int(last))
    stop = min(int(last) + 1 if first and last else size, size)
    if start >= size:
        raise HubError(416, "Range Not Satisfiable", headers={"Content-Range": f"bytes */{size}"})
    return start, stop
