"""Numbers as tables and the report print them."""

from __future__ import annotations

import math

from stackwalls.evaluate.mu_metric import Summary
from stackwalls.evaluate.statistics import Interval, PairedDifference

UNDEFINED = "–"
"""What a table shows where a number does not exist."""

_LEAST_P = 0.001


def times_100(value: float) -> str:
    """`22.7` for 0.227, or what stands for undefined."""
    return UNDEFINED if math.isnan(value) else f"{100 * value:.1f}"


def mean_and_std(summary: Summary) -> str:
    """`22.7 ± 13.4`: both × 100, of equal width in a column."""
    return f"{times_100(summary.mean)} ± {times_100(summary.std):>4}"


def interval_cell(interval: Interval) -> str:
    """`20.1–25.4`: both ends × 100."""
    if math.isnan(interval.low):
        return UNDEFINED
    return f"{times_100(interval.low)}–{times_100(interval.high)}"


def difference_cell(difference: PairedDifference) -> tuple[str, str]:
    """`+1.2` and `-0.3 to +2.7`: a mean difference and its interval, × 100, with signs."""
    mean = UNDEFINED if math.isnan(difference.mean) else signed(difference.mean)
    if math.isnan(difference.low):
        return mean, UNDEFINED
    return mean, f"{signed(difference.low)} to {signed(difference.high)}"


def signed(value: float) -> str:
    """`+1.2` for 0.012; 0.0 has no sign."""
    text = f"{100 * value:+.1f}"
    return "0.0" if float(text) == 0 else text


def p_cell(p: float) -> str:
    """`0.034`, or `< 0.001`."""
    if math.isnan(p):
        return UNDEFINED
    return f"< {_LEAST_P}" if p < _LEAST_P else f"{p:.3f}"


def percent(share: float, digits: int = 0) -> str:
    """`98 %`, or what stands for undefined."""
    return UNDEFINED if math.isnan(share) else f"{100 * share:.{digits}f} %"


def times_chance(mean: float, chance: float) -> str:
    """`0.46`: a mean as a multiple of what a uniform map has; undefined without a chance level."""
    return UNDEFINED if math.isnan(mean) or not chance else f"{mean / chance:.2f}"
