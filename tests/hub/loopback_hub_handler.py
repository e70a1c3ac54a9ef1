"""HTTP of the loopback Hub: reading requests, sending answers, faults, and which method answers what."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from loopback_hub_state import Fault, HubError, HubState, Repository, User

KIND = r"(?P<kind>model|dataset|space)s"
NAME = r"(?P<name>[^/]+/[^/]+)"
REVISION = r"(?P<revision>refs/[a-z]+/[^/]+|[^/]+)"
PREFIX = r"(?P<prefix>datasets/|spaces/)?"

Route = tuple[tuple[str, ...], str, str]


def route(methods: str, pattern: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a method of a handler answer requests such as "GET HEAD" whose whole path matches the pattern."""

    def mark(function: Callable[..., None]) -> Callable[..., None]:
        function.route = (tuple(methods.split()), pattern, function.__name__)  # type: ignore[attr-defined]
        return function

    return mark


class HubHandler(BaseHTTPRequestHandler):
    """One connection; sub-classes add methods with `route`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # small answers are not held back for 40 ms
    wbufsize = 1 << 16
    state: ClassVar[HubState]
    connections: ClassVar[set[socket.socket]]
    routes: ClassVar[list[Route]] = []

    def __init_subclass__(cls) -> None:
        found = [getattr(getattr(cls, name), "route", None) for name in dir(cls)]
        cls.routes = [entry for entry in found if entry is not None]

    def setup(self) -> None:
        super().setup()
        self.connections.add(self.connection)

    def finish(self) -> None:
        self.connections.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def log_message(self, *_: object) -> None:
        pass

    def answer_request(self) -> None:
        split = urlsplit(self.path)
        self.place, self.query = split.path, parse_qs(split.query)
        self.body_was_read = False
        self.fault: Fault | None = self.state.fault_for(self.command, self.path)
        try:
            if self.fault is None or not self.struck(self.fault):
                self.dispatch()
        except HubError as error:
            self.drain()
            self.send(error.status, error.body if error.body is not None else {"error": error.message}, error.headers)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        except Exception as error:  # a bug here must not look like a broken line
            self.state.problems.append(error)
            self.close_connection = True
            self.send(500, {"error": repr(error)}, {"X-Error-Message": repr(error)[:200]})

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer_request  # noqa: N815 - http.server looks for these

    def struck(self, fault: Fault) -> bool:
        """Do what the fault says before the request is answered; True where it is not answered at all."""
        if fault.delay:
            time.sleep(fault.delay)
        if fault.drop_upload_after is not None:
            self.rfile.read(fault.drop_upload_after)
        if fault.drop or fault.drop_upload_after is not None:
            self.cut()
            return True
        if fault.answer:
            self.drain()
            self.close_connection = True
            fault.answer(self)
            return True
        if fault.status:
            raise HubError(fault.status, "something went wrong on purpose", headers=fault.headers)
        return False

    def dispatch(self) -> None:
        for methods, pattern, name in self.routes:
            found = re.fullmatch(pattern, self.place)
            if found and self.command in methods:
                values = {key: unquote(value) if value else value for key, value in found.groupdict().items()}
                if "prefix" in values:
                    values["kind"] = (values.pop("prefix") or "models/").removesuffix("s/")
                getattr(self, name)(**values)
                return
        raise HubError(404, f"no route for {self.command} {self.place}")

    def cut(self) -> None:
        """Break the line."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def answer_is_lost(self) -> bool:
        """Break the line where the fault wants the request done and its answer lost."""
        if self.fault is None or not self.fault.drop_answer:
            return False
        self.cut()
        return True

    def body_chunks(self, size: int = 1 << 20) -> Iterator[bytes]:
        self.body_was_read = True
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while count := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                yield self.rfile.read(count)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left > 0:
            chunk = self.rfile.read(min(size, left))
            if not chunk:
                raise ConnectionResetError
            left -= len(chunk)
            yield chunk

    def body(self) -> bytes:
        return b"".join(self.body_chunks())

    def json_body(self) -> Any:
        return json.loads(self.body() or b"{}")

    def drain(self) -> None:
        """Read what is left of the request, so that the connection can be used again."""
        if not self.body_was_read:
            try:
                for _ in self.body_chunks():
                    pass
            except OSError:
                self.close_connection = True

    def send(self, status: int, content: Any = None, headers: dict[str, str] | None = None) -> None:
        self.drain()
        data = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
        if self.fault and self.fault.change:
            status, data, headers = self.fault.change(status, data, headers or {})
        sent = {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(len(data))} | (headers or {})
        try:
            self.send_response(status)
            for key, value in sent.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)
        except OSError:
            self.close_connection = True

    def user(self, required: bool = False) -> User | None:
        return self.state.user(self.headers, required)

    def repository(self, kind: str, name: str, **rights: bool) -> Repository:
        return self.state.repository(kind, name, self.user(), **rights)
