"""Sampling by hashes: what a seed selects never changes, and is the same wherever classes are sampled."""

import hashlib
from collections.abc import Iterable

from stackwalls.model.errors import InputError


def class_order(synsets: Iterable[str], seed: int) -> list[str]:
    """The synsets in the order in which they are drawn; the first n are the sample of n classes.

    Unlike a shuffle, the order does not depend on a library's random stream, nor on what else there is to draw from:
    more classes never change the first, and `stackgen mix`, `generate` and `train` sample alike.
    """
    return sorted(synsets, key=lambda synset: drawing_rank("class", seed, synset))


def drawing_rank(*parts: object) -> bytes:
    """The place of a thing in its drawing order: uniform, and fixed by the parts."""
    return hashlib.sha256("\0".join(map(str, ("stack-mix", *parts))).encode()).digest()


def check_seed(seed: object) -> None:
    """Check that a seed is valid for every random generator used here.

    Raises:
        InputError: if it is not an integer from 0 to 2⁶³ - 1.
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63:
        raise InputError(f"Expected the seed to be a whole number from 0 to 2**63 - 1, but got {seed!r}.")
