"""The target layer's map of whole images, as the device computes it fastest without changing a bit.

On a CPU: a masked VGG16 stays in oneDNN's blocked layout from the first convolution to the last, into which torch's own
convolutions bring every input and output; and few images a call, calls side by side. Layouts that are faster still
(channels last) round otherwise. That is not harmless: a hidden unit of the head close to 0 changes sides, and with it
the gradient jumps, so that a map moves by 4e-3 on one noise image of eight.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from stackwalls.model import BlindModel, MaskedVGG16, parallel_map

_CPU_IMAGES = 2
"""Images a call on a CPU: more do not fit its caches."""

Features = Callable[[torch.Tensor], torch.Tensor]
"""`(N, 3, H, W)` normalised images to the map `(N, C, h, w)` float32, contiguous."""


def fast_features(model: BlindModel) -> Features:
    """A network's `features` on the device on which it lies.

    Args:
        model: in evaluation mode; a masked VGG16's weights are copied (59 MB).
    """
    if next(model.parameters()).device.type != "cpu":
        return lambda images: model.features(images).contiguous()
    own = _in_blocked_layout(model) if isinstance(model, MaskedVGG16) and not _hooked(model) else model.features

    def one(images: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return own(images).contiguous()

    def features(images: torch.Tensor) -> torch.Tensor:
        with parallel_map() as mapped:
            return torch.cat(list(mapped(one, torch.split(images, _CPU_IMAGES))))

    return features


def _in_blocked_layout(model: MaskedVGG16) -> Features:
    """The convolutions on oneDNN's opaque tensors, or the model's own where this torch has none."""
    available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not available or next(model.parameters()).dtype != torch.float32:
        return model.features
    steps = _steps(list(model.convolutions))

    def features(images: torch.Tensor) -> torch.Tensor:
        x = images.to_mkldnn()
        for step in steps:
            x = step(x)
        return x.to_dense()

    return features


def _steps(layers: list[nn.Module]) -> list[Features]:
    """The layers on opaque tensors.

    ReLUs write into the convolution's own output, which nobody else holds: a new one costs as much as the ReLU. Before
    a max-pool they change places with it, which changes no bit and leaves them a quarter of the values.
    """
    steps: list[Features] = []
    for layer, following in zip(layers, [*layers[1:], None], strict=True):
        if isinstance(layer, nn.Conv2d):
            steps.append(_convolution(layer))
        elif isinstance(layer, nn.MaxPool2d):
            steps += [layer, torch.relu_]
        elif not isinstance(following, nn.MaxPool2d):
            steps.append(torch.relu_)
    return steps


def _convolution(layer: nn.Conv2d) -> Features:
    """A convolution on opaque tensors, its weights in the blocked layout from the start."""
    given: Any = (layer.padding, layer.stride, layer.dilation, layer.groups)
    weight = torch._C._nn.mkldnn_reorder_conv2d_weight(layer.weight.detach().to_mkldnn(), *given)
    bias = None if layer.bias is None else layer.bias.detach().to_mkldnn()
    return lambda x: torch.mkldnn_convolution(x, weight, bias, *given)


def _hooked(model: MaskedVGG16) -> bool:
    """Whether somebody's hooks on the convolutions may change what they give."""
    layers = list(model.convolutions.modules())
    return any(layer._forward_hooks or layer._forward_pre_hooks for layer in layers)
