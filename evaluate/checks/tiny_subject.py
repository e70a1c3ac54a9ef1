"""Two small networks that are certified blind, and pictures for them: a method is checked on them within seconds."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stackwalls.model import IMAGE_SIZE, Backbone, MaskedVGG16, Wall, Walled, animals
from stackwalls.model.images.drawn import draw

NUM_PICTURES = 4

_WIDTH = 1 / 16
_CLASSES = 10
_THRESHOLD = -0.05
"""Bias of every convolution: it leaves maps with dead and living cells, as a trained network's are."""


def tiny_masked_vgg(seed: int = 0) -> MaskedVGG16:
    """MaskedVGG16's geometry with a sixteenth of its channels and random weights (He et al. 2015): blind at the bottom.

    The wall follows from the layers, not from training, so that random weights are as blind as any.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        model = MaskedVGG16(num_classes=_CLASSES, width=_WIDTH)
        _initialise(model)
    return model.eval()


def tiny_walled(wall: str = "top:64", seed: int = 0) -> Walled:
    """A small convolutional network of stride 32 with random weights behind a wall on another side."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        widths, strides = (3, 8, 16, 32), (4, 4, 2)
        layers: list[nn.Module] = []
        for index, stride in enumerate(strides):
            layers += [nn.Conv2d(widths[index], widths[index + 1], 2 * stride - 1, stride, stride - 1), nn.ReLU()]
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], _CLASSES))
        backbone = Backbone("tiny", nn.Sequential(*layers), head)
        _initialise(backbone.features)
    return Walled(backbone, Wall.parse(wall)).eval()


@cache
def tiny_pictures(count: int = NUM_PICTURES) -> NDArray[np.uint8]:
    """`(count, 224, 224, 3)` uint8: drawn animals, each above another of its class."""
    classes = animals()
    step = len(classes) // count
    pictures = []
    for index in range(count):
        above, below = (draw(classes[index * step].index, seed, IMAGE_SIZE) for seed in (2 * index, 2 * index + 1))
        pictures.append(np.concatenate([above[:160], below[160:]]))
    return np.stack(pictures)


def _initialise(module: nn.Module) -> None:
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.constant_(layer.bias, _THRESHOLD if isinstance(layer, nn.Conv2d) else 0.0)
