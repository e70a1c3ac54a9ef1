"""What several sub-commands share: options, what their values mean, and printing.

Nothing but argparse is imported at the top, so that `stackgen --help` answers at once.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from contextvars import ContextVar
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, TextIO

from stackwalls.model.errors import quotable
from stackwalls.model.files import as_text

if TYPE_CHECKING:
    from stackwalls.hub_cards import Manifest
    from stackwalls.model import Wall


_SHARED: dict[str, dict[str, Any]] = {
    "batch_size": {"type": int, "default": 8, "metavar": "B", "help": "images per forward pass (default 8)"},
    "classes": {
        "nargs": "+",
        "metavar": "N|CLASS",
        "help": "a number of classes, sampled with the seed; or the classes by synset, name or index:7; or a dataset, "
        "as a folder or on the Hub, to use its classes (default: {})",
    },
    "device": {
        "default": "auto",
        "help": "auto (default: a GPU if there is one), cpu, cuda (one per process), cuda:1, mps",
    },
    "json": {"action": "store_true", "help": "print {} as JSON"},
    "label_space": {
        "metavar": "SPACE",
        "help": "whose classes the labels are: imagenet, own, or a file with a name per line (default: ImageNet's if "
        "all names are those of its classes, otherwise their own)",
    },
    "labels": {"type": Path, "metavar": "FILE", "help": "labels of a flat folder of images{}"},
    "method": {
        "action": "append",
        "dest": "methods",
        "metavar": "M",
        "help": "GradCAM, GradCAM++, XGradCAM, ScoreCAM, AblationCAM, EigenCAM or HiResCAM (default: {}), another "
        "grad-cam class, package.module:name, a file or folder of maps, or `references` for maps that know nothing of "
        "the network; may be repeated; ScoreCAM=20 runs it on the first 20 images only",
    },
    "overwrite": {"action": "store_true", "help": "replace the {} in DIR"},
    "pdf": {"action": "store_true", "help": "write the figures as PDF too"},
    "seed": {"type": int, "default": 0, "metavar": "N", "help": "seed of {} (default 0)"},
    "wall": {
        "metavar": "WALL",
        "help": "the dead zone: a side and its pixels (top, bottom, left, right), or rows:START:STOP or "
        "columns:START:STOP{} (default bottom:54, VGG16's, or the same share of images of another size)",
    },
    "weights": {
        "metavar": "FILE",
        "help": "weights of a masked VGG16, or a checkpoint for walled:NAME (.safetensors, .pt, .pth, .ckpt)",
    },
}
"""Options of several commands; a command's own words replace {} in the help text."""


def add_shared(parser: argparse._ActionsContainer, **words: str) -> None:
    """Declare options of `_SHARED` by name, each with the words that complete its help text."""
    for name, text in words.items():
        option = _SHARED[name]
        parser.add_argument(f"--{name.replace('_', '-')}", **option | {"help": option["help"].format(text)})


def add_out(parser: argparse._ActionsContainer, what: str, default: str | None = None) -> None:
    """Declare `--out`, a folder; required without a default."""
    shown = f"{what} (default {default})" if default else what
    folder = Path(default) if default else None
    parser.add_argument("--out", type=out_folder, default=folder, required=default is None, metavar="DIR", help=shown)


def parse_wall(text: str | None, size: int | None = None) -> Wall:
    """The wall of `--wall` and `--size`; by default the paper's, or the same share of images of another size."""
    from stackwalls.model import IMAGE_SIZE, Transform, Wall, usual_wall

    side = IMAGE_SIZE if size is None else Transform.of_size(size).size  # which checks it
    return usual_wall(side) if text is None else Wall.parse(text, size)


def out_folder(text: str) -> Path:
    """A folder to write, whose name must be text: not every library opens others."""
    if as_text(text) != text:
        raise argparse.ArgumentTypeError(f"{as_text(text)} is not UTF-8: name another folder")
    return Path(text)


def image_size(text: str) -> int:
    """The `--size` of images, which are square."""
    if not re.fullmatch(r"\d{1,5}", text):
        raise argparse.ArgumentTypeError(f"{text!r:.40} is not a number of pixels: images are square, such as 128")
    return int(text)


