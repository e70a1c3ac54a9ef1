"""Publish a folder on the Hugging Face Hub; shows what would be uploaded until you add --yes.

FOLDER is a dataset, a model, results of `stackgen evaluate` (which become a dataset of per-image rows) or a leaderboard
(which becomes a static Space).

The files are uploaded as they are on disk, in one commit: the branch shows the old files until all the new ones are
there. An existing repository is updated, never wiped. Publishing the same folder again sends nothing, and repeating the
command resumes a run that was stopped. Files that the folder's manifest does not list are not uploaded.

STACK-MIX holds pixels of its source, and ImageNet's terms forbid giving its images to people who have not accepted
them. Such a set is published as a recipe (ids, crops and hashes, from which others rebuild the same bytes with their
own copy) or behind an access request. A set of other images needs their license (--license). Of results only numbers
are published: the report, the figures and the samples show pixels.

The access token is the one of `hf auth login`, or HF_TOKEN. It is not an option, because others can read options.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import stackwalls.stackgen.commands._options as options

if TYPE_CHECKING:
    from stackwalls.hub_cards import License
    from stackwalls.hub_cards.publishing.plan import Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    add("folder", metavar="FOLDER", help="a finished folder: a dataset, a model, results, or a leaderboard")
    add("repository", metavar="USER/NAME", nargs="?", help="the repository; created if it does not exist")
    add("--yes", action="store_true", help="do it (default: show what would be done)")
    pixels = parser.add_mutually_exclusive_group()
    pixels.add_argument("--recipe", action="store_true", help="publish STACK-MIX without pixels: ids, crops and hashes")
    add(
        "--out",
        metavar="DIR",
        help="keep the recipe, or what is published of results, in DIR; without USER/NAME only that",
    )
    pixels.add_argument("--gated", action="store_true", help="publish behind an access request; you grant each one")
    add("--private", action="store_true", help="make the repository visible to its owners only")
    license = "first write this license into FOLDER's card, also if only the plan is shown: cc-by-4.0, or NAME=URL"
    add("--license", "--licence", metavar="ID", help=license)
    add("--results", metavar="DIR", help="first write a model's results of `stackgen evaluate` into its card, likewise")
    add("--tag", metavar="TAG", help="tag the commit, for example v1.0")
    add("--revision", default="main", metavar="BRANCH", help="the branch (default main)")
    add("--collection", metavar="SLUG", help="add the repository to this collection of yours")
    options.add_shared(parser, json="the plan, or what was done,")


def run(args: argparse.Namespace) -> int:
    """Show the plan; with --yes, carry it out."""
    from stackwalls.hub_cards import parse_license
    from stackwalls.model import InputError

    license = parse_license(args.license) if args.license else None
    made = _derived(args, license)
    if args.out and made is None:
        raise InputError("--out is where a recipe or results are written: add --recipe, or leave it out.")
    if args.out and made:
        folder, kind = made.write(args.out), made.kind
        if args.repository:
            return _publish(args, str(folder), str(folder))
        what = "the recipe" if args.recipe else "what may be published of the results"
        options.print_result(args, {"folder": str(folder), "kind": kind}, f"{folder} holds {what}.")
        return 0
    if not args.repository:
        instead = ", or write what would be published with --out DIR" if made else ""
        raise InputError(f"USER/NAME is missing: name the repository{instead}.")
    if made:
        return _publish_scratch(args, made)
    with _restored_if_refused(Path(args.folder)):
        return _publish(args, str(_prepared(args, license)), args.folder)


@dataclass(frozen=True)
class _Derived:
    """A folder that is published in place of the one that was named: its kind, its name in messages, and its writer."""

    kind: str
    name: str
    write: Callable[[str], Path]


def _derived(args: argparse.Namespace, license: License | None) -> _Derived | None:
    """What is made of FOLDER to be published; None if FOLDER itself is."""
    from stackwalls.hub_cards import MANIFEST_NAME, RECIPE_KIND, RESULTS_KIND, recipe_folder
    from stackwalls.model import CONFIG_NAME, InputError

    if args.recipe:
        write = partial(recipe_folder, args.folder, license=license)
        return _Derived(RECIPE_KIND, f"recipe of {args.folder}", write)
    if any((Path(args.folder) / name).is_file() for name in (MANIFEST_NAME, CONFIG_NAME)):
        return None
    from stackwalls.evaluate.results import ROWS_NAME, RUN_NAME, Results  # only here, because it imports torch

    if not any((Path(args.folder) / name).is_file() for name in (RUN_NAME, ROWS_NAME)):
        return None
    if args.results:
        raise InputError(f"--results needs a model folder, but {args.folder} holds results itself.")

    def published(out: str) -> Path:
        from stackwalls.evaluate.leaderboard import publish_results

        return publish_results(Results.load(args.folder), out, license)

    return _Derived(RESULTS_KIND, f"results in {args.folder}", published)


@contextmanager
def _restored_if_refused(folder: Path) -> Iterator[None]:
    """Put back the card and what belongs to it if the plan is refused: only the weights and the rows are large."""
    from stackwalls.hub_cards import MODEL_FILES
    from stackwalls.model import StackwallsError, write_whole
    from stackwalls.model.documents import MOST_BYTES

    names = {"manifest.json", *MODEL_FILES} - {"model.safetensors"}
    paths = [folder / name for name in sorted(names)]
    there = [path for path in paths if path.exists()]
    # a larger file is none of ours, and is refused when it is read
    before = {path: path.read_bytes() for path in paths if path.is_file() and path.stat().st_size <= MOST_BYTES}
    try:
        yield
    except StackwallsError:
        for path in paths:
            if path in before and path.read_bytes() != before[path]:
                write_whole(path, before[path])
            elif path not in there and path.is_file():
                path.unlink()
        raise


def _publish_scratch(args: argparse.Namespace, made: _Derived) -> int:
    """Publish what is made of a folder without keeping it."""
    import re
    import tempfile

    from stackwalls.model import StackwallsError

    with tempfile.TemporaryDirectory(prefix="stackwalls-publish-") as scratch:
        folder = f"{scratch}/made"
        try:
            made.write(folder)
            return _publish(args, folder, made.name)
        except StackwallsError as error:  # the scratch folder is gone when the message is read
            files, the = rf"{re.escape(folder)}/([\w./-]*\w)", f"the {made.name}"
            message = re.sub(files, lambda found: f"{found[1]} of {the}", str(error)).replace(folder, the)
            raise type(error)(message) from error


def _publish(args: argparse.Namespace, folder: str, name: str) -> int:
    """Plan and publish a folder that messages call by its name."""
    import shlex
    import sys

    from stackwalls.hub_cards.publishing.plan import PublishSpec, plan_publication
    from stackwalls.hub_cards.publishing.upload import publish

    plan = plan_publication(
        PublishSpec(folder, args.repository, args.gated, args.private, args.tag, args.revision, args.collection),
        unreached=not args.yes,
    )
    commit = publish(plan) if args.yes else None
    again = shlex.join(["stackgen", *sys.argv[1:], "--yes"])
    planned = f"{plan.to_text().replace(folder, name, 1)}\n\nNothing was sent. To publish it:\n  {again}"
    record = plan.to_dict() | {"folder": args.folder, "commit": commit}
    options.print_result(args, record, planned if commit is None else _report(plan, commit))
    return 0


def _prepared(args: argparse.Namespace, license: License | None) -> Path:
    """The folder, after the given license and results were written into it: it is uploaded as it is on disk."""
    from stackwalls.hub_cards import complete_model_folder, state_license
    from stackwalls.model import InputError

    folder = Path(args.folder)
    if license is None and not args.results:
        return folder
    if not (folder / "manifest.json").is_file() and (folder / "config.json").is_file():
        complete_model_folder(folder, results=_results(folder, args.results) if args.results else None, license=license)
    elif args.results or license is None:
        raise InputError(f"--results needs a model folder, but {folder} is not one.")
    else:
        state_license(folder, license)
    options.say(f"updated the card of {folder}.")
    return folder


def _results(folder: Path, results: str) -> dict[str, Any]:
    """Results of `stackgen evaluate` for the card, if they are those of the network in the folder."""
    from stackwalls.evaluate import Results, model_index
    from stackwalls.model import InputError, load_model

    found = Results.load(results)
    if not found.are_of(load_model(str(folder))):
        raise InputError(
            f"{results} holds the results of a network with other weights than {folder}: evaluate this one first, with "
            f"stackgen evaluate … --model {quote(str(folder))}."
        )
    return model_index(found)


def _report(plan: Plan, commit: str) -> str:
    from stackwalls.hub_cards.publishing.plan import size_text

    sent = sum(file.scan.size for file in plan.changes.sent)
    what = f"{len(plan.changes.sent)} files, {size_text(sent)}" if plan.changes else "nothing to send"
    lines = [
        f"{plan.url}: {what}; every file equals the local one (commit {commit[:8]}).",
        f"Visible to {plan.visibility}.",
    ]
    if plan.changes.untouched:
        lines.append(f"Left untouched: {', '.join(plan.changes.untouched)}.")
    revision = plan.spec.tag or (plan.spec.revision if plan.spec.revision != "main" else None)
    name = f"{plan.spec.repository}@{revision}" if revision else plan.spec.repository
    uses = {
        "results": "Load it:  datasets.load_dataset('{}', split='test')",
        "leaderboard": f"Look at it:  {plan.url}",
        "model": "Look at it:  stackgen certify {}",
        "stack-mix-recipe": "Rebuild it:  stackgen mix --recipe {} --source … --out stack-mix",
    }
    other = "Look at it:  stackgen evaluate {} --model walled:tf_efficientnet_lite0 --out results"
    return "\n".join(
        [*lines, uses.get(plan.folder.kind, other).format(name if plan.folder.kind == "results" else quote(name))]
    )
