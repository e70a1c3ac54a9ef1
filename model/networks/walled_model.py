"""A wall without training: any pretrained CNN with global pooling, made blind to part of its input.

The backbone runs on the seen part and on the dead part of the image separately, and the two maps are stitched. The
classifier pools the seen rows only. Nothing crosses the wall, so the dead part provably cannot influence the logits,
and every CAM library can hook the stitched map, whose dead rows show the other animal as clearly as the seen rows.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import torch
from torch import nn

from stackwalls.model.errors import InputError
from stackwalls.model.networks.backbone_names import from_blueprint, load_backbone
from stackwalls.model.networks.backbones import Backbone, split_classifier
from stackwalls.model.networks.blind_model import BlindModel
from stackwalls.model.networks.own_networks import load_weights, reclassified, reclassified_weights
from stackwalls.model.networks.pretrained import WEIGHTS_NAME, Pretrained, PretrainedFiles, check_sha256, check_wall
from stackwalls.model.networks.wall_fitting import check_head_pools, fitting_wall, map_shape, pieces, wall_on_map
from stackwalls.model.networks.weights import read_safetensors, state_sha256
from stackwalls.model.preprocessing import Transform
from stackwalls.model.state import preserved
from stackwalls.model.wall import IMAGE_SIZE, Wall, usual_wall


class Walled(BlindModel, Pretrained):
    """A pretrained CNN behind a wall (see `walled`).

    Args:
        backbone: feature extractor, head after global pooling, and normalization.
        wall: the dead zone; its edges must be multiples of the backbone's stride (32 pixels, mostly).

    Raises:
        InputError: if the head depends on positions, the map is not `(N, C, h, w)`, or the wall's edges fall
            inside a map row.
    """

    def __init__(self, backbone: Backbone, wall: Wall) -> None:
        super().__init__()
        self.name = f"walled:{backbone.name}"
        self._backbone, self.library_weights, self._blueprint = backbone.name, backbone.weights, backbone.blueprint
        self.extractor, self.pooled_head = backbone.features, backbone.head
        self.other_sides = nn.ModuleList(_sharing_copy(backbone.features) for _ in pieces(wall)[1:])
        self.mean, self.std, self.class_names = backbone.mean, backbone.std, backbone.class_names
        self.transform = _resized(backbone.transform, wall.image_size)
        self.stitched = nn.Dropout(0.0)  # the identity, and a layer that captum's LRP knows
        self._wall = wall
        self.eval()
        with preserved(self), torch.no_grad():
            shape = map_shape(backbone, wall.image_size)
            check_head_pools(backbone.name, self.pooled_head, shape)
            self.map_wall = wall_on_map(backbone, wall, shape)
        self._file_names = _file_names(self, backbone.network)

    @property
    def wall(self) -> Wall:
        """The dead zone in pixels."""
        return self._wall

    @property
    def target_layer(self) -> nn.Module:
        """The stitched map."""
        return self.stitched

    @property
    def sides(self) -> list[nn.Module]:
        """The extractor of each piece of the image, seen or dead, in order of their corners."""
        return [self.extractor, *self.other_sides]

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """`(N, 3, 224, 224)` normalized images to the stitched map `(N, C, h, w)`, each part by itself."""
        parts = zip(self.sides, pieces(self.wall), strict=True)
        stitched: torch.Tensor = self.stitched(
            _stitch([side(images[(..., *box.slices)]) for side, box in parts], self.map_wall)
        )
        return stitched

    def head(self, activations: torch.Tensor) -> torch.Tensor:
        """The stitched map `(N, C, h, w)` to logits `(N, classes)`, pooling its seen part only."""
        logits: torch.Tensor = self.pooled_head(joined([activations[(..., *box.slices)] for box in self.map_wall.seen]))
        return logits

    def derive_wall(self) -> Wall | None:
        """The pixels under the map rows that the head does not pool; no convolution crosses the wall."""
        stride = self.wall.image_size // self.map_wall.image_size
        return Wall(tuple(box.scaled(stride) for box in self.map_wall.boxes), self.wall.image_size)

    def derivation(self) -> str:
        """Why the dead zone is dead, in one sentence."""
        boxes = "; ".join(map(self.wall.named, pieces(self.wall)))
        seen, cells = sum(box.area for box in self.map_wall.seen), self.map_wall.image_size**2
        return (
            f"the backbone runs separately on the pieces of the image ({boxes}), and the head pools only {seen} of "
            f"{cells} map cells, those that stand for seen pixels"
        )

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
                "wall": str(self.wall),
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
            "wall": str(self.wall),
            "class_names": None if self.class_names is None else list(self.class_names),
            "transform": self.transform.to_dict(),
            "mean": list(self.mean),
            "std": list(self.std),
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
        made = type(self)(backbone, self.wall)
        made.load_state_dict(reclassified_weights(made, self))
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
        return {name: state[key] for key, name in self._file_names.items()}

    @classmethod
    def restored(cls, config: Mapping[str, Any], files: PretrainedFiles) -> Self:
        """Rebuild the backbone behind its wall.

        Raises:
            InputError: if the weights are not those that config.json names, or belong to another network.
            RunError: if they cannot be loaded.
        """
        name, weights = config["backbone"], config["weights"]
        own = weights is None
        backbone = _with_own_weights(config, files) if own else load_backbone(name, weights=weights)
        model = cls(backbone, Wall.parse(config["wall"])).eval()
        check_wall(model.derive_wall(), config, files)
        if not own and model._weights_sha256() != config["weights_sha256"]:
            raise InputError(
                f"The weights {weights} of {name} differ from those that config.json "
                f"of {files.name} names: install the versions it was made with."
            )
        return model


def _with_own_weights(config: Mapping[str, Any], files: PretrainedFiles) -> Backbone:
    """The backbone of a config.json whose weights are beside it.

    Raises:
        InputError: if they are not those that it describes, or belong to another network.
    """
    path = files.fetch(WEIGHTS_NAME)
    state = read_safetensors(path)  # before it is hashed: a file of any size may be there
    check_sha256(path, config, files)
    backbone = from_blueprint(config)
    load_weights(backbone, path, state)
    names = config.get("class_names")
    return replace(
        backbone,
        class_names=None if names is None else tuple(names),
        transform=Transform(**config["transform"]),
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
    )


def _resized(transform: Transform | None, size: int) -> Transform:
    """A network's transform for images of the wall's size, in its proportions."""
    if transform is None:
        return Transform.of_size(size)
    return replace(transform, size=size, resize=round(transform.resize * size / transform.size))


def _file_names(model: nn.Module, network: nn.Module | None) -> dict[str, str]:
    """Names of a network's tensors in a walled one → in the network itself."""
    if network is None:
        return {}
    names = {id(tensor): name for name, tensor in network.state_dict(keep_vars=True).items()}
    own = model.state_dict(keep_vars=True).items()
    return {key: names[id(tensor)] for key, tensor in own if "other_sides." not in key and id(tensor) in names}


