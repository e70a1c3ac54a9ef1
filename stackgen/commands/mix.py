"""Make a STACK-MIX set: two images of one class in each image, one on either side of the wall.

The same source, options and seed give the same files. A run that was stopped resumes when the command is repeated.
Broken images are skipped and listed in rejected.parquet with the reason.

`stackgen review DIR` shows the finished set for keeping or rejecting images. After a review, the same command with
--redo-rejected replaces each rejected image by the next pair of its class in the seed's order, and leaves all others as
they are. A row is removed if its class has no other pair left. rejected.parquet lists the rejected pairs with the
comments.

--recipe rebuilds a set that somebody else has published without its pixels, from your own copy of the images. RECIPE is
a folder, or owner/name[@revision] on the Hugging Face Hub. Every source image and every result is checked against its
SHA-256. If some cannot be rebuilt, they are listed on stdout (image, source image, reason) and the set is not finished;
the same command resumes when the images are there. SOURCE may then be any folder that contains them, by path or by
file name.

SOURCE is one of
  a folder      with one sub-folder per class: of ImageNet named by synset (n01443537), class name (goldfish) or index
                (1), or of your own classes by their names; with --labels FILE, a flat folder of images
  Parquet       a file, a folder of files or a quoted pattern ('data/val*.parquet'), with an image column of bytes
                or {bytes, path} and a label column
  owner/name    a dataset on the Hugging Face Hub, as Parquet: ILSVRC/imagenet-1k, owner/name@revision:split
                (default split: validation; gated ones with your token); only the needed rows are read
  drawn         procedural drawings of animals; no data needed

Labels are ImageNet-1k's classes if all class names are, or one is a synset; else the source's own names, sorted or in
the order of its ClassLabel. --label-space says otherwise.

The images have 224 x 224 pixels unless --size, the wall (bottom:23@96) or --for says another size. With --for
walled:resnet50, size, resizing and wall are those of that network, as `evaluate` loads it.

The FILE of --labels has a line 'filename,label' for each image, where the label is a synset, a class name, or an index
from 0 to 999 in the order of the sorted synsets (Kaggle's LOC_val_solution.csv works too); or one synset per line in
the order of the sorted file names. Tabs and semicolons separate as well as commas. With a header such as
'id,label,file_name', columns may be in any order. Bare numbers, as in ILSVRC2012_validation_ground_truth.txt, are
rejected, because those are ILSVRC ids, in a different order.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import stackwalls.stackgen.commands._options as options
from stackwalls.stackgen.commands._cluster import add_cluster, cluster_of

if TYPE_CHECKING:
    from stackwalls.hub_cards import Manifest
    from stackwalls.model import Transform, Wall
    from stackwalls.stackmix import MixSpec, Rebuilt, Redone

_RECIPE_SAYS = {
    **dict.fromkeys(("classes", "labels", "label_space", "license", "wall", "size", "resize", "network", "weights")),
    **dict.fromkeys(("animals", "redo_rejected", "overwrite"), False),
    "per_class": 1,
    "seed": 0,
    "encoder": "png",
}
"""Options that a recipe determines, with their defaults: none of them goes with --recipe."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    add("--source", metavar="SOURCE", help="where the images come from (see above)")
    add("--recipe", metavar="RECIPE", help="rebuild the set of this recipe (see above)")
    options.add_shared(parser, labels=" (see above)", label_space="", classes="all classes with enough images")
    add("--animals", action="store_true", help="sample only from ImageNet's 398 animals, as the paper does")
    add("--per-class", type=int, default=1, metavar="K", help="pairs per class (default 1)")
    options.add_shared(parser, seed="the classes and the pairs")
    options.add_shared(parser, wall=", a rectangle box:TOP:LEFT:BOTTOM:RIGHT, or several of them joined by +")
    add(
        "--size",
        type=options.image_size,
        metavar="N",
        help="height and width of the images in pixels (default: the wall's, or 224)",
    )
    add(
        "--resize",
        metavar="N[:FILTER]",
        help="the shorter side before the center crop, and the filter if it is not bilinear, such as 232:bicubic; with "
        ":squash both sides (default: the size times 256 / 224)",
    )
    add("--for", dest="network", metavar="MODEL", help="size, resizing and wall of a network (see evaluate --model)")
    add("--weights", metavar="FILE", help="weights of the network of --for, where it needs them")
    add("--encoder", default="png", metavar="FORMAT", help="png (default), or webp: faster, smaller; both are lossless")
    add("--redo-rejected", action="store_true", help="replace what was rejected in a review of DIR (see above)")
    add(
        "--license",
        "--licence",
        metavar="ID|NAME=URL",
        help="license of the images, for the card: one of the Hub's identifiers, such as cc-by-4.0, or another one by "
        "name and address (default: ImageNet's for ImageNet; otherwise none, and the set cannot be published)",
    )
    add("--workers", type=int, metavar="N", help="threads (default: one per core); same result")
    add_cluster(parser)
    options.add_out(parser, "dataset folder to write")
    options.add_shared(parser, overwrite="finished STACK-MIX set", json="the result")


