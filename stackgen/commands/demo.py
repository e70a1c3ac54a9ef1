"""Run the whole check offline, on drawn animals, and end with Table 1 and a report to look at.

Everything that it takes is part of the package: a drawn world of animals, a masked VGG16 and its baseline that were
trained on it, and a diffusion model that draws two animals of it. The demo makes STACK-MIX and STACK-GEN, proves that
the masked network is blind, runs the seven methods of the paper on both networks, and measures how much of their maps
lies where the masked one cannot see. EfficientNet-Lite0, whose ImageNet weights come from the Python registry, shows
the same on STACK-MIX behind a wall of 64 rows. No hub, no GPU, no data. The pictures are drawings: the numbers show
the finding, not ImageNet's figures.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stackwalls.evaluate import Results

_MASKED, _BASELINE, _WALLED = "mini-masked-vgg16", "mini-baseline-vgg16", "walled:tf_efficientnet_lite0"

_CLASSES = 24
"""Animals, one picture each in either set."""

_WALLED_PICTURES, _SCORE_CAM_PICTURES = 8, 2
"""Of the large network, which takes most of a second a picture, and seconds with ScoreCAM, which runs it on up to 1,280
masked copies."""

_NEXT = """\
# photographs: ImageNet's validation folder, or any folder of class folders
stackgen mix --source /data/imagenet/val --classes 100 --animals --out stack-mix

# a real text-to-image model, where there is a GPU
stackgen generate --classes stack-mix --preset klein --out stack-gen
stackgen review stack-gen

# the paper's network with its authors' weights; or any CNN behind a wall, without training
stackgen evaluate stack-mix stack-gen --model masked-vgg16 --weights params_vgg16_masked.pt --out results
stackgen evaluate stack-mix stack-gen --model walled:resnet50 --method GradCAM --method mypkg:MyCAM --out results-50"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR", help="where to write (default demo)")
    parser.add_argument(
        "--classes",
        type=int,
        default=_CLASSES,
        metavar="N",
        help=f"animals, one picture each in either set (default {_CLASSES})",
    )
    parser.add_argument("--seed", type=int, default=0, help="what pictures and pairs follow from (default 0)")


def run(args: argparse.Namespace) -> int:
    """Make both sets, evaluate three networks, print the tables and the report's place."""
    sets = [_mix(args), _generate(args)]
    masked = _evaluate(_MASKED, sets, args, out=args.out / "results", overwrite=True)
    baseline = _evaluate(_BASELINE, sets, args, wall=masked.wall, require_blind=False)
    limits = {"ScoreCAM": _SCORE_CAM_PICTURES}
    walled = _evaluate(_WALLED, sets[:1], args, limit=_WALLED_PICTURES, limits=limits)
    comparison = masked.compare(baseline)
    folder = args.out / "results"
    sections = {"The same on EfficientNet-Lite0": walled.table(), "The same with photographs": _NEXT}
    masked.render(folder, comparison=comparison, sections=sections)
    print(_heading(masked), masked.table(), _heading(walled), walled.table(), sep="\n\n")
    print(f"\nEverything, picture by picture, and the proof: {folder / 'report.html'}")
    return 0


def _classes(args: argparse.Namespace) -> tuple[str, ...]:
    """Animals that all parts of the package know, in an order that follows from the seed."""
    from stackwalls.model import InputError
    from stackwalls.stackgen.diffusion import find_model
    from stackwalls.stackgen.generation import drawable

    source = find_model("mini", None, None, "cpu")
    found = drawable(source, args.seed)
    if not 1 <= args.classes <= len(found):
        raise InputError(f"Expected 1 to {len(found)} classes, but got {args.classes}.")
    return found[: args.classes]


def _mix(args: argparse.Namespace) -> Path:
    from stackwalls.stackmix import MixSpec, mix

    folder: Path = args.out / "stack-mix"
    mix(MixSpec(source="drawn", classes=_classes(args), seed=args.seed), folder, progress=True)
    return folder


def _generate(args: argparse.Namespace) -> Path:
    from stackwalls.stackgen.diffusion import Call, TextToImage, complete_call, find_model, place
    from stackwalls.stackgen.generation import GenerateSpec, generate
    from stackwalls.stackgen.localising.zero_shot import load_localizer

    folder: Path = args.out / "stack-gen"
    source, placement, localizer = find_model("mini", None, None, "cpu"), place("cpu"), load_localizer("foreground")
    call = complete_call(Call(), source)
    spec = GenerateSpec(
        model=source,
        call=call,
        dtype=placement.dtype,
        localizer=localizer.name,
        localizer_revision=localizer.revision,
        classes=_classes(args),
        seed=args.seed,
    )
    generate(
        spec,
        folder,
        frames=lambda: TextToImage.load(source, call, placement),
        localizer=localizer,
        hardware=placement.hardware,
        progress=True,
    )
    return folder


def _evaluate(name: str, sets: list[Path], args: argparse.Namespace, **options: Any) -> Results:
    from stackwalls.evaluate import evaluate
    from stackwalls.model import load_model

    return evaluate(load_model(name), sets, seed=args.seed, **options)


def _heading(results: Results) -> str:
    certified = f"certified blind behind {results.wall} ({results.wall.size} of {results.wall.image_size} rows)"
    return f"{results.run['model']}, {certified}; a map that is the same everywhere has the chance level."
