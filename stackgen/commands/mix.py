"""Make a STACK-MIX set: two pictures of one class in one image, on both sides of the wall.

The same source, options and seed give the same files; a run that was stopped goes on when the command is repeated.
Broken pictures are passed over and listed in rejected.parquet with the reason.

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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stackwalls.hub_cards import Manifest

RESUMES = True
"""A run that was stopped goes on where it was."""

Classes = int | tuple[str | int, ...] | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--source", required=True, metavar="SOURCE", help="where the pictures come from (see above)")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="labels of a flat folder of pictures (see above)")
    parser.add_argument(
        "--classes",
        nargs="+",
        metavar="N|CLASS",
        help="a number: so many classes, sampled by the seed from those with pictures enough; or the classes by "
        "synset, name or index:7; or a dataset folder, for its classes (default: all that have pictures enough)",
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
    parser.add_argument("--workers", type=int, metavar="N", help="threads (default: one a core); the set is the same")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="the dataset folder to make")
    parser.add_argument("--json", action="store_true", help="print what was made as JSON")


def run(args: argparse.Namespace) -> int:
    """Make the set and say where it is."""
    from stackwalls.model import Wall
    from stackwalls.stackmix import MixSpec, mix

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
        manifest = mix(spec, args.out, workers=args.workers, progress=True)
    print(_json(args.out, manifest) if args.json else _report(args.out, manifest))
    return 0


def parse_classes_option(values: list[str] | None) -> Classes:
    """The value of `--classes`: a count, classes (indices as integers, the rest as written) or None for all.

    One number alone is a count, so that an index is written `index:7`; one folder with a manifest stands for the
    classes of that dataset. Commas divide as spaces do.

    Raises:
        InputError: if a bare number stands among several values.
    """
    from stackwalls.model import InputError

    if values is None:
        return None
    if len(values) == 1 and (Path(values[0]) / "manifest.json").is_file():
        return _classes_of(Path(values[0]))
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


def _classes_of(folder: Path) -> tuple[int, ...]:
    """The classes of the rows of a dataset folder, in index order."""
    import pyarrow.parquet as pq

    from stackwalls.hub_cards import Manifest

    labels: set[int] = set()
    for shard in Manifest.read(folder).shards():
        labels.update(pq.read_table(folder / shard, columns=["label"]).column("label").to_pylist())
    return tuple(sorted(labels))


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Warnings as one sentence on stderr, without the place in the code that they come from."""
    import sys
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_args, **_kwargs: print(f"stackgen: {message}", file=sys.stderr)
        yield


def _json(out: Path, manifest: Manifest) -> str:
    import json

    return json.dumps({"out": str(out), "spec": manifest.spec, "counts": manifest.counts, "inputs": manifest.inputs})


def _report(out: Path, manifest: Manifest) -> str:
    spec, rows, rejected = manifest.spec, manifest.counts["kept"], manifest.counts["rejected"]
    local = out if out.is_absolute() else f"./{out}"
    look = f"from datasets import load_dataset; print(load_dataset('{local}', split='test')[0])"
    lines = [
        f"{out}: {rows} images of {rows // spec['per_class']} classes, wall {spec['wall']}, from {spec['source']}, "
        f"seed {spec['seed']}."
    ]
    if rejected:
        lines.append(f"{rejected} pictures or classes were passed over; see {out / 'rejected.parquet'}.")
    lines += [
        f'Look at it:  python -c "{look}"',
        f"Go on:       stackgen evaluate {out} --model walled:tf_efficientnet_lite0 --out results",
    ]
    return "\n".join(lines)
