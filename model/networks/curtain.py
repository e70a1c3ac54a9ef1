"""A wall without training for any classifier: the dead pixels are replaced before the network runs.

Blindness is by construction, and nothing is asked of the network. But it runs on the whole of what is left: behind the
wall, its map shows what it makes of the constant, and what neighboring pixels and attention brought there.
"""

from dataclasses import replace

import torch
from torch import nn

from stackwalls.model.errors import InputError, reason_of
from stackwalls.model.networks.attention.walled_transformer import WalledTransformer
from stackwalls.model.networks.backbones.backbone import Backbone
from stackwalls.model.networks.backbones.splitting import last_map, logits_of
from stackwalls.model.networks.layered_model import LAST, Layer
from stackwalls.model.networks.walled_model import Walled, sharing_copy
from stackwalls.model.networks.walled_network import CURTAIN_DERIVATION, WalledNetwork, file_names
from stackwalls.model.wall import Wall


class Curtain(WalledNetwork):
    """Any classifier behind a curtain (see `walled`); a transformer of tokens is a `WalledTransformer` there, too.

    Its map is that before the head if the backbone is split (see `split_classifier`), else the last that it makes, if
    any. Then it is computed as a whole, and only explained by methods that need no more.

    Args:
        backbone: split, or as a whole.
        wall: the dead zone, of any form. None: all is seen.
        layer: see `explain_at`.

    Raises:
        InputError: if the network does not run on images of the wall's size, or another layer is asked for.
    """

    def __init__(self, backbone: Backbone, wall: Wall | None, layer: Layer | None = None) -> None:
        super().__init__(backbone, wall, "curtain")
        self.explain_at(layer)
        self.extractor, self.rest = backbone.features, backbone.head
        self.splits = not backbone.is_whole
        self._file_names = file_names(self, backbone.network)
        self.eval()
        try:
            shown = self.stitched if self.splits else last_map(self.extractor, self.image_size)
            with torch.no_grad():
                self(torch.zeros(1, 3, self.image_size, self.image_size))
        except Exception as error:  # networks for one size only refuse others in many ways
            size = f"{self.image_size} x {self.image_size}"
            reason = f"it does not run on images of {size} pixels ({reason_of(error).rstrip('.')})"
            raise InputError(f"{backbone.name} cannot be put behind a curtain: {reason}.") from error
        self._shown = (shown,)  # in a tuple: it is a module of the extractor's already

    def explain_at(self, layer: Layer | None) -> None:
        """See `LayeredModel`; there is its last map only."""
        if layer not in (None, LAST):
            raise InputError(
                f"{self.name} is explained at its last map, not at {layer!r:.80}: leave out the layer, or pass any "
                "module of the network in Python (`target_layer=`)."
            )

    def layers(self) -> tuple[Layer, ...]:
        """Its last map."""
        return (LAST,)

    @property
    def target_layer(self) -> nn.Module | None:
        """The last map, if there is one."""
        return self._shown[0]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """`(N, 3, H, W)` normalized images to logits `(N, classes)`."""
        if self.splits:
            return super().forward(images)
        logits: torch.Tensor = logits_of(self.extractor(self.curtained(images)))
        return logits

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """`(N, 3, H, W)` normalized images to the map `(N, C, h, w)`, for a network that splits."""
        if not self.splits:
            raise InputError(f"{self.name} is not split at its map, so it is computed as a whole.")
        activations: torch.Tensor = self.stitched(self.extractor(self.curtained(images)))
        return activations

    def head(self, activations: torch.Tensor) -> torch.Tensor:
        """The map `(N, C, h, w)` to logits `(N, classes)`, all of it."""
        logits: torch.Tensor = self.rest(activations)
        return logits

    def dead_cells(self) -> None:
        """See `LayeredModel`: none of them."""

    def layer_derivation(self) -> str:
        """See `LayeredModel`."""
        return CURTAIN_DERIVATION

    def derivation(self) -> str:
        """Why the dead zone is dead, in one sentence."""
        return CURTAIN_DERIVATION if self.wall else "the network runs on all of the image: nothing is dead"


def unwalled(network: WalledNetwork) -> WalledNetwork:
    """The same network with the same weights without its wall, for comparison: it sees the whole image."""
    if not isinstance(network, Walled):
        whole = network.without_wall()
        if isinstance(whole, WalledTransformer):
            whole.dead.zero_()
            whole.load_state_dict(whole.state_dict())  # renews the keys behind a sink: there are none
        return whole
    name = f"{network.name.removeprefix('walled:')} without a wall"
    backbone = Backbone(name, sharing_copy(network.extractor), network.pooled_head, network.mean, network.std)
    made = Curtain(replace(backbone, class_names=network.class_names, transform=network.transform), None)
    made.class_indices = network.class_indices
    return made
