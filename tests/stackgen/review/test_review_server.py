"""The server as anybody on this machine, or a page of another site, could call it."""

import http.client
import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from stackwalls.hub_cards import RowReader, read_decisions
from stackwalls.model import RunError
from stackwalls.stackgen.review import review_server
from stackwalls.stackgen.review.review_server import ReviewServer
from stackwalls.stackgen.review.review_session import ReviewSession

Serve = Callable[[Path], AbstractContextManager[ReviewServer]]


def call(
    server: ReviewServer, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def get(server: ReviewServer, path: str = "", **headers: str) -> tuple[int, dict[str, str], bytes]:
    return call(server, "GET", f"/{server.token}/{path}", headers=headers)


def post(server: ReviewServer, content: Any, path: str = "decide", **headers: str) -> tuple[int, Any]:
    sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    status, _, answer = call(server, "POST", f"/{server.token}/{path}", body, sent)
    return status, json.loads(answer)


GOOD = {"row": 2, "verdict": "keep", "comment": ""}


def test_what_is_served(mix_folder: Path, serve: Serve) -> None:
    with serve(mix_folder) as server:
        assert server.server_address[0] == "127.0.0.1"
        assert len(server.token) >= 40
        for path, media_type in (
            ("", "text/html"),
            ("review.css", "text/css"),
            ("review.js", "text/javascript"),
            ("icon.svg", "image/svg+xml"),
            ("set", "application/json"),
            ("row/0", "application/json"),
            ("rejected/100", "application/json"),
        ):
            status, headers, content = get(server, path)
            assert (status, headers["Content-Type"].split(";")[0]) == (200, media_type)
            assert content
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert not [name for name in headers if name.startswith("Access-Control")]
            assert server.token.encode() not in content
            assert str(mix_folder.parent).encode() not in content or path == "set"
        status, headers, content = get(server, "image/4")
        assert (status, headers["Content-Type"]) == (200, "image/png")
        assert content == RowReader(mix_folder)[4]["image"]["bytes"]


def test_webp(mix_maker: Callable[..., Path], tmp_path: Path, serve: Serve) -> None:
    with serve(mix_maker(tmp_path / "webp", encoder="webp")) as server:
        assert get(server, "image/0")[1]["Content-Type"] == "image/webp"


def test_without_the_token_there_is_nothing(mix_folder: Path, serve: Serve) -> None:
    with serve(mix_folder) as server:
        wrong = [
            "/",
            "/set",
            f"/{server.token}",
            f"/{server.token[:-1]}/set",
            f"/{server.token}x/set",
            f"/set/{server.token}/set",
            "/%C3%A9/set",
            f"/?token={server.token}",
        ]
        for path in wrong:
            assert call(server, "GET", path)[0] == 403, path
            assert call(server, "POST", path, json.dumps(GOOD).encode(), {"Content-Type": "application/json"})[0] == 403
    assert read_decisions(mix_folder) == {}


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil", ""])
def test_another_hosts_name_is_refused(mix_folder: Path, serve: Serve, host: str) -> None:
    """As after DNS rebinding: the page of another site that now resolves to this machine."""
    with serve(mix_folder) as server:
        assert get(server, "set", Host=host)[0] == 403
        assert post(server, GOOD, Host=host)[0] == 403
        assert get(server, "set", Host="localhost:1234")[0] == 200, "a forwarded port"
    assert read_decisions(mix_folder) == {}


BAD: dict[str, tuple[Any, dict[str, str], int]] = {
    "a form of another site": (GOOD, {"Content_Type": "text/plain"}, 415),
    "another origin": (GOOD, {"Origin": "http://evil.example"}, 403),
    "a null origin": (GOOD, {"Origin": "null"}, 403),
    "no JSON": (b"row=2", {}, 400),
    "no UTF-8": (b"\xff", {}, 400),
    "a list": ([1], {}, 400),
    "nested too deep": (b"[" * 10_000, {}, 400),
    "no comment": ({"row": 2, "verdict": "keep"}, {}, 400),
    "a row that is no number": (GOOD | {"row": "2"}, {}, 400),
    "a row that is true": (GOOD | {"row": True}, {}, 400),
    "a row that is not there": (GOOD | {"row": 6}, {}, 404),
    "a negative row": (GOOD | {"row": -1}, {}, 404),
    "an unknown verdict": (GOOD | {"verdict": "maybe"}, {}, 400),
    "a list for a verdict": (GOOD | {"verdict": []}, {}, 400),
    "a comment that is no text": (GOOD | {"comment": 3}, {}, 400),
    "half a character": (b'{"row": 2, "verdict": "keep", "comment": "\\ud800"}', {}, 400),
    "too long": (b" " * 20_000, {}, 413),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_decision(mix_folder: Path, serve: Serve, kind: str) -> None:
    content, headers, expected = BAD[kind]
    with serve(mix_folder) as server:
        status, answer = post(server, content, **headers)
        assert (status, set(answer)) == (expected, {"error"})
        assert post(server, GOOD, Origin=f"http://127.0.0.1:{server.server_address[1]}")[0] == 200
    assert len(read_decisions(mix_folder)) == 1


@pytest.mark.parametrize(
    "path",
    [
        "../manifest.json",
        "..%2f..%2fetc/passwd",
        "templates/review.html",
        "review.html",
        "//etc/passwd",
        "row/",
        "row/-1",
        "row/1e3",
        "row/99",
        "image/6",
        "row/9999999999",
        "image/0/../../manifest.json",
        "decide",
    ],
)
def test_no_other_path_leads_anywhere(mix_folder: Path, serve: Serve, path: str) -> None:
    with serve(mix_folder) as server:
        assert get(server, path)[0] == 404
        assert call(server, "PUT", f"/{server.token}/decide")[0] == 501
        assert post(server, GOOD, path)[0] == (200 if path == "decide" else 404)


def test_a_disk_that_refuses_is_said_and_nothing_is_decided(
    mix_folder: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with serve(mix_folder) as server:
        with monkeypatch.context() as patch:
            patch.setattr("stackwalls.hub_cards.decisions.os.fsync", refuse)
            status, answer = post(server, GOOD)
        assert status == 500
        assert "disk is full" in answer["error"]
        assert json.loads(get(server, "row/2")[2])["verdict"] == "undecided"
        assert post(server, GOOD)[0] == 200


def test_a_port_that_is_taken(mix_folder: Path) -> None:
    with socket.socket() as taken, ReviewSession.open(mix_folder) as session:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(RunError, match="Cannot listen on port"):
            ReviewServer(session, taken.getsockname()[1])


def test_a_browser_that_goes_away_does_not_stop_the_review(
    mix_folder: Path, serve: Serve, capfd: pytest.CaptureFixture[str]
) -> None:
    with serve(mix_folder) as server:
        for _ in range(5):
            with socket.create_connection(server.server_address[:2]) as half:  # type: ignore[arg-type]
                half.sendall(f"POST /{server.token}/decide HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-".encode())
        assert get(server, "set")[0] == 200
    assert capfd.readouterr().err == ""


def raw(server: ReviewServer, sent: bytes) -> bytes:
    """What the server answers to these bytes, up to the end of the connection."""
    with socket.create_connection(server.server_address[:2], timeout=10) as connection:  # type: ignore[arg-type]
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_200_requests_at_once_are_all_answered(
    mix_folder: Path, serve: Serve, capfd: pytest.CaptureFixture[str]
) -> None:
    """Half of them decisions, most of them of browsers that keep their connection open."""
    with serve(mix_folder) as server, ThreadPoolExecutor(200) as clients:
        together = Barrier(200)

        def ask(number: int) -> int:
            connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)
            together.wait()
            if number % 2:
                body = json.dumps(GOOD | {"row": number % 6, "comment": str(number)})
                connection.request("POST", f"/{server.token}/decide", body, {"Content-Type": "application/json"})
            else:
                connection.request("GET", f"/{server.token}/image/{number % 6}")
            answer = connection.getresponse()
            assert answer.read()
            kept.append(connection)  # open until all are answered
            return answer.status

        kept: list[http.client.HTTPConnection] = []
        assert set(clients.map(ask, range(200))) == {200}
        for connection in kept:
            connection.close()
    assert len(read_decisions(mix_folder)) == 3
    assert capfd.readouterr().err == ""


def test_where_the_queue_is_full_the_answer_is_503(
    mix_folder: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review_server, "THREADS", 1)
    monkeypatch.setattr(review_server, "QUEUE", 3)
    monkeypatch.setattr(review_server, "HURRY", 0.2)
    with serve(mix_folder) as server, ExitStack() as silent:
        for _ in range(4):  # one for the thread, three for the queue
            silent.enter_context(socket.create_connection(server.server_address[:2]))  # type: ignore[arg-type]
        time.sleep(0.05)
        status, answer = post(server, GOOD)
        assert (status, set(answer)) == (503, {"error"})
        deadline = time.monotonic() + 10
        while post(server, GOOD)[0] != 200:  # those that send nothing are cut off
            assert time.monotonic() < deadline
    assert len(read_decisions(mix_folder)) == 1


def test_a_slow_request_is_cut_off(mix_folder: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_server, "PATIENCE", 0.2)
    with serve(mix_folder) as server:
        head = f"POST /{server.token}/decide HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        for sent in (head.encode(), f"{head}Content-Length: 90\r\n\r\n{{".encode()):
            with socket.create_connection(server.server_address[:2], timeout=10) as slow:  # type: ignore[arg-type]
                started = time.monotonic()
                with suppress(ConnectionError):
                    for byte in sent + b" " * 80:
                        slow.sendall(bytes([byte]))
                        time.sleep(0.002)
                assert slow.recv(65_536).startswith(b"HTTP/1.1 408 ")
                assert time.monotonic() - started < 5
    assert read_decisions(mix_folder) == {}


ODD: dict[str, tuple[str, int]] = {
    "more than announced": (f"POST decide\nContent-Length: 44\n\n{json.dumps(GOOD)}{'x' * 900}", 200),
    "less than announced": (f"POST decide\nContent-Length: 90\n\n{json.dumps(GOOD)}", 408),
    "a length of 5,000 digits": (f"POST decide\nContent-Length: {'9' * 5000}\n\n", 413),
    "a length below zero": ("POST decide\nContent-Length: -1\n\n", 411),
    "no length": ("POST decide\n\n", 411),
    "in pieces": ("POST decide\nTransfer-Encoding: chunked\n\n5\r\nhello\r\n0\r\n\r\n", 411),
    "a huge body": (f"POST decide\nContent-Length: 20000000\n\n{' ' * 20_000_000}", 413),
    "a long header": (f"GET set\nX: {'x' * 70_000}\n\n", 431),
    "many headers": (f"GET set\n{''.join(f'X{n}: 1' + chr(10) for n in range(200))}\n", 431),
    "a long path": (f"GET {'x' * 70_000}\n\n", 414),
    **{f"method {method}": (f"{method} set\n\n", 501) for method in ("PUT", "DELETE", "OPTIONS", "HEAD", "x")},
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_requests_are_answered(
    mix_folder: Path, serve: Serve, capfd: pytest.CaptureFixture[str], kind: str
) -> None:
    request, expected = ODD[kind]
    head, _, body = request.partition("\n\n")
    first, *headers = head.split("\n")
    method, path = first.split(" ")
    with serve(mix_folder) as server:
        lines = [f"{method} /{server.token}/{path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
        answer = raw(server, "\r\n".join([*lines, *headers, "", body]).encode())
        assert answer.startswith(f"HTTP/1.1 {expected} ".encode())
        assert b"default-src 'none'" in answer
        assert raw(server, b"\x16\x03\x01 nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        assert post(server, GOOD)[0] == 200
    assert capfd.readouterr().err == ""
