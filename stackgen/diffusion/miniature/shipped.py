"""The miniature in this package: where it lies, and which animals it draws."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from stackwalls.model import InputError

PIPELINE = Path(__file__).parent / "pipeline"
"""The folder that diffusers loads."""

DESCRIPTION = "miniature.json"
"""In a pipeline's folder: the classes it draws, and how it was made."""


@lru_cache(maxsize=1)
def miniature_synsets() -> tuple[str, ...]:
    """The classes that the miniature draws, by synset.

    Raises:
        InputError: if its files are not there.
    """
    try:
        found = json.loads((PIPELINE / DESCRIPTION).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"The miniature's files are missing in this installation ({error}): install it again."
        ) from error
    return tuple(found["spec"]["classes"])