def run(args: argparse.Namespace) -> int:
    """Make the set and report where it is."""
    from stackwalls.hub_cards import parse_license, state_license
    from stackwalls.model import InputError
    from stackwalls.stackmix import mix, redo_rejected

    cluster = cluster_of(args)
    if cluster is not None and (args.workers is not None or args.redo_rejected or args.recipe is not None):
        raise InputError("--ray makes a new set: leave it out with --recipe, --redo-rejected or --workers.")
    if args.recipe is not None:
        return _rebuild(args)
    if args.source is None:
        raise InputError("--source is missing: name a folder of images, a dataset on the Hub, or drawn.")
    license = parse_license(args.license) if args.license else None
    spec = spec_of(args)
    with options.plain_warnings():
        if args.redo_rejected and args.overwrite:
            raise InputError("--redo-rejected keeps the set and --overwrite replaces it: name one.")
        if args.redo_rejected:
            redone = redo_rejected(spec, args.out, workers=args.workers, progress=True)
            options.say(_what_changed(args.out, redone))
            manifest = redone.manifest
        else:
            how = options.values(args, "workers", "overwrite")
            manifest = mix(spec, args.out, **how, progress=True, cluster=cluster)
        if license is not None and manifest.inputs.get("licence") != str(license):
            manifest = state_license(args.out, license)
    options.print_set(args, manifest, _lines(args.out, manifest))
    return 0


def spec_of(args: argparse.Namespace) -> MixSpec:
    """What the options ask for."""
    from stackwalls.stackmix import MixSpec

    classes, (wall, transform) = options.parse_classes_option(args.classes), _wall_and_transform(args)
    plain = options.values(args, "source", "per_class", "seed", "encoder", "labels", "animals", "label_space")
    return MixSpec(classes=classes, wall=wall, transform=transform, **plain)


def _wall_and_transform(args: argparse.Namespace) -> tuple[Wall, Transform | None]:
    """What `--wall`, `--size`, `--resize` and `--for` say."""
    from stackwalls.model import InputError, Transform

    if args.network is not None:
        return _of_network(args)
    if args.weights is not None:
        raise InputError("--weights are those of the network of --for: name it, or leave out the weights.")
    wall = options.parse_wall(args.wall, args.size)
    return wall, None if args.resize is None else Transform.parse(args.resize, wall.image_size)


