"""The network under test, with everything that the evaluator needs to know about it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stackwalls.evaluate.classes import LogitClasses
from stackwalls.evaluate.target_layer import PUT_BEHIND, find_target_layer
from stackwalls.hub_cards import StackDataset
from stackwalls.model import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    VGG16_WALL,
    BlindModel,
    ClassTexts,
    InputError,
    KeptState,
    Layer,
    LayeredModel,
    Network,
    Transform,
    Wall,
    check_usable,
    find_network,
    is_walled,
    preserved,
    shown_name,
)


class LogitsOf(nn.Module):
    """A network whose output is an object that has the logits, as transformers' is; its output is the logits."""

    def __init__(self, network: nn.Module, name: str) -> None:
        super().__init__()
        self.network, self.name = network, name
        self.train(network.training)

    def forward(self, images: torch.Tensor) -> Any:
        """`(N, 3, H, W)` normalized images to logits `(N, classes)`."""
        return self.network(images).logits


@dataclass(frozen=True, eq=False)
class Subject:
    """A network, its wall and the layer that is explained.

    Attributes:
        model: `(N, 3, H, W)` normalized images to logits `(N, classes)`.
        map_layer: the module of `model` whose output is the map `(N, C, h, w)` that CAM methods read; None: no map.
        wall: the dead zone in pixels.
        name: for tables and reports, with the layer if it is not the network's own.
        mean: of the RGB channels in [0, 1], subtracted from the input.
        std: of the RGB channels, by which the input is divided.
        transform: makes an image of any size one that fits the wall.
        classes: what the logits stand for.
        layer: the explained layer in words; None: the network's own.
    """

    model: nn.Module
    map_layer: nn.Module | None
    wall: Wall
    name: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    transform: Transform
    classes: LogitClasses
    layer: str | None = None

    @classmethod
    def of(
        cls,
        model: nn.Module,
        wall: Wall | str | None = None,
        target_layer: nn.Module | Layer | None = None,
        class_names: Sequence[str] | str | Path | None = None,
    ) -> Subject:
        """Take wall, target layer and class names from the call or the model's attributes, the rest from the model.

        A target layer that is given as a number or name is a module's of the network; a `LayeredModel` is split there
        already (see `target_layer.split_at`).

        Raises:
            InputError: if there is no wall or no target layer, the layer is not part of the model, or an attribute of
                the model or its weights cannot be used.
        """
        if not isinstance(model, nn.Module):
            raise InputError(f"Expected `model` to be a torch.nn.Module, but got {type(model).__name__}.")
        name = shown_name(model)
        transform = own_transform(model)
        wall = wall_of(wall, transform) or getattr(model, "wall", None)
        if wall is None:
            raise InputError(
                f"{name} has no wall, so no part of a map is known to be wrong: {PUT_BEHIND}. If its layers make it "
                "blind, set its attribute `wall`, or pass one (`wall=`). To measure a network that sees everything, "
                "for comparison, pass `require_blind=False` (--not-blind) too."
            )
        if not isinstance(wall, Wall):
            raise InputError(f"Expected `wall` to be a Wall, such as Wall.parse('bottom:54'), but got {wall!r:.80}.")
        if transform is not None and transform.size != wall.image_size:
            raise InputError(
                f"{name} takes images of {transform.size} × {transform.size} pixels (its `transform`), but the wall "
                f"{wall} is of {wall.image_size} × {wall.image_size}: name one of its size, such as "
                f"bottom:{transform.size // 4}@{transform.size}."
            )
        target, layer = find_target_layer(name, model, target_layer)
        if odd := {str(p.dtype) for p in model.parameters() if p.is_floating_point() and p.dtype != torch.float32}:
            raise InputError(f"{name} has weights of {', '.join(sorted(odd))}: expected float32 (`model.float()`).")
        check_usable(name, model)
        mean, std = (
            _of_rgb(name, attribute, getattr(model, attribute, usual))
            for attribute, usual in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD))
        )
        return cls(
            _with_plain_logits(model, name, wall.image_size),
            target,
            wall,
            shown_name(model, layer),
            mean,
            std,
            transform or Transform.of_size(wall.image_size),
            LogitClasses.of(model, name, class_names),
            layer,
        )

    def check_fits(self, dataset: StackDataset) -> None:
        """Check that a set that was made for a wall is of the network's size.

        Raises:
            InputError: if it is not: resizing would blur the edge between the two images of each.
        """
        size, made = self.wall.image_size, dataset.wall
        if made is not None and made.image_size != size:
            there = made.image_size
            raise InputError(
                f"{dataset.name} has images of {there} × {there} pixels (wall {made}), but {self.name} takes {size} × "
                f"{size} (wall {self.wall}): make a set for this network (`stackgen mix --for MODEL`), or put the "
                f"network behind a wall of {there} × {there}."
            )

    @cached_property
    def dead_cells(self) -> NDArray[np.bool_] | None:
        """`(h, w)` bool: cells of an inner layer's map that cannot reach the logits. None: those over dead pixels."""
        if self.layer is None or not isinstance(self.model, LayeredModel) or self.model.layer is None:
            return None
        dead = self.model.dead_cells()
        return None if dead is None or not dead.any() else np.asarray(dead.cpu().numpy())

    @property
    def target_layer(self) -> nn.Module:
        """The `map_layer`, for a method that needs one.

        Raises:
            InputError: if there is none.
        """
        if self.map_layer is None:
            raise InputError(
                f"{self.name} makes no map (N, C, h, w) for class activation maps to weigh: use methods that explain "
                "pixels, such as captum's IntegratedGradients."
            )
        return self.map_layer

    @property
    def layer_name(self) -> str | None:
        """The target layer's name in `named_modules`; None if there is no map."""
        return next((str(name) for name, module in self.model.named_modules() if module is self.map_layer), None)

    @cached_property
    def kept(self) -> KeptState:
        """The network's weights, copied at first use: before third-party code gets the network."""
        return KeptState(self.model)

    @cached_property
    def probed(self) -> torch.Tensor:
        """`probe` at first use: before third-party code gets the network."""
        return self.probe()

    def probe(self) -> torch.Tensor:
        """The logits `(1, classes)` of one fixed image of noise: they are the same as long as the network is."""
        size = self.wall.image_size
        image = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0)).to(self.device)
        with preserved(self.model), torch.inference_mode():
            return torch.as_tensor(self.model(image))

    def check_gradient(self) -> int:
        """Check that a gradient of the logits arrives at the target layer's map; returns how many logits there are.

        Raises:
            InputError: if the layer does not run, or the gradient is cut behind it.
        """
        maps: list[object] = []
        size = self.wall.image_size
        image = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0)).to(self.device)
        with preserved(self.model), torch.enable_grad():
            if self.map_layer is not None:
                self.map_layer.register_forward_hook(lambda _module, _inputs, output: maps.append(output))
            logits = self.model(image.requires_grad_(True))
            if not isinstance(logits, torch.Tensor):
                raise InputError(
                    f"{self.name} gives an object of type {type(logits).__name__}: expected logits (N, classes) as one "
                    "tensor. Wrap the network in a module that returns them."
                )
            if self.map_layer is None:
                return logits.shape[1]
            if not maps:
                raise InputError(f"The target layer {self.layer_name} of {self.name} does not run: name another one.")
            found = maps[-1]
            if not isinstance(found, torch.Tensor):
                return logits.shape[1]
            gradient = None
            if found.requires_grad and logits.requires_grad:
                (gradient,) = torch.autograd.grad(logits.sum(), found, allow_unused=True)
        if gradient is None:
            raise InputError(
                f"No gradient of the logits of {self.name} arrives at its target layer {self.layer_name}: leave out "
                "torch.no_grad() and detach() behind it, or name a layer that the logits depend on."
            )
        return logits.shape[1]

    @property
    def device(self) -> torch.device:
        """The device of the model's parameters."""
        return _device_of(self.model)


