"""Make a STACK-MIX set: two pictures of one class in one image, on both sides of the wall.

The same source, options and seed give the same files; a run that was stopped goes on when the command is repeated.
Broken pictures are passed over and listed in rejected.parquet with the reason.

`stackgen review DIR` shows the finished set, to keep pictures or turn them down. After that the same command with
--redo-rejected gives each that was turned down another pair of its class, the next in the seed's order, and leaves
every other picture as it is. A row whose class has no other pair left is taken out. rejected.parquet lists what was
turned down, with the comment.

With --recipe, makes the very set that somebody else has published without its pixels, from your own copy of the
pictures: RECIPE is a folder, or user/name[@revision] on the Hugging Face Hub. Every picture and every image is checked
against its SHA-256. If one cannot be rebuilt, all such are listed on stdout (image, picture, reason) and the set is not
finished; the same command goes on when the pictures are there. SOURCE may then be any folder that holds them, by path
or by file name.

SOURCE is one of
  a folder      of class folders named by synset (n01443537), class name (goldfish) or index (1);
                with --labels FILE, a flat folder of pictures
  Parquet       a file, a folder of files or a quoted pattern ('data/val*.parquet'), with an image column of bytes
                or {bytes, path} and a label column
  owner/name    of a dataset on the Hugging Face Hub, as Parquet: ILSVRC/imagenet-1k, owner/name@revision:split
                (split validation by default; gated ones with your token); only what is needed is read
  drawn         procedural pictures of animals, which need no data

FILE has a line 'filename,label' for each picture, the label a synset, a class name, or an index from 0 to 999 in the
order of the sorted synsets (Kaggle's LOC_val_solution.csv is read too), or one synset a line in the order of the
sorted file names. Bare numbers, as in ILSVRC2012_validation_ground_truth.txt, are refused: those are ILSVRC ids,
which are not in the order of the sorted synsets.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stackwalls.hub_cards import Manifest
    from stackwalls.stackmix import NotRebuilt, Rebuilt, Redone

RESUMES = True
"""A run that was stopped goes on where it was."""

_RECIPE_SAYS = {"per_class": 1, "seed": 0, "wall": "bottom:54", "encoder": "png"}
"""Options whose values a recipe brings, with their defaults: none of them goes with --recipe."""

Classes = int | tuple[str | int, ...] | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--source", metavar="SOURCE", help="where the pictures come from (see above)")
    parser.add_argument("--recipe", metavar="RECIPE", help="make the set of this recipe (see above)")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="labels of a flat folder of pictures (see above)")
    parser.add_argument(
        "--classes",
        nargs="+",
        metavar="N|CLASS",
        help="a number: so many classes, sampled by the seed from those with pictures enough; or the classes by "
        "synset, name or index:7; or a dataset, here or on the Hub, for its classes (default: all that have pictures "
        "enough)",
    )
    parser.add_argument("--animals", action="store_true", help="sample among the 398 animals only, as the paper does")
    parser.add_argument("--per-class", type=int, default=1, metavar="K", help="pairs of each class (default 1)")
    parser.add_argument("--seed", type=int, default=0, help="what the classes and the pairs follow from (default 0)")
    parser.add_argument(
        "--wall", default="bottom:54", metavar="WALL", help="the dead zone (default bottom:54, VGG16's)"
    )
    parser.add_argument(
        "--encoder", default="png", metavar="FORMAT", help="png (default) or webp, quicker and smaller; both lossless"
    )
    parser.add_argument(
        "--redo-rejected", action="store_true", help="replace what was turned down in a review of DIR (see above)"
    )
    parser.add_argument(
        "--license",
        "--licence",
        dest="license",
        metavar="ID|NAME=URL",
        help="terms of the pictures, for the card: one of the Hub's identifiers, such as cc-by-4.0, or other terms by "
        "name and address (default: ImageNet's, where they are ImageNet's; else none, and nothing is published)",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="threads (default: one a core); the set is the same")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="the dataset folder to make")
    parser.add_argument("--json", action="store_true", help="print what was made as JSON")


def run(args: argparse.Namespace) -> int:
    """Make the set and say where it is."""
    from stackwalls.hub_cards import parse_license, state_license
    from stackwalls.model import InputError, Wall
    from stackwalls.stackmix import MixSpec, mix, redo_turned_down

    if args.recipe is not None:
        return _rebuild(args)
    if args.source is None:
        raise InputError("There is no --source: name a folder of pictures, a dataset on the Hub, or drawn.")
    license = parse_license(args.license) if args.license else None
    spec = MixSpec(
        source=args.source,
        classes=parse_classes_option(args.classes),
        per_class=args.per_class,
        seed=args.seed,
        wall=Wall.parse(args.wall),
        encoder=args.encoder,
        labels=args.labels,
        animals=args.animals,
    )
    with plain_warnings():
        if args.redo_rejected:
            redone = redo_turned_down(spec, args.out, workers=args.workers, progress=True)
            print(_account(args.out, redone), file=sys.stderr)
            manifest = redone.manifest
        else:
            manifest = mix(spec, args.out, workers=args.workers, progress=True)
        if license is not None and manifest.inputs.get("licence") != str(license):
            manifest = state_license(args.out, license)
    print(_json(args.out, manifest) if args.json else _report(args.out, manifest))
    return 0


def _rebuild(args: argparse.Namespace) -> int:
    """Make the set of a recipe; list what could not be rebuilt."""
    from stackwalls.hub_cards import open_recipe
    from stackwalls.model import InputError, RunError
    from stackwalls.stackmix import rebuild

    asked = {name: getattr(args, name) for name in ("classes", "animals", "labels", "license", "redo_rejected")}
    asked |= {name: getattr(args, name) != value for name, value in _RECIPE_SAYS.items()}
    if given := [f"--{name.replace('_', '-')}" for name, value in asked.items() if value]:
        raise InputError(f"The recipe says what the set is: leave out {', '.join(given)}.")
    recipe = open_recipe(args.recipe)
    spec = recipe.manifest.spec
    source = args.source or (spec["source"] if spec["source"] == "drawn" or "/" in spec["source"] else None)
    if source is None:
        raise InputError(f"There is no --source: name the folder of your copy of the pictures ({spec['source']}).")
    with plain_warnings():
        made = rebuild(recipe, source, args.out, workers=args.workers, progress=True)
    if made.manifest is None:
        _list_missing(made.not_rebuilt, args.json)
        images = len({problem.image_id for problem in made.not_rebuilt})
        raise RunError(
            f"{images} of {made.images} images cannot be rebuilt from {source} (listed on stdout), so {args.out} is "
            f"not finished. Bring the pictures and run the same command again: it goes on after the first {made.kept}."
        )
    print(_json(args.out, made.manifest) if args.json else _report(args.out, made.manifest))
    print(_sameness(made), file=sys.stderr)
    return 0


def _list_missing(problems: Iterable[NotRebuilt], as_json: bool) -> None:
    import json
    from dataclasses import asdict

    if as_json:
        print(json.dumps({"not_rebuilt": [asdict(problem) for problem in problems]}))
        return
    for problem in problems:
        print(problem.image_id, problem.picture, problem.reason, sep="\t")


def _sameness(made: Rebuilt) -> str:
    """How far the set is the original one."""
    if made.same_bytes:
        return "Every file is the original's, byte for byte."
    if made.other_files:
        return (
            f"Every image has the original's pixels; {made.other_files} of {made.images} are other files, as this "
            "Pillow writes them otherwise than the recipe's."
        )
    return (
        "Every image is the original's, byte for byte; the card and the manifest differ, as they name other versions "
        "of the packages."
    )


def parse_classes_option(values: list[str] | None) -> Classes:
    """The value of `--classes`: a count, classes (indices as integers, the rest as written) or None for all.

    One number alone is a count, so that an index is written `index:7`; one folder with a manifest, or one
    `user/name[@revision]` on the Hub, stands for the classes of that dataset. Commas divide as spaces do.

    Raises:
        InputError: if a bare number stands among several values, or there is no such dataset.
        RunError: if the Hub refuses the dataset, or cannot be reached.
    """
    from stackwalls.model import InputError

    if values is None:
        return None
    # no class has a slash in its name
    if len(values) == 1 and ("/" in values[0] or (Path(values[0]) / "manifest.json").is_file()):
        from stackwalls.hub_cards import dataset_classes

        return dataset_classes(values[0])
    values = [part.strip() for value in values for part in value.split(",")]
    if len(values) == 1 and values[0].isdecimal():
        return int(values[0])
    numbers = [value for value in values if value.isdecimal()]
    if numbers:
        raise InputError(
            f"In a list of classes, an index is written index:{numbers[0]}; a number alone ({numbers[0]}) is how many "
            "classes to sample, and stands by itself."
        )
    return tuple(_index_or_text(value) for value in values)


def _index_or_text(value: str) -> str | int:
    kind, _, number = value.partition(":")
    return int(number) if kind == "index" and number.isdecimal() else value


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Warnings as one sentence on stderr, without the place in the code that they come from."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_args, **_kwargs: print(f"stackgen: {message}", file=sys.stderr)
        yield


def _json(out: Path, manifest: Manifest) -> str:
    import json

    return json.dumps({"out": str(out), "spec": manifest.spec, "counts": manifest.counts, "inputs": manifest.inputs})


def _account(out: Path, redone: Redone) -> str:
    """What became of the pictures that were turned down."""
    if not redone.replaced and not redone.gone:
        return (
            f"stackgen: no picture that {out} holds now was turned down, so nothing was changed. "
            f"`stackgen review {out}` shows them."
        )
    parts = [f"{len(redone.replaced)} of the pictures that were turned down have another pair now"]
    if redone.gone:
        named = ", ".join(redone.gone[:5]) + (", …" if len(redone.gone) > 5 else "")
        parts.append(f"{len(redone.gone)} were taken out, as their class has no other pair left ({named})")
    return f"stackgen: {'; '.join(parts)}. `stackgen review {out}` shows the new ones as undecided."


def _report(out: Path, manifest: Manifest) -> str:
    from stackwalls.hub_cards import dataset_classes

    spec, rows, rejected = manifest.spec, manifest.counts["kept"], manifest.counts["rejected"]
    classes = len(dataset_classes(out))
    local = out if out.is_absolute() else f"./{out}"
    look = f"from datasets import load_dataset; print(load_dataset('{local}', split='test')[0])"
    lines = [
        f"{out}: {rows} images of {classes} classes, wall {spec['wall']}, from {spec['source']}, seed {spec['seed']}."
    ]
    if rejected:
        what = "pictures, pairs or classes" if spec.get("redone") else "pictures or classes"
        lines.append(f"{rejected} {what} were passed over; see {out / 'rejected.parquet'}.")
    lines += [
        f'Look at it:  python -c "{look}"',
        f"Review it:   stackgen review {out}",
        f"Go on:       stackgen evaluate {out} --model walled:tf_efficientnet_lite0 --out results",
    ]
    return "\n".join(lines)
