"""[CNN] out of torch's own layers, to hold the package's against."""

import torch
from torch import nn

from stackwalls.model.theory import Networks


def as_module(networks: Networks, index: int = 0) -> nn.Sequential:
    """One of the networks out of torch's layers, whose first dense layer is full-size, with zeros on the lower half."""
    spec = networks.spec
    convolution = nn.Conv2d(spec.channels, spec.filters, spec.kernel, bias=False)
    convolution.weight.data = networks.filters[index]
    layers: list[nn.Module] = [convolution, nn.ReLU(), nn.MaxPool2d(spec.pool), nn.Flatten()]
    for number, weight in enumerate(networks.dense):
        full = weight[index]
        if number == 0:
            full = torch.zeros(full.shape[0], spec.filters, *spec.pooled_size, dtype=full.dtype)
            full[:, :, : spec.pooled_size[0] // 2] = weight[index]
        dense = nn.Linear(full.flatten(1).shape[1], full.shape[0], bias=False)
        dense.weight.data = full.flatten(1)
        layers += [dense, nn.ReLU()]
    return nn.Sequential(*layers[:-1])