def _sharing_copy(extractor: nn.Module) -> nn.Module:
    """Another module with the same parameters and buffers.

    Methods such as DeepLift and LRP keep each layer's last input in the layer, so no layer may run on two sides.
    """
    shared = {id(tensor): tensor for tensor in (*extractor.parameters(), *extractor.buffers())}
    return copy.deepcopy(extractor, dict(shared))


def joined(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Maps `(N, C, h, w)` of several pieces as one, for a head that pools: a single map, or all cells as one column."""
    return parts[0] if len(parts) == 1 else torch.cat([part.flatten(2) for part in parts], 2)[..., None]


def _stitch(maps: Sequence[torch.Tensor], wall: Wall) -> torch.Tensor:
    """The maps `(N, C, h, w)` of the pieces as the map `(N, C, size, size)` of the image; the wall in its cells."""
    if wall.band:
        return torch.cat(list(maps), 2 if wall.band.axis == "rows" else 3)
    cells = torch.arange(wall.image_size**2).view(wall.image_size, -1)
    order = torch.cat([cells[box.slices].flatten() for box in pieces(wall)]).argsort().to(maps[0].device)
    return torch.cat([part.flatten(2) for part in maps], 2)[..., order].view(*maps[0].shape[:2], *cells.shape)


def walled(backbone: str | Backbone | nn.Module, wall: Wall | str | None = None, pretrained: bool = True) -> Walled:
    """Put a pretrained CNN behind a wall, without training.

    Args:
        backbone: a name (see `load_backbone`: `resnet50`, `timm/resnet50`, `hf/user/name`), a torchvision, timm or
            transformers classifier with its weights (see `split_classifier`), or your own `Backbone`.
        wall: the dead zone, of any form, also as text such as "bottom:64", then of the network's own image size if it
            names none; its edges must be multiples of the backbone's stride. By default the paper's share of the
            image at the bottom, widened to that.
        pretrained: for a name: whether to load the ImageNet weights; random ones otherwise.

    Raises:
        InputError: if the name is unknown, the head depends on positions (VGG, AlexNet, transformers), or the wall
            does not fit the map.
        RunError: if the weights cannot be loaded.

    Source: after DiFull of Rao, Böhle, Schiele, "Towards Better Understanding Attribution Methods" (CVPR 2022).
    """
    if isinstance(backbone, str):
        backbone = load_backbone(backbone, pretrained)
    elif isinstance(backbone, nn.Module):
        backbone = split_classifier(backbone)
    size = backbone.transform.size if backbone.transform else IMAGE_SIZE
    if wall is None:
        wall = fitting_wall(backbone, usual_wall(size))
    elif isinstance(wall, str):
        wall = Wall.parse(wall, None if "@" in wall else size)
    return Walled(backbone, wall).eval()
