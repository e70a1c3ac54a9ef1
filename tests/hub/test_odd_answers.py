"""Whatever comes instead of the Hub's answers: one sentence, soon, and nothing half-written anywhere."""

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from loopback_hub import TOKENS, LoopbackHub
from loopback_hub_state import LFS_SUFFIXES, Entry, Repository
from odd_answers import RAW, WAITS, body, cases, other_headers
from publications import drawn, published, whole_states

from stackwalls.hub_cards import parse_license, recipe_folder
from stackwalls.model.hub import client as hub_client
from stackwalls.stackgen import cli

COMMANDS = {
    "mix --source": "mix --source user/thing:test --classes 1 --out out",
    "mix --recipe": "mix --recipe user/recipe --source drawn --out out",
    "train": "train --data user/thing:test --recipe tiny --masked --device cpu --epochs 1 --out out",
    "evaluate": "evaluate user/thing --model mini-masked-vgg16 --method HiResCAM --out out",
    "evaluate --model": "evaluate set --model user/thing --method HiResCAM --out out",
    "certify": "certify user/thing",
    "generate --model": "generate --model user/thing --classes 1 --localizer foreground --out out",
    "generate --localizer": "generate --preset mini --localizer user/thing --classes 1 --out out",
    "publish": "publish set user/thing --yes",
    "prompts": "prompts --classes user/thing",
}
QUICK = 1.0
"""Seconds that these tests are patient, instead of `PATIENCE`."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("folders")
    made = {"thing": drawn(root / "thing", rows=3, card=None), "set": drawn(root / "set", rows=2, seed=1)}
    return made | {"recipe": recipe_folder(made["set"], root / "recipe", parse_license("mit"))}


@pytest.fixture
def filled(
    hub: LoopbackHub, folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LoopbackHub]:
    """A Hub with a set, a recipe and a model, put there without a request."""
    for kind, name in (("dataset", "thing"), ("dataset", "recipe"), ("model", "thing")):
        files = published(folders[name])
        if kind == "model":
            index = b'{"_class_name": "StableDiffusionPipeline"}'
            files = {"config.json": b"{}", "model_index.json": index, "model.safetensors": bytes(100)}
        tree = {path: _entry(hub, path, data) for path, data in files.items()}
        repository = hub.state.repositories[kind, f"user/{name}"] = Repository(kind, f"user/{name}", False)
        repository.commit("main", repository.branches["main"], tree, "all")
    (tmp_path / "set").symlink_to(folders["set"])
    monkeypatch.setattr(hub_client, "PATIENCE", QUICK)
    monkeypatch.setattr(hub_client, "_FAILURE", QUICK / 12)
    monkeypatch.setattr("fsspec.asyn.time", SimpleNamespace(sleep=lambda _: None), raising=False)
    yield hub
    monkeypatch.undo()


def _entry(hub: LoopbackHub, path: str, data: bytes) -> Entry:
    if not path.endswith(LFS_SUFFIXES):
        return Entry(data)
    sha256 = hashlib.sha256(data).hexdigest()
    hub.state.object_path(sha256).write_bytes(data)
    return Entry(sha256=sha256, size=len(data))


def run(
    command: str, hub: LoopbackHub, fault: dict[str, Any], where: Path, capsys: Any, folders: Any, within: float = 30
) -> str:
    """Run a command while answers are odd; what it said last."""
    made = hub.fault(**fault)
    begun = time.monotonic()
    status = cli.main(COMMANDS[command].split())
    spent = time.monotonic() - begun
    said = capsys.readouterr().err
    lines = [line for line in said.splitlines() if line.startswith("stackgen: ")]
    assert status in (0, 1, 2)
    assert spent < within, f"{spent:.0f} s"
    assert "Traceback" not in said
    if status:
        assert len(lines) == 1
        assert lines[0].isprintable()
        assert len(lines[0]) < 1500
        assert not (where / "out/manifest.json").exists()
        assert not [token for token in TOKENS if token in said]
        assert made.seen or command.startswith("generate") or command in ("certify", "evaluate --model", "train")
    assert {path.name for path in where.iterdir()} <= {"cache", "hub", "set", "out"}, "something was written elsewhere"
    assert not list(where.rglob("evil*"))
    whole_states(hub, "user/thing", folders["thing"], folders["set"])
    return lines[-1] if status else ""


CANNOT_READ = r"the Hub sent an answer that cannot be read \("
TOLD: dict[str, tuple[str, dict[str, Any], str]] = {
    "empty": ("prompts", {"answer": body("empty")}, CANNOT_READ + "JSONDecodeError"),
    "html": ("publish", {"answer": body("html")}, CANNOT_READ + "JSONDecodeError"),
    "list": ("publish", {"answer": body("list")}, CANNOT_READ),
    "null": ("prompts", {"answer": body("null")}, CANNOT_READ),
    "deep": ("prompts", {"answer": body("deep list")}, CANNOT_READ + "RecursionError"),
    "not utf-8": ("publish", {"answer": body("not utf-8")}, CANNOT_READ + "UnicodeDecodeError"),
    "no commit": ("prompts", {"change": lambda *a: (200, b'{"id": "user/thing", "sha": "main"}', {})}, CANNOT_READ),
    "commit lost": ("publish", {"path": "/commit/", "answer": body("html")}, CANNOT_READ),
    "inconsistent": ("certify", {"path": "config", "change": other_headers("size below")}, CANNOT_READ + "OSError"),
    "etag": ("prompts", {"change": other_headers("etag climbs")}, "the Hub names a file outside of its place"),
    "etag folder": ("certify", {"change": other_headers("etag absolute")}, "outside of its place"),
    "commit climbs": ("certify", {"change": other_headers("commit climbs")}, "outside of its place"),
    "length too long": ("certify", {"answer": RAW["length too long"]()}, "the Hub cannot be reached"),
    "gzip bomb": ("publish", {"answer": RAW["gzip bomb"]()}, "the Hub sent a compressed answer"),
    "redirects": ("prompts", {"answer": RAW["redirects to itself"]()}, CANNOT_READ + "TooManyRedirects"),
    "no end": ("prompts", {"answer": RAW["body without end"]()}, "the Hub sent an answer of more than 64 MB"),
    "headers": ("prompts", {"answer": RAW["headers without end"]()}, "the Hub cannot be reached|headers .* no end"),
    "silent": ("prompts", {"answer": RAW["silent"]()}, r"cannot be reached \(it sent no complete answer within"),
    "drips": ("publish", {"answer": RAW["drips a body"]()}, r"cannot be reached \(it sent no complete answer within"),
    "drips headers": ("prompts", {"answer": RAW["drips headers"]()}, r"\(it sent no complete answer within"),
    "long text": ("prompts", {"answer": RAW["long error"]()}, r"the Hub answered 400 \(.{10,300}\)"),
} | {
    f"wait {wait[:9]}": ("publish", {"status": 429, "headers": {"Retry-After": wait}}, "the Hub answered 429")
    for wait in WAITS
}  # fmt: skip


@pytest.mark.parametrize("kind", TOLD)
def test_what_is_said_of_an_odd_answer(
    kind: str, filled: LoopbackHub, folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, fault, told = TOLD[kind]
    said = run(command, filled, {"times": 10**6, **fault}, tmp_path, capsys, folders)
    assert re.match(r"stackgen: Cannot [\w ]+ user/thing\S*: ", said)
    assert re.search(told, said), said


def test_a_listing_without_end(
    filled: LoopbackHub,
    folders: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its next page is itself."""
    monkeypatch.setattr(hub_client, "MOST_PAGES", 50)

    def change(status: int, data: bytes, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        return status, data, headers | {"Link": f'<{filled.url}/api/datasets/user/thing/tree/main?x>; rel="next"'}

    said = run("publish", filled, {"path": "/tree/", "times": 10**6, "change": change}, tmp_path, capsys, folders)
    assert "the Hub sent a listing that has no end" in said
    assert sum("/tree/" in path for _, path in filled.state.requests) <= hub_client.MOST_PAGES + 1


def test_the_token_goes_to_the_endpoint_only(
    filled: LoopbackHub, folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not to the host of an upload's check, of a redirect, or of a next page."""
    sent: list[str | None] = []

    class Other(BaseHTTPRequestHandler):
        def answer(self) -> None:
            sent.append(self.headers.get("Authorization"))
            self.send_error(404)

        do_GET = do_POST = answer  # noqa: N815

    def led(status: int, data: bytes, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        data = data.replace(f"{filled.url}/datasets/user/thing.git".encode(), f"{there}/check".encode())
        return status, data, headers | {"Link": f'<{there}/next>; rel="next"'}

    def sent_on(*_: Any) -> tuple[int, bytes, dict[str, str]]:
        return 307, b"", {"Location": f"{there}/refs"}

    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as other:
        threading.Thread(target=other.serve_forever, args=[0.02], daemon=True).start()
        there = f"http://127.0.0.1:{other.server_address[1]}"
        for path, change in (("/objects/batch", led), ("/refs", sent_on), ("/tree/", led)):
            before = len(sent)
            run("publish", filled, {"path": path, "times": 10**6, "change": change}, tmp_path, capsys, folders)
            filled.state.faults.clear()
            assert len(sent) > before, f"{path} led there"
        other.shutdown()
    assert set(sent) == {None}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["silent", "silent after the headers", "drips headers", "drips a body"])
@pytest.mark.parametrize("command", ["evaluate", "certify", "publish"])
def test_it_waits_as_long_as_it_says(
    command: str,
    kind: str,
    filled: LoopbackHub,
    folders: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the clients' own time-outs."""
    monkeypatch.setattr(hub_client, "PATIENCE", 40.0)
    monkeypatch.setattr(hub_client, "_FAILURE", 40 / 12)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 10)
    begun = time.monotonic()
    said = run(command, filled, {"answer": RAW[kind](), "times": 10**6}, tmp_path, capsys, folders, within=60)
    assert "the Hub cannot be reached" in said
    assert time.monotonic() - begun < 60


NUMBER = 300


@pytest.mark.slow
@pytest.mark.parametrize("number", range(NUMBER))
def test_no_odd_answer_is_more_than_a_sentence(
    number: int, filled: LoopbackHub, folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = Random(number)
    fault = list(cases(NUMBER))[number][1]
    command = list(COMMANDS)[number % len(COMMANDS)]
    where = {"times": chance.choice((1, 10**6)), "skip": chance.choice((0, 0, 1, 2, 3, 5, 8))}
    run(command, filled, {**fault(), **where}, tmp_path, capsys, folders)
