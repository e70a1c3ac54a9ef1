"""Check methods beyond mu: twins, the step at which a leak appears, EigenCAM's sign.

Places another image behind the wall of each image, which does not change the network's output by a bit, and measures
how much the visible part of each method's map changes. Measures mu after each step from a method's raw map to the one
that is shown. Shows EigenCAM with either sign. Prints a table and writes findings.md, findings.csv and findings.json.

DATASET is a folder that `stackgen mix` or `stackgen generate` made, an image folder, or user/name on the Hub.
"""

from __future__ import annotations

import argparse

from stackwalls.stackgen.commands._options import (
    add_model_arguments,
    add_out_argument,
    add_seed_argument,
    find_model,
    plain_warnings,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("dataset", metavar="DATASET", help="images to check on")
    add_model_arguments(parser)
    parser.add_argument(
        "--method",
        action="append",
        dest="methods",
        metavar="M",
        help="as for `stackgen evaluate` but without =N, or `references` for maps that know nothing of the network; "
        "may be repeated (default: the paper's seven except ScoreCAM and AblationCAM, and the references)",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N images")
    parser.add_argument("--batch-size", type=int, default=8, metavar="B", help="images per forward pass (default 8)")
    add_seed_argument(parser, "the certificate's noise")
    add_out_argument(parser, "new or empty folder for the findings")
    parser.add_argument("--overwrite", action="store_true", help="replace existing findings in DIR")


_DEFAULT = ("GradCAM", "GradCAM++", "XGradCAM", "EigenCAM", "HiResCAM", "references")


def run(args: argparse.Namespace) -> int:
    """Check, print the table, and write the findings."""
    from stackwalls.evaluate.adapters import named_methods
    from stackwalls.evaluate.checks import REFERENCES, beyond_mu
    from stackwalls.evaluate.checks.findings import FINDINGS_NAME, check_findings_folder
    from stackwalls.hub_cards import open_dataset
    from stackwalls.model import InputError, Wall, disk_errors, find_device

    names = args.methods or _DEFAULT
    methods = named_methods([name for name in names if name != "references"]) if set(names) != {"references"} else {}
    if "references" in names:
        methods = {**methods, **REFERENCES}
    check_findings_folder(args.out)
    if (args.out / FINDINGS_NAME).exists() and not args.overwrite:
        raise InputError(f"{args.out} already contains findings: choose another folder, or replace them (--overwrite).")
    with plain_warnings():
        source = open_dataset(args.dataset)
    wall = Wall.parse(args.wall) if args.wall else None
    model = find_model(args, wall, source.wall).to(find_device(args.device))
    new = not args.out.exists()
    with disk_errors(args.out, resumes=False):  # before anything is computed
        args.out.mkdir(parents=True, exist_ok=True)
    try:
        findings = beyond_mu(
            model, source, methods, wall=wall, batch_size=args.batch_size, limit=args.limit, seed=args.seed
        )
    except Exception:
        if new:
            args.out.rmdir()
        raise
    findings.save(args.out)
    print(f"{findings.text()}\nWritten to {args.out}")
    return 0 if findings.per_image["error"].isna().any() else 1
