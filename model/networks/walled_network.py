"""What all networks of a library behind a wall share: how they are named, restored and saved."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import torch
from torch import nn

from stackwalls.model.errors import InputError
from stackwalls.model.networks.backbones.backbone import Backbone
from stackwalls.model.networks.backbones.names import configured_backbone, from_blueprint
from stackwalls.model.networks.backbones.own_networks import reclassified, reclassified_weights
from stackwalls.model.networks.blind_model import WALL_KINDS, WallKind
from stackwalls.model.networks.files.pretrained import Pretrained, PretrainedFiles, check_wall
from stackwalls.model.networks.files.weights import halved, state_sha256
from stackwalls.model.networks.layered_model import LayeredModel
from stackwalls.model.preprocessing import Transform
from stackwalls.model.wall import IMAGE_SIZE, Wall

CURTAIN_DERIVATION = "the forward pass replaces these pixels by the mean color before the network runs"


class WalledNetwork(LayeredModel, Pretrained):
    """A library's network behind a wall (see `walled`): its name, weights, classes and configuration.

    Attributes:
        image_size: height and width of the images, in pixels.
        map_wall: the dead zone in cells of the last map; None without a wall, and behind a curtain, which needs none.
        stitched: the map passes it.
        settings: what else its configuration says, by the names of the constructor's arguments.
    """

    map_wall: Wall | None = None
    settings: Mapping[str, Any] = {}
    _file_names: Mapping[str, str]

    def __init__(self, backbone: Backbone, wall: Wall | None, kind: WallKind = "cut") -> None:
        super().__init__()
        if kind not in WALL_KINDS:
            raise InputError(f"Expected the kind of the wall to be {' or '.join(WALL_KINDS)}, but got {kind!r}.")
        self.wall_kind: WallKind = kind
        self.name = f"{WALL_KINDS[kind]}{backbone.name}" if wall else backbone.name
        self._backbone, self.library_weights, self._blueprint = backbone.name, backbone.weights, backbone.blueprint
        self.mean, self.std, self.class_names = backbone.mean, backbone.std, backbone.class_names
        usual = backbone.transform.size if backbone.transform else IMAGE_SIZE
        self.image_size = wall.image_size if wall else usual
        self.transform = _resized(backbone.transform, self.image_size)
        self.stitched = nn.Dropout(0.0)  # the identity, and a layer that captum's LRP knows
        self._wall = wall

    @property
    def wall(self) -> Wall | None:
        """The dead zone in pixels; None for a network that sees the whole image."""
        return self._wall

    @property
    def target_layer(self) -> nn.Module | None:
        """The map of the whole image."""
        return self.stitched

    def derive_wall(self) -> Wall | None:
        """The pixels under the cells of the map that the head does not read, or behind the curtain."""
        if self.map_wall is None:
            return self.wall if self.wall_kind == "curtain" else None
        stride = self.image_size // self.map_wall.image_size
        return Wall(tuple(box.scaled(stride) for box in self.map_wall.boxes), self.image_size)

    def curtained(self, images: torch.Tensor) -> torch.Tensor:
        """`(N, 3, H, W)` normalized images, behind a curtain with the mean color, 0, in place of the dead pixels."""
        if self.wall is None or self.wall_kind != "curtain":
            return images
        images = images.clone()
        for box in self.wall.boxes:
            images[(..., *box.slices)] = 0
        return images

    def pretrained_config(self) -> dict[str, Any]:
        """What makes the network again: names of the backbone and its weights, or its architecture, classes and images.

        The weights are elsewhere if a library or the Hub has them; one's own are saved beside it (`own_weights`).

        Raises:
            InputError: if the weights are one's own, and the network is not of a library's name or configuration.
        """
        if self.library_weights is not None:
            return {
                "backbone": self._backbone,
                "weights": self.library_weights,
                "wall": None if self.wall is None else str(self.wall),
                **self.settings,
                "weights_sha256": self._weights_sha256(),
            }
        if self._blueprint is None:
            raise InputError(
                f"{self.name} was given as a module, and a configuration cannot say how to make it again: load its "
                "checkpoint into a named network (walled:NAME with --weights), or use one of transformers."
            )
        return {
            **self._blueprint,
            "weights": None,
            "wall": None if self.wall is None else str(self.wall),
            "class_names": None if self.class_names is None else list(self.class_names),
            "transform": self.transform.to_dict(),
            "mean": list(self.mean),
            "std": list(self.std),
            **self.settings,
        }

    def with_classes(self, class_names: Sequence[str]) -> Self:
        """The same network behind the same wall with a new classifier for these classes; all other weights are kept.

        If all of them are among its own classes, the new classifier has their weights, otherwise it is zero.

        Raises:
            InputError: if the network was given as a module, so that nothing makes it again.
        """
        if self._blueprint is None:
            raise InputError(f"{self.name} was given as a module, whose classifier cannot be replaced.")
        backbone = replace(
            from_blueprint(reclassified(self._blueprint, class_names)),
            name=self._backbone,
            class_names=tuple(class_names),
            transform=self.transform,
            mean=self.mean,
            std=self.std,
        )
        made = type(self)(backbone, self._wall, **self.settings)
        made.load_state_dict(reclassified_weights(made, self))
        return made

    def without_wall(self) -> Self:
        """A copy that sees the whole image (see `unwalled`, which takes every network)."""
        made = copy.deepcopy(self)
        made.name, made._wall, made.map_wall = self._backbone, None, None
        return made

    def _weights_sha256(self) -> str:
        """Of the backbone's weights, each tensor once."""
        return state_sha256({key: tensor for key, tensor in self.state_dict().items() if "other_sides." not in key})

    def own_weights(self) -> dict[str, torch.Tensor] | None:
        """The tensors under the names that they have in the library; None if the library or the Hub has their values.

        After training, set `library_weights` to None: they are your own then.
        """
        if self.library_weights is not None:
            return None
        state = self.state_dict()
        return halved({name: state[key] for key, name in self._file_names.items()})

    @classmethod
    def restored(cls, config: Mapping[str, Any], files: PretrainedFiles) -> Self:
        """Rebuild the backbone behind its wall.

        Raises:
            InputError: if the weights are not those that config.json names, or belong to another network.
            RunError: if they cannot be loaded.
        """
        weights, wall = config["weights"], config["wall"]
        settings = {key: config[key] for key in cls.settings if key in config}
        model = cls(configured_backbone(config, files), Wall.parse(wall) if wall else None, **settings).eval()
        check_wall(model.derive_wall(), config, files)
        if weights is not None and model._weights_sha256() != config["weights_sha256"]:
            raise InputError(
                f"The weights {weights} of {config['backbone']} differ from those that config.json "
                f"of {files.name} names: install the versions it was made with."
            )
        return model


def _resized(transform: Transform | None, size: int) -> Transform:
    """A network's transform for images of the wall's size, in its proportions."""
    if transform is None:
        return Transform.of_size(size)
    return replace(transform, size=size, resize=round(transform.resize * size / transform.size))


def file_names(model: nn.Module, network: nn.Module | None) -> dict[str, str]:
    """Names of a network's tensors in a walled one → in the network itself."""
    if network is None:
        return {}
    names = {id(tensor): name for name, tensor in network.state_dict(keep_vars=True).items()}
    own = model.state_dict(keep_vars=True).items()
    return {key: names[id(tensor)] for key, tensor in own if "other_sides." not in key and id(tensor) in names}
