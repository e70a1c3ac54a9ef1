"""When a training writes its checkpoints."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

_QUICK = 1.0
"""Seconds; a checkpoint written in less is written after every epoch."""

_SHARE = 20
"""A slower one only if the training since the last took so many times as long: at most 5 % of the time goes there."""


class SaveTimes:
    """When the last checkpoint was written, and how long that took."""

    def __init__(self) -> None:
        self._ended, self._took = time.monotonic(), 0.0

    def due(self, minutes: float, epoch: bool) -> bool:
        """Whether it is time for the next one.

        Args:
            minutes: between two checkpoints.
            epoch: whether an epoch just ended.
        """
        since = time.monotonic() - self._ended
        return since > 60 * minutes or (epoch and (self._took < _QUICK or since >= _SHARE * self._took))

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Around the writing of one."""
        started = time.monotonic()
        yield
        self._ended = time.monotonic()
        self._took = self._ended - started
