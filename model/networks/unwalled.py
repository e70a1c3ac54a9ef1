"""A CNN that has been put behind a wall, without it: it sees the whole image."""

import torch
from torch import nn

from stackwalls.model.networks.blind_model import BlindModel
from stackwalls.model.networks.walled_model import Walled, sharing_copy


class Unwalled(BlindModel):
    """The same network without the wall, with the same parameters, for comparison.

    Args:
        network: behind a wall; it stays as it is.
    """

    def __init__(self, network: Walled) -> None:
        super().__init__()
        self.name = f"{network.name.removeprefix('walled:')} without a wall"
        self.mean, self.std, self.transform = network.mean, network.std, network.transform
        self.class_names, self.class_indices = network.class_names, network.class_indices
        self.extractor, self.pooled_head = sharing_copy(network.extractor), network.pooled_head
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
