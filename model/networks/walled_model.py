"""A wall without training: any pretrained CNN with global pooling, made blind to part of its input.

The backbone runs on the seen part and on the dead part of the image separately, and the two maps are stitched. The
classifier pools the seen rows only. Nothing crosses the wall, so the dead part provably cannot influence the logits,
and every CAM library can hook the stitched map, whose dead rows show the other animal as clearly as the seen rows.
"""

import copy
import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from typing import Any, Self

import torch
from torch import nn

from stackwalls.model.errors import InputError, quotable
from stackwalls.model.networks.backbones import Backbone, load_backbone, split_classifier
from stackwalls.model.networks.blind_model import BlindModel
from stackwalls.model.networks.pretrained import Pretrained, PretrainedFiles, check_wall
from stackwalls.model.networks.weights import state_sha256
from stackwalls.model.state import preserved
from stackwalls.model.wall import Box, Wall

_POOLING_TOLERANCE = 1e-3
"""Largest change of the logits, relative to their spread, when a map's positions are shuffled: rounding only."""


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
        self._backbone, self._weights = backbone.name, backbone.weights
        self.extractor, self.pooled_head = backbone.features, backbone.head
        self.other_sides = nn.ModuleList(_sharing_copy(backbone.features) for _ in _pieces(wall)[1:])
        self.mean, self.std = backbone.mean, backbone.std
        self.stitched = nn.Dropout(0.0)  # the identity, and a layer that captum's LRP knows
        self._wall = wall
        self.eval()
        with preserved(self), torch.no_grad():
            shape = _map_shape(backbone, wall.image_size)
            _check_head_pools(backbone.name, self.pooled_head, shape)
            self.map_wall = _wall_on_map(backbone, wall, shape)

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
        pieces = zip(self.sides, _pieces(self.wall), strict=True)
        stitched: torch.Tensor = self.stitched(
            _stitch([side(images[(..., *box.slices)]) for side, box in pieces], self.map_wall)
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
        pieces = "; ".join(map(self.wall.named, _pieces(self.wall)))
        seen, cells = sum(box.area for box in self.map_wall.seen), self.map_wall.image_size**2
        return (
            f"the backbone runs separately on the pieces of the image ({pieces}), and the head pools only {seen} of "
            f"{cells} map cells, those that stand for seen pixels"
        )

    def pretrained_config(self) -> dict[str, Any]:
        """Backbone, weights' name, wall, and SHA-256 of the weights' values; the weights are elsewhere.

        Raises:
            InputError: if the weights are random or your own, which nobody else could load.
        """
        if self._weights is None:
            raise InputError(
                f"{self.name} has weights that no library publishes, so a configuration cannot name them: put a "
                "pretrained torchvision or timm backbone behind the wall."
            )
        sha256 = self._weights_sha256()
        return {
            "backbone": self._backbone,
            "weights": self._weights,
            "wall": str(self.wall),
            "weights_sha256": sha256,
        }

    def _weights_sha256(self) -> str:
        """Of the backbone's weights, each tensor once."""
        return state_sha256({key: tensor for key, tensor in self.state_dict().items() if "other_sides." not in key})

    def own_weights(self) -> None:
        """None: the libraries provide them."""
        return

    @classmethod
    def restored(cls, config: Mapping[str, Any], files: PretrainedFiles) -> Self:
        """Rebuild the backbone behind its wall.

        Raises:
            InputError: if the library's weights have changed.
            RunError: if they cannot be loaded.
        """
        model = cls(load_backbone(config["backbone"], weights=config["weights"]), Wall.parse(config["wall"])).eval()
        check_wall(model.derive_wall(), config, files)
        if model._weights_sha256() != config["weights_sha256"]:
            raise InputError(
                f"The weights {config['weights']} of {config['backbone']} differ from those that config.json "
                f"of {files.name} names: install the versions it was made with."
            )
        return model


def _sharing_copy(extractor: nn.Module) -> nn.Module:
    """Another module with the same parameters and buffers.

    Methods such as DeepLift and LRP keep each layer's last input in the layer, so no layer may run on two sides.
    """
    shared = {id(tensor): tensor for tensor in (*extractor.parameters(), *extractor.buffers())}
    return copy.deepcopy(extractor, dict(shared))


def _pieces(wall: Wall) -> list[Box]:
    """Rectangles that make up the image, each either seen or dead, by their corner."""
    return sorted([*wall.seen, *wall.dead])


def joined(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Maps `(N, C, h, w)` of several pieces as one, for a head that pools: a single map, or all cells as one column."""
    return parts[0] if len(parts) == 1 else torch.cat([part.flatten(2) for part in parts], 2)[..., None]


def _stitch(maps: Sequence[torch.Tensor], wall: Wall) -> torch.Tensor:
    """The maps `(N, C, h, w)` of the pieces as the map `(N, C, size, size)` of the image; the wall in its cells."""
    if wall.band:
        return torch.cat(list(maps), 2 if wall.band.axis == "rows" else 3)
    cells = torch.arange(wall.image_size**2).view(wall.image_size, -1)
    order = torch.cat([cells[box.slices].flatten() for box in _pieces(wall)]).argsort().to(maps[0].device)
    return torch.cat([part.flatten(2) for part in maps], 2)[..., order].view(*maps[0].shape[:2], *cells.shape)


def _map_shape(backbone: Backbone, size: int) -> torch.Size:
    """The shape `(2, C, h, w)` of the map of two images.

    Raises:
        InputError: if the backbone does not run on images of this size, or its features are not a map.
    """
    advice = "Use a convolutional network with global average pooling, such as resnet50."
    try:
        activations = backbone.features(torch.zeros(2, 3, size, size))
    except Exception as error:  # networks for one size only refuse others in many ways
        raise InputError(
            f"{backbone.name} cannot be put behind a wall: it does not run on images of {size} x {size} pixels "
            f"({_first_line(error)}). {advice}"
        ) from error
    if not isinstance(activations, torch.Tensor) or activations.ndim != 4:
        found = tuple(activations.shape) if isinstance(activations, torch.Tensor) else type(activations).__name__
        raise InputError(
            f"{backbone.name} cannot be put behind a wall: expected its features to be a map (N, C, h, w), but got "
            f"{found}. {advice}"
        )
    return activations.shape


def _wall_on_map(backbone: Backbone, wall: Wall, shape: torch.Size) -> Wall:
    """The wall in cells of the map.

    Raises:
        InputError: if it does not fit; the message names the nearest wall that does, which was tried.
    """
    size = shape[-1]
    if wall.image_size % size:
        raise InputError(
            f"{backbone.name} cannot be put behind a wall: its map has {size} rows, which do not divide the image's "
            f"{wall.image_size} pixels evenly. Use a network with a map of 7 or 14 rows, such as resnet50."
        )
    reason = _misfit(backbone, wall, shape)
    rescaled = wall.rescaled(size)
    if rescaled is not None and not reason:
        return rescaled
    stride = wall.image_size // size
    for multiple in range(stride, wall.image_size // 2 + 1, stride):
        try:
            wider = wall.widened(multiple)
        except InputError:  # nothing would be left to see
            break
        if not _misfit(backbone, wider, shape):
            raise InputError(f"{backbone.name} {reason}, but got {wall}: take {wider}.")
    raise InputError(
        f"{backbone.name} cannot be put behind {wall}: it {reason}. Use another network, such as resnet50."
    )


def _misfit(backbone: Backbone, wall: Wall, shape: torch.Size) -> str:
    """Why the maps of the pieces do not make up the map of the whole image; empty if they do."""
    if (on_map := wall.rescaled(shape[-1])) is None:
        stride = wall.image_size // shape[-1]
        return f"has one map row for {stride} pixels, so its wall must be on multiples of {stride}"
    images = torch.zeros(2, 3, wall.image_size, wall.image_size)
    for box, place in zip(_pieces(wall), _pieces(on_map), strict=True):
        part = images[(..., *box.slices)]
        try:
            with redirect_stderr(io.StringIO()):  # a traced module that fails prints its own traceback
                found = tuple(backbone.features(part).shape)
        except Exception as error:  # networks refuse parts of images in many ways
            return f"does not run on a part of the image ({_first_line(error)})"
        if found != (expected := (*shape[:2], place.bottom - place.top, place.right - place.left)):
            return f"gives a map {found} for a part of {part.shape[2]} × {part.shape[3]} pixels, not {expected}"
    return ""


def _first_line(error: Exception) -> str:
    return quotable((str(error).splitlines() or [type(error).__name__])[0].rstrip("."))


def _check_head_pools(name: str, head: Callable[[torch.Tensor], torch.Tensor], shape: torch.Size) -> None:
    """A head behind a wall must treat all positions alike: shuffling them must not change the logits."""
    generator = torch.Generator().manual_seed(0)
    activations = torch.rand(shape, generator=generator)
    order = torch.randperm(shape[2] * shape[3], generator=generator)
    shuffled = activations.flatten(2)[:, :, order].view(shape)
    try:
        before, after = head(activations), head(shuffled)
        head(activations[:, :, : shape[2] // 2])
    except Exception:  # such as a dense layer of another size
        moved = float("inf")
    else:
        moved = float((after - before).abs().max() / before.std().clamp_min(1e-12))
    if not moved <= _POOLING_TOLERANCE:
        raise InputError(
            f"{name} cannot be put behind a wall without training: its head depends on positions in the map. "
            "Use a network with global average pooling, such as resnet50; for VGG16, train or load "
            "masked-vgg16."
        )


def walled(backbone: str | Backbone | nn.Module, wall: Wall | str, pretrained: bool = True) -> Walled:
    """Put a pretrained CNN behind a wall, without training.

    Args:
        backbone: a torchvision or timm name (`resnet50`, `tf_efficientnet_lite0`; `timm/resnet50` and
            `torchvision/resnet50` where both have it), a torchvision, timm or transformers classifier with its weights
            (see `split_classifier`), or your own `Backbone`.
        wall: the dead zone, on any side, also as text such as "bottom:64"; its edges must be multiples of the
            backbone's stride.
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
    return Walled(backbone, Wall.parse(wall) if isinstance(wall, str) else wall).eval()
