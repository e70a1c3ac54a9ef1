"""Numbers and tables as text: cells, aligned columns, Markdown, CSV."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from stackwalls.evaluate.metrics import Summary
from stackwalls.evaluate.statistics import FEWEST, Interval, PairedDifference

UNDEFINED = "–"
"""Shown in place of a number that does not exist."""


def times_100(value: float) -> str:
    """`22.7` for 0.227."""
    return UNDEFINED if math.isnan(value) else f"{100 * value:.1f}"


def percent(share: float, digits: int = 0) -> str:
    """`98 %` for 0.98."""
    return UNDEFINED if math.isnan(share) else f"{100 * share:.{digits}f} %"


def ratio(value: float, signed: bool = False) -> str:
    """`0.46`, or `+0.46`."""
    return UNDEFINED if math.isnan(value) else f"{value:{'+' if signed else ''}.2f}".replace("inf", "∞")


def mean_and_std(summary: Summary) -> str:
    """`22.7 ± 13.4`: both × 100, of equal width in a column."""
    return f"{times_100(summary.mean)} ± {times_100(summary.std):>4}"


def interval_cell(interval: Interval) -> str:
    """`20.1–25.4`: both ends × 100; `n < 10` if there are too few numbers."""
    return _no_interval(interval) or f"{times_100(interval.low)}–{times_100(interval.high)}"


def _no_interval(interval: Interval) -> str:
    """What is shown in place of an interval; empty if there is one."""
    if not math.isnan(interval.low):
        return ""
    return f"n < {FEWEST}" if interval.n else UNDEFINED


def difference_cells(difference: PairedDifference) -> tuple[str, str]:
    """`+1.2` and `-0.3 to +2.7`: a mean difference and its interval, × 100; 0.0 has no sign."""

    def signed(value: float) -> str:
        text = f"{100 * value:+.1f}"
        return "0.0" if float(text) == 0 else text

    mean = UNDEFINED if math.isnan(difference.mean) else signed(difference.mean)
    return mean, _no_interval(difference) or f"{signed(difference.low)} to {signed(difference.high)}"


def p_cell(p: float) -> str:
    """`0.034`, or `< 0.001`."""
    if math.isnan(p):
        return UNDEFINED
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def aligned(lines: Sequence[Sequence[str]], left: int = 0) -> list[str]:
    """Rows of cells to lines of text, each column as wide as its widest cell, the first `left` columns left-aligned."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(_padded(line, widths, left)) for line in lines]


def markdown_table(lines: Sequence[Sequence[str]], left: int = 1, align: bool = False) -> str:
    """Rows of cells to a GitHub table whose first row is its heading, the first `left` columns left-aligned.

    With `align`, cells are padded, for readers of the source.
    """
    escaped = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    widths = [max(map(len, column)) if align else 0 for column in zip(*escaped, strict=True)]
    rule = [f"{'':->{width or 3}}" if i < left else f"{':':->{width or 4}}" for i, width in enumerate(widths)]
    return "\n".join(f"| {' | '.join(_padded(line, widths, left))} |" for line in [escaped[0], rule, *escaped[1:]])


def _padded(line: Sequence[str], widths: Sequence[int], left: int) -> list[str]:
    sides = [str.ljust] * left + [str.rjust] * len(line)
    return [pad(cell, width) for pad, cell, width in zip(sides, line, widths, strict=False)]


def side_by_side(blocks: Sequence[Sequence[str]]) -> list[str]:
    """Blocks of equally many lines next to each other, a rule between them."""
    widths = [max(map(len, block)) for block in blocks]
    return [" | ".join(map(str.ljust, parts, widths)).rstrip() for parts in zip(*blocks, strict=True)]


def fitting(first: Sequence[str], blocks: Sequence[Sequence[str]], width: int) -> Iterator[list[Sequence[str]]]:
    """Blocks in groups that fit `width` next to the first; at least one block a group."""
    group: list[Sequence[str]] = []
    for block in blocks:
        if group and max(map(len, side_by_side([first, *group, block]))) > width:
            yield group
            group = []
        group.append(block)
    if group:
        yield group


def csv_text(records: Sequence[Mapping[str, Any]]) -> str:
    """A heading and one line per record, numbers at full precision; `nan` where a number does not exist."""
    return pd.DataFrame(records).to_csv(index=False, lineterminator="\n", na_rep="nan")
