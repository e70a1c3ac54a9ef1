"""The network while it is trained: a plain MaskedVGG16, of which only the rows that reach the head are computed."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from stackwalls.model.networks.masked_vgg import MaskedVGG16
from stackwalls.model.networks.seen_rows import seen_map, seen_pixel_rows
from stackwalls.model.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from stackwalls.model.training.dropout import SeededDropout


class TrainingNetwork(nn.Module):
    """uint8 pictures to logits, for training and validation.

    The wall holds by construction twice over: the head has no weights for hidden rows, and the dead pixel rows are
    cut off before the first convolution.

    Args:
        model: what is trained. Its weights are used and changed in place; it is exported as it is.
        dropout: share of the dense layers' units that is dropped.
        compiled: whether the convolutions run through `torch.compile` while it is trained.
    """

    def __init__(self, model: MaskedVGG16, dropout: float, compiled: bool = False) -> None:
        super().__init__()
        self.model = model.to(memory_format=torch.channels_last)
        self.rows = seen_pixel_rows(model)
        layers = [SeededDropout(dropout) if isinstance(layer, nn.Dropout) else layer for layer in model.classifier]
        self.dense = nn.Sequential(*layers)  # the very layers of the model, with other dropouts between them
        self._map = torch.compile(seen_map) if compiled else seen_map
        self.mean = nn.Buffer(_pixel(IMAGENET_MEAN), persistent=False)
        self.std = nn.Buffer(_pixel(IMAGENET_STD), persistent=False)

    def place(self, seed: int, step: int, first: int, total: int) -> None:
        """Which pictures of which step the next call gets; the dropout follows from it (see `SeededDropout`)."""
        dropouts = [layer for layer in self.dense if isinstance(layer, SeededDropout)]
        for state, layer in zip(
            np.random.SeedSequence([seed, step]).generate_state(len(dropouts)), dropouts, strict=True
        ):
            layer.place(int(state), first, total)

    def normalised(self, pictures: torch.Tensor) -> torch.Tensor:
        """`(N, 3, H, 224)` uint8 to network input; channels last, the rows that can matter."""
        seen = pictures[:, :, : self.rows].to(torch.float32)
        return ((seen - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """`(N, 3, H, 224)` uint8 RGB, H at least the seen rows, to logits `(N, classes)`."""
        # the validation's batches have other shapes: not worth kernels of their own
        run = self._map if self.training else seen_map
        logits: torch.Tensor = self.dense(run(self.model, self.normalised(pictures)).flatten(1))
        return logits


def _pixel(values: tuple[float, float, float]) -> torch.Tensor:
    """A mean or standard deviation in [0, 1] as `(1, 3, 1, 1)` in 0 to 255."""
    return 255 * torch.tensor(values).view(1, 3, 1, 1)
