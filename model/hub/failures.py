"""The Hugging Face Hub: each failure of its clients as one sentence with one exit status, and retries."""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, ParamSpec, TypeVar
from urllib.parse import unquote

from stackwalls.model.errors import InputError, RunError, StackwallsError, quotable

RepositoryKind = Literal["dataset", "model", "space"]

LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"
"""What to do if the Hub refuses access; the end of a message."""

PASSING = (408, 409, 412, 425, 429, 500, 502, 503, 504)
"""Statuses after which the same request may succeed; 409 and 412: another client committed first."""

WAITS = (1, 2, 4, 8, 16)
"""Seconds before each retry of a step; longer if the Hub says so (Retry-After)."""

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

_NOISE = re.compile(r"\d{3} (Client|Server) Error|\(Request ID|For more details|https?://\S+$")


@contextmanager
def hub_failures(
    did: str,
    kind: RepositoryKind,
    repository: str,
    revision: str | None = None,
    *,
    no_file: str = "",
    otherwise: str = "",
) -> Iterator[None]:
    """Translate what the Hub's clients raise inside into one sentence.

    Args:
        did: what was being done, as an infinitive, such as "read the labels of".
        kind: of the repository.
        repository: `owner/name`.
        revision: as it was asked for.
        no_file: what a missing file means, such as "it is not a recipe".
        otherwise: what to do instead if the Hub does not give the files, such as "give its folder with --model".

    Raises:
        InputError: if the id is malformed, or this token sees no such repository, revision or file (exit status 2).
        RunError: if the repository is gated, the token missing, refused or without the right, the client offline, the
            Hub unreachable or busy, or its answer an error (exit status 1).
    """
    from huggingface_hub import constants

    from stackwalls.model.hub.client import HubAnswerError, limit_client, new_patience

    cannot = f"Cannot {did} {repository}@{revision}" if revision else f"Cannot {did} {repository}"
    check_token(cannot)
    limit_client()
    new_patience()
    try:
        yield
    except Exception as error:
        if isinstance(error, StackwallsError) and not isinstance(error, HubAnswerError):
            raise
        page = f"{constants.ENDPOINT}/{'' if kind == 'model' else f'{kind}s/'}{repository}"
        instead = f" Or {otherwise}." if otherwise else ""
        chain = _chain(error)
        for found in chain:  # what the Hub said, before what a library made of it
            if isinstance(found, HubAnswerError):
                raise RunError(f"{cannot}: the Hub {found}.{instead}") from error
            raised, reason = _reason(found, kind, page, no_file)
            if reason:
                raise raised(f"{cannot}: {reason}{instead if raised is RunError else ''}") from error
        if reason := _unreachable(chain):
            raise RunError(f"{cannot}: {reason}{instead}") from error
        if _raised_by_client(error):
            raise RunError(f"{cannot}: the Hub {_unreadable(error)}.{instead}") from error
        raise


def check_token(cannot: str = "Cannot use the Hub") -> None:
    """Check that the user's access token can be sent; without a word about one that is merely wrong.

    Raises:
        InputError: if it holds something that no token has, such as a space in the middle; the token is not shown.
    """
    from huggingface_hub import constants, get_token

    for position, letter in enumerate(() if constants.is_offline_mode() else get_token() or ()):
        if not "!" <= letter <= "~":
            raise InputError(
                f"{cannot}: the access token (HF_TOKEN, or the one of `hf auth login`) holds U+{ord(letter):04X} at "
                f"position {position + 1}, which no token does: copy it again."
            )


def _reason(error: BaseException, kind: str, page: str, no_file: str) -> tuple[type[StackwallsError], str]:
    """What to raise for one error of the clients, and the reason; an empty one if the error does not say."""
    from huggingface_hub import errors

    status, text, told = status_of(error), str(error), getattr(error, "server_message", None)
    said = quotable(str(told).splitlines()[0].rstrip(".")) if told else first_line(error)
    unknown = type(error).__name__ == "DatasetNotFoundError"  # of `datasets`, which tells the cases by its text alone
    if isinstance(error, errors.GatedRepoError) or (unknown and "gated dataset" in text):
        return RunError, f"it is gated. Request access at {page}, then {LOG_IN} of the account that was granted it."
    if isinstance(error, errors.HFValidationError):
        return InputError, f"expected owner/name[@revision] ({first_line(error)})."
    if isinstance(error, errors.RevisionNotFoundError) or (unknown and text.startswith("Revision")):
        return InputError, f"the {kind} has no such revision; see {page}."
    if isinstance(error, errors.RepositoryNotFoundError) or unknown:
        check = "Check the id, or the path if you meant a folder"
        return InputError, f"the Hub shows no such {kind}. {check}; if the {kind} is private, {LOG_IN}."
    if isinstance(error, errors.EntryNotFoundError) and not isinstance(error, errors.LocalEntryNotFoundError):
        file = text.partition("/resolve/")[2].split()[:1]
        name = unquote(file[0].partition("/")[2].rstrip(".")) if file else "such file"
        return InputError, f"{no_file or f'the {kind} is incomplete'} (it has no {name}); see {page}."
    if isinstance(error, errors.LocalTokenNotFoundError):
        return RunError, f"there is no access token; {LOG_IN}."
    if status == 401:
        return RunError, f"the Hub does not accept the access token ({said}); {LOG_IN}."
    if status == 403:
        return RunError, f"the Hub forbids it ({said}); use a token with that permission."
    if isinstance(error, errors.OfflineModeIsEnabled) or "(OfflineModeIsEnabled)" in text:  # so says `datasets`
        offline = "HF_HUB_OFFLINE is set, and the cache has no complete copy"
        return RunError, f"{offline}. Unset it and run the same command again."
    hint = " Run the same command again later." if status in PASSING else ""
    return RunError, f"the Hub answered {status} ({said}).{hint}" if status else ""


