"""Weights to begin with."""

from __future__ import annotations

import torch
from torch import nn

from stackwalls.model.networks.seen_rows import rows_needed
from stackwalls.model.training.training_network import TrainingNetwork

_LAST = 0.1
"""The last layer begins this much smaller than He's, so that all classes begin about equally likely."""


def calibrate(network: TrainingNetwork, pictures: torch.Tensor) -> None:
    """Scale every convolution so that its outputs on `pictures` have mean 0 and variance 1 in every channel.

    A VGG has 13 convolutions in a row and nothing between them that keeps the scale; without this a narrow one
    loses the picture on the way. Dense layers are initialised as He et al. (2015), the last one smaller. Draws from
    torch's global random state.

    Args:
        network: what is to be trained; its weights are changed in place.
        pictures: `(N, 3, H, 224)` uint8, some tens of training pictures.

    Source: Mishkin and Matas, "All you need is a good init", ICLR 2016 (here a channel at a time).
    """
    model = network.model
    with torch.no_grad():
        x = network.normalised(pictures)
        for layer, rows in zip(model.convolutions, rows_needed(model.convolutions, model.visible_rows), strict=False):
            x = x[:, :, :rows]
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                variance, mean = torch.var_mean(layer(x), dim=(0, 2, 3))
                scale = variance.sqrt() + 1e-4
                layer.weight.div_(scale.view(-1, 1, 1, 1))
                layer.bias = nn.Parameter(-mean / scale)
            x = layer(x)
        dense = [layer for layer in model.classifier if isinstance(layer, nn.Linear)]
        for layer in dense:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        dense[-1].weight.mul_(_LAST)
