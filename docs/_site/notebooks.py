"""The examples as pages: notebooks in jupytext's percent format, executed when the site is built.

What a notebook printed is kept in build/site/, by a hash of its text and of the package's sources.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat
from mkdocs.plugins import get_plugin_logger
from nbclient import NotebookClient
from nbconvert import MarkdownExporter

import stackwalls

_LOG = get_plugin_logger("notebooks")
_SECONDS = 600
"""The longest that one cell may take."""


def names(root: Path) -> list[str]:
    """The pages, in the order of the files' numbers."""
    return [f"examples/{path.stem}.md" for path in sorted((root / "examples").glob("*.py"))]


def executed(root: Path) -> dict[str, bytes]:
    """Page or image → its content.

    Raises:
        CellExecutionError: if a cell fails.
    """
    found = {}
    for path in sorted((root / "examples").glob("*.py")):
        cached = root / f"build/site/{path.stem}-{_key(root, path)}.ipynb"
        if not cached.exists():
            _LOG.info("Executing %s", path.relative_to(root))
            for stale in cached.parent.glob(f"{path.stem}-*.ipynb"):
                stale.unlink()
            nbformat.write(_run(jupytext.read(path)), cached)
        notebook = _quiet(nbformat.read(cached, 4))
        text, resources = MarkdownExporter().from_notebook_node(notebook, {"unique_key": path.stem})
        found[f"examples/{path.stem}.md"] = _in_style(text).encode()
        found |= {f"examples/{name}": content for name, content in resources["outputs"].items()}
    return found


def _run(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    with tempfile.TemporaryDirectory(prefix="stackwalls-example-") as place:
        environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        client = NotebookClient(
            notebook, kernel_name="python3", timeout=_SECONDS, resources={"metadata": {"path": place}}
        )
        return client.execute(env=environment)


def _quiet(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Without what went to stderr: progress bars."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return notebook


def _in_style(text: str) -> str:
    """Tables of pandas as the site's own, and what a screen reader says of a figure."""
    text = re.sub(r"<style scoped>.*?</style>\n", "", text, flags=re.DOTALL)
    text = re.sub(r"<table [^>]*>", "<table>", text)
    return text.replace("![png](", "![Figure of this cell](")


def _key(root: Path, script: Path) -> str:
    folders = ("stackwalls", *stackwalls._PACKAGES)
    sources = sorted(path for folder in folders for path in (root / folder).rglob("*.py*") if path.suffix != ".pyc")
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (script, *sources)]
    return hashlib.sha256(json.dumps(hashes).encode()).hexdigest()[:16]
