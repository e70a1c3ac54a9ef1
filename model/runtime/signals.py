"""Ctrl-C and SIGTERM: the first one counts, and further ones are ignored while what it stops is ending."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

PATIENCE = 5.0  # seconds for which further signals are ignored; then one interrupts, in case the first was lost


class _Handler:
    """Takes a signal; `taken` has the times of those that were not ignored, and is shared with the handler outside."""

    def __init__(self, outside: object, at_once: bool) -> None:
        self.taken: list[float] = outside.taken if isinstance(outside, _Handler) else []
        self._at_once = at_once

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.taken and now - self.taken[-1] < PATIENCE:
            return
        self.taken.append(now)
        if self._at_once or len(self.taken) > 1:
            raise KeyboardInterrupt


@contextmanager
def interruption() -> Iterator[list[float]]:
    """The list gets the time of the first Ctrl-C or SIGTERM, so that a step can be finished first.

    Another one, at least `PATIENCE` seconds later, raises `KeyboardInterrupt`. Restores the handlers.
    """
    handler = _Handler(signal.getsignal(signal.SIGINT), at_once=False)
    may_set = threading.current_thread() is threading.main_thread()  # no other thread may set handlers
    before = {n: signal.signal(n, handler) for n in (signal.SIGINT, signal.SIGTERM) if may_set}
    try:
        yield handler.taken
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


@contextmanager
def interrupted_once(*, process_ends: bool) -> Iterator[None]:
    """Ctrl-C raises `KeyboardInterrupt`, and then not again for `PATIENCE` seconds.

    Args:
        process_ends: ignore Ctrl-C from then on, also while the interpreter ends; otherwise restore the handler.
    """
    before = signal.getsignal(signal.SIGINT)
    # what a shell runs in the background ignores Ctrl-C, and is left like that
    if threading.current_thread() is not threading.main_thread() or before is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, _Handler(before, at_once=True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN if process_ends else before)
        if process_ends:  # CPython ends by SIGINT instead of the exit status if Ctrl-C came in an exec of text, until:
            exec("")  # noqa: S102


def ignore_signals(_worker: int) -> None:
    """Ignore Ctrl-C and SIGTERM, which reach all processes at once, in one that ends when its parent is gone."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def handlers_kept() -> Iterator[None]:
    """Put back the handlers of Ctrl-C and SIGTERM, which a library may replace inside."""
    may_set = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)} if may_set else {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
