"""A classifier behind a wall: the interface of every network in this package."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Literal

import torch
from torch import nn

from stackwalls.model.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Transform
from stackwalls.model.wall import IMAGE_SIZE, Wall

WallKind = Literal["cut", "sink", "curtain"]
"""cut: both sides of the wall run separately; in a transformer, no attention crosses it, in either direction.

sink, of transformers: what the seen side finds behind the wall are keys that are the same for all images and values of
zero, so that attention falls there and brings nothing; the dead side sees everything.

curtain, of any network: the forward pass replaces the dead pixels by a constant, and runs on all of the image.
"""

WALL_KINDS: Mapping[WallKind, str] = {"cut": "walled:", "sink": "sink:", "curtain": "curtain:"}
"""Kind of wall → what stands in front of a network's name to put it behind one."""

WALL_KINDS_IN_WORDS = {
    "layers": "is the network's own: its layers do not carry the dead zone to the logits",
    "cut": "is a cut: the two sides do not meet inside the network",
    "sink": "is a sink: attention falls behind it, and finds the same there in all images",
    "curtain": "is a curtain: the network gets a constant in the place of the dead zone",
}
"""The kinds of walls (`BlindModel.wall_kind`), as tables say them."""

OR_A_CURTAIN = "or put it behind a curtain, as any network can be (curtain:NAME)"
"""What a message that another wall does not fit ends with."""


def wall_kind_of(model: nn.Module) -> str:
    """The kind of a network's wall; that of a network which is not of this package follows from its own layers."""
    return str(getattr(model, "wall_kind", "layers"))


def implied_wall_kind(name: str) -> str:
    """The kind of wall that a network's name implies, for results that do not say it."""
    return next((kind for kind, prefix in WALL_KINDS.items() if name.startswith(prefix)), "layers")


class BlindModel(nn.Module, ABC):
    """A classifier that splits into `features` and `head`, and whose head reads the seen part of the map only.

    The split is g and f of the paper (Eq. 4): `features` ends at the target layer, `head` continues to the logits.

    Attributes:
        name: name on the command line, such as "masked-vgg16".
        mean: of the RGB channels in [0, 1], subtracted from the input.
        std: of the RGB channels in [0, 1], by which the input is divided.
        class_indices: the ImageNet-1k index of each logit, for a network trained on some of the classes;
            None if logit i is class i.
        class_names: the name of each logit; None where they are not known (1000 logits are ImageNet-1k's classes then).
        wall_kind: what keeps the dead zone from the logits, a key of `WALL_KINDS_IN_WORDS`.
        splits: whether `features` and `head` make it up; False: there is only `forward`.
        origin: the folder, `user/name@commit` or package files that the network was read from, if any.
    """

    name: str
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    class_indices: tuple[int, ...] | None = None
    class_names: tuple[str, ...] | None = None
    wall_kind: str = "layers"
    splits: bool = True
    origin: str | None = None

    @property
    @abstractmethod
    def wall(self) -> Wall | None:
        """The dead zone in pixels, or None if the network sees the whole image (a baseline)."""

    @cached_property
    def transform(self) -> Transform:
        """From an image to the network's input; by default the usual one of the wall's size. May be set."""
        return Transform.of_size(self.wall.image_size if self.wall else IMAGE_SIZE)

    @property
    @abstractmethod
    def target_layer(self) -> nn.Module | None:
        """The module whose output is the map `(N, C, h, w)` that CAM methods read; None if there is no map."""

    @abstractmethod
    def features(self, images: torch.Tensor) -> torch.Tensor:
        """`(N, 3, H, W)` normalized images to the target layer's map `(N, C, h, w)`."""

    def parts(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """`features`, and what else the head needs of each image.

        A transformer's prefix tokens `(N, prefix, C)`; the images, where something leads around the target layer.
        """
        return self.features(images), None

    @abstractmethod
    def head(self, activations: torch.Tensor) -> torch.Tensor:
        """The map `(N, C, h, w)` to logits `(N, classes)`, reading its seen part only."""

    def from_parts(self, activations: torch.Tensor, rest: torch.Tensor | None) -> torch.Tensor:
        """`parts` to logits `(N, classes)`."""
        return self.head(activations)

    @abstractmethod
    def derive_wall(self) -> Wall | None:
        """The wall that follows from the layers themselves, whatever `wall` says; None if nothing is dead."""

    @abstractmethod
    def derivation(self) -> str:
        """Why the dead zone is dead, in one sentence."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """`(N, 3, H, W)` normalized images to logits `(N, classes)`."""
        return self.from_parts(*self.parts(images))
