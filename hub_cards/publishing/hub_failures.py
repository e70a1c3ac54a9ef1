"""Failures of the Hub and of the way to it: which are worth another try, and each in one sentence."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from stackwalls.hub_cards.publishing.token_search import without_tokens
from stackwalls.model import InputError, RunError, StackwallsError

PASSING = (408, 409, 412, 425, 429, 500, 502, 503, 504)
"""Statuses after which the same step may succeed; 409 and 412: somebody else was quicker, so look again."""

LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Patience:
    """How often a step that failed in passing is tried, and how long one waits before the next try.

    Attributes:
        tries: at least 1.
        wait: seconds before the second try; doubled each time, at most `longest`. 0: never wait.
        longest: seconds.
    """

    tries: int = 6
    wait: float = 1.0
    longest: float = 60.0

    def __post_init__(self) -> None:
        if self.tries < 1:
            raise InputError(f"Expected at least 1 try, but got {self.tries}.")

    def pause(self, tried: int, error: BaseException) -> None:
        """Wait after the `tried`-th failure, longer where the Hub says how long (Retry-After, in seconds)."""
        asked = getattr(getattr(error, "response", None), "headers", {}).get("Retry-After", "")
        least = float(asked) if str(asked).isdecimal() and self.wait else 0.0
        time.sleep(min(max(self.wait * 2 ** (tried - 1), least), max(self.longest, least)))


def passing(error: BaseException) -> bool:
    """Whether a failure may be gone at the next try: a broken line, a busy server, somebody else's commit."""
    if isinstance(error, StackwallsError | OfflineModeIsEnabled | LocalTokenNotFoundError):
        return False
    if isinstance(error, HfHubHTTPError):
        return status_of(error) in PASSING
    if isinstance(error, RuntimeError) and error.__cause__ is not None:  # the client's "Error while uploading …"
        return passing(error.__cause__)
    return _is_line(error)


def retried(step: Callable[[], _Result], patience: Patience) -> _Result:
    """Do a step that can be done twice without harm until it succeeds.

    Raises:
        Exception: the last failure, or the first that another try would not help.
    """
    for tried in range(1, patience.tries):
        try:
            return step()
        except Exception as error:
            if not passing(error):
                raise
            patience.pause(tried, error)
    return step()


@contextmanager
def hub_sentences(what: str, repository: str) -> Iterator[None]:
    """Turn what the client raises inside into one sentence.

    Args:
        what: what was being done, such as "upload to".
        repository: `user/name`, or what else it was done with.

    Raises:
        RunError: for any failure of the Hub or of the way to it.
    """
    try:
        yield
    except StackwallsError:
        raise
    except Exception as error:
        sentence = _sentence(error, f"{what} {repository}")
        if sentence is None:
            raise
        raise RunError(sentence) from error


@contextmanager
def quiet_client() -> Iterator[None]:
    """Keep the client's bars off what is no terminal, and its warnings, which name signed addresses, off stderr."""
    logger = logging.getLogger("huggingface_hub")
    level, disabled = logger.level, are_progress_bars_disabled()
    logger.setLevel(logging.ERROR)
    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        yield
    finally:
        logger.setLevel(level)
        if not disabled:
            enable_progress_bars()


def status_of(error: BaseException) -> int:
    """The HTTP status of the answer, or 0."""
    return int(getattr(getattr(error, "response", None), "status_code", 0) or 0)


def first_line(error: BaseException) -> str:
    """The first line that says something, without tokens and without what a signed address carries."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not re.match(r"\d{3} (Client|Server) Error|\(Request ID", line)]
    text = (told or lines or [type(error).__name__])[0].rstrip(".")
    return without_tokens(re.sub(r"(https?://[^\s?']+)\?[^\s']*", r"\1", text))


def _sentence(error: BaseException, did: str) -> str | None:
    """None where the failure is none of the Hub's."""
    if isinstance(error, RuntimeError) and error.__cause__ is not None and _sentence(error.__cause__, did):
        inner = _sentence(error.__cause__, did)
        return f"{first_line(error)}: {inner}"
    if isinstance(error, LocalTokenNotFoundError):
        return f"Cannot {did}: there is no access token; {LOG_IN}."
    if isinstance(error, OfflineModeIsEnabled):
        return f"Cannot {did}: HF_HUB_OFFLINE is set; unset it."
    status = status_of(error)
    if isinstance(error, GatedRepoError):
        return f"Cannot {did}: {first_line(error)}; ask for access on its page on the Hub, then {LOG_IN}."
    if status == 401 and not isinstance(error, RepositoryNotFoundError):
        return f"Cannot {did}: the Hub does not accept the access token ({_server_message(error)}); {LOG_IN}."
    if status == 401 or isinstance(error, RepositoryNotFoundError):
        return f"Cannot {did}: the Hub shows no such repository to this token ({first_line(error)})."
    if status == 403:
        return f"Cannot {did}: the Hub forbids it ({_server_message(error)}); use a token with write access."
    if status:
        again = f" {_again(did)}" if status in PASSING else ""
        return f"Cannot {did}: the Hub answered {status} ({_server_message(error)}).{again}"
    if _is_line(error):
        return f"Cannot {did}: the connection to the Hub failed ({first_line(error)}). {_again(did)}"
    return None


def _again(did: str) -> str:
    return "Run the same command again" + ("." if did.startswith("read ") else ": what was sent is kept.")


def _server_message(error: BaseException) -> str:
    told = getattr(error, "server_message", None)
    return without_tokens(str(told).splitlines()[0].rstrip(".")) if told else first_line(error)


def _is_line(error: BaseException) -> bool:
    """Whether the way to the Hub failed; the HTTP client's own errors are known by their package alone."""
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    return type(error).__module__.split(".")[0].startswith(("httpx", "httpcore", "hf_xet"))
