"""Answers of a Hub that are none: whole ones, and true ones with something changed. Each kind takes a `Random`."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Any

Answer = Callable[[Any], None]
Change = Callable[[int, bytes, dict[str, str]], tuple[int, bytes, dict[str, str]]]

ESCAPES = "\x1b[2J\x1b]0;title\x07\x00\x08‮"

BODIES: dict[str, bytes] = {
    "empty": b"",
    "html": b"<!DOCTYPE html><html><title>Log in to the hotel's network</title></html>",
    "list": b"[]",
    "list of lists": b"[[1], [2], {}]",
    "null": b"null",
    "number": b"-1e400",
    "text": b'"yes"',
    "object": b"{}",
    "deep": b'{"sha":' * 100_000,
    "deep list": b"[" * 100_000 + b"]" * 100_000,
    "cut": b'{"id": "user/thing", "sha": "abc',
    "not utf-8": b'{"id": "\xff\xfe\xfa"}',
    "utf-16": '{"id": "user/thing"}'.encode("utf-16"),
    "nan": b'{"sha": NaN, "siblings": NaN}',
    "digits": b'{"size": ' + b"9" * 5000 + b"}",
    "same key": b'{"sha": 1, "sha": []}',
    "zeros": bytes(1000),
}

WRONG: tuple[Any, ...] = (None, True, -1, 1e308, "", "x\x00y", "../../../../evil", [], [[]], {}, {"a": {}}, "9" * 5000)

HEADERS: dict[str, dict[str, str]] = {
    "etag climbs": {"ETag": '"../../../../evil"', "X-Linked-Etag": '"../../../../evil"'},
    "etag absolute": {"ETag": '"/tmp/evil"', "X-Linked-Etag": "/tmp/evil"},
    "etag weak": {"X-Linked-Etag": 'W/"../../../evil"'},
    "etag dots": {"X-Linked-Etag": '".."'},
    "no etag": {"ETag": "", "X-Linked-Etag": ""},
    "commit climbs": {"X-Repo-Commit": "../../../../evil"},
    "no commit": {"X-Repo-Commit": ""},
    "size": {"X-Linked-Size": "9" * 5000},
    "size text": {"X-Linked-Size": "many"},
    "size below": {"X-Linked-Size": "-5"},
    "xet": {"X-Xet-Hash": "../evil", "X-Xet-Refresh-Route": "file:///etc/passwd"},
    "link odd": {"Link": '<<>; rel=;"next", ;;<http://[::1>; rel="next"'},
    "link nowhere": {"Link": '<nowhere>; rel="next"'},
    "warning": {"X-HF-Warning": "a; " + "\x1b[31m" * 100},
    "type": {"Content-Type": "application/json; charset=nonsense"},
    "encoding": {"Content-Encoding": "br"},
    "two encodings": {"Content-Encoding": "gzip, gzip"},
}

WAITS = ("1e20", "infinity", "999999999", "1" * 400, "-1", "nan", "²", "100000000000000000000", "0x10", "3600", " ")
STATUSES = (400, 401, 402, 403, 404, 408, 409, 410, 412, 416, 418, 422, 425, 429, 451, 500, 502, 503, 504, 599, 999)


def _head(status: int | str, headers: dict[str, str]) -> bytes:
    lines = [
        f"HTTP/1.1 {status} Odd",
        "Connection: close",
        *(f"{key}: {value}" for key, value in headers.items()),
        "",
        "",
    ]
    return "\r\n".join(lines).encode("latin-1", "replace")


def _raw(*parts: bytes | float) -> Answer:
    """Bytes, and seconds to wait between them."""

    def answer(handler: Any) -> None:
        with suppress(OSError):
            for part in parts:
                if isinstance(part, bytes):
                    handler.wfile.write(part)
                    handler.wfile.flush()
                else:
                    time.sleep(part)

    return answer


def _drip(parts: Iterator[bytes], pause: float) -> Answer:
    """Without end; until the client goes, or the server is closed."""

    def answer(handler: Any) -> None:
        handler.connection.settimeout(5)
        with suppress(OSError):
            for part in parts:
                handler.wfile.write(part)
                handler.wfile.flush()
                time.sleep(pause)
                handler.connection.send(b"", socket.MSG_DONTWAIT)

    return answer


def _forever(part: bytes, first: bytes = b"") -> Iterator[bytes]:
    yield first
    while True:
        yield part


JSON = {"Content-Type": "application/json"}


def body(kind: str, status: int = 200) -> Answer:
    data = BODIES[kind]
    return _raw(_head(status, JSON | {"Content-Length": str(len(data))}), data)


def bomb() -> Answer:
    """A gigabyte in a megabyte."""
    packed = gzip.compress(bytes(1 << 26), 9) * 16
    return _raw(_head(200, JSON | {"Content-Encoding": "gzip", "Content-Length": str(len(packed))}), packed)


RAW: dict[str, Callable[[], Answer]] = {
    "says nothing, closes": lambda: _raw(),
    "garbage": lambda: _raw(b"\x16\x03\x01\x02\x00 no http at all\r\n\r\n"),
    "no status": lambda: _raw(b"HTTP/1.1\r\n\r\n"),
    "closes in the headers": lambda: _raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "length too long": lambda: _raw(_head(200, JSON | {"Content-Length": "5000"}), b"{}"),
    "length too short": lambda: _raw(_head(200, JSON | {"Content-Length": "1"}), b'{"sha": 1}'),
    "length odd": lambda: _raw(_head(200, JSON | {"Content-Length": "-7"}), b"{}"),
    "two lengths": lambda: _raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}"),
    "chunks odd": lambda: _raw(_head(200, JSON | {"Transfer-Encoding": "chunked"}), b"zz\r\n{}\r\n"),
    "headers without end": lambda: _drip(_forever(b"X: " + b"y" * 10_000 + b"\r\n", b"HTTP/1.1 200 OK\r\n"), 0),
    "continue without end": lambda: _drip(_forever(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), 0),
    "body without end": lambda: _drip(
        _forever(b"100000\r\n" + b"x" * (1 << 20) + b"\r\n", _head(200, JSON | {"Transfer-Encoding": "chunked"})), 0
    ),
    "gzip bomb": bomb,
    "silent": lambda: _raw(120.0),
    "silent after the headers": lambda: _raw(_head(200, JSON | {"Content-Length": "10"}), 120.0),
    "drips headers": lambda: _drip(_forever(b"x", b"HTTP/1.1 200 OK\r\nX-Slow: "), 0.05),
    "drips a body": lambda: _drip(_forever(b"x", _head(200, JSON | {"Content-Length": "1000000"})), 0.05),
    "redirects to itself": lambda: _redirect(""),
    "redirects nowhere": lambda: _redirect("http://127.0.0.1:1/nowhere"),
    "redirects to a file": lambda: _redirect("file:///etc/passwd"),
    "redirects oddly": lambda: _redirect("http://[::1"),
    "long error": lambda: _raw(
        _head(400, JSON | {"Content-Length": "20000030"}), b'{"error": "' + b"\\u001b[31m " * 1_999_999 + b'!!!!!"}'
    ),
}


def _redirect(location: str) -> Answer:
    def answer(handler: Any) -> None:
        _raw(_head(302, {"Location": location or handler.path, "Content-Length": "0"}))(handler)

    return answer


TEXTS: tuple[Any, ...] = (
    {"error": "no" + ESCAPES}, {"error": ["a", 1, None]}, {"error": {"a": []}}, {"errors": [1, "message"]},
    {"errors": {}}, {"error": "<script>alert(1)</script>" * 50}, [], None, 7, {"error_description": 5},
)  # fmt: skip


def error(chance: Random) -> Answer:
    """A status with a text that does what a text may."""
    status = chance.choice(STATUSES)
    said = chance.choice(TEXTS)
    headers = {"Retry-After": chance.choice(WAITS)} if chance.random() < 0.5 else {}
    if chance.random() < 0.3:
        headers |= {"ratelimit": f'"api";r=0;t={chance.choice(("9" * 5000, "999999", "5"))}'}
        headers |= {"ratelimit-policy": f'"fixed window";"api";q={"9" * 5000};w=3'}
    if chance.random() < 0.3:
        headers["X-Error-Code"] = chance.choice(["RepoNotFound", "GatedRepo", "EntryNotFound", "x" * 1000])
    if chance.random() < 0.3:
        headers["X-Error-Message"] = "\x1b[2J" + "m" * 10_000
    data = json.dumps(said).encode()
    return _raw(_head(status, JSON | headers | {"Content-Length": str(len(data))}), data)


def wrong_values(chance: Random) -> Change:
    """The true answer with another value, or none, in some of its places."""

    def changed(value: Any) -> Any:
        if chance.random() < 0.12:
            return chance.choice(WRONG)
        if isinstance(value, dict):
            return {key: changed(item) for key, item in value.items() if chance.random() > 0.05}
        return [changed(item) for item in value] if isinstance(value, list) else value

    def change(status: int, data: bytes, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        with suppress(ValueError):
            data = json.dumps(changed(json.loads(data))).encode()
        return status, data, headers

    return change


def other_headers(kind: str) -> Change:
    def change(status: int, data: bytes, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        return status, data, headers | HEADERS[kind]

    return change


def cases(number: int, seed: int = 0) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Names, and what each asks `LoopbackHub.fault` for: every kind once, then seeded ones."""
    made: list[tuple[str, Callable[[], dict[str, Any]]]] = []
    made += [(f"body {kind}", lambda kind=kind: {"answer": body(kind)}) for kind in BODIES]  # type: ignore[misc]
    made += [(f"raw {kind}", lambda make=make: {"answer": make()}) for kind, make in RAW.items()]  # type: ignore[misc]
    made += [(f"headers {kind}", lambda kind=kind: {"change": other_headers(kind)}) for kind in HEADERS]  # type: ignore[misc]
    for at in range(number - len(made)):
        make = error if at % 2 else wrong_values
        key = "answer" if at % 2 else "change"
        made.append((f"{make.__name__} {at}", lambda make=make, key=key, at=at: {key: make(Random(seed + at))}))  # type: ignore[misc]
    return iter(made[:number])
