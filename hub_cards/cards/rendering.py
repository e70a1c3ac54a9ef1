"""Templates to Markdown: a value that is not given is an error, and no value breaks out of its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

PAPER_URL = "https://arxiv.org/abs/2404.01964"


def render(template: str, **values: Any) -> str:
    """A template of `hub_cards/templates/`.

    Raises:
        jinja2.UndefinedError: if it asks for a value that is not given.
    """
    environment = Environment(
        loader=PackageLoader("stackwalls.hub_cards"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - a card is Markdown
    )
    environment.filters["cell"] = table_cell
    return environment.get_template(template).render(paper_url=PAPER_URL, **values)


def table_cell(text: Any) -> str:
    """Text that cannot break out of a Markdown table's cell of code."""
    return str(text).replace("|", "\\|").replace("`", "'").replace("\n", " ")


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of a JSON value, `recipe.learning_rate` and its text; what is empty or null is left out."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        elif isinstance(value, list | tuple):
            if value:
                yield f"{prefix}{key}", ", ".join(map(str, value))
        elif value is not None and value != "":
            yield f"{prefix}{key}", f"{value:g}" if isinstance(value, float) else str(value)
