"""The report: one HTML file that loads nothing from outside; thumbnails of many images are in a folder next to it.

To add a section, write a function from `Shown` to the values of its template, add it to `SECTIONS` under the template's
name, and write the template, `templates/NAME.html.jinja`.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from stackwalls.evaluate.measurements import Measurements
from stackwalls.evaluate.methods import METHODS
from stackwalls.evaluate.report.comparison import BaselineComparison, compare_methods, rank_stability
from stackwalls.evaluate.report.figures import results_figures, svg_path, write_figure
from stackwalls.evaluate.report.formatting import difference_cells, p_cell, percent, ratio
from stackwalls.evaluate.report.gallery import (
    THUMBNAILS,
    Gallery,
    color_scale,
    galleries,
    gallery_values,
    tile_styles,
    typical,
    write_thumbnails,
)
from stackwalls.evaluate.report.headline import headline
from stackwalls.evaluate.report.table import TableRow
from stackwalls.evaluate.run.provenance import notes
from stackwalls.evaluate.statistics import RankAgreement
from stackwalls.model import disk_errors, write_whole

TABLE_NAMES = ("table.txt", "table.md", "table.csv", "table.tex")
COMPARISON_NAMES = ("comparison.md", "comparison.csv")
REPORT_NAME, FIGURES = "report.html", "figures"
RENDERED = frozenset({*TABLE_NAMES, *COMPARISON_NAMES, REPORT_NAME, FIGURES, THUMBNAILS})
"""What `render` writes into a results folder; it follows from the other files."""

TEMPLATES = Path(__file__).parent / "templates"

_FIGURE = re.compile(r"(teaser|overlays|more-overlays)-.*\.(png|pdf)")

BINS, MOST_POINTS, MOST_LISTED = 40, 300, 6
"""Of the histograms over [0, 1]; of the images shown one by one below one; of the listed values of a setting."""


@dataclass(frozen=True)
class Shown:
    """What the sections draw from (see `render_report`), with one gallery per dataset."""

    results: Measurements
    comparison: BaselineComparison | None
    texts: Mapping[str, str]
    galleries: list[Gallery]


def render(
    results: Measurements,
    folder: Path,
    pdf: bool = False,
    method: str | None = None,
    comparison: BaselineComparison | None = None,
    sections: Mapping[str, str] | None = None,
) -> None:
    """Write tables, figures and report (see `render_report`) into a results folder; same results, same bytes.

    Older tables, figures and reports are replaced, an older comparison only by a new one. With `pdf`, or if there are
    PDFs already, the figures are written as PDF too. `method`: whose map the teaser shows (see `results_figures`).

    Raises:
        InputError: if there are no maps of `method`.
        RunError: if writing to the disk fails.
    """
    figures = list(results_figures(results, method))
    table = results.summary
    texts = dict(zip(TABLE_NAMES, (table.text(), table.markdown(), table.csv(), table.latex()), strict=True))
    if comparison is not None:
        texts |= zip(COMPARISON_NAMES, (comparison.markdown(), comparison.csv()), strict=True)
    shown = Shown(results, comparison, sections or {}, _galleries(results))
    texts[REPORT_NAME] = _html(shown)
    with disk_errors(folder, resumes=False):
        for name, text in texts.items():
            write_whole(folder / name, text.encode())
        write_thumbnails(shown.galleries, folder / THUMBNAILS)
        (folder / FIGURES).mkdir(exist_ok=True)
        old = {path for path in (folder / FIGURES).iterdir() if _FIGURE.fullmatch(path.name)}
        pdf = pdf or any(path.suffix == ".pdf" for path in old)
        for name, figure in figures:
            for kind in ("png", "pdf") if pdf else ("png",):
                path = folder / FIGURES / f"{name}.{kind}"
                write_whole(path, write_figure(figure, kind))
                old.discard(path)
        for path in old:
            path.unlink(missing_ok=True)  # several processes may render the same results


def render_report(
    results: Measurements, comparison: BaselineComparison | None = None, sections: Mapping[str, str] | None = None
) -> str:
    """The report as HTML text; the same text for the same results.

    Of many images the page contains only some thumbnails; `render` writes the others next to it.

    Args:
        results: of one evaluation.
        comparison: with another network on the same images.
        sections: more sections, title → text, shown as it is before the certificate.
    """
    return _html(Shown(results, comparison, sections or {}, _galleries(results)))


def _galleries(results: Measurements) -> list[Gallery]:
    return galleries(results.per_image, results.samples, results.wall, results.names)


def _html(shown: Shown) -> str:
    results = shown.results
    environment = html_environment(TEMPLATES)
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "ensure_ascii": False}
    environment.globals |= {"zone": svg_path(results.wall), "color_scale": color_scale()}
    environment.globals |= {"run": results.run, "wall": results.wall, "blind": results.blind, "table": results.summary}
    parts = {}
    for name, values_of in SECTIONS.items():
        if (values := values_of(shown)) is not None:
            parts[name] = Markup(environment.get_template(f"{name}.html.jinja").render(values))  # noqa: S704 - escaped
    return environment.get_template("report.html.jinja").render(
        sections=parts,
        titles=TITLES,
        tile_styles=tile_styles(len(results.samples.method)),
        self_contained=all(image.inline for gallery in shown.galleries for image in gallery.images),
    )


def render_summary(results: Measurements) -> str:
    """Table 1 and the result in a sentence as HTML, for a notebook."""
    table = results.summary
    said = headline(table, results.run["model"], results.blind)
    template = html_environment(TEMPLATES).get_template("summary.html.jinja")
    return template.render(table=table, headline=said, setting=results.setting)


def html_environment(templates: Path) -> Environment:
    """Templates that escape every value and fail on a missing one; they may include the report's `sortable.js`."""
    loader = FileSystemLoader([templates, TEMPLATES])
    blocks: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True}
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, **blocks)