def _unreachable(chain: list[BaseException]) -> str:
    """The innermost failure of the connection says most."""
    from huggingface_hub import errors

    failed = [found for found in chain if is_connection_failure(found)]
    if failed:
        return f"the Hub cannot be reached ({first_line(failed[-1])}). Run the same command again."
    if any(isinstance(found, errors.LocalEntryNotFoundError) for found in chain):
        return "the Hub cannot be reached, and the cache has no complete copy. Run the same command again."
    return ""


_CLIENTS = ("huggingface_hub", "httpx2", "httpcore2", "h11", "hf_xet")


def _raised_by_client(error: BaseException) -> bool:
    """Whether a client's own code raised, or what that called, as `json` does over what is no JSON."""
    raised = [frame.f_globals.get("__name__", "").split(".")[0] for frame, _ in traceback.walk_tb(error.__traceback__)]
    others = [name for name in raised if name not in sys.stdlib_module_names]
    disk = isinstance(error, FileNotFoundError) or getattr(error, "errno", None) is not None
    return bool(others) and others[-1] in _CLIENTS and not disk


def _unreadable(error: BaseException) -> str:
    """What "the Hub …" did if this was raised over its answer."""
    said = quotable(f"{type(error).__name__}: {first_line(error)}", 120)
    return f"sent an answer that cannot be read ({said}). Run the same command again later"


@contextmanager
def hub_answers() -> Iterator[None]:
    """Inside, values of the Hub's answers are used: that one is missing or has another type is the answer's fault."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    from stackwalls.model.hub.client import HubAnswerError

    try:
        yield
    except (StackwallsError, HfHubHTTPError, HFValidationError):
        raise
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise HubAnswerError(_unreadable(error)) from error


def commit_of(info: Any) -> str:
    """The commit that an answer names.

    Raises:
        HubAnswerError: if it names none.
    """
    with hub_answers():
        if not re.fullmatch("[0-9a-f]{40}", info.sha):
            raise ValueError(f"{quotable(info.sha, 40)!r} is not a commit")
        return str(info.sha)


def retried(step: Callable[_Arguments, _Result], *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
    """Call a step that may be repeated without harm until it succeeds, at most once more for each of `WAITS`.

    The client itself retries only some requests, such as the transfer of files: not `whoami`, `repo_info`,
    `create_repo`, `create_tag` or a commit (`tests/hub/test_publishing_faults.py` drops each request in turn).

    Raises:
        Exception: the last failure, or the first that a retry would not help.
    """
    for wait in WAITS:
        try:
            return step(*args, **kwargs)
        except Exception as error:
            if not _is_passing(error):
                raise
            asked = getattr(getattr(error, "response", None), "headers", {}).get("Retry-After", "")
            time.sleep(max(wait, int(asked) if str(asked).isdecimal() else 0))
    return step(*args, **kwargs)


def _is_passing(error: BaseException) -> bool:
    """Whether a failure may be gone at the next try: a broken connection, a busy server, another client's commit."""
    from huggingface_hub import errors

    if isinstance(error, StackwallsError | errors.OfflineModeIsEnabled | errors.LocalTokenNotFoundError):
        return False
    if status := status_of(error):
        return status in PASSING
    if isinstance(error, RuntimeError) and error.__cause__ is not None:  # the client's "Error while uploading …"
        return _is_passing(error.__cause__)
    return is_connection_failure(error)


_NOT_OF_THE_LINE = ("TooManyRedirects", "DecodingError", "InvalidURL", "UnsupportedProtocol", "LocalProtocolError")


def is_connection_failure(error: BaseException) -> bool:
    """Whether the connection failed; the HTTP clients' own errors have only the names of their packages in common."""
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    package, name = type(error).__module__.split(".")[0], type(error).__name__
    return package.startswith(("httpx", "httpcore", "hf_xet")) and name not in _NOT_OF_THE_LINE


def status_of(error: BaseException) -> int:
    """The HTTP status of the Hub's answer, or 0 if there was none."""
    return int(getattr(getattr(error, "response", None), "status_code", 0) or 0)


def first_line(error: BaseException) -> str:
    """The first informative line of an error, without tokens, signed addresses and a final full stop."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not _NOISE.match(line)]
    text = (told or lines or [type(error).__name__])[0].rstrip(".")
    return quotable(re.sub(r"(https?://[^\s?']+)\?[^\s']*", r"\1", text))


@contextmanager
def no_remote_code(source: str) -> Iterator[None]:
    """Load a model of others with transformers or diffusers: code that comes with it is never run.

    Wherever a library in between leaves `trust_remote_code` out, transformers would ask on the terminal whether to run
    it, and run it after a "y".

    Raises:
        InputError: if the model `source` cannot be loaded without its code.
    """
    from transformers import dynamic_module_utils

    asking = dynamic_module_utils.TIME_OUT_REMOTE_CODE
    dynamic_module_utils.TIME_OUT_REMOTE_CODE = 0  # seconds to wait for an answer; 0: do not ask
    try:
        yield
    except Exception as error:
        if "trust_remote_code" not in str(error):
            raise
        raise InputError(f"{source} requires its own code, which is never run: choose another model.") from error
    finally:
        dynamic_module_utils.TIME_OUT_REMOTE_CODE = asking


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
