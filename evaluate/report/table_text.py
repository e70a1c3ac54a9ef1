"""Tables as text: blocks of lines put side by side, as a terminal shows them, and GitHub's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def aligned(lines: Sequence[Sequence[str]], left: bool = False) -> list[str]:
    """Cells to lines, each column as wide as its widest cell."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    pad = str.ljust if left else str.rjust
    return ["  ".join(pad(cell, width) for cell, width in zip(line, widths, strict=True)) for line in lines]


def markdown_table(lines: Sequence[Sequence[str]]) -> str:
    """Cells to the lines of a GitHub table, of which the second is its rule."""
    escaped = ([cell.replace("|", r"\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped)


def beside(blocks: Sequence[Sequence[str]]) -> list[str]:
    """Blocks of equally many lines side by side, a rule between them."""
    padded = []
    for block in blocks:
        width = max(len(line) for line in block)
        padded.append([line.ljust(width) for line in block])
    return [" | ".join(parts).rstrip() for parts in zip(*padded, strict=True)]


def fitting(first: Sequence[str], blocks: Sequence[Sequence[str]], width: int) -> Iterator[list[Sequence[str]]]:
    """Blocks in groups that fit the width beside the first; at least one block a group."""
    group: list[Sequence[str]] = []
    for block in blocks:
        if group and max(map(len, beside([first, *group, block]))) > width:
            yield group
            group = []
        group.append(block)
    if group:
        yield group
