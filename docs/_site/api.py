"""Pages of the public packages: a table of what `__all__` lists, then mkdocstrings' text on each name.

A name that several packages export is described once, on the page of the innermost; the others link there.
"""

from __future__ import annotations

import ast
import shutil
from functools import cache
from pathlib import Path

import stackwalls

_SOURCES = shutil.ignore_patterns("*.json*", "*.tsv", "*.txt", "*.safetensors", "*.png", "templates", "__pycache__")


def copy_sources(root: Path, place: Path) -> None:
    """Lay out the sources as they are installed: the repository has the packages side by side, without `stackwalls`."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(root / "stackwalls", place / "stackwalls", ignore=_SOURCES)
    for folder in stackwalls._PACKAGES:
        shutil.copytree(root / folder, place / "stackwalls" / folder, ignore=_SOURCES)


@cache
def packages(root: Path) -> dict[str, Path]:
    """Every public package, outer before inner: `stackwalls`, and those that list their names in a stub."""
    stubs = sorted(path for folder in stackwalls._PACKAGES for path in (root / folder).rglob("__init__.pyi"))
    return {"stackwalls": root / "stackwalls/__init__.py"} | {
        ".".join(("stackwalls", *path.parent.relative_to(root).parts)): path for path in stubs
    }


@cache
def exports(root: Path, package: str) -> dict[str, str]:
    """Name → the module that defines it, for every `import name as name` of a package."""
    known = packages(root)
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(known[package].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            home = f"{package}.{node.module}" if node.level else str(node.module)
            inner = exports(root, home) if home in known else {}
            found |= {each.name: inner.get(each.name, home) for each in node.names if each.asname == each.name}
    return found | ({"__version__": package} if package == "stackwalls" else {})


@cache
def docstrings(root: Path, module: str) -> dict[str, str | None]:
    """Class, function or constant of a module → its docstring, as the file has it."""
    path = root.joinpath(*(module.split(".")[1:] or ["stackwalls"]))
    source = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")
    found: dict[str, str | None] = {}
    for body in [node.body for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Module | ast.If)]:
        for each, following in zip(body, [*body[1:], None], strict=True):
            if isinstance(each, ast.ClassDef | ast.FunctionDef):
                found[each.name] = ast.get_docstring(each)
            elif isinstance(each, ast.Assign | ast.AnnAssign):
                targets = each.targets if isinstance(each, ast.Assign) else [each.target]
                value = getattr(following, "value", None)
                text = value.value if isinstance(following, ast.Expr) and isinstance(value, ast.Constant) else None
                found |= {ast.unparse(target): text if isinstance(text, str) else None for target in targets}
    return found


@cache
def public(root: Path) -> dict[str, str]:
    """Dotted public name or package → the page that describes it."""
    found: dict[str, str] = {}
    first: dict[tuple[str, str], str] = {}
    for package in reversed(packages(root)):  # inner before outer
        found[package] = page = f"api/{package}.md"
        for name, home in exports(root, package).items():
            found[f"{package}.{name}"] = first.setdefault((home, name), page)
    return found


@cache
def pages(root: Path) -> dict[str, str]:
    """Page → Markdown.

    Raises:
        ValueError: if a public name has no docstring.
    """
    return {f"api/{package}.md": _page(root, package) for package in packages(root)}


def _page(root: Path, package: str) -> str:
    rows, described = [], []
    for name, home in sorted(exports(root, package).items(), key=lambda each: each[0].lower()):
        text = docstrings(root, home).get(name)
        if not text:
            raise ValueError(f"{home}.{name} is public, but has no docstring.")
        rows.append(f"| [`{name}`][{package}.{name}] | {text.splitlines()[0].replace('|', chr(92) + '|')} |")
        if public(root)[f"{package}.{name}"] == f"api/{package}.md":
            described.append(f"::: {package}.{name}")
    options = ("options:", "    members: false", "    show_root_heading: false", "    show_root_toc_entry: false")
    intro = "\n    ".join((f"::: {package}", *options))
    table = "\n".join(("| name | what it is |", "|---|---|", *rows))
    return "\n\n".join((f"# {package} {{ #{package} }}", intro, table, *described)) + "\n"
