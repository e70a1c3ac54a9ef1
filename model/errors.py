"""The two kinds of failure that a user meets, and how to quote what others wrote: a method, a library, a server."""

import os
import re
from functools import cache
from pathlib import Path

QUOTED = 300
"""The most characters of a quoted text."""

_TOKEN_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_TOKEN = re.compile(r"hf_[A-Za-z0-9]{12,}")
_SHORTEST_TOKEN = 8
"""A shorter value of `_TOKEN_VARIABLES` is not a token, and may be part of any word."""

_TERMINAL_SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\))")


class StackwallsError(Exception):
    """Base of every error that this package raises on purpose.

    The message says what was wrong, what was expected and what to do. The command line prints it without a
    traceback and exits with `exit_status`.
    """

    exit_status = 1


class InputError(StackwallsError, ValueError):
    """A wrong call: an argument, file or folder that is not what was expected (exit status 2)."""

    exit_status = 2


class RunError(StackwallsError, RuntimeError):
    """A valid call that failed: a full disk, a leaky network, too few images (exit status 1)."""

    exit_status = 1


def reason_of(error: BaseException) -> str:
    """The first line of an error as a reason in a row, `ValueError: …`; of this package's errors the message alone."""
    try:
        said = str(error).strip().partition("\n")[0] or "no message"
    except Exception:  # a third party's `__str__` may fail too
        said = "no message"
    return quotable(said if isinstance(error, StackwallsError) else f"{type(error).__name__}: {said}")


def quotable(text: str, most: int = QUOTED) -> str:
    """What others wrote, as one line that may be printed, stored and published.

    Without access tokens, without control characters and terminal sequences, and at most `most` characters long.
    """
    # tokens go first, so that a cut leaves no part of one; the rest is done on what may be kept
    start = _TERMINAL_SEQUENCE.sub("", without_tokens(text)[: 20 * most])
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in start).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def without_tokens(text: str) -> str:
    """`text` without access tokens of the Hub: this user's, and whatever has the form of one."""
    for token in _own_tokens():
        text = text.replace(token, "hf_…")
    return _TOKEN.sub("hf_…", text)


def _own_tokens() -> list[str]:
    """From the environment, and of `hf auth login`; spelled as they are, and as the client cleans them."""
    from huggingface_hub import constants

    found = [os.environ.get(name, "") for name in _TOKEN_VARIABLES] + [_stored_token(constants.HF_TOKEN_PATH)]
    return [token for value in found for token in (value, value.strip()) if len(token) >= _SHORTEST_TOKEN]


@cache
def _stored_token(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
