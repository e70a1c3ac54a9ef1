"""Several Python threads with single-threaded kernels, instead of multi-threaded kernels.

torch divides every operation among its threads and waits for all of them at its end. Independent work is better
divided once: no waiting at each of a network's hundred layers, which on a busy machine costs many times the work
itself, and the same bits for any number of threads.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def parallel_map() -> Iterator[Callable[..., Iterator[Any]]]:
    """A `map`, in order, over as many Python threads as torch has threads; inside, every kernel runs on one.

    Gradient and inference modes belong to a thread: mapped functions must enter their own.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(threads)
