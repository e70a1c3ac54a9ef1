"""The Hugging Face Hub: ids, each failure of its clients as one sentence with one exit status, and retries."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, ParamSpec, TypeVar
from urllib.parse import unquote

from stackwalls.model.errors import InputError, RunError, StackwallsError, quotable

RepositoryKind = Literal["dataset", "model"]

LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"

PASSING = (408, 409, 412, 425, 429, 500, 502, 503, 504)
"""Statuses after which the same request may succeed; 409 and 412: another client committed first."""

WAITS = (1, 2, 4, 8, 16)
"""Seconds before each retry of a step; longer if the Hub says so (Retry-After)."""

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

_PREFIX = re.compile(r"^hf://(datasets/|spaces/|models/)?")
_ID = re.compile(
    r"(?P<id>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w][\w./-]*))?(?::(?P<split>[\w.-]+))?"
)
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
        match = _ID.fullmatch(_PREFIX.sub("", text))
        return None if match is None else cls(match["id"], match["revision"], match["split"])


def is_hub_url(text: str) -> bool:
    """Whether `text` starts with `hf://`, which names the Hub even if a folder of that name exists."""
    return text.startswith("hf://")


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
    try:
        yield
    except StackwallsError:
        raise
    except Exception as error:
        from huggingface_hub import constants

        cannot = f"Cannot {did} {repository}@{revision}" if revision else f"Cannot {did} {repository}"
        page = f"{constants.ENDPOINT}/{'' if kind == 'model' else f'{kind}s/'}{repository}"
        instead = f" Or {otherwise}." if otherwise else ""
        chain = _chain(error)
        for found in chain:  # what the Hub said, before what a library made of it
            raised, reason = _reason(found, kind, page, no_file)
            if reason:
                raise raised(f"{cannot}: {reason}{instead if raised is RunError else ''}") from error
        if reason := _unreachable(chain):
            raise RunError(f"{cannot}: {reason}{instead}") from error
        raise


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


def is_connection_failure(error: BaseException) -> bool:
    """Whether the connection failed; the HTTP client's own errors have only the name of their package in common."""
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
