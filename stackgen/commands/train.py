"""Train the masked VGG16, or its baseline, on one's own pictures.

  stackgen train --data ILSVRC/imagenet-1k --masked --out masked-vgg16
  stackgen train --data drawn --classes 24 --recipe tiny --masked --out tiny-masked
  stackgen train --data drawn --classes 100 --recipe mini --masked --out mini-masked
  stackgen train --curves tiny-masked tiny-baseline --out curves.png
  accelerate launch --num_processes 8 -m stackwalls.stackgen train --data …

DIR gets model/ (the best network: weights, configuration, certificate, training, card), history.jsonl (a line every
few steps), curves.png, and checkpoints/. A training that was stopped, by Ctrl-C or by force, goes on with --resume,
and ends with the same weights as one that was not.

DATA is one of
  a folder      with train/ and val/ (validation/, test/), each of class folders named by synset (n01443537), class name
                (goldfish) or index (1); or of class folders alone, with --val-share
  Parquet       a folder of files train*.parquet and val*.parquet, pictures as bytes or {bytes, path}
  tar shards    a folder of train*.tar and val*.tar in WebDataset's layout (N.jpg, N.cls)
  owner/name    of a dataset on the Hugging Face Hub, owner/name@revision; with --streaming nothing is kept on disk
  drawn         procedural pictures of animals, which need no data
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackwalls.model.training.recipes import RECIPES, Recipe, find_recipe, recipe_fields

if TYPE_CHECKING:
    from stackwalls.model.training import Outcome

_HELP = {
    "width": "multiplier of the network's channels",
    "epochs": "passes over the training pictures",
    "batch_size": "pictures of a step, over all processes",
    "optimizer": "sgd or adamw",
    "learning_rate": "the highest of the schedule",
    "momentum": "of SGD, or AdamW's first beta",
    "weight_decay": "of all parameters",
    "schedule": "step or one-cycle",
    "warm_up": "share of the steps in which the learning rate rises",
    "step_epochs": "epochs between two steps of --schedule step",
    "step_factor": "of a step of --schedule step",
    "clip_norm": "largest norm of the gradient; 0 for no limit",
    "label_smoothing": "of the loss",
    "dropout": "share of the dense units that is dropped",
    "initialisation": "torchvision or calibrated",
    "precision": "auto, fp32, fp16 or bf16",
    "crop_area": "range of a random crop's share of the picture's area; above 1, smaller, its edges continued",
    "crop_ratio": "range of a crop's width over its height",
    "flip": "mirror every other crop",
    "softening": "range of the factor by which a crop is shrunk before it is enlarged",
    "colour": "largest change of a colour channel, and of all together, in parts of 1",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--data", metavar="DATA", help="what to learn from (see above)")
    walls = parser.add_mutually_exclusive_group()
    walls.add_argument("--masked", action="store_true", help="behind the wall: the bottom 54 pixel rows are dead")
    walls.add_argument("--baseline", action="store_true", help="the same network without a wall")
    parser.add_argument("--recipe", choices=RECIPES, default="paper", help="what the values below begin with")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="folder to write; of --curves, a picture"
    )
    parser.add_argument("--resume", action="store_true", help="go on from DIR's last checkpoint")
    parser.add_argument(
        "--curves", nargs="+", type=Path, metavar="DIR", help="train nothing: draw these trainings in one figure"
    )
    _add_data(parser.add_argument_group("data"))
    _add_recipe(parser.add_argument_group("recipe (defaults: those of --recipe)"))
    _add_running(parser.add_argument_group("this machine (the weights do not follow from it)"))
    parser.add_argument("--json", action="store_true", help="print what was trained as JSON")


def _add_data(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--classes",
        nargs="+",
        metavar="N|CLASS",
        help="so many, sampled by the seed; or by synset, name or index:7; or a dataset folder, for its classes",
    )
    group.add_argument("--val-share", type=float, metavar="S", help="of each class, put aside where there is no val")
    group.add_argument("--streaming", action="store_true", help="read a dataset of the Hub while training")
    group.add_argument("--epoch-images", type=int, metavar="N", help="images in one pass over a stream of unknown size")
    group.add_argument("--drawn-pictures", type=int, default=100, metavar="N", help="of each drawn class (default 100)")
    group.add_argument("--drawn-fresh", action="store_true", help="draw other pictures in each epoch")
    group.add_argument("--seed", type=int, default=0, help="of weights, order, crops and dropout (default 0)")


def _add_recipe(group: argparse._ArgumentGroup) -> None:
    for name, kind in recipe_fields().items():
        flag, values = f"--{name.replace('_', '-')}", [getattr(recipe, name) for recipe in RECIPES.values()]
        options: dict[str, Any] = {"help": f"{_HELP[name]} ({_defaults(values)})", "default": None}
        if kind is bool:
            options["action"] = argparse.BooleanOptionalAction
        elif kind in (int, float, str):
            options |= {"type": kind, "metavar": "X"}
        else:
            options |= {"type": float, "nargs": 2, "metavar": ("LOW", "HIGH")}
        group.add_argument(flag, **options)


def _defaults(values: list[Any]) -> str:
    texts = [
        "to ".join(f"{v:g} " for v in value).strip() if isinstance(value, tuple) else f"{value}" for value in values
    ]
    named = zip(RECIPES, texts, strict=True)
    return texts[0] if len(set(texts)) == 1 else ", ".join(f"{name}: {text}" for name, text in named)


def _add_running(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--device", choices=["cpu", "cuda"], help="default: the GPU if there is one")
    group.add_argument("--workers", type=int, metavar="N", help="processes that prepare pictures (default on a CPU: 0)")
    group.add_argument("--decode", choices=["auto", "cpu"], default="auto", help="auto: JPEGs on the GPU where it can")
    group.add_argument("--accumulate", type=int, default=1, metavar="N", help="parts of a batch, for less memory")
    group.add_argument(
        "--compile",
        action=argparse.BooleanOptionalAction,
        help="run the convolutions through torch.compile (default: on a GPU, where it can)",
    )
    group.add_argument("--checkpoint-minutes", type=float, default=5, metavar="M", help="between checkpoints (5)")
    group.add_argument("--checkpoint-steps", type=int, default=0, metavar="N", help="between checkpoints too")
    group.add_argument("--log-steps", type=int, default=20, metavar="N", help="between lines of the history (20)")
    group.add_argument("--tracker", metavar="NAME", help="tensorboard, wandb, … (accelerate's trackers)")
    group.add_argument("--half", action="store_true", help="round the finished weights to 16 bits: half the file")


def run(args: argparse.Namespace) -> int:
    """Train, write the model folder and the curves, and say where they are."""
    from stackwalls.model import InputError
    from stackwalls.model.training import Stopped, TrainingSpec, open_data, train
    from stackwalls.stackgen.commands._options import parse_classes_option

    if args.curves:
        return _draw(args.curves, args.out)
    if args.data is None or not (args.masked or args.baseline):
        raise InputError("Name what to learn from (--data), and --masked or --baseline; or --curves with trainings.")
    spec = TrainingSpec(_recipe(args), masked=args.masked, seed=args.seed)
    data = open_data(
        args.data,
        parse_classes_option(args.classes),
        seed=args.seed,
        val_share=args.val_share,
        streaming=args.streaming,
        drawn_per_class=args.drawn_pictures,
        drawn_fresh=args.drawn_fresh,
        size=args.epoch_images,
    )
    try:
        outcome = train(data, spec, args.out, _running(args), resume=args.resume, report=_say)
    except Stopped as stopped:
        _say(str(stopped))
        return stopped.exit_status
    if outcome is not None:  # the first process
        _write(outcome, args.out)
        print(_json(outcome, args.out) if args.json else _text(outcome, args.out))
    return 0


def _recipe(args: argparse.Namespace) -> Recipe:
    given = {name: getattr(args, name) for name in recipe_fields() if getattr(args, name) is not None}
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return find_recipe(args.recipe).with_values(**values)


def _running(args: argparse.Namespace) -> Any:
    from stackwalls.model.training import Running

    return Running(
        device=args.device,
        workers=args.workers,
        gpu_decode=args.decode == "auto",
        accumulation=args.accumulate,
        compiled=args.compile,
        checkpoint_minutes=args.checkpoint_minutes,
        checkpoint_steps=args.checkpoint_steps,
        log_steps=args.log_steps,
        tracker=args.tracker,
        half=args.half,
    )


def _say(line: str) -> None:
    print(f"stackgen: {line}", file=sys.stderr, flush=True)


def _draw(folders: list[Path], out: Path) -> int:
    from stackwalls.model.training import draw_curves

    draw_curves({folder.resolve().name: folder for folder in folders}, out)
    print(out)
    return 0


def _write(outcome: Outcome, out: Path) -> None:
    from stackwalls.hub_cards import save_model_folder
    from stackwalls.model.training import draw_curves

    save_model_folder(outcome.model, out / "model", outcome.certificate, training=outcome.training)
    draw_curves({outcome.model.name: out}, out / "curves.png")


def _json(outcome: Outcome, out: Path) -> str:
    import json

    certified = None if outcome.certificate is None else outcome.certificate.passed
    return json.dumps({"model": str(out / "model"), "certified": certified, **outcome.training}, sort_keys=True)


def _text(outcome: Outcome, out: Path) -> str:
    found, wall = outcome.validation, outcome.model.wall
    blind = f"certified blind behind {wall}" if wall else "sees the whole picture"
    return "\n".join(
        [
            f"{out / 'model'}: {outcome.model.name}, {outcome.model.num_classes} classes, {blind}; "
            f"top-1 {found.top1:.1%}, top-5 {found.top5:.1%} of {found.images} validation pictures.",
            f"Curves:   {out / 'curves.png'} (two trainings in one figure: stackgen train --curves A B --out FILE.png)",
            f"Go on:    stackgen evaluate STACK-MIX --model {out / 'model'} --out results",
        ]
    )
