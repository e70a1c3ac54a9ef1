"""Evaluate a backbone behind walls on every side, or of any form, one after the other.

For each wall: builds STACK-MIX with that wall from SOURCE, puts the backbone behind it, proves that it is blind there,
and evaluates. A method that never looks down has no leak at the bottom, but shows it behind the other walls. Writes a
folder per wall (the set and its results), walls.txt, walls.md and walls.csv.

With --results instead of --source, only combines what `stackgen evaluate` found behind one wall each, on any sets, such
as those of `stackgen generate --wall`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import stackwalls.stackgen.commands._layers as layers
import stackwalls.stackgen.commands._options as options
from stackwalls.stackgen.commands._cluster import add_cluster, cluster_of
from stackwalls.stackgen.commands._network import add_class_names

if TYPE_CHECKING:
    from stackwalls.evaluate import Results
    from stackwalls.model import BlindModel, Cluster, Wall

_OURS = re.compile(r"walls\.(txt|md|csv)|(top|bottom|left|right|rows|columns|box)(-\d+)+(\+[a-z]+(-\d+)+)*(@\d+)?")

_BACKBONE = "walled:tf_efficientnet_lite0"

_WALLS = ("bottom:{0}", "top:{0}", "left:{0}", "right:{0}", "rows:{0}:{1}")
"""With the depth that a network of stride 32 allows: 64 of 224 pixels, and as close to that share of another size."""

_SCORE_CAM_IMAGES = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--source", metavar="SOURCE", help="source images, as for `stackgen mix`")
    given.add_argument("--results", nargs="+", type=Path, metavar="DIR", help="results to combine, one folder per wall")
    options.add_shared(parser, labels=", as for `stackgen mix`", label_space="")
    add = parser.add_argument
    add("--classes", type=int, default=24, metavar="N", help="classes, one image each (default 24)")
    add("--animals", action="store_true", help="sample only among the 398 animals")
    add("--model", default=_BACKBONE, metavar="walled:NAME", help=f"the backbone (default {_BACKBONE})")
    shown = " ".join(_usual_walls(None))
    walls = f"such as box:64:64:160:160 or bottom:64+left:32 (default {shown}, or as much of another size)"
    options.add_shared(parser, weights="")
    add_class_names(parser)
    layers.add_layer(parser)
    add("--walls", nargs="+", metavar="WALL", help=f"the walls, {walls}")
    add("--size", type=options.image_size, metavar="N", help="height and width of the images in pixels (default 224)")
    seven = f"these seven, ScoreCAM on {_SCORE_CAM_IMAGES} images per wall"
    options.add_shared(parser, method=seven, batch_size="", device="", seed="the classes and pairs")
    add_cluster(parser)
    options.add_out(parser, "output folder")
    options.add_shared(parser, overwrite="results", json="the table")


def run(args: argparse.Namespace) -> int:
    """Build, evaluate and combine; print the table."""
    from stackwalls.evaluate.checks import WallTable
    from stackwalls.model import check_output_folder, disk_errors, write_whole

    cluster = cluster_of(args)
    names = {path.name for path in args.out.iterdir()} if args.out.is_dir() else set()
    check_output_folder(args.out, {name for name in names if _OURS.fullmatch(name)}, "the table")
    table = WallTable.of(_evaluated(args, cluster) if args.results is None else _loaded(args.results))
    with disk_errors(args.out):
        args.out.mkdir(parents=True, exist_ok=True)
        for name, text in (("txt", table.text()), ("md", table.markdown()), ("csv", table.csv())):
            write_whole(args.out / f"walls.{name}", text.encode())
    said = f"{table.text()}\nmean mu × 100 ± std; a uniform map has the chance level. Written to {args.out}"
    found = {"out": str(args.out), "table": table.records(), "notes": list(table.notes)}
    options.print_result(args, found | {"worst": {name: table.worst(name) for name in table.methods}}, said)
    return 0


def _loaded(folders: Sequence[Path]) -> dict[Wall, Results]:
    """The results in folders, by their walls."""
    from stackwalls.evaluate import Results
    from stackwalls.model import InputError

    found: dict[Wall, Results] = {}
    for folder in folders:
        results = Results.load(folder)
        if results.wall in found:
            twice = f"Two folders have results behind {results.wall}"
            raise InputError(f"{twice}: expected one folder per wall, not {folder} too.")
        found[results.wall] = results
    return found


def _evaluated(args: argparse.Namespace, cluster: Cluster | None) -> dict[Wall, Results]:
    """The results behind each wall, from the source; a wrong call is reported before anything is written."""
    from stackwalls.evaluate import EvaluationSpec, Subject
    from stackwalls.evaluate.adapters import as_explainer, named_methods
    from stackwalls.model import InputError, Wall, find_device, is_walled

    if not is_walled(args.model):
        several = "Only a walled backbone can be evaluated behind several walls"
        raise InputError(f"{several}: expected walled:NAME, sink:NAME or curtain:NAME, not {args.model}.")
    methods, limits = options.parse_methods(args.methods)
    named = named_methods(methods)
    if methods is None:
        limits = {"ScoreCAM": min(_SCORE_CAM_IMAGES, args.classes)}
    EvaluationSpec(tuple(named), batch_size=args.batch_size, limits=limits, seed=args.seed)
    find_device(args.device)
    walls = list(dict.fromkeys(Wall.parse(text, args.size) for text in args.walls or _usual_walls(args.size)))
    for wall in walls:
        subject = Subject.of(_network(args, wall))
        for name, method in named.items():
            as_explainer(name, method, subject)
    with nullcontext() if cluster is None else cluster.connected():
        return {wall: _results(args, wall, methods, limits, cluster) for wall in walls}


def _network(args: argparse.Namespace, wall: Wall) -> BlindModel:
    from stackwalls.model import load_model

    return load_model(args.model, args.weights, wall, **options.values(args, "class_names", "classes_as", "layer"))


def _usual_walls(size: int | None) -> list[str]:
    depth = 32 * max(1, round((size or 224) * 64 / 224 / 32))
    return [wall.format(depth, 2 * depth) for wall in _WALLS]


def _results(
    args: argparse.Namespace,
    wall: Wall,
    methods: list[str] | None,
    limits: dict[str, int],
    cluster: Cluster | None,
) -> Results:
    """The results behind one wall: existing ones of the same run, or new ones."""
    from stackwalls.evaluate import evaluate
    from stackwalls.model import find_device
    from stackwalls.stackmix import MixSpec, mix

    folder = args.out / str(wall).replace(":", "-")
    asked = options.values(args, "source", "classes", "seed", "labels", "label_space", "animals")
    spec = MixSpec(wall=wall, **asked)
    mix(spec, folder / "stack-mix", progress=True, cluster=cluster)
    return evaluate(
        _network(args, wall).to("cpu" if cluster else find_device(args.device)),
        folder / "stack-mix",
        methods,
        cluster=cluster,
        limits=limits,
        out=folder / "results",
        provenance={"command": "stackgen walls"},
        **options.values(args, "batch_size", "seed", "overwrite"),
    )
