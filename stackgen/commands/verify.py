"""Check a dataset folder against its manifest: every byte, row, column and picture.

Prints one line for each thing that is wrong; exit status 1 where there is any.
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folder", metavar="FOLDER", help="a dataset folder that `stackgen mix` or `generate` made")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    """Print what is wrong; 0 where nothing is, 1 otherwise."""
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
        print(f"{args.folder}: {len(manifest.files)} files and {manifest.counts['kept']} rows are as they were made.")
    return 1 if problems else 0