def _of_network(args: argparse.Namespace) -> tuple[Wall, Transform]:
    """The wall and the transform of the network of `--for`, on images of `--size` if that is given."""
    import warnings

    from stackwalls.model import InputError, Transform, Wall, find_network

    if args.resize is not None:
        raise InputError(f"{args.network} says how images are resized: leave out --resize.")
    usual = None if args.size is None else options.parse_wall(None, args.size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the network's classes, which do not matter here
        network = find_network(args.network, args.weights, args.wall, usual)
    wall, transform = getattr(network, "wall", None), getattr(network, "transform", None)
    if not isinstance(wall, Wall | None) or not isinstance(transform, Transform):
        raise InputError(
            f"{args.network} does not say its wall and its transform (attributes `wall` and `transform`): give --wall "
            "and --size instead of --for."
        )
    if args.size not in (None, transform.size):
        raise InputError(f"{args.network} takes images of {transform.size} pixels, not {args.size}: leave out --size.")
    return wall or options.parse_wall(args.wall, transform.size), transform


def _rebuild(args: argparse.Namespace) -> int:
    """Rebuild the set of a recipe; list what cannot be rebuilt."""
    from dataclasses import asdict

    from stackwalls.hub_cards import open_recipe
    from stackwalls.model import InputError, RunError
    from stackwalls.stackmix import rebuild

    if given := [name for name, value in _RECIPE_SAYS.items() if getattr(args, name) != value]:
        options_given = ", ".join("--for" if name == "network" else f"--{name.replace('_', '-')}" for name in given)
        raise InputError(f"The recipe determines the set: leave out {options_given}.")
    recipe = open_recipe(args.recipe)
    origin = recipe.manifest.spec["source"]
    source = args.source or (origin if origin == "drawn" or "/" in origin else None)
    if source is None:
        raise InputError(f"--source is missing: name the folder with your copy of the images ({origin}).")
    with options.plain_warnings():
        made = rebuild(recipe, source, args.out, workers=args.workers, progress=True)
    if made.manifest is None:
        problems = [asdict(problem) for problem in made.not_rebuilt]
        text = "\n".join("\t".join(problem.values()) for problem in problems)
        options.print_result(args, {"not_rebuilt": problems}, text)
        images = len({problem["image_id"] for problem in problems})
        raise RunError(
            f"{images} of {made.images} images cannot be rebuilt from {source} (listed on stdout); {args.out} is not "
            f"finished. Add the missing images and repeat the command: it keeps the {made.kept} that are done."
        )
    options.print_set(args, made.manifest, _lines(args.out, made.manifest))
    options.say(_sameness(made))
    return 0


def _sameness(made: Rebuilt) -> str:
    """How close the set is to the original."""
    if made.same_bytes:
        return "Every file is identical to the original, byte for byte."
    if made.other_files:
        some = f"The files of {made.other_files} of {made.images} images differ"
        why = "because this version of Pillow encodes them differently"
        return f"All pixels are identical to the original. {some}, {why}."
    why = "because they name other package versions"
    return f"Every image is identical to the original, byte for byte. The card and the manifest differ, {why}."


def _what_changed(out: Path, redone: Redone) -> str:
    """What became of the rejected images."""
    from stackwalls.hub_cards.layout import listed

    if not redone.replaced and not redone.gone:
        return f"No image in {out} is rejected, so nothing changed. `stackgen review {quote(str(out))}` shows them."
    replaced = f"{len(redone.replaced)} rejected images were replaced by another pair"
    why = f"because their class has no other pair left ({listed(list(redone.gone))})"
    gone = f"; {len(redone.gone)} were removed, {why}" if redone.gone else ""
    return f"{replaced}{gone}. `stackgen review {quote(str(out))}` shows the new ones as undecided."


def _lines(out: Path, manifest: Manifest) -> list[str]:
    """What was made, and how to load it."""
    from stackwalls.hub_cards import dataset_classes

    spec, kept, rejected = manifest.spec, manifest.counts["kept"], manifest.counts["rejected"]
    counted = f"{kept} images of {len(dataset_classes(out))} classes"
    lines = [f"{out}: {counted}, wall {spec['wall']}, from {spec['source']}, seed {spec['seed']}."]
    if rejected:
        what = "images, pairs or classes" if spec.get("redone") else "images or classes"
        lines.append(f"{rejected} {what} were skipped; see {out / 'rejected.parquet'}.")
    local = json.dumps(str(out) if out.is_absolute() else f"./{out}", ensure_ascii=False)
    load = f'from datasets import load_dataset; print(load_dataset({local}, split="test")[0])'
    return [*lines, f"Load:      python -c {quote(load)}"]
