"""The documentation site: what it says of commands and names is complete, and its links are those of the repository."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT, read

sys.path.insert(0, str(ROOT / "docs/_site"))

import api
import commands
import links

from stackwalls.stackgen.cli import COMMANDS, build_parser

PACKAGES = tuple(api.packages(ROOT))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_on_its_page(name: str) -> None:
    page = commands.pages()[f"commands/{name}.md"]
    [choices] = [action.choices for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)]
    entries = page.split("\n\n")
    for action in choices[name]._actions:
        for option in action.option_strings or [action.metavar or action.dest]:
            assert any(option in each.partition("\n:   ")[0] for each in entries if "\n:   " in each), option


def test_the_list_of_commands_says_which_resume_and_how_they_end() -> None:
    page = commands.pages()["commands/index.md"]
    assert page.count("\n| [`") == len(COMMANDS)
    assert "| yes |" in page.partition("[`evaluate`]")[2].partition("\n")[0]
    assert "130" in page.partition("## Exit codes")[2]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_in_the_reference(package: str) -> None:
    """In the table of its package, with a docstring of its own; and described on the page that the table links to."""
    module = sys.modules.get(package) or __import__(package, fromlist=["__all__"])
    assert set(module.__all__) == set(api.exports(ROOT, package))
    pages = api.pages(ROOT)  # a name without a docstring is an error
    for name, home in api.exports(ROOT, package).items():
        assert f"\n| [`{name}`][{package}.{name}] | " in pages[f"api/{package}.md"]
        described = pages[api.public(ROOT)[f"{package}.{name}"]]
        assert any(
            f"\n::: {inner}.{name}\n" in described for inner in PACKAGES if api.exports(ROOT, inner).get(name) == home
        )


def test_a_name_without_a_docstring_is_found(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/a.py").write_text('X = 1\n\nY = 2\n"""Two."""\n\ndef f(): ...\n')
    assert api.docstrings(tmp_path, "stackwalls.model.a") == {"X": None, "Y": "Two.", "f": None}


@pytest.mark.parametrize(
    ("link", "uri", "origin", "expected"),
    [
        ("[a](../benchmarks/RESULTS.md)", "speed.md", "docs/speed.md", "[a](benchmarks.md)"),
        ("[a](../README.md)", "paper-index.md", "docs/paper-index.md", "[a](index.md)"),
        ("[speed.md](speed.md)", "judge.md", "docs/judge.md", "[Speed, memory and precision](speed.md)"),
        ("[CHANGELOG.md](CHANGELOG.md)", "contributing.md", "CONTRIBUTING.md", "[Changelog](changelog.md)"),
        ("[a](docs/theory.md#x)", "contributing.md", "CONTRIBUTING.md", "[a](theory.md#x)"),
        ("[a](../docs/judge.md)", "examples/1.md", "examples/1.md", "[a](../judge.md)"),
        ("![a](../docs/judge.png)", "examples/1.md", "examples/1.md", "![a](../judge.png)"),
        ("[`a.py`](../evaluate/methods.py)", "speed.md", "docs/speed.md", "`a.py`"),
        ("[a](gone.py)", "contributing.md", "CONTRIBUTING.md", "[a](gone.py)"),
        ("[a](https://arxiv.org)", "speed.md", "docs/speed.md", "[a](https://arxiv.org)"),
        ("`stackgen mix`", "speed.md", "docs/speed.md", "[`stackgen mix`](commands/mix.md)"),
        ("`stackgen mix`", "commands/mix.md", "docs/commands/mix.md", "`stackgen mix`"),
        ("```sh\n`stackgen mix`\n```", "speed.md", "docs/speed.md", "```sh\n`stackgen mix`\n```"),
        ("`stackwalls.evaluate.mu`", "speed.md", "docs/speed.md", "[`stackwalls.evaluate.mu`][stackwalls.evaluate.mu]"),
    ],
)
def test_links_of_the_repository_are_links_of_the_site(link: str, uri: str, origin: str, expected: str) -> None:
    assert links.linked(link, uri, origin) == expected


def test_the_columns_of_a_row_of_results_are_described() -> None:
    from stackwalls.evaluate import ROW_SCHEMA

    table = read("docs/reading-the-numbers.md").partition("## A row of the results")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert [name.strip(" `") for row in rows for name in row.split(",")] == sorted(
        ROW_SCHEMA.names, key=[name.strip(" `") for row in rows for name in row.split(",")].index
    )


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_site_is_built_strictly(tmp_path: Path) -> None:
    """No broken link or anchor; and nothing in it is loaded from another host."""
    if not (ROOT / "demo/results/report.html").is_file():
        pytest.skip("the site shows the demo: run `make demo` first")
    shutil.rmtree(ROOT / "build/site/api", ignore_errors=True)  # as in a clean clone
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    for page in (tmp_path / "site").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert 'src="http' not in text, page
        assert "fonts.googleapis" not in text, page
