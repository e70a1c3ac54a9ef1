"""What the pages name is there: linked files, headings, paths, modules, sub-commands and their options."""

from __future__ import annotations

import argparse
import pkgutil
import re

import pytest
from pages import PAGES, ROOT, anchors, blocks, code_spans, links, read

from stackwalls.stackgen.cli import COMMANDS, build_parser

_FOLDERS = "tests|docs|benchmarks|model|hub_cards|stackmix|stackgen|evaluate"
_PATH = re.compile(rf"(?:{_FOLDERS})/[\w./-]+\.(?:py|md|png|sh|tsv|txt)")
_DOTTED = re.compile(r"(?:stackwalls|hub_cards)(?:\.\w+)+")


def options_of(command: str) -> set[str]:
    parser = build_parser()
    [choices] = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return {option for action in choices[command]._actions for option in action.option_strings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    for link in links(page):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (folder / path).resolve() if path else ROOT / page
        assert target.exists(), f"{page} links to {link}"
        if anchor:
            assert anchor in anchors(target.relative_to(ROOT).as_posix()), f"{page} links to {link}"


@pytest.mark.parametrize("page", PAGES)
def test_paths_are_there(page: str) -> None:
    shell = [block.text for block in blocks(page, "sh")]
    for path in _PATH.findall(" ".join([*code_spans(page), *shell])):
        assert (ROOT / path).exists(), f"{page} names {path}"


@pytest.mark.parametrize("page", PAGES)
def test_names_can_be_imported(page: str) -> None:
    for dotted in re.findall(_DOTTED, " ".join(code_spans(page))):
        name = dotted if dotted.startswith("stackwalls") else f"stackwalls.{dotted}"
        try:
            pkgutil.resolve_name(name)
        except (ImportError, AttributeError):
            pytest.fail(f"{page} names {dotted}")


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_the_text_exist(page: str) -> None:
    for span in code_spans(page):
        words = span.split()
        if words[0] != "stackgen" or len(words) == 1 or not re.fullmatch(r"[a-z]+", words[1]):
            continue
        assert words[1] in COMMANDS, f"{page} names `{span}`"
        unknown = set(re.findall(r"--[a-z][\w-]*", span)) - options_of(words[1])
        assert not unknown, f"{page} names `{span}`"


@pytest.mark.parametrize("page", PAGES)
def test_options_in_the_text_exist(page: str) -> None:
    known = {option for command in COMMANDS for option in options_of(command)} | {"--stackwalls", "--stackwalls-json"}
    for span in code_spans(page):
        if span.startswith("--"):
            assert span.split()[0].partition("=")[0] in known, f"{page} names `{span}`"


@pytest.mark.parametrize("page", PAGES)
def test_no_page_is_cut_short(page: str) -> None:
    """An odd number of fences hides everything behind the last one from these tests."""
    assert len(re.findall(r"^```", read(page), re.MULTILINE)) % 2 == 0
