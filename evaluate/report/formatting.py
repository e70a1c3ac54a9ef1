"""Numbers and tables as text: cells, aligned columns, Markdown, CSV."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from stackwalls.evaluate.metrics import Summary
from stackwalls.evaluate.statistics import FEWEST, Interval, PairedDifference

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a formula begins, in one spreadsheet or another."""

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
    escaped = [[markdown_text(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) if align else 0 for column in zip(*escaped, strict=True)]
    rule = [f"{'':->{width or 3}}" if i < left else f"{':':->{width or 4}}" for i, width in enumerate(widths)]
    return "\n".join(f"| {' | '.join(_padded(line, widths, left))} |" for line in [escaped[0], rule, *escaped[1:]])


def markdown_text(text: str) -> str:
    """Text for Markdown, in which nothing of a name is a tag, a link, code or the end of a cell; `*` stays emphasis."""
    return re.sub(r"[\\|`\[]|<(?=[A-Za-z/!?])", r"\\\g<0>", _one_line(text))


def latex_table(lines: Sequence[Sequence[str]]) -> str:
    """Rows of cells to a `tabular` that needs no package, whose first row is its heading."""
    heading, *rows = (" & ".join(map(latex_text, line)) + r" \\" for line in lines)
    begin = rf"\begin{{tabular}}{{l{'r' * (len(lines[0]) - 1)}}}"
    return "\n".join([begin, r"\hline", heading, r"\hline", *rows, r"\hline", r"\end{tabular}"])


_LATEX = {
    **{sign: f"\\{sign}" for sign in "{}$&#%_"},
    **{sign: f"{{{sign}}}" for sign in "[*"},  # after a line break they are its options
    **{sign: rf"\text{name}{{}}" for sign, name in {"\\": "backslash", "~": "asciitilde", "^": "asciicircum"}.items()},
    **{sign: rf"\text{name}{{}}" for sign, name in {"<": "less", ">": "greater", "|": "bar"}.items()},
    "–": "--",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": "$-$",
    "∞": r"$\infty$",
    '"': "''",
}


def latex_text(text: str) -> str:
    """Text for LaTeX, in any of its engines; `?` for what their default fonts lack."""
    signs = (_LATEX.get(sign, sign if sign.isascii() or "À" <= sign <= "ÿ" else "?") for sign in _one_line(text))
    return "".join(signs)


def _one_line(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)


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


def csv_text(records: Sequence[Mapping[str, Any]] | pd.DataFrame, missing: str = "nan") -> str:
    """A heading and one line per record, numbers at full precision; `missing` where a number does not exist.

    A text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    plain = pd.DataFrame(records).map(
        lambda value: f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
    )
    return plain.to_csv(index=False, lineterminator="\n", na_rep=missing)
