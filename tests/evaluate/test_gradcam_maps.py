"""Maps as grad-cam's users get them, and the model as it was, on errors too."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import pytorch_grad_cam
import torch
from in_memory_dataset import sparse_vgg, walled_cnn
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from stackwalls.evaluate import METHODS, GradCamExplainer, Subject, mu, mu_native
from stackwalls.model import BlindModel, InputError, Wall

MODELS: dict[str, Callable[[], BlindModel]] = {"vgg": sparse_vgg, "walled": walled_cnn}
IMAGES = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(3))


def plain(model: BlindModel, name: str, targets: list[int] | None) -> Any:
    """grad-cam as its README calls it; ScoreCAM and AblationCAM are given one image at a time."""
    cam_class = getattr(pytorch_grad_cam, METHODS[name].cam_class)
    with cam_class(model=model, target_layers=[model.target_layer]) as cam:
        chosen = None if targets is None else [ClassifierOutputTarget(target) for target in targets]
        return cam(input_tensor=IMAGES, targets=chosen)


@pytest.mark.parametrize("network", MODELS)
@pytest.mark.parametrize("name", METHODS)
def test_maps_and_mu_are_grad_cams(name: str, network: str) -> None:
    model = MODELS[network]()
    subject = Subject.of(model)
    with torch.no_grad():
        predicted = model(IMAGES).argmax(1).tolist()
    for targets in (None, [3, 7]):
        expected = plain(model, name, targets)
        found = GradCamExplainer(subject, METHODS[name]).explain(IMAGES, targets or predicted)[name]
        assert found.maps.shape == (2, 224, 224)
        assert np.abs(found.maps - expected).max() <= 1e-4
        assert np.abs(mu(found.maps, subject.wall) - mu(expected, subject.wall)).max() <= 1e-5
        assert found.raw is not None
        assert found.raw.shape == ((2, 14, 14) if network == "vgg" else (2, 7, 7))


def test_the_raw_map_is_what_the_map_was_made_from() -> None:
    """ReLU, min–max and cv2's resize of it, done by hand, give the map."""
    import cv2

    found = GradCamExplainer(Subject.of(sparse_vgg()), METHODS["GradCAM"]).explain(IMAGES, [1, 2])["GradCAM"]
    assert found.raw is not None
    assert (found.raw < 0).any(), "a raw map has both signs"
    for raw, full in zip(found.raw, found.maps, strict=True):
        low = np.maximum(raw, 0)
        up = cv2.resize((low - low.min()) / (1e-7 + (low - low.min()).max()), (224, 224))
        up -= up.min()
        assert np.abs(up / (1e-7 + up.max()) - full).max() < 1e-5


def test_hirescam_is_exactly_zero_behind_the_wall() -> None:
    subject = Subject.of(sparse_vgg())
    found = GradCamExplainer(subject, METHODS["HiResCAM"]).explain(IMAGES, [0, 1])["HiResCAM"]
    assert found.maps.max() > 0
    assert mu(found.maps, subject.wall).tolist() == [0, 0]
    assert found.raw is not None
    assert mu_native(found.raw, subject.wall).tolist() == [0, 0]


def test_hirescam_bleeds_over_a_wall_on_seven_rows_by_upsampling_only() -> None:
    subject = Subject.of(walled_cnn())
    found = GradCamExplainer(subject, METHODS["HiResCAM"]).explain(IMAGES, [0, 1])["HiResCAM"]
    assert (mu(found.maps, subject.wall) > 0).any()
    assert found.raw is not None
    assert np.nan_to_num(mu_native(found.raw, subject.wall)).tolist() == [0, 0]


def state_of(model: nn.Module) -> dict[str, Any]:
    return {
        "modes": [module.training for module in model.modules()],
        "modules": [id(module) for module in model.modules()],
        "hooks": [(list(m._forward_hooks), list(m._backward_hooks)) for m in model.modules()],
        "requires_grad": [parameter.requires_grad for parameter in model.parameters()],
        "grads": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "values": {key: value.clone() for key, value in model.state_dict().items()},
    }


def assert_same(before: Any, after: Any) -> None:
    assert {key: before[key] for key in before if key not in ("values", "grads")} == {
        key: after[key] for key in after if key not in ("values", "grads")
    }
    assert all(torch.equal(before["values"][key], after["values"][key]) for key in before["values"])
    for old, new in zip(before["grads"], after["grads"], strict=True):
        assert (old is None) == (new is None)
        assert old is None or torch.equal(old, new)


def in_an_unusual_state(model: BlindModel) -> BlindModel:
    model.train()
    model.target_layer.eval()
    model.target_layer.register_forward_hook(lambda *_: None)
    parameters = list(model.parameters())
    parameters[0].requires_grad_(False)
    parameters[1].grad = torch.ones_like(parameters[1])
    return model


