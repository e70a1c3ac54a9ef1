"""`--layer` of several commands, and the sweep of `stackgen evaluate --layers`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from stackwalls.evaluate import Results
    from stackwalls.model import Layer

ALL = "all"
"""What `--layers` calls the layers of a sweep through the whole network."""

_TABLE = "layers"
"""The files of a sweep, without their suffixes."""


def add_layer(parser: argparse._ActionsContainer) -> None:
    """Declare `--layer`."""
    text = (
        "the map to explain: in a vision transformer, the input of a block, by its number (negative from the end) or "
        "its name; in any other network, the output of the module with this name, such as layer3 (default: the last "
        "map before the head)"
    )
    parser.add_argument("--layer", type=layer, metavar="LAYER", help=text)


def add_layers(parser: argparse.ArgumentParser) -> None:
    """Declare `--layer` and `--layers`, which exclude each other."""
    group = parser.add_mutually_exclusive_group()
    add_layer(group)
    text = (
        "one evaluation at each of several layers, in a folder of its own in DIR, with a table and a figure of mu by "
        "depth: all (every block of a transformer, the stages of another network), or layers as for --layer, with "
        "commas or spaces between them; last is the network's own"
    )
    group.add_argument("--layers", nargs="+", metavar="LAYER", help=text)


def layer(text: str) -> Layer:
    """A layer as it is given on the command line."""
    return int(text) if re.fullmatch(r"-?\d{1,6}", text) else text


def asked_layers(values: Sequence[str], network: nn.Module) -> list[Layer]:
    """The layers that `--layers` names, of a network, each once and as the network calls it.

    Raises:
        InputError: if the network does not have one of them.
    """
    from stackwalls.model import LAST, InputError, LayeredModel, explained_at

    if not isinstance(network, LayeredModel):
        raise InputError(
            "--layers is for networks whose layers this package knows, walled:NAME and the masked VGG16: name a module "
            "of this one by --layer."
        )
    texts = [text for value in values for text in value.replace(",", " ").split()]
    if texts == [ALL]:
        return list(network.layers())
    found: dict[Layer, None] = {}
    for text in texts:
        with explained_at(network, layer(text)):
            found[LAST if network.layer is None else network.layer] = None
    if not found:
        raise InputError("No layer was named: expected all, or layers with commas or spaces between them.")
    return list(found)


def sweep(
    layers: Sequence[Layer], out: Path, evaluated: Callable[[Layer, Path], Results], pdf: bool
) -> dict[str, Results]:
    """The results at each layer, in folders of their own, and the table and figure beside them.

    Args:
        layers: in the order of their depth.
        out: folder for all.
        evaluated: the results at a layer, in a folder of their own.
        pdf: whether to write the figure as PDF too.

    Raises:
        InputError: if `out` contains something else.
        ShareDone: this process's share is done, others' are not; the last one writes the table.
    """
    from stackwalls.evaluate import Results, ShareDone, write_figure
    from stackwalls.evaluate.checks import LayerTable
    from stackwalls.evaluate.results import run_in
    from stackwalls.model import LAST, check_output_folder, disk_errors, layer_name, write_whole

    names = {one: "last map" if one == LAST else layer_name(one) for one in layers}
    folders = {one: out / str(names[one]).replace(" ", "-") for one in layers}
    ours = {path.name for path in out.iterdir() if run_in(path) or path.stem == _TABLE} if out.is_dir() else set()
    check_output_folder(out, ours | {folder.name for folder in folders.values()}, "the table")
    results: dict[str, Results] = {}
    waiting: dict[Layer, ShareDone] = {}
    for one in layers:
        try:
            results[names[one]] = evaluated(one, folders[one])
        except ShareDone as others:
            waiting[one] = others
    for one, not_all in waiting.items():
        if run_in(folders[one]) is None:
            raise not_all
        results[names[one]] = Results.load(folders[one])
    results = {name: results[name] for name in names.values()}
    table = LayerTable.of(results)
    with disk_errors(out):
        for kind, text in (("txt", table.text()), ("md", table.markdown()), ("csv", table.csv())):
            write_whole(out / f"{_TABLE}.{kind}", text.encode())
        for kind in ("png", "pdf") if pdf else ("png",):
            write_whole(out / f"{_TABLE}.{kind}", write_figure(table.figure(), kind))
    return results
