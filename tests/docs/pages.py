"""The documentation as data: fenced blocks, the commands in them, links, and what is named in the text between."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PAGES = ("README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))))

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line of the page on which the text begins (from 1)."""

    page: str
    language: str
    line: int
    text: str


@dataclass(frozen=True)
class Command:
    """One command of a shell block, without its comment; lines that end in a backslash are one."""

    page: str
    line: int
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, *languages: str) -> list[Block]:
    text = read(page)
    found = [
        Block(page, match[1], text.count("\n", 0, match.start(2)) + 1, match[2]) for match in _FENCE.finditer(text)
    ]
    return [block for block in found if block.language in languages]


def commands(block: Block) -> Iterator[Command]:
    lines = block.text.replace("\\\n", "  ").splitlines()
    for number, line in enumerate(lines):
        words = shlex.split(line, comments=True)
        if words:
            yield Command(block.page, block.line + number, shlex.join(words))


def prose(page: str) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", read(page))


def links(page: str) -> list[str]:
    return _LINK.findall(prose(page))


def code_spans(page: str) -> list[str]:
    """What stands between backticks in the text, line breaks as spaces."""
    return [" ".join(span.split()) for span in _CODE.findall(prose(page))]


def anchors(page: str) -> set[str]:
    """What GitHub calls a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
