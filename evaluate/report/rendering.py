"""What a results folder shows: tables, figures and report, made from the rest of it and from nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stackwalls.evaluate.report.figures import overlays, teaser, write_figure
from stackwalls.evaluate.report.page import render_report
from stackwalls.evaluate.report.rendered import COMPARISON_NAMES, FIGURES, REPORT_NAME, TABLE_NAMES
from stackwalls.model import disk_errors, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from stackwalls.evaluate.report.baseline_comparison import BaselineComparison
    from stackwalls.evaluate.results import Results

_OURS = re.compile(r"(teaser|overlays|more-overlays)-.*\.(png|pdf)")
"""Figures of a former rendering, which are replaced; what someone else put beside them stays."""

IMAGES_PER_PAGE = 6
"""Lines of a figure of overlays."""


def render(
    results: Results,
    folder: Path,
    pdf: bool = False,
    method: str | None = None,
    comparison: BaselineComparison | None = None,
    sections: Mapping[str, str] | None = None,
) -> None:
    """Write tables, figures and report; the same bytes for the same results.

    Args:
        results: of one evaluation.
        folder: where to; what a former rendering left there is replaced, but for a comparison where there is none now.
        pdf: whether to write the figures as PDF too; they are written anew where there were some.
        method: whose map the teaser shows; by default GradCAM's, or the first one's that has mu.
        comparison: with another network.
        sections: more for the report, title → text as it is to stand.

    Raises:
        InputError: if there are no maps of `method`.
        RunError: if the disk refuses.
    """
    made = list(figures(results, method))
    with disk_errors(folder, resumes=False):
        for name, form in zip(TABLE_NAMES, ("text", "markdown", "csv"), strict=True):
            write_whole(folder / name, results.table(form).encode())  # type: ignore[arg-type]
        if comparison is not None:
            for name, text in zip(COMPARISON_NAMES, (comparison.markdown(), comparison.csv()), strict=True):
                write_whole(folder / name, text.encode())
        (folder / FIGURES).mkdir(exist_ok=True)
        former = {path for path in (folder / FIGURES).iterdir() if _OURS.fullmatch(path.name)}
        pdf = pdf or any(path.suffix == ".pdf" for path in former)
        for name, figure in made:
            for kind in ("png", "pdf") if pdf else ("png",):
                path = folder / FIGURES / f"{name}.{kind}"
                write_whole(path, write_figure(figure, kind))
                former.discard(path)
        for path in former:
            path.unlink(missing_ok=True)  # several processes may render the same
        write_whole(folder / REPORT_NAME, render_report(results, comparison, sections).encode())


def figures(results: Results, method: str | None = None) -> Iterator[tuple[str, Figure]]:
    """(file name without its ending, figure): the teaser, and one or two pages of overlays a dataset.

    The first page has a dataset's first images, the second some more at equal distances over the rest.

    Raises:
        InputError: if there are no maps of `method`.
    """
    first = results.samples.of(results.summary.datasets[0])
    shown = method or _teaser_method(first)
    if shown is not None:
        yield f"teaser-{file_name(shown)}", teaser(first, results.wall, shown, results.blind)
    names = [file_name(dataset) for dataset in results.summary.datasets]
    for number, dataset in enumerate(results.summary.datasets, 1):
        own = names[number - 1]
        own = own if names.count(own) == 1 else f"{own}-{number}"
        samples = results.samples.of(dataset)
        yield f"overlays-{own}", overlays(samples.at(range(min(IMAGES_PER_PAGE, len(samples)))), results.wall)
        if more := _spread(IMAGES_PER_PAGE, len(samples)):
            yield f"more-overlays-{own}", overlays(samples.at(more), results.wall)


def file_name(text: str) -> str:
    """Letters, digits, `+`, `.`, `_` and `-` of a name, for a file's."""
    return re.sub(r"[^\w.+-]+", "-", text, flags=re.ASCII).strip("-.") or "unnamed"


def _teaser_method(samples: Any) -> str | None:
    measured = [str(name) for name, mu in zip(samples.method, samples.mu.T, strict=True) if not np.isnan(mu).all()]
    return "GradCAM" if "GradCAM" in measured else next(iter(measured), None)


def _spread(start: int, stop: int) -> list[int]:
    """At most a page of places from `start` to `stop`."""
    count = min(IMAGES_PER_PAGE, stop - start)
    return [start + index * (stop - start) // count for index in range(count)] if count > 0 else []
