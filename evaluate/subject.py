"""The network under test, with everything that the evaluator needs to know about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import nn

from stackwalls.model import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    VGG16_WALL,
    InputError,
    KeptState,
    Network,
    Wall,
    Walled,
    check_usable,
    class_names,
    find_network,
    preserved,
)

_PUT_BEHIND = "put it behind one by `walled(model, 'bottom:64')` (--model walled:NAME)"

_MOST_CLASSES = len(class_names())


@dataclass(frozen=True, eq=False)
class Subject:
    """A network, its wall and the layer that is explained.

    Attributes:
        model: `(N, 3, H, W)` normalized images to logits `(N, classes)`.
        target_layer: the module of `model` whose output is the map `(N, C, h, w)` that CAM methods read.
        wall: the dead zone in pixels.
        name: for tables and reports.
        mean: of the RGB channels in [0, 1], subtracted from the input.
        std: of the RGB channels, by which the input is divided.
        class_indices: the ImageNet-1k index of each logit, or None: logit i is class i.
    """

    model: nn.Module
    target_layer: nn.Module
    wall: Wall
    name: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    class_indices: tuple[int, ...] | None = None

    @classmethod
    def of(cls, model: nn.Module, wall: Wall | str | None = None, target_layer: nn.Module | None = None) -> Subject:
        """Take wall and target layer from the call or the model's attributes, name and normalization from the model.

        Raises:
            InputError: if there is no wall or no target layer, the layer is not part of the model, or an attribute of
                the model or its weights cannot be used.
        """
        if not isinstance(model, nn.Module):
            raise InputError(f"Expected `model` to be a torch.nn.Module, but got {type(model).__name__}.")
        name = getattr(model, "name", type(model).__name__)
        wall = Wall.parse(wall) if isinstance(wall, str) else wall or getattr(model, "wall", None)
        if wall is None:
            raise InputError(
                f"{name} has no wall, so no part of a map is known to be wrong: {_PUT_BEHIND}. If its layers make it "
                "blind, set its attribute `wall`, or pass one (`wall=`). To measure a network that sees everything, "
                "for comparison, pass `require_blind=False` (--not-blind) too."
            )
        if not isinstance(wall, Wall):
            raise InputError(f"Expected `wall` to be a Wall, such as Wall.parse('bottom:54'), but got {wall!r:.80}.")
        target_layer = target_layer if target_layer is not None else getattr(model, "target_layer", None)
        if target_layer is None:
            raise InputError(
                f"{name} names no target layer: set its attribute `target_layer`, or pass it (`target_layer=`): the "
                f"module whose output is the map (N, C, h, w). To make it blind without training, {_PUT_BEHIND}."
            )
        if all(target_layer is not module for module in model.modules()):
            raise InputError(f"The target layer {type(target_layer).__name__} is not a module of {name}.")
        sides = model.sides if isinstance(model, Walled) else ()
        if any(target_layer is module for side in sides for module in side.modules()):
            raise InputError(
                f"The target layer {type(target_layer).__name__} runs on each side of the wall of {name} separately: "
                "no map of it shows the whole image. Leave it out to use the network's own."
            )
        if odd := {str(p.dtype) for p in model.parameters() if p.is_floating_point() and p.dtype != torch.float32}:
            raise InputError(f"{name} has weights of {', '.join(sorted(odd))}: expected float32 (`model.float()`).")
        check_usable(name, model)
        mean, std = (
            _of_rgb(name, attribute, getattr(model, attribute, usual))
            for attribute, usual in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD))
        )
        classes = _class_indices(name, getattr(model, "class_indices", None))
        return cls(model, target_layer, wall, name, mean, std, classes)

    @property
    def layer_name(self) -> str:
        """The target layer's name in `named_modules`."""
        return next(str(name) for name, module in self.model.named_modules() if module is self.target_layer)

    def class_of(self, logit: int) -> int:
        """The class of a logit; negative numbers stay."""
        return logit if self.class_indices is None or logit < 0 else self.class_indices[logit]

    def could_be(self, label: int, logits: int) -> bool:
        """Whether it is known if one of the logits stands for the class."""
        return self.class_indices is not None or self.logit_of(label, logits) is not None

    def logit_of(self, label: int, logits: int) -> int | None:
        """The logit of a class, among `logits`; None if the network does not know it.

        Without `class_indices`, logit i is class i if there are at most as many logits as classes; 1001 or 21,841 are
        of other classes.
        """
        if self.class_indices is None:
            return label if 0 <= label < logits <= _MOST_CLASSES else None
        return self.class_indices.index(label) if label in self.class_indices else None

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
            logits: torch.Tensor = self.model(image)
        return logits

    def check_gradient(self) -> None:
        """Check that a gradient of the logits arrives at the target layer's map.

        Raises:
            InputError: if the layer does not run, or the gradient is cut behind it.
        """
        maps: list[object] = []
        size = self.wall.image_size
        image = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0)).to(self.device)
        with preserved(self.model), torch.enable_grad():
            self.target_layer.register_forward_hook(lambda _module, _inputs, output: maps.append(output))
            logits = self.model(image.requires_grad_(True))
            if not isinstance(logits, torch.Tensor):
                raise InputError(
                    f"{self.name} gives an object of type {type(logits).__name__}: expected logits (N, classes) as one "
                    "tensor. Wrap the network in a module that returns them."
                )
            if not maps:
                raise InputError(f"The target layer {self.layer_name} of {self.name} does not run: name another one.")
            found = maps[-1]
            if not isinstance(found, torch.Tensor):
                return
            gradient = None
            if found.requires_grad and logits.requires_grad:
                (gradient,) = torch.autograd.grad(logits.sum(), found, allow_unused=True)
        if gradient is None:
            raise InputError(
                f"No gradient of the logits of {self.name} arrives at its target layer {self.layer_name}: leave out "
                "torch.no_grad() and detach() behind it, or name a layer that the logits depend on."
            )

    @property
    def device(self) -> torch.device:
        """The device of the model's parameters."""
        return next((parameter.device for parameter in self.model.parameters()), torch.device("cpu"))


