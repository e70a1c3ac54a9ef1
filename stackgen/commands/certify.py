"""Prove that a network does not see its dead zone, or show where it leaks.

Checks that the wall follows from the layers, that the logits stay bit-identical when the dead zone changes, and that
their gradient there is exactly zero. With --layer, says which cells of that layer's map are dead, and checks that they
cannot change the logits either. The exit status is 1 if a check fails.
"""

import argparse

import stackwalls.stackgen.commands._layers as layers
import stackwalls.stackgen.commands._options as options
from stackwalls.stackgen.commands._network import add_class_names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "model",
        help="masked-vgg16 with --weights, mini-masked-vgg16 (weights in the package), walled:NAME with a classifier "
        "of torchvision or timm, walled:mini-vit, walled:hf/user/name of transformers, sink:NAME for a vision "
        "transformer behind the other kind of wall, a model folder, user/name[@revision] on the Hub, or "
        "package.module:factory",
    )
    options.add_shared(parser, weights="")
    add_class_names(parser)
    parser.add_argument("--wall", metavar="WALL", help="the claimed wall, such as bottom:64 (default: the model's own)")
    layers.add_layer(parser)
    options.add_shared(parser, seed="the noise that the checks use", json="the certificate")


def run(args: argparse.Namespace) -> int:
    """Print the certificate; return 0 if it passed, else 1."""
    from stackwalls.model import certify

    with options.plain_warnings():
        named = options.values(args, "weights", "class_names", "classes_as", "seed", "layer")
        certificate = certify(args.model, args.wall or None, **named)
    options.print_result(args, certificate.to_dict(), certificate.text())
    return 0 if certificate.passed else 1
