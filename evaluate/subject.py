"""The network under test, with everything that the evaluator needs to know about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn

from stackwalls.model import IMAGENET_MEAN, IMAGENET_STD, InputError, KeptState, Wall, Walled, preserved


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
    def of(cls, model: nn.Module, wall: Wall | None = None, target_layer: nn.Module | None = None) -> Subject:
        """Take wall and target layer from the call or the model's attributes, name and normalization from the model.

        Raises:
            InputError: if there is no wall or no target layer, or the layer is not part of the model.
        """
        if not isinstance(model, nn.Module):
            raise InputError(f"Expected `model` to be a torch.nn.Module, but got {type(model).__name__}.")
        name = getattr(model, "name", type(model).__name__)
        wall = wall or getattr(model, "wall", None)
        if wall is None:
            raise InputError(
                f"{name} has no wall, so no part of a map is known to be wrong: set its attribute `wall`, or pass one "
                "(`wall=`). To measure a network that sees everything, for comparison, pass `require_blind=False` "
                "(--not-blind) too."
            )
        if not isinstance(wall, Wall):
            raise InputError(f"Expected `wall` to be a Wall, such as Wall.parse('bottom:54'), but got {wall!r:.80}.")
        target_layer = target_layer if target_layer is not None else getattr(model, "target_layer", None)
        if target_layer is None:
            raise InputError(
                f"{name} names no target layer: set its attribute `target_layer`, or pass it (`target_layer=`): the "
                "module whose output is the map (N, C, h, w)."
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
        mean, std = (
            _of_rgb(name, attribute, getattr(model, attribute, usual))
            for attribute, usual in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD))
        )
        return cls(model, target_layer, wall, name, mean, std, getattr(model, "class_indices", None))

    @property
    def layer_name(self) -> str:
        """The target layer's name in `named_modules`."""
        return next(str(name) for name, module in self.model.named_modules() if module is self.target_layer)

    def class_of(self, logit: int) -> int:
        """The class of a logit; negative numbers stay."""
        return logit if self.class_indices is None or logit < 0 else self.class_indices[logit]

    def logit_of(self, label: int, logits: int) -> int | None:
        """The logit of a class, among `logits`; None if the network does not know it."""
        if self.class_indices is None:
            return label if 0 <= label < logits else None
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

    @property
    def device(self) -> torch.device:
        """The device of the model's parameters."""
        return next((parameter.device for parameter in self.model.parameters()), torch.device("cpu"))


def _of_rgb(name: str, attribute: str, given: object) -> tuple[float, float, float]:
    try:
        red, green, blue = (float(value) for value in given)  # type: ignore[attr-defined]
    except (TypeError, ValueError) as error:
        raise InputError(
            f"Expected `{attribute}` of {name} to be three numbers, one for each RGB channel, but got {given!r:.80}."
        ) from error
    return red, green, blue