@pytest.mark.parametrize("network", MODELS)
@pytest.mark.parametrize("name", METHODS)
def test_the_model_comes_back_as_it_was(name: str, network: str) -> None:
    model = in_an_unusual_state(MODELS[network]())
    before, tqdm = state_of(model), sys.modules["pytorch_grad_cam.score_cam"].tqdm
    GradCamExplainer(Subject.of(model), METHODS[name]).explain(IMAGES[:1], [1])
    assert_same(before, state_of(model))
    assert sys.modules["pytorch_grad_cam.score_cam"].tqdm is tqdm


class FailsAfter(nn.Module):
    """Passes tensors through, until it has done so `passes` times."""

    def __init__(self, passes: int) -> None:
        super().__init__()
        self.left = passes

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        self.left -= 1
        if self.left < 0:
            raise IndexError("a broken layer")
        return values


@pytest.mark.parametrize("passes", [0, 1, 2])
@pytest.mark.parametrize("name", METHODS)
def test_the_model_comes_back_as_it_was_after_an_error(name: str, passes: int) -> None:
    """AblationCAM fails with its own layer in the model; grad-cam's `with` would swallow the IndexError."""
    model = sparse_vgg()
    model.classifier.append(FailsAfter(passes))
    in_an_unusual_state(model)
    before, tqdm = state_of(model), sys.modules["pytorch_grad_cam.ablation_cam"].tqdm
    explainer = GradCamExplainer(Subject.of(model), METHODS[name])
    needed = {"ScoreCAM": 2, "AblationCAM": 3}.get(name, 1)
    if passes >= needed:
        explainer.explain(IMAGES[:1], [1])
        return
    with pytest.raises(IndexError, match="a broken layer"):
        explainer.explain(IMAGES[:1], [1])
    assert_same(before, state_of(model))
    assert sys.modules["pytorch_grad_cam.ablation_cam"].tqdm is tqdm


def test_an_index_error_is_not_swallowed() -> None:
    with pytest.raises(IndexError):
        GradCamExplainer(Subject.of(sparse_vgg()), METHODS["GradCAM"]).explain(IMAGES[:1], [10])


@pytest.mark.parametrize("name", METHODS)
def test_a_frozen_model_and_no_grad_mode_change_nothing(name: str) -> None:
    model = walled_cnn()
    explainer = GradCamExplainer(Subject.of(model), METHODS[name])
    expected = explainer.explain(IMAGES, [1, 2])[name].maps
    model.requires_grad_(False)
    with torch.no_grad():
        assert np.array_equal(explainer.explain(IMAGES, [1, 2])[name].maps, expected)
    with torch.inference_mode():
        assert np.array_equal(explainer.explain(IMAGES.clone(), [1, 2])[name].maps, expected)


class InPlaceAfterTarget(nn.Module):
    """A target layer that an in-place ReLU follows, as in torchvision's VGG."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 5, 32, stride=32)
        self.rest = nn.Sequential(nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.rest(self.convolution(images))
        return logits


@pytest.mark.parametrize("name", METHODS)
def test_an_in_place_operation_after_the_target_layer(name: str) -> None:
    torch.manual_seed(5)
    model = InPlaceAfterTarget().eval()
    cam_class = getattr(pytorch_grad_cam, METHODS[name].cam_class)
    expected = cam_class(model=model, target_layers=[model.convolution])(IMAGES, [ClassifierOutputTarget(1)] * 2)
    subject = Subject.of(model, Wall.parse("bottom:64"), model.convolution)
    found = GradCamExplainer(subject, METHODS[name]).explain(IMAGES, [1, 1])[name].maps
    assert np.abs(found - expected).max() <= 1e-4


def test_grad_cam_is_quiet_and_tells_its_passes(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[int, int]] = []
    explainer = GradCamExplainer(Subject.of(walled_cnn()), METHODS["ScoreCAM"])
    explainer.explain(IMAGES[:1], [1], progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 1)]
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_what_is_no_subject() -> None:
    model = sparse_vgg()
    with pytest.raises(InputError, match=r"torch\.nn\.Module, but got str"):
        Subject.of("masked-vgg16")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="Linear has no wall"):
        Subject.of(nn.Linear(2, 2))
    with pytest.raises(InputError, match="names no target layer"):
        Subject.of(nn.Linear(2, 2), Wall.parse("bottom:54"))
    with pytest.raises(InputError, match="is not a module of masked-vgg16"):
        Subject.of(model, target_layer=nn.ReLU())
    baseline = type(model)(visible_rows=14, num_classes=10, width=1 / 16)
    with pytest.raises(InputError, match="baseline-vgg16 has no wall"):
        Subject.of(baseline)
