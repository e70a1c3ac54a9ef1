"""The engine against grad-cam, called as its users call it, and against slower rewrites of its shortcuts."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import pytorch_grad_cam
import torch
from in_memory_dataset import sparse_vgg
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from torchvision.transforms import Normalize

from stackwalls.evaluate.engine.ablation import ablation_weights
from stackwalls.evaluate.engine.engine import ENGINE_METHODS, Engine, Explained, explain_head
from stackwalls.evaluate.engine.kernels import reduced_dtype
from stackwalls.evaluate.engine.score import SeenRows, pixel_score_cam
from stackwalls.evaluate.engine.single_pass import SINGLE_PASS
from stackwalls.evaluate.maps import normalized_maps
from stackwalls.model import Backbone, BlindModel, Wall, Walled

GRAD_CAM_NAMES = {"GradCAM++": "GradCAMPlusPlus"}


def walled_cnn(wall: str) -> Walled:
    """A small network with global pooling behind a wall; 7 × 7 maps, rectified."""
    torch.manual_seed(1)
    features = nn.Sequential(
        nn.Conv2d(3, 8, 4, stride=4), nn.ReLU(), nn.Conv2d(8, 12, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(12, 24, 4, stride=4), nn.ReLU(),
    )  # fmt: skip
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 16), nn.Tanh(), nn.Linear(16, 10))
    return Walled(Backbone("small", features, head), Wall.parse(wall)).eval()


MODELS: dict[str, Callable[[], BlindModel]] = {
    "vgg": lambda: sparse_vgg(1 / 16),
    "baseline": lambda: sparse_vgg(1 / 16, visible_rows=14),
    "bottom": lambda: walled_cnn("bottom:64"),
    "left": lambda: walled_cnn("left:32"),
    "band": lambda: walled_cnn("rows:64:128"),
    "box": lambda: walled_cnn("box:32:64:128:160"),
    "corner at 96": lambda: walled_cnn("bottom:32+left:32@96"),
}


def noise(model: BlindModel, count: int = 2) -> torch.Tensor:
    size = 224 if model.wall is None else model.wall.image_size
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(2))


def forward_pass(model: BlindModel, images: torch.Tensor) -> Explained:
    """The network's own features, then the head forward and backward."""
    with torch.no_grad():
        activations = model.features(images).contiguous()
    return explain_head(model, activations)


def scaled(maps: np.ndarray, size: int = 224) -> np.ndarray:
    """grad-cam's last steps on raw maps, in NumPy and OpenCV."""
    import cv2

    def min_max(image: np.ndarray) -> np.ndarray:
        image = image - image.min()
        return image / (1e-7 + image.max())

    upsampled = [cv2.resize(min_max(np.maximum(image, 0)), (size, size)) for image in maps]
    return np.stack([min_max(np.maximum(image, 0)) for image in upsampled])


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("method", ENGINE_METHODS)
def test_maps_equal_grad_cams(kind: str, method: str) -> None:
    model = MODELS[kind]()
    images = noise(model)
    raw, _ = Engine(model).raw_maps(images, [method])
    cam = getattr(pytorch_grad_cam, GRAD_CAM_NAMES.get(method, method))(model, [model.target_layer])
    expected = cam(input_tensor=images, targets=None)
    assert expected.max() > 0.5, "a map of nothing would agree with anything"
    np.testing.assert_allclose(scaled(raw[method].numpy(), images.shape[-1]), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", MODELS)
def test_pixel_score_cam_masks_before_the_normalization(kind: str) -> None:
    """Definition 7: grad-cam's ScoreCAM of the pixels in [0, 1], on the network with the normalization in front."""
    model = MODELS[kind]()
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (model.mean, model.std))
    pixels = noise(model, 1).mul_(0.2).add_(0.5).clamp_(0, 1)
    target = model((pixels - mean) / std).argmax(1)
    cam = pytorch_grad_cam.ScoreCAM(nn.Sequential(Normalize(model.mean, model.std), model), [model.target_layer])
    expected = cam(input_tensor=pixels, targets=None)
    found = pixel_score_cam(model, (pixels - mean) / std, target).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    as_usual, _ = Engine(model).raw_maps((pixels - mean) / std, ["ScoreCAM"])
    assert np.abs(scaled(as_usual["ScoreCAM"].numpy(), pixels.shape[-1]) - expected).max() > 1e-3  # another method


