"""First weights of a training: random ones as the paper's authors drew them, or fitted to training images."""

from typing import Any

import torch
from torch import nn

from stackwalls.model.networks.geometry.seen_rows import rows_needed
from stackwalls.model.networks.masked_vgg import MaskedVGG16
from stackwalls.model.training.network import TrainingNetwork

_LAST = 0.1
"""Factor of the last layer's first weights below He's, so that all classes start about equally likely."""


def initialize_as_authors(model: MaskedVGG16) -> None:
    """PyTorch's default weights in the last convolution and the first dense layer, in place.

    These two the authors replaced in torchvision's VGG16. Their dense layer has weights for the hidden rows too, which
    count for its range: uniform within 1 / sqrt(256 · 14 · 14) at 224 pixels.

    Source: vgg16_experiment/vgg16_training.py of MagamedT/cam-can-see-through-walls.
    """
    convolution = next(layer for layer in reversed(model.convolutions) if isinstance(layer, nn.Conv2d))
    convolution.reset_parameters()
    bound = (convolution.out_channels * model.map_size**2) ** -0.5
    for parameter in model.classifier[0].parameters():
        nn.init.uniform_(parameter, -bound, bound)


def calibrate(network: TrainingNetwork, images: torch.Tensor) -> None:
    """Fit random weights to some tens of training images, so that the signal is not lost on the way to the logits.

    A VGG16's convolutions are scaled; in a walled network, the layers with running statistics measure them.

    Args:
        network: changed in place, on the CPU.
        images: `(N, 3, H, size)` uint8.
    """
    with torch.no_grad():
        if isinstance(network.model, MaskedVGG16):
            _scale_convolutions(network.model, network.normalized(images))
        else:
            _measure_statistics(network, images)


def _measure_statistics(network: TrainingNetwork, images: torch.Tensor) -> None:
    """Mean and variance of every channel over the seen pieces of the images, which they keep in training."""
    layers: list[Any] = [layer for layer in network.modules() if getattr(layer, "running_mean", None) is not None]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the mean over the pieces
        layer.train()
    network(images)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()


def _scale_convolutions(model: MaskedVGG16, x: torch.Tensor) -> None:
    """Scale every convolution so that its outputs on `x` have mean 0 and variance 1 in every channel.

    Without this, a narrow VGG, which has 13 convolutions and no normalization, does not start to learn. Dense layers
    are initialized as in He et al. (2015), the last one smaller. Draws from torch's global random state.

    Source: Mishkin and Matas, "All you need is a good init", ICLR 2016 (here per channel).
    """
    needed = rows_needed(model.convolutions, model.visible_rows, model.image_size)
    for layer, rows in zip(model.convolutions, needed, strict=False):
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
