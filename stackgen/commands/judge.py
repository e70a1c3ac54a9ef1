"""Ask faithfulness metrics which of two maps is better, where it is known.

On a network that is proven blind behind a wall, a method's map that lights the dead zone is wrong there, and the same
map without the dead zone is not. Scores both (and the opposite, a uniform map, and a random one) by metrics of
grad-cam, torch-cam, captum and Quantus, for every image and method, and says how often each metric prefers the right
one. With --control, asks the same of a network that sees the whole image. Writes scores.parquet, the table as txt, md
and csv, judge.png, judge.html and judge.json.

DATASET is a folder that `stackgen mix` or `stackgen generate` made, an image folder, or user/name on the Hub.

Killed at any moment, the same command resumes where it stopped. Several processes share the work through DIR alone, as
those of `stackgen evaluate` do.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import stackwalls.stackgen.commands._options as options
from stackwalls.stackgen.commands._network import add_model, find_model

if TYPE_CHECKING:
    from torch import nn

    from stackwalls.model import Wall


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("dataset", metavar="DATASET", help="images to judge on")
    add_model(parser)
    parser.add_argument(
        "--metric",
        action="append",
        dest="metrics",
        metavar="M",
        help="AverageDrop, Increase, ConfidenceChange, Deletion, Insertion, ROAD, ROADMostRelevant, ARCC, Infidelity, "
        "Sensitivity, FaithfulnessCorrelation, PixelFlipping, RegionPerturbation, Selectivity, IROF, Sufficiency, "
        "Sparseness, Complexity, or package.module:name of a MetricSpec; may be repeated; ROAD=10 asks it of the first "
        "10 images only (default: ten of these, see docs/judge.md)",
    )
    parser.add_argument(
        "--method",
        action="append",
        dest="methods",
        metavar="M",
        help="as for `stackgen evaluate` but without =N; may be repeated (default: the paper's seven)",
    )
    parser.add_argument(
        "--control",
        metavar="NAME",
        help="a network that sees the whole image, as for --model (mini-baseline-vgg16), or `unwalled`: the one "
        "of --model without its wall (default: none)",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N images")
    options.add_shared(parser, label_space="", seed="the random maps and of what methods and metrics draw")
    options.add_out(parser, "new or empty folder for the judgment")
    options.add_shared(parser, overwrite="judgment", json="the judgment")


def run(args: argparse.Namespace) -> int:
    """Judge, print the table, and write the judgment."""
    from stackwalls.evaluate.adapters import named_methods
    from stackwalls.evaluate.judging import check_judgment_folder, judge, named_metrics
    from stackwalls.evaluate.judging.judgment_page import text_of
    from stackwalls.evaluate.run.evaluation_spec import parse_limits
    from stackwalls.hub_cards import open_dataset
    from stackwalls.model import Launch, parse_label_space

    names, limits = parse_limits("metric", args.metrics)
    metrics = named_metrics(names or None)
    methods = named_methods(options.with_references(args.methods) if args.methods else None)
    check_judgment_folder(args.out)
    with options.plain_warnings():
        space = parse_label_space(args.label_space) if args.label_space else None
        source = open_dataset(args.dataset, label_space=space)
    model, wall = find_model(args, source.wall, source.classes.names)
    judgment = judge(
        model,
        source,
        metrics,
        methods,
        control=_control(args.control, model, source.wall),
        wall=wall,
        limits={named_metrics([name]).popitem()[0]: count for name, count in limits.items()},
        launch=Launch.of(),
        **options.values(args, "limit", "seed", "out", "overwrite"),
    )
    found = {"out": str(args.out), **judgment.to_dict()}
    options.print_result(args, found, f"{text_of(judgment)}\nLook at:  {args.out / 'judge.html'}")
    return 1 if judgment.failures else 0


def _control(name: str | None, model: nn.Module, wall: Wall | None) -> nn.Module | None:
    """The network of `--control`, on the device of the other."""
    from stackwalls.model import InputError, WalledNetwork, find_network, unwalled

    if name is None:
        return None
    if name != "unwalled":
        control = find_network(name, None, None, wall)
    elif isinstance(model, WalledNetwork):
        control = unwalled(model)
    else:
        raise InputError(
            "`--control unwalled` takes the wall from a network behind one (walled:NAME, sink:NAME, curtain:NAME): "
            "name a network that sees the whole image instead, such as mini-baseline-vgg16."
        )
    return control.to(next(model.parameters()).device)
