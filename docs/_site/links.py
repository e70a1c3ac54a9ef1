"""Links of Markdown files, which are written for GitHub, as those of the site; and links to the reference."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

import api
import commands

ROOT = Path(__file__).parents[2]

FROM_ELSEWHERE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/RESULTS.md": "benchmarks.md",
}
"""File of the repository outside docs/ → page of the site."""

_FRONT_PAGES = {"README.md": "index.md"}
"""GitHub's front page → the site's."""

_FENCE = re.compile(r"^(```.*?^```)$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(!?)\[([^\[\]]*)\]\((?!\w+:|#)([^()\s#]+)(#[^()\s]*)?\)")
_COMMAND = re.compile(r"(?<!\[)`stackgen\s+([a-z]+)`")
_NAME = re.compile(r"(?<!\[)`((?:stackwalls|hub_cards)(?:\.\w+)+)`")


def linked(markdown: str, uri: str, origin: str) -> str:
    """Markdown of the file `origin` of the repository as the page `uri` of the site.

    Links to files that are no pages become text: the project has no public address that they could lead to. The first
    mention of each command, and each public name, becomes a link to the reference.
    """
    names, seen = api.public(ROOT), {Path(uri).stem if uri.startswith("commands/") else ""}

    def of_site(found: re.Match[str]) -> str:
        image, label, path, anchor = found.groups(default="")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(origin), path))
        if label.endswith(".md") and (ROOT / target).is_file():  # a name on GitHub, a title here
            label = (ROOT / target).read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        if page := (FROM_ELSEWHERE | _FRONT_PAGES).get(target):
            target = f"docs/{page}"
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