def _result(shown: Shown) -> dict[str, Any]:
    results = shown.results
    return {
        "headline": headline(results.summary, results.run["model"], results.blind),
        "where": results.wall.description(),
        "typical": typical(shown.galleries[0]),
        # the section's alarm says that a network is not blind
        "notes": [note for note in notes(results.run) if not note.startswith("NOT BLIND")],
    }


def _table(shown: Shown) -> dict[str, Any]:
    table = shown.results.summary
    dots = [(method, [_dot(table.find(dataset, method)) for dataset in table.datasets]) for method in table.methods]
    return {"dots": dots, "errors": shown.results.errors.to_dict("records")}


def _dot(row: TableRow | None) -> dict[str, float] | None:
    """Mean and interval on a scale of 0 to 100; None if there is no mean."""
    if row is None or not row.mu.n:
        return None
    low, high = (row.mu.mean if math.isnan(end) else end for end in (row.interval.low, row.interval.high))
    return {"mean": 100 * row.mu.mean, "low": 100 * low, "high": 100 * high}


def _distributions(shown: Shown) -> dict[str, Any]:
    found: dict[Any, list[dict[str, Any]]] = {}
    for (dataset, method), rows in shown.results.per_image.groupby(["dataset", "method"], sort=False):
        found.setdefault(dataset, []).append(_distribution(str(method), rows["mu"]))
    return {"distributions": found}


