"""`ReviewServer`: the web server of a review, on the loopback interface only, behind a random token."""

import hmac
import json
import re
import secrets
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.resources import files
from threading import BoundedSemaphore
from typing import Any, NamedTuple

from stackwalls.model import InputError, RunError
from stackwalls.stackgen.review.review_session import ReviewSession

LOOPBACK = "127.0.0.1"
MOST_BODY = 16_384  # bytes of a decision; longer requests are rejected unread
THREADS, QUEUE = 32, 256  # connections that are served, and that wait for a thread; further ones are answered 503
PATIENCE, HURRY = 10.0, 1.0  # seconds to send a request in; while connections wait, and before they are closed

# sent with every response: the page loads nothing from elsewhere, and other pages cannot frame or read it
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

# the page's own files: path after the token → file and media type; no other file is ever read
PAGE = {
    "": ("review.html", "text/html; charset=utf-8"),
    "review.css": ("review.css", "text/css; charset=utf-8"),
    "review.js": ("review.js", "text/javascript; charset=utf-8"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}

# against DNS rebinding: another site's name that resolves to this machine sends another Host
_OWN_HOST = re.compile(r"(127\.0\.0\.1|localhost)(:\d{1,5})?")
_NUMBERED = re.compile(r"(row|image|rejected)/(\d{1,9})")


class _Desk(NamedTuple):
    """Threads that serve connections, with a queue."""

    threads: ThreadPoolExecutor
    room: BoundedSemaphore
    handler: type["_Handler"]


class ReviewServer(HTTPServer):
    """Serves one review until `shutdown`, or Ctrl-C in `serve_forever`.

    A bounded number of threads serve connections, and as many wait as fit in the queue. A few other threads answer the
    rest that the server is busy. Slow requests are cut off, sooner while others wait.

    Args:
        session: the review; closed by its owner.
        port: 0 for any free port.

    Raises:
        RunError: if the port is not available.
    """

    request_queue_size = QUEUE

    def __init__(self, session: ReviewSession, port: int = 0) -> None:
        self.session = session
        self.token = secrets.token_urlsafe(32)
        self.reading: set[_Handler] = set()  # what threads serve now
        self._desks = (
            _Desk(ThreadPoolExecutor(THREADS), BoundedSemaphore(THREADS + QUEUE), _Handler),
            _Desk(ThreadPoolExecutor(2), BoundedSemaphore(QUEUE), _BusyHandler),
        )
        self._open: set[socket.socket] = set()
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except OSError as error:
            wrong = f"Cannot listen on port {port} of {LOOPBACK} ({error.strerror or error})"
            raise RunError(f"{wrong}: choose another --port, or leave it out to use any free one.") from error

    @property
    def address(self) -> str:
        """The address to open in a browser; it contains the token, so do not share it."""
        return f"http://{LOOPBACK}:{self.server_address[1]}/{self.token}/"

    @property
    def is_busy(self) -> bool:
        """Whether connections wait for a thread."""
        return len(self._open) > THREADS

    def process_request(self, request: Any, client_address: Any) -> None:
        """Queue a connection where there is room."""
        for desk in self._desks:
            if desk.room.acquire(blocking=False):
                self._open.add(request)
                desk.threads.submit(self._serve, desk, request, client_address)
                return
        self.close_request(request)

    def _serve(self, desk: _Desk, request: socket.socket, client_address: Any) -> None:
        try:
            desk.handler(request, client_address, self)
        except Exception:
            self.handle_error(request, client_address)
        finally:
            self.shutdown_request(request)
            desk.room.release()

    def service_actions(self) -> None:
        """End requests that take too long to arrive; called several times a second."""
        since = time.monotonic() - (HURRY if self.is_busy else PATIENCE)
        for handler in self.reading.copy():
            if handler.begun < since:
                handler.is_late = True
                with suppress(OSError):
                    handler.connection.shutdown(socket.SHUT_RD)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection after reading what still arrives: otherwise the client may not get the response."""
        with suppress(OSError):
            request.shutdown(socket.SHUT_WR)
            request.settimeout(HURRY)
            until = time.monotonic() + HURRY
            while request.recv(65_536) and time.monotonic() < until:
                pass
        self._open.discard(request)
        self.close_request(request)

    def server_close(self) -> None:
        """Close every connection too."""
        super().server_close()
        for connection in self._open.copy():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for desk in self._desks:
            desk.threads.shutdown()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore browsers that disconnect in the middle of a response."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection: GET for the page and its data, POST for decisions."""

    server: ReviewServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "stackwalls", ""
    default_request_version = "HTTP/1.0"  # before it, there were no status and headers
    timeout = 60  # seconds for the response
    begun = 0.0  # when the request began
    is_late = False

    def handle_one_request(self) -> None:
        self.begun = time.monotonic()
        self.server.reading.add(self)
        try:
            super().handle_one_request()
        finally:
            self.server.reading.discard(self)

    def do_GET(self) -> None:
        session = self.server.session
        path = self._allowed()
        if path is None:
            return
        if path in PAGE:
            name, media_type = PAGE[path]
            self._send(200, (files("stackwalls.stackgen.review") / "templates" / name).read_bytes(), media_type)
        elif path == "set":
            self._answer(session.overview)
        elif match := _NUMBERED.fullmatch(path):
            asked = {"row": session.row, "image": session.image, "rejected": session.rejected}[match[1]]
            self._answer(asked, int(match[2]))
        else:
            self._refuse(404, "Not found.")

    def do_POST(self) -> None:
        path = self._allowed()
        if path is None:
            return
        origin = self.headers.get("Origin")
        if origin is not None and origin != f"http://{self.headers['Host']}":
            self._refuse(403, "Only the review's own page may send decisions.")
        elif path != "decide":
            self._refuse(404, "Not found.")
        elif self.headers.get_content_type() != "application/json":
            self._refuse(415, "Expected a decision as application/json.")
        elif (body := self._body()) is not None:
            self._answer(self._decide, body)

    def _decide(self, body: bytes) -> dict[str, Any]:
        try:
            asked = json.loads(body)
            number, verdict, comment = asked["row"], asked["verdict"], asked["comment"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(f"Expected a row, a verdict and a comment as JSON ({error!r}).") from error
        if type(number) is not int or not isinstance(comment, str):
            raise InputError("Expected the row as a whole number and the comment as text.")
        return self.server.session.decide(number, verdict, comment)

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or "Transfer-Encoding" in self.headers:
            self._refuse(411, "Expected a Content-Length.")
        elif len(length) > 9 or int(length) > MOST_BODY:
            self._refuse(413, "The decision is too long.")
        elif len(body := self.rfile.read(int(length))) < int(length):
            self._refuse(408, "The decision did not arrive completely.")
        else:
            return body
        return None

    def _allowed(self) -> str | None:
        """The path after the token; None if the request was rejected."""
        if self.is_late:
            self.send_error(408)
            return None
        if not _OWN_HOST.fullmatch(self.headers.get("Host", "")):
            self._refuse(403, "Open this page only by its own address on this machine.")
            return None
        token, slash, path = self.path.partition("?")[0].removeprefix("/").partition("/")
        if not slash or not hmac.compare_digest(token.encode(), self.server.token.encode()):
            self._refuse(403, "Open the complete address that `stackgen review` printed.")
            return None
        return path

    def _answer(self, ask: Callable[..., Any], *arguments: Any) -> None:
        """Send what `ask` returns: an image with its media type, or JSON values."""
        try:
            answer = ask(*arguments)
        except IndexError:
            self._refuse(404, "There is no such row.")
        except InputError as error:
            self._refuse(400, str(error))
        except RunError as error:
            self._refuse(500, str(error))
        else:
            if isinstance(answer, tuple):
                self._send(200, *answer)
            else:
                self._send(200, json.dumps(answer).encode(), "application/json")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class rejects: malformed requests, those cut off in the middle too, and other methods."""
        code, message = (408, "The request did not arrive in time") if self.is_late else (code, message)
        self._refuse(code, f"{message or self.responses[code][0]}.")

    def _refuse(self, status: int, message: str) -> None:
        self.close_connection = True  # the rest of the request is not read
        self._send(status, json.dumps({"error": message}).encode(), "application/json")

    def _send(self, status: int, content: bytes, media_type: str) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        self.close_connection |= self.server.is_busy  # others wait for this thread
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: requests contain the token."""


class _BusyHandler(_Handler):
    """A connection for which there is no room."""

    def _allowed(self) -> None:
        self._refuse(503, "Too many requests at once: try again in a moment.")