def network_and_wall(
    model: Network,
    weights: str | Path | None,
    wall: Wall | str | None,
    walls: Collection[Wall],
    require_blind: bool,
    class_names: Sequence[str] | str | Path | None = None,
) -> tuple[nn.Module, Wall | None]:
    """The network that a user means, and the wall by which maps are judged if it is not the network's own.

    `walls` are those that the datasets were made for; a named network gets one. Class names make a checkpoint's head.

    Raises:
        InputError: if there is no such network, or it would be named for several walls.
        RunError: if pretrained weights cannot be loaded.
    """
    if wall is None and len(walls) > 1 and isinstance(model, str | Path):
        listed = ", ".join(sorted(map(str, walls)))
        raise InputError(f"The datasets were made for different walls ({listed}): name one (`wall=`, --wall).")
    of_data = next(iter(walls), None)
    if isinstance(model, str | Path) and is_walled(str(model)):
        return find_network(model, weights, wall, of_data, class_names), None
    if isinstance(class_names, ClassTexts):
        raise InputError("`classes_as` (--classes-as) is for CLIP and SigLIP behind a wall, walled:hf/user/name.")
    network = find_network(model, weights, wall, of_data)
    wall = wall_of(wall, own_transform(network))
    if wall is None and not require_blind and getattr(network, "wall", None) is None:
        wall = of_data or VGG16_WALL
    return network, wall


def own_transform(model: object) -> Transform | None:
    """The network's own transform, if it names one; an attribute of another kind is not ours."""
    transform = getattr(model, "transform", None)
    return transform if isinstance(transform, Transform) else None


def wall_of(wall: Wall | str | None, transform: Transform | None) -> Wall | None:
    """The wall that is meant; a text is of the size that the network's transform names, where it does not say one."""
    return Wall.parse(wall, transform.size if transform else None) if isinstance(wall, str) else wall


def _with_plain_logits(model: nn.Module, name: str, size: int) -> nn.Module:
    """The network, in a `LogitsOf` if its output for an image is an object with `logits`."""
    if isinstance(model, BlindModel):
        return model
    output = None
    with preserved(model), torch.inference_mode(), suppress(Exception):  # the certificate says what is wrong with it
        output = model(torch.zeros(1, 3, size, size, device=_device_of(model)))
    return LogitsOf(model, name) if isinstance(getattr(output, "logits", None), torch.Tensor) else model


def _device_of(model: nn.Module) -> torch.device:
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def _of_rgb(name: str, attribute: str, given: object) -> tuple[float, float, float]:
    try:
        red, green, blue = (float(value) for value in given)  # type: ignore[attr-defined]
    except (TypeError, ValueError) as error:
        expected = "three numbers, one for each RGB channel"
        raise InputError(f"Expected `{attribute}` of {name} to be {expected}, but got {given!r:.80}.") from error
    return red, green, blue
