"""Networks that can be explained at other layers than their last map, and how such a network is named."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from stackwalls.model.errors import InputError
from stackwalls.model.imports import did_you_mean
from stackwalls.model.networks.blind_model import BlindModel

LAST = "last"
"""What a network's own layer is called, beside the numbers and names of the others."""

Layer = int | str
"""A block's number or a module's name; or `LAST`."""

_SHOWN = 12
"""The most layers that a message lists."""


class LayeredModel(BlindModel):
    """A `BlindModel` that splits at any of several layers.

    Attributes:
        layer: the block or module whose map is explained; None: the network's own.
    """

    layer: Layer | None = None

    @abstractmethod
    def explain_at(self, layer: Layer | None) -> None:
        """Split at another layer from now on: `target_layer`, `parts` and `from_parts` are those of its map.

        The logits stay the same to the last bit.

        Args:
            layer: a block's number, negative from the end, or a module's name; None or `LAST`: the network's own.

        Raises:
            InputError: if it has no such layer, or cannot be split there; the message names others.
        """

    @abstractmethod
    def layers(self) -> tuple[Layer, ...]:
        """The layers of a sweep through the depth of the network, in order; the last one is its own."""

    @abstractmethod
    def dead_cells(self) -> torch.Tensor | None:
        """`(h, w)` bool: the cells of the explained map that cannot reach the logits; None if all do."""

    @abstractmethod
    def layer_derivation(self) -> str:
        """Why they cannot, and which pixels the others see, in one sentence."""


@contextmanager
def explained_at(model: nn.Module, layer: Layer | None) -> Iterator[None]:
    """The network split at a layer inside, and where it was before afterwards; as it is if `layer` is None.

    Raises:
        InputError: if it has no such layer, or is not a `LayeredModel`.
    """
    if layer is None:
        yield
        return
    if not isinstance(model, LayeredModel):
        raise InputError(
            f"{shown_name(model)} is not a network whose layers this package knows, so nothing says which cells of "
            f"{layer!r:.80} are dead: put it behind a wall by `walled` (walled:NAME), or leave out the layer."
        )
    before = model.layer
    model.explain_at(layer)
    try:
        yield
    finally:
        model.explain_at(before)


def shown_name(model: nn.Module, layer: Layer | None = None) -> str:
    """A network's name in tables, with the layer that is explained if it is not its own: `walled:resnet50[layer3]`.

    Args:
        model: the network.
        layer: the module that is explained, by its name; by default that of a `LayeredModel`.
    """
    name = str(getattr(model, "name", type(model).__name__))
    if layer is None and isinstance(model, LayeredModel):
        layer = model.layer
    return name if layer is None else f"{name}[{layer_name(layer)}]"


def layer_name(layer: Layer) -> str:
    """A layer in words: `block 3`, `layer3`."""
    return f"block {layer}" if isinstance(layer, int) else layer


def unknown_layer(
    name: str, layer: object, reason: str, shown: Sequence[Layer], known: Sequence[Layer] = ()
) -> InputError:
    """The refusal of a layer, which shows some that fit; the nearest is found among those `known`."""
    near = did_you_mean(str(layer), map(str, known or shown))
    fitting = ", ".join(map(str, shown[:_SHOWN])) + (", …" if len(shown) > _SHOWN else "")
    return InputError(f"{name} cannot be explained at {layer!r:.80}: {reason}. Take one such as {fitting}.{near}")
