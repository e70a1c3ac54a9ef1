"""Leave a model as it was found: training mode, gradients, hooks, weights and backend flags, also on errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

_NOT_KEPT = ("training", "_modules", "_parameters", "_buffers")
"""Attributes of a module that are restored in other ways; so are its hooks."""

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@contextmanager
def preserved(model: nn.Module) -> Iterator[nn.Module]:
    """Evaluation mode inside; afterwards every module's mode, hooks, gradients and `requires_grad` are as before.

    Hooks that the user registered before stay active inside. Those registered inside are removed at the end.
    """
    modes = [(module, module.training) for module in model.modules()]
    hooks = [(module, name, dict(getattr(module, name))) for module in model.modules() for name in _HOOKS]
    parameters = [(parameter, parameter.requires_grad, parameter.grad) for parameter in model.parameters()]
    try:
        model.eval()
        yield model
    finally:
        for module, mode in modes:
            module.training = mode
        for module, name, before in hooks:
            registered = getattr(module, name)
            registered.clear()
            registered.update(before)
        for parameter, requires_grad, grad in parameters:
            parameter.requires_grad_(requires_grad)
            parameter.grad = grad


class KeptState:
    """A copy of a network's weights and attributes, to be restored after third-party code.

    Args:
        model: the model to keep; its parameters and buffers are copied.

    Attributes:
        changed: names of the parameters and buffers that ever had to be restored.
    """

    def __init__(self, model: nn.Module) -> None:
        self._modules = [(module, _own_attributes(module)) for module in model.modules()]
        self._slots: list[tuple[dict[str, Any], dict[str, Any]]] = [
            (slots, dict(slots)) for module, _ in self._modules for slots in (module._parameters, module._buffers)
        ]
        tensors = [*model.named_parameters(), *model.named_buffers()]
        self._tensors = [(name, tensor, tensor.detach().clone()) for name, tensor in tensors]
        self.changed: set[str] = set()

    @torch.no_grad()
    def put_back(self) -> None:
        """Undo every change to the network since."""
        for module, before in self._modules:
            for name in _own_attributes(module).keys() - before.keys():
                del module.__dict__[name]
            module.__dict__.update(before)
        for slots, held in self._slots:
            slots.clear()
            slots.update(held)
        for name, tensor, copy in self._tensors:
            alike = tensor.shape == copy.shape and tensor.dtype == copy.dtype and tensor.device == copy.device
            if alike and torch.equal(tensor, copy):
                continue
            self.changed.add(name)
            if alike:
                tensor.copy_(copy)
            else:
                tensor.data = copy.clone()


def _own_attributes(module: nn.Module) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if name not in _NOT_KEPT and "hook" not in name}


@contextmanager
def local_arithmetic() -> Iterator[None]:
    """Convolutions computed output by output, so that a pixel outside a receptive field cannot touch a single bit.

    cuDNN may choose Winograd or FFT convolutions. Those compute a tile of outputs from a tile of inputs, in which
    pixels outside an output's receptive field cancel only up to rounding, so a blind network would seem to leak
    1e-7. Without cuDNN, torch multiplies matrices of patches, one dot product per output. TF32 does not matter then.
    """
    with torch.backends.cudnn.flags(enabled=False):
        yield
