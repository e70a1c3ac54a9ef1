"""Measure how much of each method's saliency maps lies where the network provably sees nothing.

First proves that the network is blind behind its wall, and refuses it otherwise. Then makes a map for every image and
method, and measures mu: the share of the map's norm in the dead zone, 0 if nothing is wrong. Prints Table 1 and writes
the results folder: per_image.parquet, table.txt, table.md, table.csv, figures, report.html, certificate.json and
run.json.

DATASET is a folder made by `stackgen mix`, an image folder with one sub-folder per class, or user/name on the Hub.

Killed at any moment, the same command resumes where it stopped. Several processes share the work through DIR alone:
start the same command with torchrun, accelerate launch, mpirun, srun or in a SLURM array. The last process to finish
writes the results, which do not depend on the number of processes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import stackwalls.stackgen.commands._options as options

if TYPE_CHECKING:
    from torch import nn

    from stackwalls.hub_cards import StackDataset
    from stackwalls.model import Launch, Wall


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    add("datasets", nargs="+", metavar="DATASET", help="one or more, side by side in the table")
    options.add_model(parser)
    options.add_shared(parser, method="these seven")
    add("--limit", type=int, metavar="N", help="use only the first N images of each dataset")
    add("--target", choices=("predicted", "label"), default="predicted", help="class to explain (default predicted)")
    add("--batch-size", type=int, metavar="B", help="most images per forward pass (default and most: 32)")
    add("--memory", metavar="SIZE", help="memory budget for activations, such as 4GB; batches shrink to fit")
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
    options.add_out(parser, "folder for the results")
    options.add_shared(parser, overwrite="results", pdf="", json="the table and the run")


def run(args: argparse.Namespace) -> int:
    """Evaluate, print Table 1, and write the results."""
    from stackwalls.evaluate import EvaluationSpec, evaluate
    from stackwalls.evaluate.results import check_folder
    from stackwalls.hub_cards import open_dataset
    from stackwalls.model import Launch

    methods, limits = options.parse_methods(args.methods)
    settings = ("target", "batch_size", "limit", "seed", "backend", "precision", "memory")
    spec = EvaluationSpec(limits=limits, **options.values(args, *settings))
    check_folder(args.out, overwrite=True)  # whether finished results there are this run's is known later
    with options.plain_warnings():
        sources = [open_dataset(name) for name in args.datasets]
    launch = Launch.of()
    model, wall = _model_and_wall(args, sources, launch)
    results = evaluate(
        model,
        sources,
        methods,
        spec=spec,
        wall=wall,
        require_blind=not args.not_blind,
        launch=launch,
        provenance=_provenance(args, model, sources),
        **options.values(args, "out", "overwrite", "pdf"),
    )
    found = {"table": results.summary.records(), "run": results.run, "certificate": results.certificate}
    options.print_result(args, found, f"{results.report_text()}\n\nLook at:  {args.out / 'report.html'}")
    return 0 if results.per_image["error"].isna().any() else 1


def _model_and_wall(
    args: argparse.Namespace, sources: Sequence[StackDataset], launch: Launch
) -> tuple[nn.Module, Wall | None]:
    """The network on its device, and the wall by which maps are judged if it is not the network's own."""
    from stackwalls.model import VGG16_WALL, InputError

    walls = {source.wall for source in sources if source.wall is not None}
    if not args.wall and len(walls) > 1:
        listed = ", ".join(sorted(map(str, walls)))
        raise InputError(f"The datasets were made for different walls ({listed}): name one with --wall.")
    model, wall = options.find_model(args, next(iter(walls), None), launch.local_rank)
    if args.not_blind and wall is None and getattr(model, "wall", None) is None:
        wall = next(iter(walls), VGG16_WALL)
    return model, wall


def _provenance(args: argparse.Namespace, model: nn.Module, sources: Sequence[StackDataset]) -> dict[str, Any]:
    """What the results follow from beside the settings: a branch or a folder may have other content tomorrow."""
    import shlex
    import sys

    from stackwalls.model.files import as_text, file_sha256

    about: dict[str, Any] = {"command": as_text(shlex.join(["stackgen", *sys.argv[1:]]))}
    if args.weights:
        about["weights"] = f"{Path(args.weights).name}, SHA-256 {file_sha256(Path(args.weights))}"
    if origin := getattr(model, "origin", None):
        about["network read from"] = origin
    for source in sources:
        about[f"contents of {source.name}"] = f"SHA-256 {source.identity}"
    return about
