"""Options that name a network, and the network that they name."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import stackwalls.stackgen.commands._options as options

if TYPE_CHECKING:
    from torch import nn

    from stackwalls.model import Wall


def add_model(parser: argparse.ArgumentParser) -> None:
    """Declare `--model`, `--weights`, `--class-names`, `--wall` and `--device`, which `find_model` reads."""
    parser.add_argument(
        "--model",
        required=True,
        metavar="NAME",
        help="masked-vgg16 or baseline-vgg16 with --weights; mini-masked-vgg16, mini-baseline-vgg16 or mini-vit "
        "(weights included); walled:NAME with a classifier of torchvision or timm, mini-vit, or hf/user/name of "
        "transformers; sink:NAME for a vision transformer behind the other kind of wall; curtain:NAME for any "
        "classifier; a model folder; user/name[@revision] on the Hub; or package.module:factory",
    )
    wall = "wall of a walled backbone, such as bottom:64 (default: the dataset's, widened to fit)"
    options.add_shared(parser, weights="")
    add_class_names(parser)
    parser.add_argument("--wall", metavar="WALL", help=wall)
    options.add_shared(parser, device="")


def add_class_names(parser: argparse._ActionsContainer) -> None:
    """Declare `--class-names`, the file of them, and `--classes-as`."""
    names = "the class of each logit: a name per line, a JSON list or an object from index to name (default: its own)"
    prompt = 'prompt for each class of a CLIP or SigLIP, such as "a photo of a {}"'
    parser.add_argument("--class-names", type=Path, metavar="FILE", help=names)
    parser.add_argument("--classes-as", metavar="TEXT", help=prompt)


def find_model(
    args: argparse.Namespace, dataset_wall: Wall | None, classes: Sequence[str] | None = None
) -> tuple[nn.Module, Wall | None]:
    """Load the network of `--model` to `--device`; returns it and the wall of `--wall`.

    Args:
        args: of a command with `add_model`.
        dataset_wall: for a walled backbone without `--wall`.
        classes: of the images: the names for `--classes-as` without `--class-names`.

    Raises:
        InputError: if it is unknown, cannot be imported, or is given weights that it already includes.
    """
    import torch

    from stackwalls.model import asked_wall, class_texts, find_device, find_network

    device = find_device(args.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)  # for methods that say .cuda()
    names = class_texts(args.class_names, args.classes_as, classes)
    network = find_network(args.model, args.weights, args.wall or None, dataset_wall, names).to(device)
    if not args.wall:
        return network, None
    return network, asked_wall(args.wall, network, dataset_wall)
