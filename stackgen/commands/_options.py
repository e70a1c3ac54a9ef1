"""Options that several sub-commands share, and what their values mean.

Each `add_…_arguments` declares options; each function below reads what they hold. Nothing but argparse is imported at
the top, so that `stackgen --help` answers at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from torch import nn

    from stackwalls.hub_cards import Manifest
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


def add_classes_argument(parser: argparse._ActionsContainer, default: str) -> None:
    """Declare `--classes`, which `parse_classes_option` reads; `default` says in words what it is without."""
    parser.add_argument(
        "--classes",
        nargs="+",
        metavar="N|CLASS",
        help="a number of classes, sampled with the seed; or the classes by synset, name or index:7; or a dataset, as "
        f"a folder or on the Hub, to use its classes (default: {default})",
    )


def add_seed_argument(parser: argparse._ActionsContainer, what: str) -> None:
    """Declare `--seed`; `what` says what it decides."""
    parser.add_argument("--seed", type=int, default=0, metavar="N", help=f"seed of {what} (default 0)")


def add_dead_zone_argument(parser: argparse._ActionsContainer) -> None:
    """Declare `--wall` for a set that is made; `Wall.parse` reads it."""
    parser.add_argument(
        "--wall",
        default="bottom:54",
        metavar="WALL",
        help="the dead zone: a side and its pixels (top, bottom, left, right), or rows:START:STOP or "
        "columns:START:STOP (default bottom:54, VGG16's)",
    )


def add_out_argument(parser: argparse._ActionsContainer, what: str, default: str | None = None) -> None:
    """Declare `--out`, a folder; required without a default."""
    shown = f"{what} (default {default})" if default else what
    folder = Path(default) if default else None
    parser.add_argument("--out", type=Path, default=folder, required=default is None, metavar="DIR", help=shown)


def add_json_argument(parser: argparse._ActionsContainer, what: str = "the result") -> None:
    """Declare `--json`; `print_json` prints."""
    parser.add_argument("--json", action="store_true", help=f"print {what} as JSON")


def parse_classes_option(values: list[str] | None) -> int | tuple[str | int, ...] | None:
    """Read `--classes`: a count, classes (indices as integers, the rest as given), or None for the default.

    A single number is a count; an index is written `index:7`. A single dataset folder, or `owner/name[@revision]` on
    the Hub, stands for the classes of that dataset. Commas separate classes as spaces do.

    Raises:
        InputError: if there is a bare number among several values, or there is no such dataset.
        RunError: if the Hub refuses access to the dataset, or cannot be reached.
    """
    from stackwalls.model import InputError

    if values is None:
        return None
    # no class has a slash in its name
    if len(values) == 1 and ("/" in values[0] or (Path(values[0]) / "manifest.json").is_file()):
        from stackwalls.hub_cards import dataset_classes

        return dataset_classes(values[0])
    values = [part.strip() for value in values for part in value.split(",")]
    if len(values) == 1 and values[0].isdecimal():
        return int(values[0])
    if numbers := [value for value in values if value.isdecimal()]:
        raise InputError(
            f"In a list of classes, an index is written index:{numbers[0]}. A number is how many classes to sample, "
            "and must be the only value."
        )

    def read(value: str) -> str | int:
        kind, _, number = value.partition(":")
        return int(number) if kind == "index" and number.isdecimal() else value

    return tuple(map(read, values))


def say(line: str) -> None:
    """Print a line about progress to stderr."""
    print(f"stackgen: {line}", file=sys.stderr, flush=True)


def print_json(content: Any) -> None:
    """Print a command's result for programs; JSON has no NaN, so an undefined number is null."""
    import json

    print(json.dumps(_without_nan(content), indent=2, ensure_ascii=False))


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and value != value else value


def set_record(out: Path, manifest: Manifest) -> dict[str, Any]:
    """What `--json` prints about a dataset folder."""
    return {"out": str(out), "spec": manifest.spec, "counts": manifest.counts, "inputs": manifest.inputs}


def next_steps(out: Path) -> list[str]:
    """Commands to run with a finished set."""
    return [
        f"Review:    stackgen review {out}",
        f"Evaluate:  stackgen evaluate {out} --model walled:tf_efficientnet_lite0 --out results",
    ]


def first_names(names: list[str], most: int = 5) -> str:
    """The first of a list of names, and how many more there are."""
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Show warnings as one sentence on stderr, without their location in the code."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_args, **_kwargs: say(str(message))
        yield
