"""Every command and every snippet of README.md and docs/ does what it says: each page is followed from top to bottom.

A page is followed in a folder of its own that holds what the pages take for granted (`world` in conftest.py).
`translation.py` lists each change that makes a command run offline in seconds, and the commands that are only parsed.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import PAGES, ROOT, Block, Command, blocks, commands
from translation import (
    ELSEWHERE,
    ENDS_WITH,
    PARSED_ONLY,
    SUBSTITUTIONS,
    ending_of,
    is_elsewhere,
    small,
    substituted,
    why_parsed_only,
    without_launcher,
)

from stackwalls.stackgen.cli import build_parser, main

OUT = re.compile(r"--out[ =](\S+)")
PYTHON_OUT = re.compile(r'\bout="([^"]+)"')
FILE_NAME = re.compile(r"# ([\w/]+\.py)\n")

SHELL = [command for page in PAGES for block in blocks(page, "sh") for command in commands(block)]
CODE = [block for page in PAGES for block in blocks(page, "python")]

LONG = tuple(
    f"docs/{name}.md" for name in ("make-a-set", "miniature", "reproduce-the-paper", "scale-out", "speed", "training")
)
"""Pages whose commands take long together; what they do is tested elsewhere too."""


def follow(page: str, place: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[str]:
    """Do what a page says; what goes wrong, with its place."""
    made: set[str] = set()
    for block in blocks(page, "sh", "python"):
        if block.language == "python":
            yield from follow_code(block, place, made)
            continue
        for command in commands(block):
            status, ending = follow_command(command, place, made), ending_of(command.text)
            printed = capsys.readouterr()
            if status != ending:
                said = printed.out[-500:] + printed.err[-1500:]
                yield f"{command.place}\n  exit status {status}, not {ending}\n{said}"


def follow_code(block: Block, place: Path, made: set[str]) -> Iterator[str]:
    """Run a snippet; one that begins with a file's name is written there too."""
    text = substituted(block.text)
    if name := FILE_NAME.match(text):
        (place / name[1]).write_text(text)
    make_room(PYTHON_OUT.findall(text), place, made)
    try:
        # lines as the page counts them
        exec(compile("\n" * (block.line - 1) + text, block.page, "exec"), {"__name__": "snippet"})
    except Exception:
        yield f"{block.page}:{block.line}: {traceback.format_exc()[-1500:]}"


def follow_command(command: Command, place: Path, made: set[str]) -> int:
    """Run a command, or only parse it, and return its exit status."""
    words = without_launcher(command.text)
    if words[0] in ("make", "."):
        return 0 if is_there(words) else 127
    if words[0] == "pytest":
        return int(pytest.main([*words[1:], "-p", "no:cacheprovider", "-q", "--rootdir", str(place)]))
    if words[0] != "stackgen":
        return 127
    try:
        build_parser().parse_args(words[1:])
        if why_parsed_only(command.text):
            return 0
        run = small(command.text)
        folders = OUT.findall(shlex.join(run))
        if is_elsewhere(command.text):
            made.difference_update(folders)
        make_room(folders, place, made)
        status = main(run[1:])
        if run[1] == "publish" and "--yes" not in run and not status:
            status = main([*run[1:], "--yes"])  # what was shown, done
        return status
    except SystemExit as wrong:
        return int(wrong.code or 0)


def make_room(folders: list[str], place: Path, made: set[str]) -> None:
    """Clear away what was prepared under a name that the page makes itself; what the page has made stays."""
    for name in folders:
        if name not in made and (place / name).is_dir() and name != ".":
            shutil.rmtree(place / name)
        made.add(name)


def is_there(words: list[str]) -> bool:
    """A target of the Makefile, or the script that a virtual environment has."""
    if words[0] == "make":
        return re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE) is not None
    return words == [".", ".venv/bin/activate"]


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("page", [pytest.param(page, marks=[pytest.mark.slow] * (page in LONG)) for page in PAGES])
def test_the_page_can_be_followed(
    page: str, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "work"
    shutil.copytree(world, place)
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys, "path", [str(place), *sys.path])
    before = set(sys.modules)
    try:
        wrong = list(follow(page, place, capsys))
    finally:
        for name in set(sys.modules) - before:
            if str(place) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]
    assert not wrong, "\n\n".join(wrong)


def test_there_is_something_to_follow() -> None:
    assert len(PAGES) >= 9
    assert len(SHELL) >= 60
    assert len(CODE) >= 10


@pytest.mark.parametrize("command", SHELL, ids=lambda command: f"{command.page}:{command.line}")
def test_the_command_is_one_that_is_known(command: Command) -> None:
    """Another program than these is neither run nor parsed, and needs a line in `translation.py`."""
    assert without_launcher(command.text)[0] in ("stackgen", "pytest", "make", "."), command.place


@pytest.mark.parametrize("pattern", [row[0] for row in (*PARSED_ONLY, *ENDS_WITH)] + list(ELSEWHERE))
def test_no_exception_is_left_over(pattern: str) -> None:
    assert any(re.search(pattern, shlex.join(without_launcher(command.text))) for command in SHELL)


@pytest.mark.parametrize("pattern", [row[0] for row in SUBSTITUTIONS])
def test_no_substitution_is_left_over(pattern: str) -> None:
    assert any(re.search(pattern, text) for text in [c.text for c in SHELL] + [block.text for block in CODE])


def test_most_commands_are_run() -> None:
    run = [command for command in SHELL if not why_parsed_only(command.text)]
    assert len(run) >= 0.75 * len(SHELL)


def test_a_wrong_option_is_found(tmp_path: Path) -> None:
    assert follow_command(Command("page", 1, "stackgen mix --sauce drawn --out a"), tmp_path, set()) == 2
    assert follow_command(Command("page", 1, "stackmix mix"), tmp_path, set()) == 127
    assert follow_command(Command("page", 1, "make nothing"), tmp_path, set()) == 127


def test_a_snippet_that_fails_is_found_with_its_line(tmp_path: Path) -> None:
    [wrong] = follow_code(Block("page", "python", 7, "a = 1\nb = a.c\n"), tmp_path, set())
    assert wrong.startswith("page:7: ")
    assert 'File "page", line 8' in wrong
