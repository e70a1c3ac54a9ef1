"""A dataset on a Hub that is a server on this machine: the real clients, in a process of their own."""

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stackwalls.model import InputError
from stackwalls.model.images import open_images

COMMIT = "c" * 40
CARD = b"""---
configs:
- config_name: default
  data_files: [{split: validation, path: data/validation-*.parquet}]
---
"""
BIG = 200_000


def parquet(rows: int, seed: int) -> bytes:
    pictures = [{"bytes": bytes([seed, row]) * (BIG // 2), "path": f"{row}.JPEG"} for row in range(rows)]
    features = {
        "label": {"_type": "ClassLabel", "names": ["tench, Tinca tinca", "goldfish"]},
        "image": {"_type": "Image"},
    }
    table = pa.table({"image": pa.array(pictures), "label": [row % 2 for row in range(rows)]})
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=2, compression="none", use_dictionary=False)
    return sink.getvalue().to_pybytes()


class ReadOnlyHub(BaseHTTPRequestHandler):
    """The requests that reading a dataset makes: repository, tree, paths, and files by range."""

    protocol_version = "HTTP/1.1"
    repositories: ClassVar[dict[str, dict[str, bytes]]] = {}
    sent: ClassVar[dict[str, int]] = {}

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        wanted = unquote(self.rfile.read(int(self.headers["Content-Length"])).decode())
        found = re.match(r"/api/datasets/([\w-]+/[\w-]+)/paths-info/", self.path)
        files = self.repositories.get(found[1], {}) if found else {}
        paths = [path for path in files if path in wanted]
        self.answer(200, json.dumps([self.entry(path, files[path]) for path in paths]).encode())

    def do_GET(self) -> None:
        path = unquote(self.path.split("?")[0])
        found = re.match(r"/(?:api/)?datasets/([\w-]+/[\w-]+)(.*)", path)
        if not found or found[1] not in self.repositories:
            return self.answer(404, b"", {"X-Error-Code": "RepoNotFound"})
        name, rest = found[1], found[2]
        files = self.repositories[name]
        if name.startswith("closed/"):
            message = f"Access to dataset {name} is restricted. You must have access to it and be authenticated."
            return self.answer(401, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": message})
        if rest.startswith("/resolve/"):
            return self.file(rest.split("/", 3)[3], files)
        if rest.startswith("/tree/"):
            return self.answer(200, self.tree(files, "/".join(rest.split("/")[3:])))
        siblings = [{"rfilename": path} for path in files]
        info = {"id": name, "sha": COMMIT, "private": False, "gated": False, "tags": [], "siblings": siblings}
        return self.answer(200, json.dumps(info).encode())

    @staticmethod
    def entry(path: str, data: bytes) -> dict[str, object]:
        return {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}

    def tree(self, files: dict[str, bytes], inside: str) -> bytes:
        below = {path: data for path, data in files.items() if path.startswith(inside)}
        recursive = "recursive=true" in self.path.lower()
        direct = {path: data for path, data in below.items() if recursive or "/" not in path.removeprefix(inside)[1:]}
        folders = sorted({path.split("/")[0] for path in below.keys() - direct.keys()})
        entries: list[dict[str, object]] = [
            {"type": "directory", "path": name, "size": 0, "oid": "0"} for name in folders
        ]
        return json.dumps(entries + [self.entry(path, data) for path, data in direct.items()]).encode()

    def file(self, path: str, files: dict[str, bytes]) -> None:
        headers = {"X-Repo-Commit": COMMIT, "ETag": '"0"', "Accept-Ranges": "bytes"}
        if path not in files:
            return self.answer(404, b"", {**headers, "X-Error-Code": "EntryNotFound"})
        data = files[path]
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if span:
            part = data[int(span[1]) : int(span[2]) + 1]
            headers["Content-Range"] = f"bytes {span[1]}-{int(span[1]) + len(part) - 1}/{len(data)}"
            if self.command == "GET":
                self.sent[path] = self.sent.get(path, 0) + len(part)
            return self.answer(206, part, headers)
        return self.answer(200, data, headers)

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    files = {"README.md": CARD, **{f"data/validation-{n}.parquet": parquet(8, n) for n in (0, 1)}}
    ReadOnlyHub.repositories = {
        "user/pictures": files,
        "closed/pictures": files,
        "user/texts": {"README.md": b"", "validation.csv": b"text,label\na,1\n"},
    }
    ReadOnlyHub.sent = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), ReadOnlyHub)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def in_a_process(endpoint: str, home: Path, code: str) -> str:
    """Run `code` with the clients pointed at `endpoint`; what it prints."""
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    environment |= {
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        "HF_TOKEN": "",
        "HF_HUB_OFFLINE": "0",
    }
    prelude = (
        "import datasets; datasets.config.USE_PARQUET_EXPORT = False; from stackwalls.model.images import open_images\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", prelude + code], capture_output=True, text=True, env=environment, cwd=home, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_labels_first_then_only_the_row_groups_that_are_needed(hub: str, tmp_path: Path) -> None:
    code = """
import json
source = open_images("user/pictures")
index = source.index()
print(json.dumps([source.name, index]))
print(json.dumps(None), flush=True)
"""
    (name, index), _ = map(json.loads, in_a_process(hub, tmp_path, code).splitlines())
    assert name == f"user/pictures@{COMMIT}:validation"
    assert index == {
        str(label): [f"data/validation-{part}.parquet#{row}" for part in (0, 1) for row in range(label, 8, 2)]
        for label in (0, 1)
    }
    sent = ReadOnlyHub.sent
    assert sum(sent.values()) < BIG  # 16 pictures of BIG bytes lie there
    sent.clear()
    code = """
import hashlib
source = open_images("hf://datasets/user/pictures@main:validation")
source.fetch(["data/validation-1.parquet#3"])
print(hashlib.sha256(source.read("data/validation-1.parquet#3")).hexdigest())
"""
    assert in_a_process(hub, tmp_path, code).strip() == hashlib.sha256(bytes([1, 3]) * (BIG // 2)).hexdigest()
    assert "data/validation-0.parquet" not in sent
    assert 2 * BIG < sent["data/validation-1.parquet"] < 3 * BIG  # one row group of two pictures


def test_what_cannot_be_had_is_said_in_one_sentence(hub: str, tmp_path: Path) -> None:
    asked = ["closed/pictures", "user/pictures:train", "user/nothing", "user/texts"]
    code = f"""
from stackwalls.model import StackwallsError
for text in {asked}:
    try:
        open_images(text)
    except StackwallsError as error:
        print(error.exit_status, error)
"""
    gated, split, missing, texts = in_a_process(hub, tmp_path, code).splitlines()
    assert gated.startswith("1 Cannot open the dataset closed/pictures: it is gated. Request access at")
    assert f"{hub}/datasets/closed/pictures" in gated
    assert split.startswith("2 The dataset user/pictures has no split 'train'")
    assert "expected user/pictures:validation" in split
    assert missing.startswith("2 Cannot open the dataset user/nothing: the Hub shows no such dataset")
    assert "There is no folder 'user/nothing' here either." in missing
    assert texts.startswith("2 The split 'validation' of user/texts is not stored as Parquet")
    assert "user/texts@refs/convert/parquet:validation" in texts


@pytest.mark.parametrize("text", ["hf://datasets/a/b/c", "hf://datasets/a", "hf://models/a/b"])
def test_what_is_no_dataset_id(text: str) -> None:
    with pytest.raises(InputError, match="Cannot read the dataset id"):
        open_images(text)


def test_a_missing_folder_beside_others_is_no_dataset_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`images/val` beside `images/train` is a slip, not a dataset to look for on the network."""
    (tmp_path / "images/train").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="There is no folder or file 'images/val' here"):
        open_images("images/val")
