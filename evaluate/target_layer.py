"""The layer that is explained: from a module, a number or a name to the module whose output is the map."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from torch import nn

from stackwalls.model import Curtain, InputError, Layer, LayeredModel, Walled, did_you_mean, explained_at, layer_name

PUT_BEHIND = "put it behind one by `walled(model, 'bottom:64')` (--model walled:NAME)"


@contextmanager
def split_at(model: nn.Module, layer: Layer | None) -> Iterator[None]:
    """A `LayeredModel` split at a layer inside (see `explained_at`); any other network as it is."""
    with explained_at(model, layer) if isinstance(model, LayeredModel) else nullcontext():
        yield


def find_target_layer(
    name: str, model: nn.Module, given: nn.Module | Layer | None
) -> tuple[nn.Module | None, str | None]:
    """The target layer of a network, and what it is called if it is not the network's own.

    There is none behind a curtain, if the network makes no map.

    Args:
        name: of the network, for messages.
        model: the network; a `LayeredModel` is split at the layer already.
        given: the module, or its name; by default the network's own.

    Raises:
        InputError: if there is none, it is not part of the network, or runs on each side of a wall separately.
    """
    own: nn.Module | None = getattr(model, "target_layer", None)
    target = given if isinstance(given, nn.Module) else own
    if isinstance(given, Layer) and not isinstance(model, LayeredModel):
        target = _module(name, model, str(given))
    if target is None and isinstance(model, Curtain):
        return None, None
    if target is None:
        raise InputError(
            f"{name} names no target layer: set its attribute `target_layer`, or pass it (`target_layer=`): the "
            f"module whose output is the map (N, C, h, w). To make it blind without training, {PUT_BEHIND}."
        )
    path = next((path for path, module in model.named_modules() if module is target), None)
    if path is None:
        raise InputError(f"The target layer {type(target).__name__} is not a module of {name}.")
    sides = model.sides if isinstance(model, Walled) else ()
    if any(target is module for side in sides for module in side.modules()):
        raise InputError(
            f"The target layer {type(target).__name__} runs on each side of the wall of {name} separately: no map of "
            "it shows the whole image. Name it instead (`layer=`, --layer), or leave it out to use the network's own."
        )
    if target is not own:
        return target, None if own is None else path
    layer = model.layer if isinstance(model, LayeredModel) else None
    return target, None if layer is None else layer_name(layer)


def _module(name: str, model: nn.Module, path: str) -> nn.Module:
    """A module of a network by its name.

    Raises:
        InputError: if there is none; the nearest name is given.
    """
    known: dict[str, nn.Module] = dict(model.named_modules())
    if not path or path not in known:
        raise InputError(
            f"{name} has no module {path!r:.80}: expected a name out of its named_modules().{did_you_mean(path, known)}"
        )
    return known[path]