def network_and_wall(
    model: Network, weights: str | Path | None, wall: Wall | str | None, walls: Collection[Wall], require_blind: bool
) -> tuple[nn.Module, Wall | None]:
    """The network that a user means, and the wall by which maps are judged if it is not the network's own.

    `walls` are those that the datasets were made for. A named network gets one of them.

    Raises:
        InputError: if there is no such network, or it would be named for several walls.
        RunError: if pretrained weights cannot be loaded.
    """
    wall = Wall.parse(wall) if isinstance(wall, str) else wall
    if wall is None and len(walls) > 1 and isinstance(model, str | Path):
        listed = ", ".join(sorted(map(str, walls)))
        raise InputError(f"The datasets were made for different walls ({listed}): name one (`wall=`, --wall).")
    network = find_network(model, weights, wall, next(iter(walls), None))
    if wall is None and not require_blind and getattr(network, "wall", None) is None:
        wall = next(iter(walls), VGG16_WALL)
    return network, wall


def _class_indices(name: str, given: object) -> tuple[int, ...] | None:
    """From a sequence, an array or a tensor."""
    if given is None:
        return None
    found = np.asarray(given.detach().cpu() if isinstance(given, torch.Tensor) else given, dtype=object)
    classes = [each.item() if isinstance(each, torch.Tensor | np.generic) else each for each in found.reshape(-1)]
    wrong = [each for each in classes if type(each) is not int or not 0 <= each < _MOST_CLASSES]
    if wrong or found.ndim != 1 or len(set(classes)) < len(classes):
        twice = [each for each, times in Counter(map(repr, classes)).items() if times > 1]
        got = f"{wrong[0]!r:.60}" if wrong else f"{twice[0]} twice" if twice else f"{given!r:.60}"
        raise InputError(
            f"Expected `class_indices` of {name} to be the ImageNet-1k index of each logit, different whole numbers "
            f"from 0 to {_MOST_CLASSES - 1}, but got {got}."
        )
    return tuple(map(int, classes))


def _of_rgb(name: str, attribute: str, given: object) -> tuple[float, float, float]:
    try:
        red, green, blue = (float(value) for value in given)  # type: ignore[attr-defined]
    except (TypeError, ValueError) as error:
        raise InputError(
            f"Expected `{attribute}` of {name} to be three numbers, one for each RGB channel, but got {given!r:.80}."
        ) from error
    return red, green, blue