def test_any_class_can_be_explained() -> None:
    model = MODELS["vgg"]()
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(2))
    targets = torch.tensor([3, 7])
    raw, explained = Engine(model).raw_maps(images, ENGINE_METHODS, targets)
    assert torch.equal(explained.targets, targets)
    assert torch.equal(explained.scores, explained.logits[[0, 1], targets])
    for method in ("GradCAM", "AblationCAM", "ScoreCAM"):
        cam = getattr(pytorch_grad_cam, method)(model, [model.target_layer])
        expected = cam(images, [ClassifierOutputTarget(3), ClassifierOutputTarget(7)])
        np.testing.assert_allclose(scaled(raw[method].numpy()), expected, rtol=0, atol=1e-4)


def test_the_forward_pass_is_the_networks_own() -> None:
    model = MODELS["vgg"]()
    images = torch.randn(3, 3, 224, 224)
    explained = forward_pass(model, images)
    torch.testing.assert_close(explained.logits, model(images), rtol=0, atol=0)
    assert torch.equal(explained.targets, model(images).argmax(1))
    assert not explained.activations.requires_grad
    activations = model.features(images).detach().requires_grad_(True)
    model.head(activations).max(1).values.sum().backward()
    torch.testing.assert_close(explained.gradients, activations.grad)
    assert (explained.gradients[:, :, 5:] == 0).all()


def test_seen_rows_are_the_first_rows_of_the_whole() -> None:
    model = sparse_vgg(1 / 8)
    images = torch.randn(3, 3, 224, 224)
    rows = SeenRows(model, batch=2)
    assert rows.seen == 170
    with torch.inference_mode():
        features = rows.features(images[:, :, : rows.seen])
        torch.testing.assert_close(features, model.features(images)[:, :, :5].flatten(1), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(rows.scores(features, 4), model(images)[:, 4], rtol=1e-4, atol=1e-5)


def test_dead_channels_are_scored_once() -> None:
    """Equal masks give one input: the network runs on the channels that light something, and once on nothing."""
    model = MODELS["bottom"]()
    image = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(5))
    explained = forward_pass(model, image)
    lit = int((explained.activations[0, :, :5].flatten(1) != 0).any(1).sum())
    alive = int((explained.activations[0].flatten(1) != 0).any(1).sum())
    passes: list[int] = []
    model.extractor.register_forward_hook(lambda _, inputs, __: passes.append(len(inputs[0])))
    Engine(model).raw_maps(image, ["ScoreCAM"])
    # one for each part of the image itself, one on nothing, then the channels that show
    assert lit < 24
    assert lit + 1 <= sum(passes) - 2 <= alive + 1


def test_ablation_by_splitting_equals_ablation_by_running_the_head() -> None:
    model = sparse_vgg(1 / 8)
    images = torch.randn(2, 3, 224, 224)
    explained = forward_pass(model, images)
    raw, _ = Engine(model).raw_maps(images, ["AblationCAM"])
    for index in range(2):
        weights = []
        for channel in range(explained.activations.shape[1]):
            ablated = explained.activations[index : index + 1].clone()
            ablated[:, channel] = 0
            score = explained.scores[index]
            weights.append((score - model.head(ablated)[0, explained.targets[index]]) / score)
        expected = (torch.stack(weights)[:, None, None] * explained.activations[index]).sum(0)
        torch.testing.assert_close(raw["AblationCAM"][index], expected, rtol=1e-3, atol=1e-4)