def _distribution(method: str, mu: pd.Series[float]) -> dict[str, Any]:
    """A histogram whose highest bar is 1, and points (mu × 100, place across the strip in [0, 1])."""
    values = np.sort(mu.dropna().to_numpy(dtype=np.float64))
    counts, _ = np.histogram(values, BINS, (0, 1))
    count = min(len(values), MOST_POINTS)
    few = values[[index * len(values) // count for index in range(count)]] if count else values
    golden = (5**0.5 - 1) / 2  # its multiples spread evenly, whatever their number, so that equal values stay apart
    points = [(round(100 * float(value), 2), round((index * golden) % 1, 3)) for index, value in enumerate(few)]
    heights = [round(float(height), 4) for height in counts / (counts.max() or 1)]
    said = f"{method}: no mu"
    if count:
        low, middle, high = (f"{100 * value:.1f}" for value in (values[0], np.median(values), values[-1]))
        said = f"{method}: mu × 100 of {len(values)} images is {low} to {high}, its median {middle}"
    return {"method": method, "heights": heights, "points": points, "n": len(values), "said": said}


def _statistics(shown: Shown) -> dict[str, Any] | None:
    table, per_image = shown.results.summary, shown.results.per_image
    if len(table.methods) < 2:
        return None
    return {
        "pairs": {dataset: _pairs(per_image, dataset) for dataset in table.datasets},
        "stability": {dataset: _stability(per_image, dataset) for dataset in table.datasets},
    }


def _pairs(per_image: pd.DataFrame, dataset: str) -> list[list[str]]:
    lines = []
    for pair in compare_methods(per_image, dataset):
        found = pair.difference
        counts = [ratio(found.effect, signed=True), percent(found.above), str(found.n), str(found.dropped)]
        lines.append([f"{pair.first} − {pair.second}", *difference_cells(found), p_cell(pair.adjusted), *counts])
    return lines


def _stability(per_image: pd.DataFrame, dataset: str) -> dict[str, Any]:
    found = rank_stability(per_image, dataset)
    lines = [[str(at.images), ratio(at.tau), percent(at.same_order), percent(at.same_first)] for at in found]
    return {"lines": lines, "images": found[-1].images if found else 0, "enough": _enough(found)}


def _enough(found: list[RankAgreement]) -> int | None:
    """The least number of images, short of all, from which on the order is the same in 95 % of the subsets."""
    sure = list(itertools.takewhile(lambda each: each.same_order >= 0.95, reversed(found[:-1])))
    return sure[-1].images if sure else None


def _meaning(shown: Shown) -> dict[str, Any]:
    methods = shown.results.summary.methods
    return {"by_construction": [name for name in methods if name in METHODS and METHODS[name].zero_by_construction]}


def _run(shown: Shown) -> dict[str, Any]:
    run, spec = shown.results.run, shown.results.run["spec"]
    facts = {
        "network": run["model"],
        "wall": f"{run['wall']['wall']}: {shown.results.wall.description()}",
        "kind of wall": shown.results.summary.wall_kind,
        "explained class": "the predicted one" if spec["target"] == "predicted" else "the image's label",
        "seed": spec["seed"],
        "batch size": spec["batch_size"] or "by the free memory",
        "device": run["device"],
        "versions": ", ".join(f"{name} {version}" for name, version in run["versions"].items()),
    }
    for dataset in run["datasets"]:
        settings = [f"{key} {_as_text(value)}" for key, value in sorted((dataset["spec"] or {}).items())]
        facts[f"dataset {dataset['name']}"] = ", ".join([f"{dataset['length']} images", *settings])
    facts |= {str(name): _as_text(value) for name, value in run["provenance"].items()}
    return {"facts": facts, "table_csv": shown.results.summary.csv()}


def _as_text(value: Any) -> str:
    if isinstance(value, list) and len(value) > MOST_LISTED:
        return f"{', '.join(map(_as_text, value[:MOST_LISTED]))} and {len(value) - MOST_LISTED} more"
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


SECTIONS: dict[str, Callable[[Shown], dict[str, Any] | None]] = {
    "result": _result,
    "table": _table,
    "distributions": _distributions,
    "baseline": lambda shown: {"comparison": shown.comparison} if shown.comparison else None,
    "statistics": _statistics,
    "maps": lambda shown: gallery_values(shown.galleries, shown.results.samples),
    "texts": lambda shown: {"texts": shown.texts} if shown.texts else None,
    "certificate": lambda shown: {"certificate": shown.results.certificate},
    "meaning": _meaning,
    "run": _run,
}
"""The report's sections in order: the name of a template → its values, or None to leave the section out."""

TITLES = {
    "table": "Table 1",
    "distributions": "Distributions",
    "baseline": "Masked − baseline",
    "statistics": "Comparisons",
    "maps": "Maps",
    "texts": "Other results",
    "certificate": "Certificate",
    "meaning": "What mu says",
    "run": "How it was made",
}
"""Entries of the table of contents: the name of a section, which is its anchor, → its title there."""
