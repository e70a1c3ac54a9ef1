"""MaskedVGG16's logits from the rows that can matter: what lies under the wall is neither computed nor multiplied.

The head reads map rows :5. Row by row backwards, these need 6, 7 rows of the layer before, and so on: 170 of 224 input
rows, 40 of 56 in the third block, 7 of 14 in the last, 66 % of the multiplications. A layer that gets fewer rows sees
zeros where the next row would be, so that its own last row comes out wrong; that row is cut off, or not needed.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from stackwalls.evaluate.engine.kernels import ConvReLU, dense_layers, linear
from stackwalls.model import IMAGE_SIZE, MaskedVGG16
from stackwalls.model.networks.seen_rows import rows_needed

_CUT_BELOW = 50
"""Cutting a wrong row off costs a copy, which pays where a row is a large share of the map: below this height."""


_CPU_IMAGES = 1
"""Images at once on a CPU: the maps of more do not fit its caches, and rows of one image are cut off without a copy."""


class SeenRows:
    """A masked VGG16's convolutions on its seen rows, and its head, for batches of masked images.

    Args:
        model: the network; its convolutions' weights are copied into the device's fastest layout (59 MB in float32).
        batch: images a call, for which the layout is chosen; a CPU takes them one by one.
        dtype: of the convolutions; the head runs in float32.
        read: rows of the last map that are wanted; those that the head reads by default.
    """

    def __init__(
        self, model: MaskedVGG16, batch: int, dtype: torch.dtype = torch.float32, read: int | None = None
    ) -> None:
        self.model, self.dtype, self.read = model, dtype, read or model.visible_rows
        on_cpu = next(model.parameters()).device.type == "cpu"
        self.batch = min(batch, _CPU_IMAGES) if on_cpu else batch
        needed = rows_needed(model.convolutions, self.read)
        self.seen = needed[0]
        self.steps: list[tuple[ConvReLU | None, int]] = []
        side, channels = IMAGE_SIZE, 3
        for layer, rows_in, rows_out in zip(model.convolutions, needed, needed[1:], strict=False):
            if isinstance(layer, nn.Conv2d):
                self.steps.append((ConvReLU.of(layer, (self.batch, channels, rows_in, side), dtype), rows_out))
                channels = layer.out_channels
            elif isinstance(layer, nn.MaxPool2d):
                side //= 2
                self.steps.append((None, rows_out))
            # a ReLU is part of the convolution before it

    def features(self, seen_images: torch.Tensor) -> torch.Tensor:
        """`(N, 3, 170, 224)` normalised images, seen rows only, to `(N, C·5·14)` float32, the head's input."""
        return self.maps(seen_images).flatten(1)

    def maps(self, seen_images: torch.Tensor) -> torch.Tensor:
        """The same as maps, `(N, C, 5, 14)`."""
        return torch.cat([self._maps(part) for part in torch.split(seen_images, self.batch)])

    def _maps(self, seen_images: torch.Tensor) -> torch.Tensor:
        x = seen_images.to(self.dtype).contiguous(memory_format=torch.channels_last)
        for step, rows in self.steps:
            x = F.max_pool2d(x, 2) if step is None else step(x)
            if x.shape[2] > rows and (step is None or x.shape[2] < _CUT_BELOW):
                x = x[:, :, :rows].contiguous(memory_format=torch.channels_last)
        return x[:, :, : self.read].float().contiguous()

    def scores(self, features: torch.Tensor, target: int) -> torch.Tensor:
        """The head's logit of class `target`: `(N, C·5·14)` to `(N,)`."""
        first, second, last = dense_layers(self.model.classifier)
        hidden = linear(linear(features, first, relu=True), second, relu=True)
        return hidden @ last.weight[target] + last.bias[target]
