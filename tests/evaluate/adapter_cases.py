"""What the tests of the adapters share: networks, images, and the state that must come back."""

from collections.abc import Callable
from typing import Any

import torch
from in_memory_dataset import sparse_vgg, walled_cnn
from torch import nn

from stackwalls.evaluate import Explainer, Maps, Subject
from stackwalls.evaluate.adapters import as_explainer
from stackwalls.model import BlindModel

NETWORKS: dict[str, Callable[[], BlindModel]] = {"vgg": sparse_vgg, "walled": walled_cnn}
IMAGES = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(3))
TARGETS = [3, 7]


def maps_of(method: object, subject: Subject, targets: list[int] | None = None, images: torch.Tensor = IMAGES) -> Maps:
    """The maps of a method by its adapter, under the name "mine"."""
    return explained(as_explainer("mine", method, subject), targets, images)


def explained(explainer: Explainer, targets: list[int] | None = None, images: torch.Tensor = IMAGES) -> Maps:
    assert explainer.methods == ("mine",)
    found = explainer.explain(images, targets or TARGETS, ["mine"])
    assert set(found) == {"mine"}
    return found["mine"]


def state_of(model: nn.Module) -> dict[str, Any]:
    """Everything that must be as it was: modes, hooks, layers, gradients, weights, random numbers."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {
        "modes": [module.training for module in model.modules()],
        "hooks": [list(getattr(module, name).values()) for module in model.modules() for name in hooks],
        "layers": [id(module) for module in model.modules()],
        "requires_grad": [parameter.requires_grad for parameter in model.parameters()],
        "gradients": [None if p.grad is None else p.grad.sum().item() for p in model.parameters()],
        "weights": [parameter.sum().item() for parameter in model.parameters()],
        "random": torch.get_rng_state().sum().item(),
        "grad mode": torch.is_grad_enabled(),
    }


def unusual(model: BlindModel) -> BlindModel:
    """In training mode, half frozen, with a gradient and a hook of the user's."""
    model.train()
    for index, parameter in enumerate(model.parameters()):
        parameter.grad = torch.full_like(parameter, 2.0)
        parameter.requires_grad_(index % 2 == 0)
    model.target_layer.register_forward_hook(lambda *_: None)
    return model
