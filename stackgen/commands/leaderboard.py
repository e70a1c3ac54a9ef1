"""Make a leaderboard page from a folder of results.

Reads every results folder of `stackgen evaluate` and every score file (*.json, by the schema that `--schema` prints) in
FOLDER and below, and writes one sortable HTML page with a table per network, which loads nothing from outside and links
to the reports.
"""

import argparse
import os
from pathlib import Path

import stackwalls.stackgen.commands._options as options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folder", type=Path, nargs="?", metavar="FOLDER", help="has results folders or score files")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the page (default FOLDER/leaderboard.html)")
    parser.add_argument("--json", action="store_true", help="print the scores as JSON instead of writing a page")
    parser.add_argument("--schema", action="store_true", help="print the JSON schema of a score file and exit")


def run(args: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    from dataclasses import asdict

    from stackwalls.evaluate.checks import read_scores, render_leaderboard, score_schema
    from stackwalls.model import InputError, disk_errors, write_whole

    if args.schema:
        options.print_json(score_schema())
        return 0
    if args.folder is None:
        raise InputError("No folder was named: expected one with results folders or score files.")
    scores = read_scores(args.folder)
    if args.json:
        options.print_json([asdict(score) for score in scores])
        return 0
    page = args.out or args.folder / "leaderboard.html"
    if page.is_dir():
        raise InputError(f"Expected --out to be a file, but {page} is a folder: name the page in it.")
    with disk_errors(page.parent, resumes=False):
        page.parent.mkdir(parents=True, exist_ok=True)
        write_whole(page, render_leaderboard(scores, os.path.relpath(args.folder, page.parent)).encode())
    print(f"{len(scores)} scores. Look at:  {page}")
    return 0
