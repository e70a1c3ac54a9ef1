"""Measure how much of each method's saliency maps lies where the network provably sees nothing.

Proves first that the network is blind behind its wall, and refuses it otherwise. Then makes a map for every image and
method, and measures mu: the share of the map's norm in the dead zone, 0 where nothing is wrong. Prints Table 1 and
writes the results folder: per_image.parquet, table.txt, table.md, table.csv, figures, report.html, certificate.json and
run.json.

DATASET is a folder that `stackgen mix` made, an image folder with one sub-folder a class, or user/name on the Hub.

Killed at any moment, the same command goes on where it was. Several processes share the work by way of DIR alone: start
the same command by torchrun, accelerate launch, mpirun, srun or in a SLURM array; the last to finish writes the
results, which do not depend on the number of processes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stackwalls.hub_cards import StackDataset

RESUMES = True
"""The same command goes on where it was."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("datasets", nargs="+", metavar="DATASET", help="one or more, side by side in the table")
    parser.add_argument(
        "--model",
        required=True,
        metavar="NAME",
        help="masked-vgg16 or baseline-vgg16 with --weights, mini-masked-vgg16 or mini-baseline-vgg16 (weights in the "
        "package), walled:NAME with a torchvision or timm backbone, a model folder, user/name[@revision] on the Hub, "
        "or package.module:factory",
    )
    parser.add_argument("--weights", metavar="FILE", help="of a masked VGG16: the authors' .pt or a .safetensors")
    parser.add_argument(
        "--wall",
        metavar="WALL",
        help="of a walled backbone, such as bottom:64 (default: the dataset's, widened to fit)",
    )
    parser.add_argument(
        "--method",
        action="append",
        dest="methods",
        metavar="M",
        help="GradCAM, GradCAM++, XGradCAM, ScoreCAM, AblationCAM, EigenCAM or HiResCAM (default: these seven), "
        "another class of grad-cam's, package.module:name, or a file or folder of maps; may be repeated; "
        "ScoreCAM=20 runs it on the first 20 images only",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="the first N images of each dataset only")
    parser.add_argument(
        "--target", choices=("predicted", "label"), default="predicted", help="the class explained (default predicted)"
    )
    parser.add_argument(
        "--batch-size", type=int, metavar="B", help="the most images a forward pass, up to 32 (the default)"
    )
    parser.add_argument(
        "--memory",
        metavar="SIZE",
        help="what images may take on their way through the network, such as 4GB: fewer at once where it does not "
        "suffice (default: what is free, less a margin)",
    )
    parser.add_argument(
        "--backend",
        choices=("auto", "grad-cam"),
        default="auto",
        help="auto (default): by this package's engine where it can, equal and faster; grad-cam: all by that package",
    )
    parser.add_argument(
        "--precision",
        choices=("exact", "tf32x3", "fast"),
        default="exact",
        help="of ScoreCAM's masked passes, and nothing else: exact (default), float32; tf32x3, three TF32 products for "
        "one of float32, on NVIDIA GPUs; fast, 16 bits",
    )
    parser.add_argument(
        "--not-blind",
        action="store_true",
        help="let a network pass that is not blind, such as baseline-vgg16, for comparison; the results say so",
    )
    parser.add_argument(
        "--device", default="auto", help="auto (default), cpu, cuda (each process its own), cuda:1, mps"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the certificate's noise (default 0)")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="a folder for the results")
    parser.add_argument("--overwrite", action="store_true", help="replace results that are in DIR already")
    parser.add_argument("--pdf", action="store_true", help="write the figures as PDF too")
    parser.add_argument("--json", action="store_true", help="print the table and the run as JSON")


def run(args: argparse.Namespace) -> int:
    """Evaluate, print Table 1, and write the results."""
    import torch

    from stackwalls.evaluate import evaluate
    from stackwalls.evaluate.results import check_folder
    from stackwalls.evaluate.run.memory import parse_bytes
    from stackwalls.hub_cards import open_dataset
    from stackwalls.model import VGG16_WALL, InputError, Launch, Wall

    methods, limits = parse_methods(args.methods)
    check_folder(args.out, overwrite=True)  # whether finished results there are this run's is known later
    memory = None if args.memory is None else parse_bytes(args.memory)
    launch = Launch.of()
    sources = [open_dataset(name) for name in args.datasets]
    walls = {source.wall for source in sources if source.wall is not None}
    wall = Wall.parse(args.wall) if args.wall else None
    if wall is None and len(walls) > 1:
        raise InputError(f"The datasets were made for different walls ({_listed(walls)}): name one with --wall.")
    device = find_device(args.device, launch.local_rank)
    if device.type == "cuda":
        torch.cuda.set_device(device)  # for methods that say .cuda()
    model = find_model(args, wall, next(iter(walls), None)).to(device)
    if args.not_blind and wall is None and getattr(model, "wall", None) is None:
        wall = next(iter(walls), VGG16_WALL)
    results = evaluate(
        model,
        sources,
        methods,
        wall=wall,
        target=args.target,
        batch_size=args.batch_size,
        limit=args.limit,
        limits=limits,
        seed=args.seed,
        backend=args.backend,
        precision=args.precision,
        memory=memory,
        require_blind=not args.not_blind,
        out=args.out,
        overwrite=args.overwrite,
        launch=launch,
        pdf=args.pdf,
        provenance=_provenance(args, model, sources),
    )
    print(_as_json(results) if args.json else as_text(results, args.out))
    return 0 if results.per_image["error"].isna().any() else 1


def parse_methods(values: list[str] | None) -> tuple[list[str] | None, dict[str, int]]:
    """`["GradCAM", "my.module:f=20"]` to methods, and limits by the names of their rows; None stands for all methods.

    Raises:
        InputError: if what follows an equals sign is no number of at least 1, or a method is named twice.
    """
    from stackwalls.evaluate.adapters import named_methods
    from stackwalls.model import InputError

    if values is None:
        return None, {}
    counts: dict[str, int | None] = {}
    for value in values:
        name, equals, count = value.partition("=")
        if equals and not (count.isdecimal() and int(count) > 0):
            raise InputError(f"Cannot read --method {value!r}: expected a method, or METHOD=N for N images.")
        if name in counts:
            raise InputError(f"--method {name} is given twice: once, with the number of images where there is one.")
        counts[name] = int(count) if equals else None
    rows = zip(named_methods(list(counts)), counts.values(), strict=True)  # in the same order
    limits = {row: count for row, count in rows if count is not None}
    return list(counts), limits


def find_model(args: argparse.Namespace, wall: Any, dataset_wall: Any) -> Any:
    """The network that `--model` names: one of this package's, or `package.module:factory`.

    Raises:
        InputError: if it is unknown, cannot be imported, or is given weights that it brings itself.
    """
    from stackwalls.evaluate.adapters import is_import_spec, model_from
    from stackwalls.model import WALLED_PREFIX, InputError, load_model

    if args.model.startswith(WALLED_PREFIX) or not is_import_spec(args.model):
        return load_model(args.model, args.weights, wall, dataset_wall)
    if args.weights:
        raise InputError(f"{args.model} brings its weights itself: leave out --weights.")
    return model_from(args.model)


def find_device(name: str, local_rank: int = 0) -> Any:
    """The torch device of this name; "auto" takes CUDA, then MPS, then the CPU.

    Args:
        name: "auto", or as torch names devices; "cuda" without a number is the process's own.
        local_rank: number of this process on its machine.

    Raises:
        InputError: if it is unknown or not there.
    """
    import torch

    from stackwalls.model import InputError

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if name.partition(":")[0] not in ("cpu", "cuda", "mps"):
        raise InputError(f"Expected a device such as auto, cpu, cuda, cuda:1 or mps, but got {name!r}.")
    if name == "mps" and not torch.backends.mps.is_available():
        raise InputError("There is no device 'mps' here: it is a GPU of Apple's.")
    try:
        device = torch.device(name)
        if name == "cuda" and (count := torch.cuda.device_count()):
            # a launcher may show each process its own GPU alone
            device = torch.device("cuda", local_rank % count)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"There is no device {name!r} here: {str(error).splitlines()[0]}") from error
    return device


def _listed(walls: set[Any]) -> str:
    return ", ".join(sorted(str(wall) for wall in walls))


def _provenance(args: argparse.Namespace, model: Any, sources: Sequence[StackDataset]) -> dict[str, Any]:
    """What the results follow from beside the settings: a branch or a folder may hold something else tomorrow."""
    import shlex
    import sys

    from stackwalls.model import file_sha256

    about: dict[str, Any] = {"command": shlex.join(["stackgen", *sys.argv[1:]])}
    if args.weights:
        about["weights"] = f"{Path(args.weights).name}, SHA-256 {file_sha256(Path(args.weights))}"
    if origin := getattr(model, "origin", None):
        about["network read from"] = origin
    for source in sources:
        about[f"contents of {source.name}"] = f"SHA-256 {source.identity}"
    return about


def _as_json(results: Any) -> str:
    import json

    content = {"table": results.summary.records(), "run": results.run, "certificate": results.certificate}
    # JSON has no NaN: an undefined number is null
    return json.dumps(_without_nan(content), indent=2, ensure_ascii=False)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and value != value else value


def as_text(results: Any, folder: Path) -> str:
    """Table 1, what it says, and where the report is."""
    return f"{results.report_text()}\n\nLook at:  {folder / 'report.html'}"
