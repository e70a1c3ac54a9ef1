"""Options that several sub-commands share, and what their values mean.

Each `add_…_arguments` declares options; each function below reads what they hold. Nothing but argparse is imported at
the top, so that `stackgen --help` answers at once.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from torch import nn

    from stackwalls.model import Wall


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `--model`, `--weights`, `--wall` and `--device`, which `find_model` and `find_device` read."""
    parser.add_argument(
        "--model",
        required=True,
        metavar="NAME",
        help="masked-vgg16 or baseline-vgg16 with --weights, mini-masked-vgg16 or mini-baseline-vgg16 (weights "
        "included), walled:NAME with a torchvision or timm backbone, a model folder, user/name[@revision] on the Hub, "
        "or package.module:factory",
    )
    parser.add_argument("--weights", metavar="FILE", help="weights of a masked VGG16: the authors' .pt or .safetensors")
    parser.add_argument(
        "--wall",
        metavar="WALL",
        help="wall of a walled backbone, such as bottom:64 (default: the dataset's, widened to fit)",
    )
    add_device_argument(parser)


def add_device_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--device`, which `stackwalls.model.find_device` reads."""
    parser.add_argument(
        "--device",
        default="auto",
        help="auto (default: a GPU if there is one), cpu, cuda (one per process), cuda:1, mps",
    )


def add_method_arguments(parser: argparse.ArgumentParser, default: str = "these seven") -> None:
    """Declare `--method`, which `parse_methods` reads.

    Args:
        parser: of the command.
        default: what the command evaluates without it, in words.
    """
    parser.add_argument(
        "--method",
        action="append",
        dest="methods",
        metavar="M",
        help=f"GradCAM, GradCAM++, XGradCAM, ScoreCAM, AblationCAM, EigenCAM or HiResCAM (default: {default}), another "
        "grad-cam class, package.module:name, or a file or folder of maps; may be repeated; ScoreCAM=20 runs it on the "
        "first 20 images only",
    )


def find_model(args: argparse.Namespace, wall: Wall | None, dataset_wall: Wall | None) -> nn.Module:
    """Load the network that `--model` names: one of this package's, or `package.module:factory`.

    Args:
        args: with `model` and `weights`.
        wall: of `--wall`.
        dataset_wall: for a walled backbone where `--wall` names none.

    Raises:
        InputError: if it is unknown, cannot be imported, or is given weights that it already includes.
    """
    from stackwalls.evaluate.adapters import is_import_spec, model_from
    from stackwalls.model import WALLED_PREFIX, InputError, load_model

    if args.model.startswith(WALLED_PREFIX) or not is_import_spec(args.model):
        return load_model(args.model, args.weights, wall, dataset_wall)
    if args.weights:
        raise InputError(f"{args.model} already includes weights: leave out --weights.")
    return model_from(args.model)


def parse_methods(values: list[str] | None) -> tuple[list[str] | None, dict[str, int]]:
    """Split `["GradCAM", "my.module:f=20"]` into methods, and limits by the names of their rows.

    Returns:
        The methods (None for the default ones), and the most images for those that have a limit.

    Raises:
        InputError: if what follows an equals sign is not a number of at least 1, or a method is named twice.
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
            raise InputError(f"--method {name} is given twice: name it once, with its number of images if it has one.")
        counts[name] = int(count) if equals else None
    rows = zip(named_methods(list(counts)), counts.values(), strict=True)  # in the same order
    return list(counts), {row: count for row, count in rows if count is not None}


def add_field_arguments(
    group: argparse._ActionsContainer, settings: type, default_of: Callable[[str], str] | None = None
) -> None:
    """Declare a flag for each field of a dataclass of settings that has a help text (`model.training.spec.value`).

    Args:
        group: of the command's parser.
        settings: the dataclass.
        default_of: the default of a field, in words, unless it is the field's own.
    """
    for entry in fields(settings):
        if "help" not in entry.metadata:
            continue
        kind = get_type_hints(settings)[entry.name]
        text, default = entry.metadata["help"], entry.default if default_of is None else default_of(entry.name)
        options: dict[str, Any] = {
            "help": text if default is None or default is False else f"{text} (default {default})"
        }
        if get_origin(kind) is tuple:
            options |= {"type": float, "nargs": 2, "metavar": ("LOW", "HIGH")}
        elif bool in (kind, *get_args(kind)):
            options["action"] = argparse.BooleanOptionalAction
        else:
            kind = (*get_args(kind), kind)[0]  # of `int | None`: int
            options |= {"type": kind, "metavar": {int: "N", float: "X", str: "NAME"}[kind]}
        group.add_argument(f"--{entry.name.replace('_', '-')}", default=None, **options)


def given_fields(args: argparse.Namespace, settings: type) -> dict[str, Any]:
    """The fields of a dataclass of settings that were given as flags."""
    given = {entry.name: getattr(args, entry.name, None) for entry in fields(settings) if "help" in entry.metadata}
    return {name: tuple(v) if isinstance(v, list) else v for name, v in given.items() if v is not None}
