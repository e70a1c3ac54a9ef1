"""The HTTP client that the Hub's libraries share, with limits on what whoever answers may do to this process.

`huggingface_hub`, `datasets`, transformers, diffusers and timm send their requests through one client, which waits
without end, retries for minutes and takes the server's word for names and sizes. `limit_client` adds the limits below
to it, for the whole process; proxies and certificates stay as the user set them.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import httpcore2
import httpx2

from stackwalls.model.errors import RunError, quotable

PATIENCE = 40.0
"""Seconds that a thread waits for `SLOWEST` more bytes, over all requests in a row that fail."""

SLOWEST = 1 << 14
_FAILURE = PATIENCE / 12
"""Seconds that a failed request counts at least: so many in a row, each retried by the clients and by us."""

LONGEST_WAIT = 60
"""Seconds that a server may ask to wait (Retry-After), over all tries of a request."""

LARGEST_ANSWER = 64 << 20
"""Bytes of an answer that is not a data file, and of all pages of a listing."""

MOST_PAGES = 1000
LARGEST_ERROR = 1 << 16
"""Bytes of an error's text that are read."""

BUSY = (408, 425, 429, 500, 502, 503, 504)
"""Statuses after which the same request may succeed."""

_TEXTS = (".md", ".yaml", "config.json", "index.json", "manifest.json")
"""Ends of the names of files that are never data."""

_NAMES = ("path", "rfilename", "sha", "oid", "blobId", "commitOid")
"""Keys of JSON answers from which the clients make paths on this disk."""


SILENT = f"cannot be reached (it sent no complete answer within {PATIENCE:.0f} s)"


class HubAnswerError(RunError):
    """What came from the Hub, or in its place, is not an answer. The message goes on from "the Hub …"."""


class _Thread(threading.local):
    """What one thread knows of its requests; local work between two reads is not waiting."""

    failing = 0.0  # seconds of waiting in failed requests in a row
    waited = 0.0  # seconds of waiting in the present one, since `SLOWEST` bytes moved
    moved = 0  # bytes since then
    has_failed = False  # the present one
    headers: int | None = None  # bytes received before its headers were complete; None afterwards
    asked = 0  # seconds that the server asked to wait in a row
    listed = 0  # bytes of the pages of a listing
    reason = ""  # of the last failure

    def begin(self) -> None:
        """A new request."""
        self.waited, self.moved, self.has_failed, self.headers = 0.0, 0, False, 0
        self.left(None)

    def failed(self, reason: str) -> None:
        """The present request failed; several signs of it are one failure."""
        if not self.has_failed:
            self.has_failed, self.reason = True, reason
            self.failing, self.waited = self.failing + max(self.waited, _FAILURE), 0.0

    def succeeded(self) -> None:
        self.failing, self.asked = 0.0, 0

    def left(self, timeout: float | None) -> float:
        """Seconds to wait for the next bytes."""
        left = PATIENCE - self.failing - self.waited
        if left <= 0.01:
            raise HubAnswerError(f"{self.reason or SILENT}. Run the same command again later")
        return left if timeout is None else min(timeout, left)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Inside, something is expected of the server."""
        begun = time.monotonic()
        try:
            yield
        except Exception:
            self.waited += time.monotonic() - begun
            self.failed(SILENT)
            self.left(None)
            raise
        self.waited += time.monotonic() - begun

    def count(self, size: int, *, received: bool = False) -> None:
        """Count bytes that moved: enough of them, and the waiting begins anew."""
        self.moved += size
        if self.moved >= SLOWEST:
            self.moved, self.waited = 0, 0.0
            self.failing = 0.0 if received else self.failing


_thread = _Thread()


def new_patience() -> None:
    """Forget earlier failures of this thread: something new begins."""
    _thread.succeeded()


def limit_client() -> None:
    """Set the limits for every later request of the Hub's libraries in this process."""
    from huggingface_hub.utils import _http

    factory = _http._GLOBAL_CLIENT_FACTORY
    if not (isinstance(factory, partial) and factory.func is _limited):
        _http.set_client_factory(partial(_limited, factory))


def _limited(factory: Callable[[], httpx2.Client]) -> httpx2.Client:
    client = factory()
    hooks = client.event_hooks
    client.event_hooks = {"request": [*hooks["request"], _begin], "response": [*hooks["response"], _check]}
    for transport in (client._transport, *client._mounts.values()):
        if pool := getattr(transport, "_pool", None):
            pool._network_backend = _Backend(pool._network_backend)
    return client


def _begin(request: httpx2.Request) -> None:
    """Before each request, those of redirects and later pages included."""
    _thread.begin()
    request.headers["Accept-Encoding"] = "identity"  # what is compressed may become any size
    if "Authorization" in request.headers and not _is_endpoint(request.url):
        del request.headers["Authorization"]  # a page, an upload or a redirect to another host


def _is_endpoint(url: httpx2.URL) -> bool:
    from huggingface_hub import constants

    endpoint = httpx2.URL(constants.ENDPOINT)
    same = url.host == endpoint.host or url.host.endswith(f".{endpoint.host}")
    return same and (url.scheme, url.port) == (endpoint.scheme, endpoint.port)


