"""Rewrite the tables, figures and report.html of a results folder, or compare it with another.

No map is recomputed: everything follows from what `stackgen evaluate` wrote.

With BASELINE, the results of another network on the same images (such as the unmasked one), the report, comparison.md
and comparison.csv of the first folder show masked − unmasked image by image, with intervals and tests. The second
folder is only read. With --judgment, the report says what faithfulness metrics say of maps on the same network.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import stackwalls.stackgen.commands._options as options

if TYPE_CHECKING:
    from stackwalls.evaluate import Results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    add("results", type=Path, metavar="RESULTS", help="a folder that `stackgen evaluate` wrote")
    add("baseline", type=Path, nargs="?", metavar="BASELINE", help="results of the network to compare with")
    add("--judgment", type=Path, metavar="DIR", help="what `stackgen judge` wrote about the same network")
    options.add_shared(parser, pdf="")
    options.add_shared(parser, json="the table, the comparison and where the report is")
    add("--method", metavar="M", help="method in the teaser figure (default: GradCAM, or the first one that has mu)")


def run(args: argparse.Namespace) -> int:
    """Render, and print Table 1 and the comparison."""
    from stackwalls.evaluate import Results
    from stackwalls.model import InputError

    results = Results.load(args.results)
    if args.baseline is not None and args.baseline.resolve() == args.results.resolve():
        raise InputError(f"Cannot compare {args.results} with itself: name the results of another network.")
    comparison = None if args.baseline is None else results.compare(Results.load(args.baseline))
    sections = {} if args.judgment is None else {"What faithfulness metrics say": _judged(args.judgment, results)}
    results.render(args.results, pdf=args.pdf, method=args.method, comparison=comparison, sections=sections)
    page = args.results / "report.html"
    found = {"report": str(page), "run": results.run, "table": results.summary.records()}
    found["comparison"] = [] if comparison is None else comparison.records()
    compared = [] if comparison is None else [f"{comparison.markdown()}\n"]
    options.print_result(args, found, "".join([*compared, f"{results.report_text()}\n\nLook at:  {page}"]))
    return 0


def _judged(folder: Path, results: Results) -> str:
    """A judgment as text, if it is of the network and the wall of the results."""
    from stackwalls.evaluate.judging import Judgment
    from stackwalls.evaluate.judging.judgment_page import text_of
    from stackwalls.model import InputError

    judgment = Judgment.load(folder)
    judged = {key: judgment.certificate[key] for key in ("model", "wall")}
    evaluated = {key: results.certificate[key] for key in ("model", "wall")}
    if judged != evaluated:
        raise InputError(
            f"{folder} is about {judged['model']} behind {judged['wall']}, but the results are about "
            f"{evaluated['model']} behind {evaluated['wall']}: judge that network (`stackgen judge`)."
        )
    return text_of(judgment)
