"""`DecoderTask`: the autoencoder's decoder learns to draw frames from their latents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from stackwalls.stackgen.diffusion.miniature.pictures import HEIGHT, WIDTH, draw_frame
from stackwalls.stackgen.diffusion.miniature.projection import PATCH, Projection

BATCH = 16
"""Crops of a step and process."""

_CROP = 6
"""Latent positions of a crop's side: 96 pixels."""

_CROPS = 4
"""Crops of one drawn frame: drawing costs a quarter of what learning from a crop does."""

_NOISE = 0.08
"""Largest standard deviation of the noise on the latents, whose own is 0.5: those of the denoiser are not exact."""

_EDGES = 0.5
"""Weight of the differences between neighbouring pixels beside that of the pixels."""

_FRAMES = 1 << 20
"""Numbers of frames to choose from; they begin beyond those of the denoiser."""


class DecoderTask(nn.Module):
    """The decoder, and the loss of one batch of crops of frames that are drawn for it.

    Args:
        autoencoder: whose decoder is trained.
        projection: what its encoder computes.
        labels: the classes of the frames.
    """

    def __init__(self, autoencoder: Any, projection: Projection, labels: Sequence[int]) -> None:
        super().__init__()
        self.decoder = autoencoder.decoder.to(memory_format=torch.channels_last)
        self._projection, self._labels = projection, list(labels)

    def forward(self, generator: torch.Generator) -> torch.Tensor:
        """Mean absolute difference of pixels in [-1, 1], and of their differences, over one batch."""
        device = next(self.decoder.parameters()).device
        images = self._crops(generator)
        latents = self._projection(images)
        strength = _NOISE * torch.rand(len(latents), 1, 1, 1, generator=generator)
        latents = latents + strength * torch.randn(latents.shape, generator=generator)
        wanted = (2 * images - 1).to(device)
        drawn = self.decoder(latents.to(device).contiguous(memory_format=torch.channels_last)).float()
        off = drawn - wanted
        edges = off.diff(dim=2).abs().mean() + off.diff(dim=3).abs().mean()
        loss: torch.Tensor = off.abs().mean() + _EDGES * edges
        return loss

    def _crops(self, generator: torch.Generator) -> torch.Tensor:
        """`(16, 3, 96, 96)` float32 in [0, 1]."""
        crops = []
        for _ in range(BATCH // _CROPS):
            which, number = (int(torch.randint(high, (), generator=generator)) for high in (len(self._labels), _FRAMES))
            image = draw_frame(self._labels[which], _FRAMES + number).image
            for _ in range(_CROPS):
                y, x = (
                    PATCH * int(torch.randint(side // PATCH - _CROP + 1, (), generator=generator))
                    for side in (HEIGHT, WIDTH)
                )
                crops.append(image[y : y + _CROP * PATCH, x : x + _CROP * PATCH])
        return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255.0
