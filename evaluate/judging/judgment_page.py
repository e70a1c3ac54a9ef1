"""What people look at of a judgment: the table, the figure, and a page; and its folder."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from matplotlib.figure import Figure

from stackwalls.evaluate.judging.findings import LEVEL, Finding
from stackwalls.evaluate.judging.judged_maps import VARIANTS
from stackwalls.evaluate.judging.judgment import JUDGMENT_NAME, SCORES_NAME, Judgment
from stackwalls.evaluate.report import page as report
from stackwalls.evaluate.report.figures import write_figure
from stackwalls.evaluate.report.formatting import (
    UNDEFINED,
    aligned,
    csv_text,
    difference_cells,
    interval_cell,
    markdown_table,
    markdown_text,
    p_cell,
    percent,
    ratio,
)
from stackwalls.evaluate.run.provenance import DRAWINGS
from stackwalls.model import disk_errors, whole_file, write_whole

_COLORS = {"blind": "#2b6cb0", "control": "#a0aec0"}


def save_judgment(judgment: Judgment, folder: Path) -> None:
    """Write scores, table, figure and page, each file whole, `judge.json` last.

    Raises:
        RunError: if writing to the disk fails.
    """
    picture = write_figure(figure_of(judgment))
    finite = json.loads(json.dumps(judgment.to_dict()), parse_constant=lambda _: None)  # JSON has no NaN
    texts = {
        "judge.txt": text_of(judgment),
        "judge.md": markdown_of(judgment),
        "judge.html": page_of(judgment, picture),
    }
    texts["judge.csv"] = csv_text(judgment.records())
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / JUDGMENT_NAME).unlink(missing_ok=True)
        with whole_file(folder / SCORES_NAME) as file:
            pq.write_table(judgment.to_table(), file)
        for name, text in texts.items():
            write_whole(folder / name, text.encode())
        write_whole(folder / "judge.png", picture)
        write_whole(folder / JUDGMENT_NAME, (json.dumps(finite, indent=2, ensure_ascii=False) + "\n").encode())


def lines_of(judgment: Judgment) -> list[list[str]]:
    """The table's cells; the first line is the heading."""
    control = ["control", "difference", "95 %"] if "control" in judgment.findings else []
    shares = ["prefers m′", "95 %", "p", "ties", "gain", "> opposite", "> uniform", "> random"]
    lines = [["metric", "verdict", "pairs", *shares, *control]]
    for name, finding in judgment.findings["blind"].items():
        lines.append([name, finding.verdict, *_cells(finding), *_beside(judgment, finding)])
    return lines


def _cells(finding: Finding) -> list[str]:
    shares = (finding.over[variant] for variant in ("opposite", "uniform", "random"))
    return [
        str(finding.pairs),
        percent(finding.prefers.mean),
        interval_cell(finding.prefers),
        p_cell(finding.adjusted),
        percent(finding.ties),
        ratio(finding.gain.mean, signed=True),
        *map(percent, shares),
    ]


def _beside(judgment: Judgment, finding: Finding) -> list[str]:
    if "control" not in judgment.findings:
        return []
    same = judgment.findings["control"][finding.metric]
    difference = ("", "") if finding.control is None else difference_cells(finding.control)
    return [percent(same.prefers.mean), *difference]


def legend_of(judgment: Judgment) -> list[str]:
    """What the columns mean, and what failed."""
    about = judgment.about
    seen = f", and {about['control']}, which sees the whole image" if about["control"] else ""
    lines = [
        f"{about['model']} behind {about['wall']}{seen}, on {about['images']} images of {about['dataset']}; methods: "
        f"{', '.join(about['methods'])}; seed {about['seed']}.",
        "Maps: " + "; ".join(f"{name}: {says}" for name, says in VARIANTS.items()) + ". All are scaled to maximum 1.",
        "pairs: images and methods whose map m lights both sides of the wall. prefers m′: mean share of the pairs in "
        "which m′ has the better score, a tie counting half, with its 95 % interval over images; 50 %: no preference.",
        f"p: of the sign test over images, adjusted for all metrics (Holm); a verdict is given if p < {LEVEL}. "
        "ties: share of the pairs with the same score. gain: mean improvement from m to m′ in standard deviations of "
        "the metric's scores of m.",
        "> opposite, uniform, random: share of the maps m that score better than these. A metric that cannot tell m "
        "from a random map is not evidence for or against m′.",
    ]
    if about["control"]:
        lines.append(
            "control: the same share on the network that sees the whole image, where m′ is not known to be better; "
            "difference: blind − control on the same images, in points."
        )
    limits = [f"{name}: the first {count} images" for name, count in about["limits"].items()]
    lines += [f"Fewer images: {', '.join(limits)}."] * bool(limits)
    if about["images_are"] == "drawings":
        lines.append(DRAWINGS.format(about["dataset"]))
    return [*lines, *(f"{name} failed: {reason}" for name, reason in judgment.failures.items())]


