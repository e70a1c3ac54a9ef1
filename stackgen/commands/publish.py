"""Publish a dataset or model folder on the Hugging Face Hub; shows what would be uploaded until you add --yes.

The files are uploaded as they are on disk, in one commit: the branch shows the old files until all the new ones are
there. An existing repository is updated, never wiped. Publishing the same folder again sends nothing, and repeating the
command resumes a run that was stopped. Files that the folder's manifest does not list are not uploaded.

STACK-MIX holds pixels of its source, and ImageNet's terms forbid giving its images to people who have not accepted
them. Such a set is published as a recipe (ids, crops and hashes, from which others rebuild the same bytes with their
own copy) or behind an access request. Only images drawn by this package are published without restriction.

The access token is the one of `hf auth login`, or HF_TOKEN. It is not an option, because others can read options.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from stackwalls.hub_cards.publishing.plan import Plan

RESUMES = True
"""A run that was stopped resumes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folder", metavar="FOLDER", help="a finished dataset folder, or a model folder")
    parser.add_argument("repository", metavar="USER/NAME", help="the repository; created if it does not exist")
    parser.add_argument("--yes", action="store_true", help="do it (default: show what would be done)")
    pixels = parser.add_mutually_exclusive_group()
    pixels.add_argument("--recipe", action="store_true", help="publish STACK-MIX without pixels: ids, crops and hashes")
    pixels.add_argument("--gated", action="store_true", help="publish behind an access request; you grant each one")
    parser.add_argument("--private", action="store_true", help="make the repository visible to its owners only")
    parser.add_argument(
        "--license",
        "--licence",
        dest="license",
        metavar="ID",
        help="first write this license into FOLDER's card, even without --yes: cc-by-4.0, or NAME=URL",
    )
    parser.add_argument(
        "--results", metavar="DIR", help="first write a model's results of `stackgen evaluate` into its card, likewise"
    )
    parser.add_argument("--tag", metavar="TAG", help="tag the commit, for example v1.0")
    parser.add_argument("--revision", default="main", metavar="BRANCH", help="the branch (default main)")
    parser.add_argument("--collection", metavar="SLUG", help="add the repository to this collection of yours")
    parser.add_argument("--json", action="store_true", help="print the plan, or what was done, as JSON")


def run(args: argparse.Namespace) -> int:
    """Show the plan; with --yes, carry it out."""
    import json
    import tempfile

    from stackwalls.hub_cards.publishing.plan import PublishSpec, plan_publication
    from stackwalls.hub_cards.publishing.plan_text import plan_record, plan_text
    from stackwalls.hub_cards.publishing.upload import publish

    with tempfile.TemporaryDirectory(prefix="stackwalls-recipe-") as scratch, _by_its_name(args, scratch):
        folder = _recipe(args, scratch) if args.recipe else _prepared(args)
        asked = PublishSpec(folder, args.repository, args.gated, args.private, args.tag, args.revision, args.collection)
        plan = plan_publication(asked)
        commit = publish(plan) if args.yes else None
    if args.json:
        print(json.dumps(plan_record(plan) | {"folder": args.folder, "commit": commit}, indent=2))
    elif commit is None:
        print(_proposal(plan_text(plan).replace(folder, _name(args), 1)))
    else:
        print(_report(plan, commit))
    return 0


def _name(args: argparse.Namespace) -> str:
    """What is uploaded, as the user knows it."""
    return f"recipe of {args.folder}" if args.recipe else str(args.folder)


@contextmanager
def _by_its_name(args: argparse.Namespace, scratch: str) -> Iterator[None]:
    """Messages name the recipe, not the scratch folder it is in, which is gone when they are read."""
    import re

    from stackwalls.model import StackwallsError

    place = _scratch_recipe(scratch)
    try:
        yield
    except StackwallsError as error:
        said = re.sub(rf"{re.escape(place)}/([\w./-]*\w)", lambda found: f"{found[1]} of {place}", str(error))
        raise type(error)(said.replace(place, f"the {_name(args)}")) from error


def _scratch_recipe(scratch: str) -> str:
    return f"{scratch}/recipe"


def _recipe(args: argparse.Namespace, scratch: str) -> str:
    """The recipe of the folder, made for this publication."""
    from stackwalls.hub_cards import parse_license, recipe_folder

    license = parse_license(args.license) if args.license else None
    return str(recipe_folder(args.folder, _scratch_recipe(scratch), license))


def _prepared(args: argparse.Namespace) -> str:
    """The folder, after the given license and results were written into it: it is uploaded as it is on disk.

    Raises:
        InputError: if results are given for a dataset.
    """
    import sys
    from pathlib import Path

    from stackwalls.model import InputError

    folder = Path(args.folder)
    is_model = not (folder / "manifest.json").is_file() and (folder / "config.json").is_file()
    if args.results and not is_model:
        raise InputError(f"--results needs a model folder, but {folder} is not one.")
    if args.license or args.results:
        _write_papers(args, folder, is_model)
        print(f"stackgen: updated the card of {folder}.", file=sys.stderr)
    return str(args.folder)


def _write_papers(args: argparse.Namespace, folder: Path, is_model: bool) -> None:
    from stackwalls.evaluate import Results, model_index
    from stackwalls.hub_cards import complete_model_folder, parse_license, state_license
    from stackwalls.model import InputError, load_model

    license = parse_license(args.license) if args.license else None
    if is_model:
        found = Results.load(args.results) if args.results else None
        if found is not None and not found.are_of(load_model(str(folder))):
            raise InputError(
                f"{args.results} holds the results of a network with other weights than {folder}: evaluate this one "
                f"first, with stackgen evaluate … --model {folder}."
            )
        complete_model_folder(folder, results=model_index(found) if found else None, license=license)
    elif license is not None:
        state_license(folder, license)


def _proposal(text: str) -> str:
    import shlex
    import sys

    command = shlex.join(["stackgen", *sys.argv[1:], "--yes"])
    return f"{text}\n\nNothing was sent. To do it:\n  {command}"


def _report(plan: Plan, commit: str) -> str:
    from stackwalls.hub_cards.publishing.plan_text import size_text, visibility

    sent = sum(file.scan.size for file in plan.changes.sent)
    what = f"{len(plan.changes.sent)} files, {size_text(sent)}" if plan.changes else "nothing to send"
    name = plan.spec.repository
    lines = [
        f"{plan.url}: {what}; every file equals the local one (commit {commit[:8]}).",
        f"Visible to {visibility(plan)}.",
    ]
    if plan.changes.untouched:
        lines.append(f"Left untouched: {', '.join(plan.changes.untouched)}.")
    branch = plan.spec.revision if plan.spec.revision != "main" else None
    at = f"@{plan.spec.tag or branch}" if plan.spec.tag or branch else ""
    return "\n".join([*lines, _next(plan.folder.kind, name + at)])


def _next(kind: str, name: str) -> str:
    """A command that uses it."""
    if kind == "model":
        return f"Look at it:  stackgen certify {name}"
    if kind == "stack-mix-recipe":
        return f"Rebuild it:  stackgen mix --recipe {name} --source … --out stack-mix"
    return f"Look at it:  stackgen evaluate {name} --model walled:tf_efficientnet_lite0 --out results"
