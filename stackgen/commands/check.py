"""Check methods beyond mu: twins, the step at which a leak appears, EigenCAM's sign.

Puts another picture behind the wall of each picture, which leaves the network's output the same to the last bit, and
measures how much the seen part of each method's map changes nevertheless. Measures mu after each step from a method's
raw map to the one that is shown. Shows EigenCAM with either sign. Prints a table and writes findings.md, findings.csv
and findings.json.

DATASET is a folder that `stackgen mix` or `stackgen generate` made, an image folder, or user/name on the Hub.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("dataset", metavar="DATASET", help="what to check on")
    parser.add_argument("--model", required=True, metavar="NAME", help="as for `stackgen evaluate`")
    parser.add_argument("--weights", metavar="FILE", help="of a masked VGG16: the authors' .pt or a .safetensors")
    parser.add_argument("--wall", metavar="WALL", help="of a walled backbone (default: the dataset's, widened to fit)")
    parser.add_argument(
        "--method",
        action="append",
        dest="methods",
        metavar="M",
        help="as for `stackgen evaluate` but without =N, or `references` for maps that know nothing of the network; "
        "may be repeated (default: the paper's seven without ScoreCAM and AblationCAM, and the references)",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="the first N images only")
    parser.add_argument("--batch-size", type=int, default=8, metavar="B", help="images a forward pass (default 8)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, mps; auto (default) takes a GPU if there")
    parser.add_argument("--seed", type=int, default=0, help="of the certificate's noise (default 0)")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="a new or empty folder for the findings")
    parser.add_argument("--overwrite", action="store_true", help="replace findings that are in DIR already")


_DEFAULT = ("GradCAM", "GradCAM++", "XGradCAM", "EigenCAM", "HiResCAM", "references")


def run(args: argparse.Namespace) -> int:
    """Check, print the table, and write the findings."""
    from stackwalls.evaluate.adapters import named_methods
    from stackwalls.evaluate.checks import FINDINGS_NAME, REFERENCES, beyond_mu, check_findings_folder
    from stackwalls.hub_cards import open_dataset
    from stackwalls.model import InputError, Wall, disk_errors, find_device
    from stackwalls.stackgen.commands._options import find_model, plain_warnings

    names = args.methods or _DEFAULT
    methods = named_methods([name for name in names if name != "references"]) if set(names) != {"references"} else {}
    if "references" in names:
        methods = {**methods, **REFERENCES}
    check_findings_folder(args.out)
    if (args.out / FINDINGS_NAME).exists() and not args.overwrite:
        raise InputError(
            f"{args.out} holds findings already: choose another folder, or say that they may be replaced (--overwrite)."
        )
    with plain_warnings():
        source = open_dataset(args.dataset)
    wall = Wall.parse(args.wall) if args.wall else None
    model = find_model(args, wall, source.wall).to(find_device(args.device))
    new = not args.out.exists()
    with disk_errors(args.out, resumes=False):  # a disk that refuses does so before anything is computed
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
