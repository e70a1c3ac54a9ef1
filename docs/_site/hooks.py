"""MkDocs' events: generated pages, pages from outside docs/, and the links between all of them.

- `commands`: a page per command, from the parser
- `api`: a page per public package, from what its `__all__` lists
- `notebooks`: examples/, executed
- `links`: those of the Markdown files, which are GitHub's, as the site's
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path
from typing import Any

import api
import commands
import notebooks
from links import FROM_ELSEWHERE, linked
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]


@event_priority(100)  # mkdocstrings looks for the copied sources in its turn
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Name the package's version, and list the generated pages where the navigation has a pattern."""
    config.site_name = f"stackwalls {version('stackwalls')}"
    api.copy_sources(ROOT, Path(config.config_file_path).parent / "build/site/api")
    known = [*commands.pages(), *api.pages(ROOT), *notebooks.names(ROOT)]
    config.watch += [str(folder) for folder in ROOT.glob("examples")]
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
    elsewhere = {uri: (ROOT / path).read_bytes() for path, uri in FROM_ELSEWHERE.items()}
    assets = {f"assets/{name}": (ROOT / "docs/_site" / name).read_bytes() for name in ("site.css", "site.js")}
    for uri, content in (
        assets | elsewhere | commands.pages() | api.pages(ROOT) | notebooks.executed(ROOT) | _live_examples()
    ).items():
        # a page in an iframe is no page of the navigation
        inclusion = InclusionLevel.NOT_IN_NAV if uri.endswith(".html") else InclusionLevel.INCLUDED
        files.append(File.generated(config, uri, content=content, inclusion=inclusion))
    return files


def _live_examples() -> dict[str, str]:
    """The demo's reports and a leaderboard of them, as `make demo` and `stackgen leaderboard` write them."""
    from stackwalls.evaluate.leaderboard import read_scores, render_leaderboard

    demo = ROOT / "demo"
    if not (demo / "results/report.html").is_file():
        raise PluginError("The site shows the results of the demo, but there are none: run `make demo` first.")
    found = {
        f"live/{path.relative_to(demo).as_posix()}": path.read_text(encoding="utf-8")
        for path in demo.rglob("report.html")
    }
    found["live-examples.md"] = (ROOT / "docs/_site/live-examples.md").read_text(encoding="utf-8")
    found["live/leaderboard.html"] = render_leaderboard(read_scores(demo))  # which links to the reports
    return found


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point the links of a page, which are those of GitHub, to the site's pages."""
    uri = page.file.src_uri
    if uri.startswith("api/") or uri in FROM_ELSEWHERE.values():
        page.meta.setdefault("search", {"boost": 0.5})  # guides and commands come first
    origins = {site: path for path, site in FROM_ELSEWHERE.items()}
    return linked(markdown, uri, origins.get(uri, uri if uri.startswith("examples/") else f"docs/{uri}"))


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Give the theme's search dialog the name that screen readers need."""
    return output.replace(
        'data-md-component="search" role="dialog"', 'data-md-component="search" role="dialog" aria-label="Search"'
    )
