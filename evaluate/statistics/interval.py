"""A mean with an interval."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """Of the mean of a list of numbers.

    Attributes:
        mean: over those that are not NaN; NaN if there are none.
        low: the interval's lower end; NaN if there are fewer than two numbers.
        high: the interval's upper end; NaN likewise.
        level: how often such intervals hold the true mean, such as 0.95.
        n: how many are not NaN.
        nan: how many are NaN.
    """

    mean: float
    low: float
    high: float
    level: float
    n: int
    nan: int
