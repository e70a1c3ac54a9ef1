"""What a seed may be."""

from __future__ import annotations

from stackwalls.model.errors import InputError

_END = 2**63


def check_seed(seed: object) -> None:
    """Refuse what is no seed for every generator here.

    Raises:
        InputError: if it is no whole number from 0 to 2⁶³ - 1.
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < _END:
        raise InputError(f"Expected the seed to be a whole number from 0 to 2**63 - 1, but got {seed!r}.")
