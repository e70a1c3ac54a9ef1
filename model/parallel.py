"""Several Python threads, each with kernels of one thread, instead of kernels of several threads.

torch divides every operation among its threads and waits for all of them at its end. Where there is plenty of work
that does not depend on each other, it is better divided once: no waiting at each of a network's hundred layers, which
on a machine that is also busy with other things costs many times the work itself, and the same bits for any number of
threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def parallel_map() -> Iterator[Callable[..., Iterator[Any]]]:
    """A `map`, in order, over as many Python threads as torch has threads; inside, every kernel runs on one.

    Gradient and inference modes belong to a thread: what is mapped has to enter its own.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(threads)
