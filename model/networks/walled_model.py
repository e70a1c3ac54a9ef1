"""A wall without training: any pretrained CNN with global pooling, made blind to part of its input.

The backbone runs on the seen part and on the dead part of the image separately, and the two maps are stitched. The
classifier pools the seen rows only. Nothing crosses the wall, so the dead part provably cannot influence the logits,
and every CAM library can hook the stitched map, whose dead rows show the other animal as clearly as the seen rows.
"""

import copy
from collections.abc import Sequence

import torch
from torch import nn

from stackwalls.model.networks.backbones.backbone import Backbone
from stackwalls.model.networks.blind_model import BlindModel
from stackwalls.model.networks.geometry.wall_fitting import check_head_pools, map_shape, pieces, wall_on_map
from stackwalls.model.networks.walled_network import WalledNetwork, file_names
from stackwalls.model.state import preserved
from stackwalls.model.wall import Wall


class Walled(WalledNetwork):
    """A pretrained CNN behind a wall (see `walled`).

    Args:
        backbone: feature extractor, head after global pooling, and normalization.
        wall: the dead zone; its edges must be multiples of the backbone's stride (32 pixels, mostly).

    Raises:
        InputError: if the head depends on positions, the map is not `(N, C, h, w)`, or the wall's edges fall
            inside a map row.
    """

    def __init__(self, backbone: Backbone, wall: Wall) -> None:
        super().__init__(backbone, wall)
        self.extractor, self.pooled_head = backbone.features, backbone.head
        self.other_sides = nn.ModuleList(_sharing_copy(backbone.features) for _ in pieces(wall)[1:])
        self.eval()
        with preserved(self), torch.no_grad():
            shape = map_shape(backbone, wall.image_size)
            check_head_pools(backbone.name, self.pooled_head, shape)
            self.map_wall = wall_on_map(backbone, wall, shape)
        self._file_names = file_names(self, backbone.network)

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

    def unwalled(self) -> "Unwalled":
        """The same network without the wall, with the same parameters."""
        return Unwalled(self)

    def derivation(self) -> str:
        """Why the dead zone is dead, in one sentence."""
        boxes = "; ".join(map(self.wall.named, pieces(self.wall)))
        seen, cells = sum(box.area for box in self.map_wall.seen), self.map_wall.image_size**2
        return (
            f"the backbone runs separately on the pieces of the image ({boxes}), and the head pools only {seen} of "
            f"{cells} map cells, those that stand for seen pixels"
        )


class Unwalled(BlindModel):
    """A CNN that has been put behind a wall, without it: it sees the whole image, for comparison."""

    def __init__(self, network: Walled) -> None:
        super().__init__()
        self.name = f"{network.name.removeprefix('walled:')} without a wall"
        self.mean, self.std, self.transform = network.mean, network.std, network.transform
        self.class_names, self.class_indices = network.class_names, network.class_indices
        self.extractor, self.pooled_head = _sharing_copy(network.extractor), network.pooled_head
        self.mapped = nn.Dropout(0.0)  # the identity, as `stitched` of the walled network
        self.eval()

    @property
    def wall(self) -> None:
        """There is none."""
        return

    @property
    def target_layer(self) -> nn.Module:
        """The map of the whole image."""
        return self.mapped

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """`(N, 3, H, W)` normalized images to the map `(N, C, h, w)`."""
        found: torch.Tensor = self.mapped(self.extractor(images))
        return found

    def head(self, activations: torch.Tensor) -> torch.Tensor:
        """The map `(N, C, h, w)` to logits `(N, classes)`, pooling all of it."""
        logits: torch.Tensor = self.pooled_head(activations)
        return logits

    def derive_wall(self) -> None:
        """There is none."""
        return

    def derivation(self) -> str:
        """What it sees, in one sentence."""
        return "the head pools the map of the whole image"


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
