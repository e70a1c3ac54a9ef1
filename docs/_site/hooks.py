"""MkDocs' events: generated pages, pages from outside docs/, and the links between all of them.

- `commands`: a page per command, from the parser
- `api`: a page per public package, from what its `__all__` lists
- `notebooks`: examples/, executed
- `live`: the demo's report and a leaderboard, as the commands write them

The Markdown files in docs/, README.md and CONTRIBUTING.md are written for GitHub; `linked` turns their links into the
site's.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path
from typing import Any

import api
import commands
import live
import notebooks
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]

FROM_ELSEWHERE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
    "benchmarks/RESULTS.md": "benchmarks.md",
}
"""File of the repository → page of the site; the README is GitHub's front page, and the site has its own."""

_FENCE = re.compile(r"^(```.*?^```)$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(!?)\[([^\[\]]*)\]\((?!\w+:|#)([^()\s#]+)(#[^()\s]*)?\)")
_COMMAND = re.compile(r"(?<!\[)`stackgen\s+([a-z]+)`")
_NAME = re.compile(r"(?<!\[)`((?:stackwalls|hub_cards)(?:\.\w+)+)`")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Name the package's version, and list the generated pages where the navigation has a pattern."""
    config.site_name = f"stackwalls {version('stackwalls')}"
    api.copy_sources(ROOT, Path(config.config_file_path).parent / "build/site/api")
    known = [*commands.pages(), *api.pages(ROOT), *notebooks.names(ROOT)]
    config.nav = [*_expanded(config.nav or [], known)]
    return config


def _expanded(entries: list[Any], known: list[str]) -> Iterator[Any]:
    for entry in entries:
        if isinstance(entry, dict):
            [(title, inside)] = entry.items()
            yield {title: [*_expanded(inside, known)] if isinstance(inside, list) else inside}
        else:
            yield from (name for name in known if fnmatch(name, entry)) if "*" in entry else (entry,)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is not in docs/."""
    elsewhere = {uri: (ROOT / path).read_bytes() for path, uri in FROM_ELSEWHERE.items() if path != "README.md"}
    styles = {"assets/site.css": (ROOT / "docs/_site/site.css").read_bytes()}
    for uri, content in (
        styles | elsewhere | commands.pages() | api.pages(ROOT) | notebooks.executed(ROOT) | live.pages(ROOT)
    ).items():
        # a page in an iframe is no page of the navigation
        inclusion = InclusionLevel.NOT_IN_NAV if uri.endswith(".html") else InclusionLevel.INCLUDED
        files.append(File.generated(config, uri, content=content, inclusion=inclusion))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point the links of a page, which are those of GitHub, to the site's pages."""
    uri = page.file.src_uri
    origins = {site: path for path, site in FROM_ELSEWHERE.items() if path != "README.md"}
    return linked(markdown, uri, origins.get(uri, f"docs/{uri}"))


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Give the theme's search dialog the name that screen readers need."""
    return output.replace('data-md-component="search" role="dialog"', 'data-md-component="search" role="dialog" aria-label="Search"')


def linked(markdown: str, uri: str, origin: str) -> str:
    """Markdown of the file `origin` of the repository as the page `uri` of the site.

    Links to files that are no pages become text: the project has no public address that they could lead to. The first
    mention of each command, and each public name, becomes a link to the reference.
    """
    names, seen = api.public(ROOT), {Path(uri).stem if uri.startswith("commands/") else ""}

    def of_site(found: re.Match[str]) -> str:
        image, label, path, anchor = found.groups(default="")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(origin), path))
        if target in FROM_ELSEWHERE:
            target = f"docs/{FROM_ELSEWHERE[target]}"
        if not target.startswith("docs/"):
            return label if (ROOT / target).exists() else found[0]  # of the latter, MkDocs warns
        there = posixpath.relpath(target.removeprefix("docs/"), posixpath.dirname(uri) or ".")
        return f"{image}[{label}]({there}{anchor})"

    def of_command(found: re.Match[str]) -> str:
        name = found[1]
        if name in seen or name not in commands.COMMANDS:
            return found[0]
        seen.add(name)
        return f"[{found[0]}]({posixpath.relpath(f'commands/{name}.md', posixpath.dirname(uri) or '.')})"

    def of_name(found: re.Match[str]) -> str:
        dotted = found[1] if found[1].startswith("stackwalls") else f"stackwalls.{found[1]}"
        return f"[{found[0]}][{dotted}]" if dotted in names else found[0]

    parts = _FENCE.split(markdown)
    for number in range(0, len(parts), 2):
        text = _LINK.sub(of_site, parts[number])
        if not uri.startswith("api/"):
            text = "".join(
                line if line.startswith(("#", "    ")) else _NAME.sub(of_name, _COMMAND.sub(of_command, line))
                for line in text.splitlines(keepends=True)
            )
        parts[number] = text
    return "".join(parts)
