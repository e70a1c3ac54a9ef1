"""`ReviewServer`: the web server of a review, on the loopback interface only, behind a random token."""

import hmac
import json
import re
import secrets
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

from stackwalls.model import InputError, RunError
from stackwalls.stackgen.review.review_session import ReviewSession

LOOPBACK = "127.0.0.1"
MOST_BODY = 16_384  # bytes of a decision; longer requests are rejected unread

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


class ReviewServer(ThreadingHTTPServer):
    """Serves one review until `shutdown`, or Ctrl-C in `serve_forever`.

    Args:
        session: the review; closed by its owner.
        port: 0 for any free port.

    Raises:
        RunError: if the port is not available.
    """

    daemon_threads = True

    def __init__(self, session: ReviewSession, port: int = 0) -> None:
        self.session = session
        self.token = secrets.token_urlsafe(32)
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except OSError as error:
            wrong = f"Cannot listen on port {port} of {LOOPBACK} ({error.strerror or error})"
            raise RunError(f"{wrong}: choose another --port, or leave it out to use any free one.") from error

    @property
    def address(self) -> str:
        """The address to open in a browser; it contains the token, so do not share it."""
        return f"http://{LOOPBACK}:{self.server_address[1]}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore browsers that disconnect in the middle of a response."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection: GET for the page and its data, POST for decisions."""

    server: ReviewServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "stackwalls", ""
    timeout = 60

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
        elif int(length) > MOST_BODY:
            self._refuse(413, "The decision is too long.")
        else:
            return self.rfile.read(int(length))
        return None

    def _allowed(self) -> str | None:
        """The path after the token; None if the request was rejected."""
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

    def _refuse(self, status: int, message: str) -> None:
        self.close_connection = True  # the rest of the request is not read
        self._send(status, json.dumps({"error": message}).encode(), "application/json")

    def _send(self, status: int, content: bytes, media_type: str) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: requests contain the token."""
