"""Check methods beyond mu: twins, the step at which a leak appears, EigenCAM's sign.

Places another image behind the wall of each image, which does not change the network's output by a single bit, and
measures how much the visible part of each method's map changes. Measures mu after each step from a method's raw map to
the one that is shown. Shows EigenCAM with either sign. Prints a table and writes findings.md, findings.csv and
findings.json.

DATASET is a folder that `stackgen mix` or `stackgen generate` made, an image folder, or user/name on the Hub.
"""

import argparse

import stackwalls.stackgen.commands._layers as layers
import stackwalls.stackgen.commands._options as options
from stackwalls.stackgen.commands._cluster import add_cluster, cluster_of
from stackwalls.stackgen.commands._network import add_model, find_model

_DEFAULT = ("GradCAM", "GradCAM++", "XGradCAM", "EigenCAM", "HiResCAM", "references")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("dataset", metavar="DATASET", help="images to check on")
    add_model(parser)
    layers.add_layer(parser)
    parser.add_argument(
        "--method",
        action="append",
        dest="methods",
        metavar="M",
        help="as for `stackgen evaluate` but without =N, or `references` for maps that know nothing of the network; "
        "may be repeated (default: the paper's seven except ScoreCAM and AblationCAM, and the references)",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N images")
    options.add_shared(parser, label_space="", batch_size="", seed="the certificate's noise")
    add_cluster(parser)
    options.add_out(parser, "new or empty folder for the findings")
    options.add_shared(parser, overwrite="findings", json="the findings")


def run(args: argparse.Namespace) -> int:
    """Check, print the table, and write the findings."""
    from stackwalls.evaluate.adapters import named_methods
    from stackwalls.evaluate.checks import beyond_mu
    from stackwalls.evaluate.checks.findings import FINDINGS_NAME, check_findings_folder
    from stackwalls.hub_cards import open_dataset
    from stackwalls.model import InputError, disk_errors, parse_label_space

    cluster = cluster_of(args)
    if cluster is not None:
        args.device = "cpu"  # of this process, which only proves that the network is blind
    methods = named_methods(options.with_references(args.methods or _DEFAULT))
    check_findings_folder(args.out)
    if (args.out / FINDINGS_NAME).exists() and not args.overwrite:
        raise InputError(f"{args.out} already contains findings: choose another folder, or replace them (--overwrite).")
    with options.plain_warnings():
        space = parse_label_space(args.label_space) if args.label_space else None
        source = open_dataset(args.dataset, label_space=space)
    model, wall = find_model(args, source.wall, source.classes.names)
    new = not args.out.exists()
    with disk_errors(args.out, resumes=False):  # before anything is computed
        args.out.mkdir(parents=True, exist_ok=True)
    try:
        settings = options.values(args, "batch_size", "limit", "seed", "layer")
        findings = beyond_mu(model, source, methods, wall=wall, strict=True, cluster=cluster, **settings)
    except Exception:
        if new:
            args.out.rmdir()
        raise
    findings.save(args.out)
    found = {"out": str(args.out), **findings.to_dict()}
    options.print_result(args, found, f"{findings.text()}\nWritten to {args.out}")
    return 0 if findings.per_image["error"].isna().any() else 1
