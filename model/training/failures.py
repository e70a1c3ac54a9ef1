"""What a device refuses, in a sentence that says what to change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from stackwalls.model.errors import RunError

_CPU_ALLOCATOR = "DefaultCPUAllocator"


@contextmanager
def memory_errors(images: int, accumulation: int) -> Iterator[None]:
    """Turn running out of memory into one sentence.

    Args:
        images: that go through the network at once.
        accumulation: parts of a batch now.

    Raises:
        RunError: if the device, or the machine, has no memory left inside.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(images, accumulation) from error
    except RuntimeError as error:
        if _CPU_ALLOCATOR in str(error):
            raise _out_of_memory(images, accumulation) from error
        raise


def _out_of_memory(images: int, accumulation: int) -> RunError:
    return RunError(
        f"Out of memory with {images} pictures at once. Run again with --resume and --accumulate {2 * accumulation}, "
        "which learns the same from half as many at once; a lower precision (--precision bf16) or --width makes "
        "another training."
    )