def text_of(judgment: Judgment) -> str:
    """For a terminal."""
    return "\n".join([*aligned(lines_of(judgment), left=1), "", *legend_of(judgment)]) + "\n"


def markdown_of(judgment: Judgment) -> str:
    """As a GitHub table, with the registry of the metrics."""
    said = [f"- {markdown_text(line)}" for line in legend_of(judgment)]
    return (
        "\n\n".join([markdown_table(lines_of(judgment)), "\n".join(said), markdown_table(registry_lines(judgment))])
        + "\n"
    )


def registry_lines(judgment: Judgment) -> list[list[str]]:
    """Which metrics these are: name, direction, package and source."""
    lines = [["metric", "better", "package", "source"]]
    for name, metric in judgment.about["metrics"].items():
        lines.append([name, "higher" if metric["higher"] else "lower", metric["package"], metric["source"]])
    return lines


def method_lines(judgment: Judgment) -> list[list[str]]:
    """Share of the pairs in which each metric prefers m′, a tie counting half, by method, on the blind network."""
    shares = {
        (record["metric"], record["method"]): record["prefers m′"] + record["ties"] / 2
        for record in judgment.records()
        if record["network"] == "blind"
    }
    methods = judgment.about["methods"]
    cells = [
        [metric, *(percent(shares.get((metric, name), math.nan)) for name in methods)] for metric in judgment.metrics
    ]
    return [["metric", *methods], *cells]


def figure_of(judgment: Judgment) -> Figure:
    """A row per metric: how often it prefers m′, with its interval; filled: the blind network, hollow: the control."""
    names = list(judgment.metrics)
    figure = Figure(figsize=(7.2, 0.36 * len(names) + 1.3), layout="constrained")
    axes = figure.subplots()
    axes.axvline(50, color="0.6", linewidth=1)
    for network, found in judgment.findings.items():
        about = judgment.about["model"] if network == "blind" else judgment.about["control"]
        shift = 0.0 if len(judgment.findings) == 1 else (-0.14 if network == "blind" else 0.14)
        for row, name in enumerate(names):
            share = found[name].prefers
            if math.isnan(share.mean):
                continue
            if not math.isnan(share.low):
                axes.plot([100 * share.low, 100 * share.high], [row + shift] * 2, color=_COLORS[network], linewidth=1.6)
            style: dict[str, Any] = {} if network == "blind" else {"markerfacecolor": "white"}
            said = f"{about} ({'blind' if network == 'blind' else 'sees everything'})"
            axes.plot(
                100 * share.mean, row + shift, "o", color=_COLORS[network], label=said if row == 0 else None, **style
            )
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.invert_yaxis()
    axes.set(xlim=(-3, 103), xlabel="prefers m′ (the map without the dead zone), % of pairs; 50: no preference")
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside upper center", ncols=2, fontsize=8, frameon=False)
    return figure


def page_of(judgment: Judgment, picture: bytes) -> str:
    """The page as HTML text; it contains everything that it shows. `picture`: the figure as PNG."""
    template = report.html_environment(report.TEMPLATES).get_template("judge.html.jinja")
    return template.render(
        model=judgment.about["model"],
        lines=lines_of(judgment),
        legend=legend_of(judgment),
        registry=registry_lines(judgment),
        methods=method_lines(judgment),
        figure=f"data:image/png;base64,{base64.b64encode(picture).decode()}",
        certificate=judgment.certificate,
        undefined=UNDEFINED,
    )
