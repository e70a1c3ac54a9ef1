"""Leave a model as it was found: training mode, gradients, hooks and back-end flags, on errors too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

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


@contextmanager
def local_arithmetic() -> Iterator[None]:
    """Convolutions computed output by output, so that a pixel outside a receptive field cannot touch a single bit.

    cuDNN may choose Winograd or FFT convolutions. Those compute a tile of outputs from a tile of inputs, in which
    pixels outside an output's receptive field cancel only up to rounding: a blind network would seem to leak 1e-7.
    Without cuDNN, torch multiplies matrices of patches, one dot product an output. Also makes TF32 irrelevant.
    """
    with torch.backends.cudnn.flags(enabled=False):
        yield
