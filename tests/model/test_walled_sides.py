"""Methods that keep state in modules: behind a wall they give on the seen side what they give on the crop alone."""

from collections.abc import Callable
from typing import Any

import captum.attr
import pytest
import torch
from torch import nn
from zennit.attribution import Gradient
from zennit.composites import COMPOSITES

from stackwalls.model import Backbone, Wall, load_backbone, walled

Attribute = Callable[[nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]

TARGETS = torch.tensor([1, 3])


class Head(nn.Module):
    """Without nn.Flatten, for which captum's LRP has no rule."""

    def __init__(self) -> None:
        super().__init__()
        self.pool, self.dense = nn.AdaptiveAvgPool2d(1), nn.Linear(8, 5)

    def forward(self, activations: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.dense(self.pool(activations).flatten(1))
        return logits


def small() -> Backbone:
    """Stride 16, each layer used once, for every layer a rule of LRP."""
    torch.manual_seed(0)
    features = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 4, stride=4), nn.ReLU()
    )
    return Backbone("small", features, Head())


def of_a_library(name: str) -> Callable[[], Backbone]:
    def make() -> Backbone:
        torch.manual_seed(0)
        return load_backbone(name, pretrained=False)

    return make


def by_zennit(name: str) -> Attribute:
    def attribute(model: nn.Module, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        options = {"low": -3.0, "high": 3.0} if name.endswith("box") else {}
        classes = model(images).shape[1]
        with Gradient(model, COMPOSITES[name](**options)) as attributor:
            _, relevance = attributor(images.clone(), torch.eye(classes)[targets])
        found: torch.Tensor = relevance
        return found

    return attribute


def by_captum(method: Any) -> Attribute:
    def attribute(model: nn.Module, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = method(model).attribute(images.clone().requires_grad_(), target=targets)
        return found.detach()

    return attribute


METHODS: dict[str, Attribute] = {
    **{f"zennit {name}": by_zennit(name) for name in COMPOSITES},
    "captum DeepLift": by_captum(captum.attr.DeepLift),
    "captum GuidedBackprop": by_captum(captum.attr.GuidedBackprop),
    "captum LRP": by_captum(captum.attr.LRP),
}

CASES = [
    *((small, method, wall) for method in METHODS for wall in ("bottom:112", "bottom:64")),
    (of_a_library("timm/resnet18"), "zennit epsilon_plus", "bottom:96"),
    (of_a_library("timm/resnet18"), "captum DeepLift", "bottom:96"),
    (of_a_library("densenet121"), "captum DeepLift", "bottom:96"),
]
"""Equal sides (bottom:112), on which one side's state passes for the other's, and unequal ones."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("make", "method", "wall"), CASES)
def test_the_seen_part_is_that_of_the_crop(make: Callable[[], Backbone], method: str, wall: str) -> None:
    attribute = METHODS[method]
    model = walled(make(), Wall.parse(wall))
    backbone = make()
    crop = nn.Sequential(backbone.features, backbone.head).eval()
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    assert model.wall.band is not None
    seen = model.wall.band.start
    found, expected = attribute(model, images, TARGETS), attribute(crop, images[:, :, :seen], TARGETS)
    assert expected.abs().max() > 0
    torch.testing.assert_close(found[:, :, :seen], expected, rtol=1e-4, atol=1e-7)
    assert not found[:, :, seen:].any()


def test_sides_share_their_weights_and_nothing_else() -> None:
    model = walled(small(), Wall.parse("rows:64:128"))
    sides = model.sides
    assert len(sides) == 3
    first, *others = [dict(side.named_parameters()) for side in sides]
    assert all(tensor is other[name] for other in others for name, tensor in first.items())
    modules = [{id(module) for module in side.modules()} for side in sides]
    assert not modules[0] & modules[1] | modules[1] & modules[2] | modules[0] & modules[2]
    assert len(list(model.parameters())) == len([*small().features.parameters(), *small().head.parameters()])
