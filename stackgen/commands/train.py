"""Train or fine-tune a network behind a wall on your own images: the masked VGG16, a walled CNN or transformer.

  stackgen train --data my-images --network walled:tf_efficientnet_lite0 --size 128 --out mine
  stackgen train --data my-images --network walled:resnet18 --from-scratch --size 128 --out mine
  stackgen train --data my-images --network sink:timm/vit_tiny_patch16_224 --out mine
  stackgen train --data my-images --network masked-vgg16 --weights params_vgg16_masked.pt --out mine
  stackgen train --data ILSVRC/imagenet-1k --masked --out masked-vgg16
  stackgen train --data drawn --classes 24 --recipe tiny --masked --out tiny-masked
  stackgen train --data drawn --classes 100 --recipe mini --masked --out mini-masked
  stackgen train --data drawn --classes 100 --recipe tiny --batch-size 32 --network vit-mini --out vit-mini
  stackgen train --curves tiny-masked tiny-baseline --out curves.png
  accelerate launch --num_processes 8 -m stackwalls.stackgen train --data …

Writes to DIR: model/ (the best network: weights, configuration, certificate, training, card), history.jsonl (a line
every few steps), curves.png, and checkpoints/. A training that was stopped or killed continues with --resume, and ends
with the same weights as one that was not.

DATA is one of
  a folder      with train/ and val/ (or validation/, test/), each with class folders; or with class folders alone, and
                --val-share. Those of ImageNet-1k are named by synset (n01443537), class name (goldfish) or index (1)
  Parquet       a folder of files train*.parquet and val*.parquet, images as bytes or {bytes, path}
  tar shards    a folder of train*.tar and val*.tar in WebDataset's layout (N.jpg, N.cls)
  owner/name    a dataset on the Hugging Face Hub, or owner/name@revision; --streaming keeps nothing on disk
  drawn         procedurally drawn animals, which need no data
"""

from __future__ import annotations

import argparse
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import stackwalls.stackgen.commands._options as options
from stackwalls.model.training.spec import RECIPES, VGG16S, VIT_MINI, Recipe, Running, find_recipe
from stackwalls.stackgen.commands._settings import add_field_arguments, given_fields

if TYPE_CHECKING:
    from stackwalls.model.training import Outcome, TrainingSpec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    add("--data", metavar="DATA", help="data to train on (see above)")
    _add_network_arguments(parser)
    what = "defaults of the values below (default: fine-tune for walled:NAME and trained weights, otherwise paper)"
    add("--recipe", choices=RECIPES, help=what)
    add("--out", required=True, type=options.out_folder, metavar="DIR", help="output folder; for --curves, a figure")
    add("--resume", action="store_true", help="resume from DIR's last checkpoint")
    curves = "do not train; draw these trainings in one figure"
    add("--curves", nargs="+", type=Path, metavar="DIR", help=curves)
    data = parser.add_argument_group("data")
    options.add_shared(data, classes="all", labels=", as for `stackgen mix`")
    add = data.add_argument
    add("--label-space", metavar="imagenet|own|FILE", help="whose classes these are (default: as their names say)")
    add("--val-share", type=float, metavar="S", help="share of each class to validate on, if there is no val split")
    add("--streaming", action="store_true", help="read a dataset of the Hub while training")
    add("--epoch-images", type=int, metavar="N", help="images in one pass over a stream of unknown size")
    add("--drawn-pictures", type=int, default=100, metavar="N", help="images of each drawn class (default 100)")
    add("--drawn-fresh", action="store_true", help="draw new images in each epoch")
    options.add_shared(data, seed="weights, order, crops and dropout")
    recipe = parser.add_argument_group("recipe (defaults: those of --recipe)")
    add_field_arguments(recipe, Recipe, _recipes_defaults)
    add_field_arguments(parser.add_argument_group("this machine (does not affect the weights)"), Running)
    options.add_shared(parser, json="the result")


