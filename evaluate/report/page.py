"""The report: one HTML file that holds everything it shows and asks for nothing from outside."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stackwalls.evaluate.methods import METHODS
from stackwalls.evaluate.report.distributions import distributions
from stackwalls.evaluate.report.gallery import galleries
from stackwalls.evaluate.report.headline import headline
from stackwalls.evaluate.report.method_comparison import compare_methods, rank_stability
from stackwalls.evaluate.report.number_format import UNDEFINED, difference_cell, p_cell, percent
from stackwalls.evaluate.report.table import TableRow
from stackwalls.evaluate.run.provenance import notes
from stackwalls.model import Wall

if TYPE_CHECKING:
    from stackwalls.evaluate.report.baseline_comparison import BaselineComparison
    from stackwalls.evaluate.results import Results
    from stackwalls.evaluate.statistics import RankAgreement

_TEMPLATES = Path(__file__).parent / "templates"

_SURE = 0.95
"""How often fewer images must rank the methods as all do to be called enough."""


def render_report(
    results: Results, comparison: BaselineComparison | None = None, sections: Mapping[str, str] | None = None
) -> str:
    """The report as HTML text; the same text for the same results.

    Args:
        results: of one evaluation.
        comparison: with another network on the same images.
        sections: more to stand before the certificate, title → text, shown as it is.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    table = results.summary
    shown = galleries(results.samples, table.datasets)
    return environment.get_template("report.html.jinja").render(
        headline=headline(table, results.run["model"], results.blind),
        blind=results.blind,
        run=results.run,
        wall=results.wall,
        where=wall_in_words(results.wall),
        notes=[note for note in notes(results.run) if not note.startswith("NOT BLIND")],  # the page's first box says it
        table=table,
        dots=[(method, _dots(results, method)) for method in table.methods],
        spreads=[(name, distributions(results.per_image, name)) for name in table.datasets],
        table_csv=results.table("csv"),
        certificate=results.certificate,
        galleries=shown,
        comparison=comparison,
        sections=sections or {},
        pairs=[(name, _pairs(results, name)) for name in table.datasets] if len(table.methods) > 1 else [],
        stability=[(name, _stability(results, name)) for name in table.datasets] if len(table.methods) > 1 else [],
        errors=results.errors().to_dict("records"),
        by_construction=[name for name in table.methods if name in METHODS and METHODS[name].zero_by_construction],
        band=_band(results.wall),
        facts=_facts(results),
    )


def wall_in_words(wall: Wall) -> str:
    """`pixel rows 170 to 223, 54 of 224 (24.1 %)`."""
    count = f"{wall.size} of {wall.image_size} ({100 * wall.share:.1f} %)"
    return f"pixel {wall.axis} {wall.start} to {wall.stop - 1}, {count}"


def _band(wall: Wall) -> str:
    """The wall over a picture, as CSS."""
    start, size = 100 * wall.start / wall.image_size, 100 * wall.share
    first, last = wall.start > 0, wall.stop < wall.image_size
    if wall.axis == "rows":
        return f"left:0;right:0;top:{start:.3f}%;height:{size:.3f}%;border-width:{2 * first}px 0 {2 * last}px"
    return f"top:0;bottom:0;left:{start:.3f}%;width:{size:.3f}%;border-width:0 {2 * last}px 0 {2 * first}px"


def _dots(results: Results, method: str) -> list[dict[str, float] | None]:
    """A method's mean and interval on each dataset, on a scale of 0 to 100; None where there is no mean."""
    return [_dot(results.summary.find(dataset, method)) for dataset in results.summary.datasets]


def _dot(row: TableRow | None) -> dict[str, float] | None:
    if row is None or not row.mu.n:
        return None
    known = not math.isnan(row.interval.low)
    low, high = (row.interval.low, row.interval.high) if known else (row.mu.mean, row.mu.mean)
    return {"mean": 100 * row.mu.mean, "low": 100 * low, "high": 100 * high}


def _pairs(results: Results, dataset: str) -> list[list[str]]:
    """Every pair of methods, in words."""
    lines = []
    for pair in compare_methods(results.per_image, dataset):
        found = pair.difference
        effect = UNDEFINED if math.isnan(found.effect) else f"{found.effect:+.2f}".replace("inf", "∞")
        counts = [effect, percent(found.above), str(found.n), str(found.dropped)]
        lines.append([f"{pair.first} − {pair.second}", *difference_cell(found), p_cell(pair.adjusted), *counts])
    return lines


def _stability(results: Results, dataset: str) -> dict[str, Any]:
    """Rank agreement in words: its table, and how many images would have done."""
    found = rank_stability(results.per_image, dataset)
    enough = _enough(found)
    lines = []
    for each in found:
        tau = UNDEFINED if math.isnan(each.tau) else f"{each.tau:.2f}"
        lines.append([str(each.images), tau, percent(each.same_order), percent(each.same_first)])
    return {"lines": lines, "images": found[-1].images if found else 0, "enough": enough}


def _enough(found: list[RankAgreement]) -> int | None:
    """The least number of images, short of all, from which on the order is the same in 95 % of the subsets."""
    fewer = found[:-1]
    sure = [index for index in range(len(fewer)) if all(each.same_order >= _SURE for each in fewer[index:])]
    return fewer[sure[0]].images if sure else None


def _facts(results: Results) -> list[tuple[str, str]]:
    """What the run was, as pairs of a heading and a value."""
    run, spec = results.run, results.run["spec"]
    facts = [
        ("network", run["model"]),
        ("wall", f"{run['wall']['wall']}: {wall_in_words(results.wall)}"),
        ("explained class", "the predicted one" if spec["target"] == "predicted" else "the image's label"),
        ("seed", str(spec["seed"])),
        ("batch size", str(spec["batch_size"] or "by the memory that was free")),
        ("device", run["device"]),
        ("versions", ", ".join(f"{name} {version}" for name, version in run["versions"].items())),
    ]
    for dataset in run["datasets"]:
        spec = [f"{key} {_as_text(value)}" for key, value in sorted((dataset["spec"] or {}).items())]
        facts.append((f"dataset {dataset['name']}", ", ".join([f"{dataset['length']} images", *spec])))
    return facts + [(str(name), _as_text(value)) for name, value in run["provenance"].items()]


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
