"""Memory that is short, as one sentence that says what to change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from stackwalls.model import RunError

_SHORT = ("out of memory", "can't allocate memory", "not enough memory", "Failed to allocate")
"""How torch's back ends say it where they have no error of their own."""


@contextmanager
def memory_errors(device: str) -> Iterator[None]:
    """Turn what torch raises when memory is short into one sentence.

    Raises:
        RunError: instead of torch's error.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not isinstance(error, torch.OutOfMemoryError) and not _says_so(error):
            raise
        raise RunError(
            f"The memory of {device} is too small for this: close what else uses it, or take --batch-size 1, "
            "--offload model (or sequential, slow), a smaller --size or a smaller model (--preset sd15); what was made "
            "is kept where the settings stay the same."
        ) from error


def _says_so(error: RuntimeError) -> bool:
    return any(text in str(error) for text in _SHORT)