def _add_network_arguments(parser: argparse.ArgumentParser) -> None:
    networks, add = parser.add_mutually_exclusive_group(), parser.add_argument
    masked, baseline = VGG16S
    networks.add_argument(
        "--network",
        metavar="NAME",
        help=f"what to train: {masked} or {baseline} (random weights, or --weights); walled:NAME with a backbone of "
        "torchvision, timm or transformers, or sink:NAME with a vision transformer (its library's weights, --weights "
        f"or --from-scratch); {VIT_MINI}, a small one without a wall (random weights); or a model folder",
    )
    for flag, name, what in (("--masked", masked, "54 dead pixel rows"), ("--baseline", baseline, "without a wall")):
        shown = f"as --network {name}: {what}"
        networks.add_argument(flag, dest="network", action="store_const", const=name, help=shown)
    add("--weights", type=Path, metavar="FILE", help="checkpoint to start from; a classifier of others is replaced")
    add("--from-scratch", action="store_true", help="start walled:NAME, sink:NAME or curtain:NAME from random weights")
    add("--wall", metavar="WALL", help="wall of walled:NAME (default: the paper's share at the bottom, widened to fit)")
    add("--size", type=options.image_size, metavar="N", help="image size in pixels (default: what the network takes)")


def _recipes_defaults(name: str) -> str:
    """The default that all recipes share, or the default of each."""
    values = [getattr(recipe, name) for recipe in RECIPES.values()]
    texts = [f"{value[0]:g} to {value[1]:g}" if isinstance(value, tuple) else f"{value}" for value in values]
    texts = ["the network's" if value is None else text for value, text in zip(values, texts, strict=True)]
    named = zip(RECIPES, texts, strict=True)
    return texts[0] if len(set(texts)) == 1 else ", ".join(f"{name}: {text}" for name, text in named)


def run(args: argparse.Namespace) -> int:
    """Train, write the model folder and the curves, and print where they are."""
    from stackwalls.hub_cards import save_model_folder
    from stackwalls.model import InputError, parse_label_space
    from stackwalls.model.training import draw_curves, open_data, train

    if args.curves:
        draw_curves({folder.resolve().name: folder for folder in args.curves}, args.out)
        options.print_result(args, {"figure": str(args.out)}, str(args.out))
        return 0
    if args.data is None or args.network is None:
        raise InputError(
            "Name the data (--data), and a network: --network NAME, --masked or --baseline; or trainings to draw "
            "(--curves)."
        )
    spec = _spec(args)
    with options.plain_warnings():
        data = open_data(
            args.data,
            options.parse_classes_option(args.classes),
            drawn_per_class=args.drawn_pictures,
            size=args.epoch_images,
            label_space=None if args.label_space is None else parse_label_space(args.label_space),
            **options.values(args, "seed", "labels", "val_share", "streaming", "drawn_fresh"),
        )
        running = Running(**given_fields(args, Running))
        outcome = train(data, spec, args.out, running, resume=args.resume, report=options.say)
    if outcome is not None:  # in the first process
        save_model_folder(outcome.model, args.out / "model", outcome.certificate, training=outcome.training)
        draw_curves({outcome.model.name: args.out}, args.out / "curves.png")
        passed = None if outcome.certificate is None else outcome.certificate.passed
        made = {"model": str(args.out / "model"), "certified": passed, **outcome.training}
        options.print_result(args, made, _text(outcome, args.out))
    return 0


def _spec(args: argparse.Namespace) -> TrainingSpec:
    from stackwalls.model.training import TrainingSpec

    new = args.network in VGG16S and args.weights is None
    recipe = find_recipe(args.recipe or ("paper" if new else "fine-tune"))
    return TrainingSpec(
        recipe.with_values(**given_fields(args, Recipe)),
        pretrained=not args.from_scratch,
        **options.values(args, "network", "seed", "weights", "wall", "size"),
    )


def _text(outcome: Outcome, out: Path) -> str:
    found, wall, classes = outcome.validation, outcome.model.wall, len(outcome.model.class_names or ())
    blind = f"certified blind behind {wall}" if wall else "sees the whole image"
    return (
        f"{out / 'model'}: {outcome.model.name}, {classes} classes, {blind}; "
        f"top-1 {found.top1:.1%}, top-5 {found.top5:.1%} of {found.images} validation images.\n"
        f"Curves:   {out / 'curves.png'} (two trainings in one figure: stackgen train --curves A B --out FILE.png)\n"
        f"Next:     stackgen evaluate STACK-MIX --model {quote(str(out / 'model'))} --out results"
    )
