"""Leave a model as it was found: training mode, gradients, hooks, weights and backend flags, also on errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

import torch
from torch import nn

_HOOKS = tuple(name for name in vars(nn.Module()) if "hook" in name)
"""Attributes of every module; `preserved` restores these and the mode, which a user may change between two calls."""


@contextmanager
def preserved(model: nn.Module) -> Iterator[nn.Module]:
    """Evaluation mode inside; afterwards every module's mode, hooks, gradients and `requires_grad` are as before.

    Hooks that the user registered before stay active inside. Those registered inside are removed at the end, also
    those on parameters.
    """
    modes = [(module, module.training) for module in model.modules()]
    # empty ones, which most are, are only looked at
    hooks = [
        (attributes, name, value, dict(value) if value and isinstance(value, dict) else {})
        for attributes in map(vars, model.modules())
        for name in _HOOKS
        if name in attributes
        for value in [attributes[name]]
    ]
    parameters = [
        (each, each.requires_grad, each.grad, dict(each._backward_hooks or {})) for each in model.parameters()
    ]
    try:
        model.eval()
        yield model
    finally:
        for module, mode in modes:
            module.training = mode
        for attributes, name, value, registered in hooks:
            attributes[name] = value
            if value and isinstance(value, dict):
                value.clear()
            if registered:
                value.update(registered)
        for parameter, requires_grad, grad, registered in parameters:
            parameter.requires_grad_(requires_grad)
            parameter.grad = grad
            if parameter._backward_hooks:
                parameter._backward_hooks.clear()
                parameter._backward_hooks.update(registered)


class KeptState:
    """A copy of a network's modules, weights and attributes, to be restored after third-party code.

    Args:
        model: the model to keep; its parameters, buffers and other tensors are copied.

    Attributes:
        changed: names of the parameters and buffers that ever had to be restored.
    """

    def __init__(self, model: nn.Module) -> None:
        self._modules = [(module, type(module), _own_attributes(module)) for module in model.modules()]
        # of `_modules`, `_parameters`, `_buffers` and the user's own; what is in them is not copied
        self._containers = [
            (value, copy(value))
            for _, _, attributes in self._modules
            for value in attributes.values()
            if isinstance(value, dict | list | set)
        ]
        tensors = [*model.named_parameters(), *model.named_buffers()]
        for _, _, attributes in self._modules:
            tensors += [(name, value) for name, value in attributes.items() if isinstance(value, torch.Tensor)]
        self._tensors = [(name, tensor, tensor.detach().clone()) for name, tensor in tensors]
        self.changed: set[str] = set()

    @torch.no_grad()
    def put_back(self) -> None:
        """Undo every change to the network since."""
        for module, kind, before in self._modules:
            if type(module) is not kind:
                object.__setattr__(module, "__class__", kind)
            for name in _own_attributes(module).keys() - before.keys():
                del module.__dict__[name]
            module.__dict__.update(before)
        for container, held in self._containers:
            if isinstance(container, list):
                container[:] = held
            else:
                container.clear()
                container.update(held)
        for name, tensor, copied in self._tensors:
            alike = tensor.shape == copied.shape and tensor.dtype == copied.dtype and tensor.device == copied.device
            if alike and torch.equal(tensor, copied):
                continue
            self.changed.add(name)
            if alike:
                tensor.copy_(copied)
            else:
                tensor.data = copied.clone()


def _own_attributes(module: nn.Module) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if name != "training" and name not in _HOOKS}


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """No TF32 in convolutions, which is on by default on NVIDIA's GPUs: maps are compared to 1e-4."""
    before, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


@contextmanager
def local_arithmetic() -> Iterator[None]:
    """Convolutions computed output by output, so that a pixel outside a receptive field cannot touch a single bit.

    cuDNN may choose Winograd or FFT convolutions. Those compute a tile of outputs from a tile of inputs, in which
    pixels outside an output's receptive field cancel only up to rounding, so a blind network would seem to leak
    1e-7. Without cuDNN, torch multiplies matrices of patches, one dot product per output. TF32 does not matter then.
    """
    with torch.backends.cudnn.flags(enabled=False):
        yield
