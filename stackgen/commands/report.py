"""Render tables, figures and report.html of a results folder again.

Everything is made from what `stackgen evaluate` left in the folder; nothing is computed anew.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("results", type=Path, metavar="RESULTS", help="a folder that `stackgen evaluate` wrote")
    parser.add_argument("--pdf", action="store_true", help="write the figures as PDF too")


def run(args: argparse.Namespace) -> int:
    """Render, and print Table 1."""
    from stackwalls.evaluate import Results
    from stackwalls.stackgen.commands.evaluate import as_text

    results = Results.load(args.results)
    results.render(args.results, pdf=args.pdf)
    print(as_text(results, args.results))
    return 0