def values(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The options that a call takes under their own names."""
    return {name: getattr(args, name) for name in names}


def parse_methods(values: list[str] | None) -> tuple[list[str] | None, dict[str, int]]:
    """Split `["GradCAM", "my.module:f=20"]` into methods (None for the default ones), and limits by row name.

    Raises:
        InputError: if what follows an equals sign is not a number of at least 1, or a method is named twice.
    """
    from stackwalls.evaluate.adapters import named_methods
    from stackwalls.evaluate.run.evaluation_spec import parse_limits

    if values is None:
        return None, {}
    given, limits = parse_limits("method", values)
    counts = {each: limits.get(name) for name in given for each in with_references([name])}
    rows = zip(named_methods(list(counts)), counts.values(), strict=True)  # in the same order
    return list(counts), {row: count for row, count in rows if count is not None}


def with_references(names: Sequence[str]) -> list[str]:
    """Names of methods, in which `references` stands for the reference maps of the checks."""
    from stackwalls.evaluate.checks import REFERENCES

    known = [each if isinstance(each, str) else f"{each.__module__}:{name}" for name, each in REFERENCES.items()]
    return [each for name in names for each in (known if name == "references" else [name])]


def parse_classes_option(values: list[str] | None) -> int | tuple[str | int, ...] | None:
    """Read `--classes`: a count, classes (indices as integers, the rest as given), or None for the default.

    A single number is a count; an index is written `index:7`. A single dataset folder, or `owner/name[@revision]` on
    the Hub, stands for the classes of that dataset, by synset or, if they are its own, by name. Commas separate classes
    as spaces do.

    Raises:
        InputError: if there is a bare number among several values, or there is no such dataset.
        RunError: if the Hub refuses access to the dataset, or cannot be reached.
    """
    from stackwalls.model import InputError

    if values is None:
        return None
    if dataset := dataset_of(values):
        from stackwalls.hub_cards import dataset_classes, dataset_manifest

        space, labels = dataset_manifest(dataset).classes, dataset_classes(dataset)
        return tuple(space.key(label) if space.is_imagenet else space.names[label] for label in labels)
    values = [part.strip() for value in values for part in value.split(",")]
    if len(values) == 1 and values[0].isdecimal():
        return int(values[0][:10])  # more than there are classes in any case
    if numbers := [value for value in values if value.isdecimal()]:
        count = "A number is how many classes to sample, and must be the only value."
        raise InputError(f"In a list of classes, an index is written index:{numbers[0]:.9}. {count}")
    indices = [re.fullmatch(r"index:(\d{1,9})", value) for value in values]
    return tuple(int(index[1]) if index else value for index, value in zip(indices, values, strict=True))


def dataset_of(values: list[str] | None) -> str | None:
    """The dataset that `--classes` names, if it does: a class with a slash in its name goes by its key."""
    name, *others = values or [""]
    is_folder = "," not in name and os.path.isfile(f"{name}/manifest.json")  # noqa: PTH113 - a list may be too long
    return name if not others and (is_folder or "/" in name) else None


_MOST = 5000
"""The most characters of a line to stderr; it may quote what a server, a file or a method said."""


def say(line: str) -> None:
    """Print a line about progress, or an error, to stderr; control characters in a name are spelled out."""
    plain = re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: repr(found[0])[1:-1], line)
    print(f"stackgen: {quotable(plain, _MOST)}", file=sys.stderr, flush=True)


_RESULTS: ContextVar[TextIO | None] = ContextVar("where a command's result goes; None: stdout", default=None)


@contextmanager
def stdout_for_json() -> Iterator[None]:
    """Only `print_json` reaches stdout: what third-party code prints goes to stderr, that of programs and C too."""
    results, aside = sys.stdout, sys.stderr
    with ExitStack() as stack:
        if (results, aside) == (sys.__stdout__, sys.__stderr__):  # descriptors 1 and 2, which programs inherit
            results.flush()
            descriptor, kept = results.fileno(), os.dup(results.fileno())
            results = os.fdopen(kept, "w", encoding=results.encoding, errors=results.errors)
            stack.enter_context(results)
            stack.callback(os.dup2, kept, descriptor)
            os.dup2(aside.fileno(), descriptor)
        token = _RESULTS.set(results)
        stack.callback(_RESULTS.reset, token)
        stack.enter_context(redirect_stdout(aside))
        yield


def print_json(content: Any) -> None:
    """Print a command's result for programs; JSON has no NaN, so an undefined number is null."""
    import json

    strict = json.loads(json.dumps(content), parse_constant=lambda _: None)
    print(json.dumps(strict, indent=2, ensure_ascii=False), file=_RESULTS.get())


def print_result(args: argparse.Namespace, content: Any, text: str) -> None:
    """Print a result as JSON with `--json`, otherwise as text."""
    print_json(content) if args.json else print(text)


def print_set(args: argparse.Namespace, manifest: Manifest, lines: list[str]) -> None:
    """Print what is known about a finished set with `--json`; otherwise the lines, and the commands to run next."""
    network = "walled:tf_efficientnet_lite0" if manifest.classes.is_imagenet else "MODEL"
    steps = [
        f"Review:    stackgen review {quote(str(args.out))}",
        f"Evaluate:  stackgen evaluate {quote(str(args.out))} --model {quote(network)} --out results",
    ]
    known = {"out": str(args.out), "spec": manifest.spec, "counts": manifest.counts, "inputs": manifest.inputs}
    print_result(args, known, "\n".join([*lines, *steps]))


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Show warnings as one sentence on stderr, without their location in the code."""
    import warnings

    from stackwalls.model.errors import quotable

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_args, **_kwargs: say(quotable(str(message), 1000))
        yield
