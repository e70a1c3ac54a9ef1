"""The Hugging Face Hub: ids, and each failure of its clients as one sentence with one exit status.

| what went wrong | raised | exit |
|---|---|---|
| not an id; no such repository, revision or file for this token | `InputError` | 2 |
| gated, token missing or refused, access forbidden | `RunError` | 1 |
| unreachable, offline, rate limit, server error | `RunError` | 1 |
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from stackwalls.model.errors import InputError, RunError, StackwallsError

RepositoryKind = Literal["dataset", "model", "space"]

LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"

PASSING = (408, 409, 412, 425, 429, 500, 502, 503, 504)
"""Statuses after which the same request may succeed; 409 and 412: another client committed first."""

_PREFIX = re.compile(r"hf://(datasets/|spaces/|models/)?")
_ID = re.compile(
    r"(?P<id>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w][\w./-]*))?(?::(?P<split>[\w.-]+))?"
)
_TOKEN = re.compile(r"hf_[A-Za-z0-9]{20,}")
_NOISE = re.compile(r"\d{3} (Client|Server) Error|\(Request ID|For more details|https?://\S+$")


@dataclass(frozen=True)
class HubId:
    """`owner/name[@revision][:split]` on the Hub.

    Attributes:
        repository: `owner/name`.
        revision: branch, tag or commit; None for the default branch.
        split: of a dataset; None where not named.
    """

    repository: str
    revision: str | None = None
    split: str | None = None

    def __str__(self) -> str:
        return f"{self.repository}@{self.revision}" if self.revision else self.repository

    @classmethod
    def parse(cls, text: str) -> HubId | None:
        """The id that `text` is, with or without `hf://…/` in front; None if it is not an id."""
        match = _ID.fullmatch(_PREFIX.sub("", text, count=1))
        return None if match is None else cls(match["id"], match["revision"], match["split"])


def is_hub_url(text: str) -> bool:
    """Whether `text` starts with `hf://`, which names the Hub even if a folder of that name exists."""
    return text.startswith("hf://")


@contextmanager
def hub_failures(did: str, kind: RepositoryKind, repository: str, revision: str | None = None) -> Iterator[None]:
    """Translate what the Hub's clients raise inside into one sentence (see the module's table).

    Args:
        did: what was being done, as an infinitive with its object, such as "read the labels of".
        kind: of the repository.
        repository: `owner/name`.
        revision: as it was asked for.

    Raises:
        InputError: if the id is malformed, or this token sees no such repository, revision or file.
        RunError: if access is refused, or the Hub cannot be reached or does not answer as it should.
    """
    try:
        yield
    except StackwallsError:
        raise
    except Exception as error:
        failure = hub_failure(error, did, kind, repository, revision)
        if failure is None:
            raise
        raise failure from error


def hub_failure(
    error: BaseException, did: str, kind: RepositoryKind, repository: str, revision: str | None = None
) -> StackwallsError | None:
    """The failure that `error`, or an error behind it, stands for; None if it is not one of the Hub's."""
    chain = _chain(error)
    at = f"{repository}@{revision}" if revision else repository
    cannot = f"Cannot {did} {at}"
    page = _page(kind, repository)
    for found in chain:
        failure = _wrong_call(found, cannot, kind, page) or _refused(found, cannot, page)
        if failure is not None:
            return failure
    for found in chain:
        if failure := _not_answered(found, cannot):
            return failure
    return None


def _wrong_call(error: BaseException, cannot: str, kind: str, page: str) -> InputError | None:
    from datasets.exceptions import DatasetNotFoundError
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError | errors.LocalEntryNotFoundError) or _is_gated(error):
        return None
    if isinstance(error, errors.HFValidationError):
        return InputError(f"{cannot}: expected owner/name[@revision] ({first_line(error)}).")
    if isinstance(error, errors.RevisionNotFoundError):
        return InputError(f"{cannot}: the {kind} has no such revision; see {page}.")
    if isinstance(error, errors.RepositoryNotFoundError | DatasetNotFoundError):
        return InputError(
            f"{cannot}: the Hub shows no such {kind} to this token ({first_line(error)}). Check the id; if the "
            f"{kind} is private, {LOG_IN}."
        )
    if isinstance(error, errors.EntryNotFoundError):
        return InputError(f"{cannot}: the {kind} has no such file ({first_line(error)}); see {page}.")
    return None


def _refused(error: BaseException, cannot: str, page: str) -> RunError | None:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError) or _is_gated(error):
        return RunError(f"{cannot}: it is gated. Request access at {page}, then {LOG_IN} of the same account.")
    if isinstance(error, errors.LocalTokenNotFoundError):
        return RunError(f"{cannot}: there is no access token; {LOG_IN}.")
    if status_of(error) == 401:
        return RunError(f"{cannot}: the Hub does not accept the access token ({_server_message(error)}); {LOG_IN}.")
    if status_of(error) == 403:
        return RunError(
            f"{cannot}: the Hub forbids it ({_server_message(error)}); use a token that has this permission."
        )
    return None


def _not_answered(error: BaseException, cannot: str) -> RunError | None:
    from huggingface_hub import errors

    again = "Run the same command again."
    if isinstance(error, errors.OfflineModeIsEnabled):
        return RunError(f"{cannot}: HF_HUB_OFFLINE is set, and the cache has no complete copy. Unset it.")
    if status := status_of(error):
        hint = f" {again}" if status in PASSING else ""
        return RunError(f"{cannot}: the Hub answered {status} ({_server_message(error)}).{hint}")
    if isinstance(error, errors.LocalEntryNotFoundError) or is_connection_failure(error):
        return RunError(
            f"{cannot}: the Hub cannot be reached, and the cache has no complete copy ({first_line(error)}). {again}"
        )
    return None


def is_connection_failure(error: BaseException) -> bool:
    """Whether the connection failed; the HTTP client's own errors share only the name of their package."""
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    return type(error).__module__.split(".")[0].startswith(("httpx", "httpcore", "hf_xet"))


def status_of(error: BaseException) -> int:
    """The HTTP status of the Hub's answer, or 0 if there was none."""
    return int(getattr(getattr(error, "response", None), "status_code", 0) or 0)


def first_line(error: BaseException) -> str:
    """The first informative line of an error, without tokens, signed addresses and a final full stop."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not _NOISE.match(line)]
    text = (told or lines or [type(error).__name__])[0].rstrip(".")
    return without_tokens(re.sub(r"(https?://[^\s?']+)\?[^\s']*", r"\1", text))


def without_tokens(text: str) -> str:
    """`text` with access tokens replaced, as far as they can be recognized."""
    return _TOKEN.sub("hf_…", text)


@contextmanager
def quiet_client() -> Iterator[None]:
    """Silence the client's progress bars unless stderr is a terminal, and its warnings, which name signed addresses."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

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


def _chain(error: BaseException | None) -> list[BaseException]:
    """The error and those behind it, outermost first: `datasets` and diffusers wrap the client's."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _is_gated(error: BaseException) -> bool:
    """`datasets` says that a dataset is gated only in the text of its DatasetNotFoundError."""
    return type(error).__name__ == "DatasetNotFoundError" and "gated" in str(error).lower()


def _page(kind: RepositoryKind, repository: str) -> str:
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/{'' if kind == 'model' else f'{kind}s/'}{repository}"


def _server_message(error: BaseException) -> str:
    told = getattr(error, "server_message", None)
    return without_tokens(str(told).splitlines()[0].rstrip(".")) if told else first_line(error)
