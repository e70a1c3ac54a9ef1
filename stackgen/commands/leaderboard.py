"""Make a leaderboard from a folder of results, or check score files.

Reads every results folder of `stackgen evaluate` and every score file (*.json, by the schema that `--schema` prints) in
FOLDER and below, and makes one page with a table per network and kind of wall, which can be sorted and filtered. With
`--out PAGE.html` it is one file that links to the reports. With `--out DIR` it is a folder with the scores beside the
page, which `stackgen publish` makes a Space of; scores that are in DIR already stay.
"""

import argparse
import os
from pathlib import Path

import stackwalls.stackgen.commands._options as options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    add("folder", type=Path, nargs="?", metavar="FOLDER", help="has results folders or score files")
    add("--out", type=Path, metavar="FILE|DIR", help="page.html, or a folder (default FOLDER/leaderboard.html)")
    results = "published results whose latest scores the page adds when it is on the Hub; with --out DIR"
    add("--results", metavar="USER/NAME", help=results)
    add("--license", metavar="ID", help="license of the scores for the Hub, such as cc-by-4.0; with --out DIR")
    check = "check score files and folders of published results, and say what is wrong; the exit status is 1 then"
    add("--check", type=Path, nargs="+", metavar="FILE", help=check)
    add("--json", action="store_true", help="print the scores, or with --check the faults, as JSON; write no page")
    add("--schema", action="store_true", help="print the JSON schema of a score and exit")


def run(args: argparse.Namespace) -> int:
    """Write the page and say where it is; or check scores."""
    from dataclasses import asdict

    from stackwalls.evaluate.leaderboard import read_scores, score_schema
    from stackwalls.model import InputError

    if args.schema:
        options.print_json(score_schema())
        return 0
    if args.check:
        return _check(args)
    if args.folder is None:
        raise InputError("No folder was named: expected one with results folders or score files.")
    if args.json:
        options.print_json([asdict(score) for score in read_scores(args.folder)])
        return 0
    page = args.out or args.folder / "leaderboard.html"
    if page.suffix.lower() not in (".html", ".htm"):
        return _write_board(args)
    if args.results or args.license:
        raise InputError("--results and --license are of a leaderboard to publish: make a folder of it (--out DIR).")
    return _write_page(args.folder, page)


def _write_page(folder: Path, page: Path) -> int:
    from stackwalls.evaluate.leaderboard import read_scores, render_leaderboard
    from stackwalls.model import InputError, disk_errors, write_whole

    scores = read_scores(folder)
    if page.is_dir():
        raise InputError(f"Expected the page as a file, but {page} is a folder: name the page in it.")
    with disk_errors(page.parent, resumes=False):
        page.parent.mkdir(parents=True, exist_ok=True)
        write_whole(page, render_leaderboard(scores, os.path.relpath(folder, page.parent)).encode())
    print(f"{len(scores)} scores. Look at:  {page}")
    return 0


def _write_board(args: argparse.Namespace) -> int:
    from stackwalls.evaluate.leaderboard import write_board
    from stackwalls.hub_cards import parse_license

    license = parse_license(args.license) if args.license else None
    count = write_board(args.folder, args.out, args.results or "", license)
    print(f"{count} scores. Look at:  {args.out / 'index.html'}")
    return 0


def _check(args: argparse.Namespace) -> int:
    """Print a sentence per fault; 1 if there are any."""
    from stackwalls.evaluate.leaderboard import check_scores

    faults = check_scores([*([args.folder] if args.folder else []), *args.check])
    lines = [f"{path}: {fault}" for path, own in faults.items() for fault in own or ["nothing is wrong with it."]]
    options.print_result(args, faults, "\n".join(lines))
    return int(any(faults.values()))
