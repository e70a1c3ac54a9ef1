"""Measure how much of each method's saliency maps lies where the network provably sees nothing.

First proves that the network is blind behind its wall, and refuses it otherwise. Then makes a map for every image and
method, and measures mu: the norm of the map in the dead zone over the norm of the whole map, 0 if nothing is lit
there. Prints Table 1 and writes the results folder: per_image.parquet, the table as txt, md, csv and tex, figures,
report.html, certificate.json and run.json. With --layers, DIR gets such a folder for each layer, and layers.txt, md,
csv and png.

DATASET is a folder made by `stackgen mix`, an image folder with one sub-folder per class, or user/name on the Hub. Its
classes are found among the network's by their names; an image of another class is explained for the predicted one.

Killed at any moment, the same command resumes where it stopped. Several processes share the work through DIR alone:
start the same command with torchrun, accelerate launch, mpirun, srun or in a SLURM array. The last process to finish
writes the results, which do not depend on the number of processes. With --ray, workers of a Ray cluster do it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import stackwalls.stackgen.commands._layers as layers
import stackwalls.stackgen.commands._options as options
from stackwalls.stackgen.commands._cluster import add_cluster, cluster_of, command_line
from stackwalls.stackgen.commands._network import add_model

if TYPE_CHECKING:
    from stackwalls.evaluate import Results
    from stackwalls.hub_cards import StackDataset
    from stackwalls.model import Cluster, Layer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    add("datasets", nargs="+", metavar="DATASET", help="one or more, side by side in the table")
    add_model(parser)
    layers.add_layers(parser)
    options.add_shared(parser, method="these seven")
    add("--limit", type=int, metavar="N", help="use only the first N images of each dataset")
    explained = "class to explain: predicted (default), or label (predicted where the network does not know the label)"
    add("--target", choices=("predicted", "label"), default="predicted", help=explained)
    by_index = "take logit i for class i of the dataset, whatever their names (default: classes are matched by name)"
    options.add_shared(parser, label_space="")
    add("--match-by-index", dest="match", action="store_const", const="index", default="name", help=by_index)
    add("--batch-size", type=int, metavar="B", help="most images per forward pass (default and most: 32)")
    add("--memory", metavar="SIZE", help="memory budget for activations, such as 4GB; batches shrink to fit")
    transform = (
        "for images that are not a finished set: auto (default) resizes and crops those that do not have the network's "
        "size; resize-crop does so for all, as the paper's code does; as-is for none, so that all must have that size"
    )
    add("--transform", choices=("auto", "as-is", "resize-crop"), default="auto", help=transform)
    backend = (
        "auto (default): this package's engine for the methods that it supports, equal and faster; grad-cam: that "
        "package for all"
    )
    add("--backend", choices=("auto", "grad-cam"), default="auto", help=backend)
    precision = (
        "of ScoreCAM's masked passes only: exact (default), float32; tf32x3, three TF32 products for one of float32, "
        "on NVIDIA GPUs; fast, 16 bits"
    )
    add("--precision", choices=("exact", "tf32x3", "fast"), default="exact", help=precision)
    options.add_shared(parser, seed="the certificate's noise and of random methods")
    not_blind = "accept a network that is not blind, such as baseline-vgg16, for comparison; the results say so"
    add("--not-blind", action="store_true", help=not_blind)
    add_cluster(parser)
    options.add_out(parser, "folder for the results")
    options.add_shared(parser, overwrite="results", pdf="", json="the table and the run")


def run(args: argparse.Namespace) -> int:
    """Evaluate, print Table 1, and write the results."""
    from stackwalls.evaluate.results import check_folder

    cluster = cluster_of(args)
    if args.layers is not None:
        return _sweep(args, cluster)
    check_folder(args.out, overwrite=True)  # whether finished results there are this run's is known later
    results = _evaluation(args, cluster, *_sources(args))(args.layer, args.out)
    found = {"table": results.summary.records(), "run": results.run, "certificate": results.certificate}
    options.print_result(args, found, f"{results.report_text()}\n\nLook at:  {args.out / 'report.html'}")
    return int(_all_failed(results))


def _sweep(args: argparse.Namespace, cluster: Cluster | None) -> int:
    """Evaluate at each layer, print the table, and write it."""
    from stackwalls.evaluate.checks import LayerTable
    from stackwalls.evaluate.subject import network_and_wall
    from stackwalls.model import InputError, class_texts

    sources = _sources(args)
    if len(sources) > 1:
        raise InputError("A sweep over layers is on one dataset: name one.")
    walls = {source.wall for source in sources if source.wall is not None}
    names = class_texts(args.class_names, args.classes_as, sources[0].classes.names)
    given = args.model, args.weights, args.wall or None, walls, not args.not_blind, names
    asked = layers.asked_layers(args.layers, network_and_wall(*given)[0])
    results = layers.sweep(asked, args.out, _evaluation(args, cluster, *sources), args.pdf)
    table = LayerTable.of(results)
    found = {"out": str(args.out), "table": table.records(), "notes": list(table.notes)}
    said = f"{table.text()}\nLook at:  {args.out / 'layers.png'}, and report.html in the folder of each layer"
    options.print_result(args, found, said)
    return int(any(map(_all_failed, results.values())))


def _all_failed(results: Results) -> bool:
    return not bool(results.per_image["error"].isna().any())


def _sources(args: argparse.Namespace) -> list[StackDataset]:
    from stackwalls.hub_cards import open_dataset
    from stackwalls.model import parse_label_space

    with options.plain_warnings():
        space = parse_label_space(args.label_space) if args.label_space else None
        return [open_dataset(name, label_space=space) for name in args.datasets]


def _evaluation(
    args: argparse.Namespace, cluster: Cluster | None, *sources: StackDataset
) -> Callable[[Layer | None, Path], Results]:
    """The evaluation that is asked for, of a layer and into a folder."""
    from stackwalls.evaluate import EvaluationSpec, evaluate
    from stackwalls.model import Launch

    methods, limits = options.parse_methods(args.methods)
    settings = ("target", "match", "batch_size", "limit", "seed", "backend", "precision", "memory", "transform")
    spec = EvaluationSpec(limits=limits, **options.values(args, *settings))

    def evaluated(layer: Layer | None, out: Path) -> Results:
        return evaluate(
            args.model,
            sources,
            methods,
            spec=spec,
            layer=layer,
            out=out,
            wall=args.wall or None,
            require_blind=not args.not_blind,
            launch=Launch() if cluster else Launch.of(),
            cluster=cluster,
            provenance={"command": command_line(args)},
            **options.values(args, "weights", "class_names", "classes_as", "device", "overwrite", "pdf"),
        )

    return evaluated
