"""Check a folder that has a manifest (a dataset, published results, a leaderboard): every byte, row, column and image.

Prints one line per problem; the exit status is 1 if there are any.
"""

import argparse
from pathlib import Path

import stackwalls.stackgen.commands._options as options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folder", metavar="FOLDER", help="a folder that has a manifest.json")
    options.add_shared(parser, json="the result")


def run(args: argparse.Namespace) -> int:
    """Print the problems; return 1 if there are any, else 0."""
    from stackwalls.hub_cards import BOARD_KIND, FOLDER_KINDS, Manifest, verify

    text = "\n".join(problems := verify(args.folder))
    if not problems:
        manifest = Manifest.read(Path(args.folder), FOLDER_KINDS)
        what = "scores" if manifest.kind == BOARD_KIND else "rows"
        text = f"{args.folder}: {len(manifest.files)} files and {manifest.counts['kept']} {what}, unchanged."
    options.print_result(args, {"folder": args.folder, "ok": not problems, "problems": problems}, text)
    return 1 if problems else 0
