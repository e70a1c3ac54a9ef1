"""Check a dataset folder against its manifest: every byte, row, column and image.

Prints one line per problem; the exit status is 1 if there are any.
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folder", metavar="FOLDER", help="a dataset folder that `stackgen mix` or `generate` made")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the problems; return 1 if there are any, else 0."""
    import json
    from pathlib import Path

    from stackwalls.hub_cards import Manifest, verify

    problems = verify(args.folder)
    if args.json:
        print(json.dumps({"folder": args.folder, "ok": not problems, "problems": problems}, indent=2))
    elif problems:
        print("\n".join(problems))
    else:
        manifest = Manifest.read(Path(args.folder))
        print(f"{args.folder}: {len(manifest.files)} files and {manifest.counts['kept']} rows, unchanged.")
    return 1 if problems else 0