def _check(response: httpx2.Response) -> None:
    """After the headers of each answer."""
    _thread.headers = None
    headers, path = response.headers, response.request.url.path
    response.stream = _Body(response, _largest(response))
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise HubAnswerError("sent a compressed answer, which was not asked for")
    if response.status_code in BUSY:
        _thread.failed(f"answered {response.status_code} to every request")
    if response.is_error:
        _obey_or_raise(response)
    if "/resolve/" in path:  # the clients name files by these
        for name in ("X-Repo-Commit", "X-Linked-Etag", "ETag"):
            _check_name(re.sub('^W/|"', "", headers.get(name, "-")) or "..", inside=False)
    if response.is_success and _is_api(path) and "json" in headers.get("Content-Type", ""):
        response.read()
        with suppress(json.JSONDecodeError, UnicodeDecodeError, RecursionError):  # the client says so
            json.loads(response.content, object_hook=_check_names)
        more = "next" in response.links
        _thread.listed = _thread.listed + max(len(response.content), LARGEST_ANSWER // MOST_PAGES) if more else 0
        if _thread.listed > LARGEST_ANSWER:
            _thread.listed = 0
            raise HubAnswerError("sent a listing that has no end")


def _is_api(path: str) -> bool:
    return "/api/" in path and "/resolve/" not in path


def _largest(response: httpx2.Response) -> int | None:
    """Bytes that the body may have; None for a data file, which says its size."""
    if not response.is_success:
        return LARGEST_ERROR
    path, sized = response.request.url.path, "Content-Length" in response.headers
    return LARGEST_ANSWER if _is_api(path) or not sized or path.lower().endswith(_TEXTS) else None


def _obey_or_raise(response: httpx2.Response) -> None:
    """Leave only a wait that the clients can read and obey in the headers of an error."""
    headers, status = response.headers, response.status_code
    wait, limit = headers.pop("Retry-After", "").strip(), headers.get("ratelimit", "")
    if status == 429 and (found := re.search(r";\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d+)", limit)):
        wait = found[1]
    if re.search(r"\d{10}", limit + headers.get("ratelimit-policy", "")):
        headers.pop("ratelimit", None)
    if status not in (*BUSY, 409, 412) or not (wait.isascii() and wait.isdigit()):
        return
    _thread.asked += int(wait[:10])
    if _thread.asked > LONGEST_WAIT:
        raise HubAnswerError(
            f"answered {status} and asks to wait {quotable(wait, 20)} s. Run the same command again then"
        )
    headers["Retry-After"] = wait


def _check_names(answer: dict[str, Any]) -> dict[str, Any]:
    for name in _NAMES:
        if name != "path" or "oid" in answer:  # a card, which is part of some answers, may say "path" of anything
            _check_name(answer.get(name))
    return answer


def _check_name(name: Any, *, inside: bool = True) -> None:
    """Refuse a name that leads out of a folder, or into one unless it may be `inside`."""
    parts = re.split(r"[/\\]", name) if isinstance(name, str) else []
    if ".." in parts or "" in parts[:-1] or any("\0" in part for part in parts) or len(parts) > 1 > inside:
        raise HubAnswerError(f"names a file outside of its place ({quotable(name, 60)})")


class _Body(httpx2.SyncByteStream):
    """The body of an answer, up to a size; an error's text is cut there."""

    def __init__(self, response: httpx2.Response, largest: int | None) -> None:
        self._stream, self._largest = response.stream, largest
        self._cut, self._good = not response.is_success, response.status_code not in BUSY

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        try:
            for chunk in self._stream:  # type: ignore[union-attr]
                size += len(chunk)
                if self._largest is not None and size > self._largest:
                    if self._cut:
                        return
                    raise HubAnswerError(f"sent an answer of more than {self._largest >> 20} MB")
                yield chunk
        except Exception:
            self._good = False
            _thread.failed(SILENT)
            raise

    def close(self) -> None:
        self._stream.close()  # type: ignore[union-attr]
        if self._good:
            _thread.succeeded()


class _Backend(httpcore2.NetworkBackend):
    """Connections whose every wait is limited."""

    def __init__(self, backend: httpcore2.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *args: Any, **options: Any) -> Any:
        with _thread.waiting():
            return _Stream(self._backend.connect_tcp(host, port, _thread.left(timeout), *args, **options))


class _Stream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _thread.waiting():
            data = self._stream.read(max_bytes, _thread.left(timeout))
        if not data:
            _thread.failed(SILENT)  # unless that was the end of the body
        _thread.count(len(data), received=True)
        if _thread.headers is not None:
            _thread.headers += len(data)
            if _thread.headers > 16 * LARGEST_ERROR:
                raise HubAnswerError("sent headers that have no end")
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, PATIENCE if timeout is None else min(timeout, PATIENCE))
        _thread.count(len(buffer))

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> Any:
        with _thread.waiting():
            return _Stream(self._stream.start_tls(ssl_context, server_hostname, _thread.left(timeout)))

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