def test_ablation_does_not_lose_the_small_differences_of_scores() -> None:
    """y − y_v is about a hundredth of y: as a difference of two scores it is a digit less exact."""
    model = sparse_vgg(1 / 4).requires_grad_(False)
    exact_model = copy.deepcopy(model).double()
    explained = forward_pass(model, torch.randn(4, 3, 224, 224, generator=torch.Generator().manual_seed(3)))
    given = explained.activations, explained.targets, explained.scores
    found = ablation_weights(model, *given, batch=8, report=lambda _: None).double()
    channels = found.shape[1]
    errors, as_difference = [], []
    for index, target in enumerate(explained.targets):
        maps = explained.activations[index].repeat(channels + 1, 1, 1, 1)
        maps[range(channels), range(channels)] = 0

        def weights(scores: torch.Tensor) -> torch.Tensor:
            return ((scores[-1] - scores[:-1]) / scores[-1]).double()

        exact = weights(exact_model.head(maps.double())[:, target])
        alive = exact != 0
        errors.append(((found[index] - exact) / exact)[alive].abs())
        as_difference.append(((weights(model.head(maps)[:, target]) - exact) / exact)[alive].abs())
    # medians: a channel whose parts cancel is inexact either way
    assert torch.cat(errors).median() < torch.cat(as_difference).median() / 3


@pytest.mark.parametrize("name", ["vgg", "bottom"])
@pytest.mark.parametrize("method", ["AblationCAM", "ScoreCAM"])
def test_long_methods_tell_how_far_they_are(name: str, method: str) -> None:
    model, told = MODELS[name]().requires_grad_(False), []
    images = torch.randn(5, 3, 224, 224)
    _, explained = Engine(model).raw_maps(images, [method], progress=lambda done, total: told.append((done, total)))
    done, totals = zip(*told, strict=True)
    assert set(totals) == {explained.activations.shape[:2].numel()}
    assert list(done) == sorted(set(done))
    assert len(done) > 1
    assert done[-1] == totals[0]


def test_fast_precision_touches_scorecam_alone() -> None:
    model = MODELS["vgg"]()
    images = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(2))
    exact, _ = Engine(model).raw_maps(images, ENGINE_METHODS)
    engine = Engine(model, precision="fast")
    fast, _ = engine.raw_maps(images, ENGINE_METHODS)
    for method in (*SINGLE_PASS, "AblationCAM"):
        assert torch.equal(exact[method], fast[method])
    difference = np.abs(scaled(exact["ScoreCAM"].numpy()) - scaled(fast["ScoreCAM"].numpy())).max()
    if reduced_dtype(torch.device("cpu")) is None:
        assert engine.precision == "exact", "this CPU has no fast 16-bit arithmetic, and the engine says so"
        assert difference == 0
    else:
        assert engine.precision == "fast"
        assert 0 < difference < 0.05


def test_hirescam_is_exactly_zero_under_the_wall() -> None:
    model = MODELS["vgg"]()
    raw, _ = Engine(model).raw_maps(torch.randn(4, 3, 224, 224), ["HiResCAM", "GradCAM"])
    assert (raw["HiResCAM"][:, 5:] == 0).all()
    assert (raw["GradCAM"][:, 5:] != 0).any()


@pytest.mark.parametrize("method", SINGLE_PASS)
def test_upsampling_in_torch_equals_opencvs(method: str) -> None:
    raw, _ = Engine(MODELS["bottom"]()).raw_maps(torch.randn(2, 3, 224, 224), [method])
    maps = normalized_maps(raw[method], 224)
    np.testing.assert_allclose(maps.numpy(), scaled(raw[method].numpy()), rtol=0, atol=1e-5)


def test_a_map_of_nothing_stays_nothing() -> None:
    assert torch.equal(normalized_maps(torch.full((1, 7, 7), -1.0), 14), torch.zeros(1, 14, 14))
