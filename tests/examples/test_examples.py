"""The notebooks of examples/: they are notebooks, name what exists, and run to the end offline."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest
from nbformat import NotebookNode

from stackwalls.stackgen.cli import COMMANDS, build_parser

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))
each_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)

_LONGEST = 220
"""Lines of a script: a reader's patience, and what a site's page shows."""


def read(script: Path) -> NotebookNode:
    return jupytext.read(script, fmt="py:percent")


def texts(notebook: NotebookNode, kind: str) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def test_there_are_five_and_the_index_lists_them() -> None:
    assert [path.stem[0] for path in SCRIPTS] == list("12345")
    index = (ROOT / "examples/README.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\(([^)]+\.py)\)", index) == [path.name for path in SCRIPTS]


@each_script
def test_it_is_a_notebook(script: Path) -> None:
    notebook = read(script)
    assert notebook.metadata["jupytext"]["text_representation"]["format_name"] == "percent"
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    written = texts(notebook, "markdown")
    assert written[0].startswith("# ")
    assert "**Your machine.**" in written[0], "what changes with a GPU and with the Hub is said at the top"
    assert notebook.cells[-1].cell_type == "markdown", "it ends by saying where to go on"
    assert len(script.read_text(encoding="utf-8").splitlines()) <= _LONGEST
    for source in texts(notebook, "code"):
        compile(source, str(script), "exec")


@each_script
def test_it_imports_only_public_names(script: Path) -> None:
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not any(alias.name.startswith("stackwalls") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stackwalls"):
            public = importlib.import_module(str(node.module)).__all__
            assert {alias.name for alias in node.names} <= set(public), f"from {node.module}"


@each_script
def test_what_it_names_is_there(script: Path) -> None:
    notebook = read(script)
    written = "\n".join(texts(notebook, "markdown"))
    for target in re.findall(r"\]\((?!https://)([^)]+)\)", written):
        assert (script.parent / target).exists(), target
    called = re.findall(r'^stackgen\("([^"]+)"\)$', "\n".join(texts(notebook, "code")), re.MULTILINE)
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```$", written, re.MULTILINE | re.DOTALL))
    typed = [line.removeprefix("stackgen ") for line in blocks.splitlines() if line.startswith("stackgen ")]
    for arguments in (*called, *typed):
        build_parser().parse_args(shlex.split(arguments))
    for command in re.findall(r"`stackgen ([a-z]+)", written):
        assert command in COMMANDS


@pytest.mark.slow
@pytest.mark.timeout(600)
@each_script
def test_it_runs(script: Path, tmp_path: Path) -> None:
    """As the site runs it: as a notebook, offline, with nothing but its outputs left behind."""
    from nbclient import NotebookClient

    nowhere = "http://127.0.0.1:9"
    offline = {"HF_HUB_OFFLINE": "1", "http_proxy": nowhere, "https_proxy": nowhere, "no_proxy": "127.0.0.1"}
    quiet = {"PYTHONWARNINGS": "ignore:IProgress not found"}  # tqdm's wish for ipywidgets
    client = NotebookClient(
        read(script), timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    notebook = client.execute(env=os.environ | offline | quiet)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    said = [output.text for output in outputs if output.get("name") == "stderr"]
    assert not said, "progress bars and warnings have no place on a page"
    assert list(tmp_path.iterdir()) == []
    images = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert images
    assert max(map(len, images)) * 3 / 4 < 600_000


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_types() -> None:
    """What the libraries' own functions lack in types is not the notebooks' fault."""
    lenient = ["--allow-untyped-calls", "--allow-subclassing-any", "--implicit-reexport"]
    command = [sys.executable, "-m", "mypy", *lenient, *map(str, SCRIPTS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
