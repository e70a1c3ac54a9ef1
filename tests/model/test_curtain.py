"""Curtains: any classifier on images whose dead pixels are a constant, and what its maps are then."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from torch import nn

from stackwalls.evaluate import Subject, evaluate, mu_native
from stackwalls.model import (
    Backbone,
    Curtain,
    InputError,
    Transform,
    Wall,
    WalledTransformer,
    certify,
    load_model,
    split_classifier,
    to_input,
    walled,
)

SIZE = 64
WALL = "bottom:13+box:3:0:20:9@64"
"""Of no network's stride."""


class PositionalHead(nn.Module):
    """A VGG in small: a dense head that reads positions, behind a pool to a fixed size."""

    transform = Transform.of_size(SIZE)

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 5, 4), nn.ReLU(inplace=True), nn.Conv2d(8, 12, 3, 2), nn.ReLU())
        self.avgpool = nn.AdaptiveAvgPool2d((4, 4))
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(12 * 16, 7))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.classifier(self.avgpool(self.features(images)))
        return logits


class NoMap(nn.Module):
    """A perceptron, which makes no map at all."""

    transform = Transform.of_size(SIZE)

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE**2, 8), nn.ReLU(), nn.Linear(8, 7))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.layers(images)
        return logits


def sized(network: nn.Module) -> nn.Module:
    network.transform = Transform.of_size(SIZE)  # type: ignore[assignment]
    return network


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...] | None]] = {
    "a head that reads positions": (PositionalHead, (12, 7, 7)),
    "no map": (NoMap, None),
    "pooling": (lambda: timm.create_model("test_resnet", num_classes=7), (96, 5, 5)),
    "torchvision ViT": (
        lambda: sized(torchvision.models.VisionTransformer(SIZE, 16, 2, 2, 32, 64, num_classes=7)),
        (32, 4, 4),
    ),
    "torchvision Swin": (
        lambda: sized(torchvision.models.SwinTransformer([4, 4], 8, [1] * 3, [1] * 3, [4, 4], num_classes=7)),
        (32, 4, 4),
    ),
    "timm CaiT": (
        lambda: timm.create_model(
            "cait_xxs24_224", num_classes=7, depth=2, embed_dim=32, num_heads=2, img_size=SIZE, init_values=0.1
        ),
        (32, 4, 4),
    ),
}
"""Network → the shape (C, h, w) of its map."""

LARGE: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...] | None]] = {
    "AlexNet": (lambda: torchvision.models.alexnet(num_classes=7), (256, 6, 6)),
    "VGG": (lambda: torchvision.models.vgg11_bn(num_classes=7, init_weights=False), (512, 7, 7)),
    "SqueezeNet": (lambda: torchvision.models.squeezenet1_1(num_classes=7), (7, 13, 13)),
    "torchvision MaxViT": (
        lambda: torchvision.models.MaxVit((224, 224), 16, 7, [16] * 4, [1] * 4, 8, 0.0, num_classes=7),
        (16, 7, 7),
    ),
    "Inception": (lambda: torchvision.models.inception_v3(num_classes=7, init_weights=False), (2048, 5, 5)),
    "MLP-Mixer": (lambda: timm.create_model("mixer_s32_224", num_classes=7), (512, 7, 7)),
    "timm MaxViT": (lambda: timm.create_model("maxvit_pico_rw_256", num_classes=7), (256, 8, 8)),
    "GCViT": (lambda: timm.create_model("gcvit_xxtiny", num_classes=7), (512, 7, 7)),
    "Twins": (lambda: timm.create_model("twins_svt_small", num_classes=7), (512, 7, 7)),
    "XCiT": (lambda: timm.create_model("xcit_nano_12_p16_224", num_classes=7), (128, 14, 14)),
    "CoaT": (lambda: timm.create_model("coat_tiny", num_classes=7), (152, 7, 7)),
}


def made(name: str) -> nn.Module:
    """With random weights, none of them zero."""
    torch.manual_seed(0)
    network = {**NETWORKS, **LARGE}[name][0]().eval()
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.add_(0.02 * torch.randn_like(tensor))
    return network


def noise(size: int = SIZE) -> torch.Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", [*NETWORKS, *(pytest.param(each, marks=pytest.mark.slow) for each in LARGE)])
def test_it_is_the_network_on_images_without_the_dead_pixels(name: str) -> None:
    network = made(name)
    plain, backbone = copy.deepcopy(network), split_classifier(network)
    size = backbone.transform.size if backbone.transform else 224
    model = walled(backbone, WALL.replace("@64", f"@{size}"), kind="curtain")
    assert certify(model).passed, certify(model).failures
    assert (model.wall_kind, model.name) == ("curtain", f"curtain:{type(network).__name__}")
    images = noise(size)
    maps: list[torch.Tensor] = []
    if model.target_layer is not None:
        model.target_layer.register_forward_hook(lambda _module, _inputs, output: maps.append(output))
    with torch.no_grad():
        found = model(images)
        seen = torch.from_numpy(~model.wall.mask())
        torch.testing.assert_close(found, plain(images * seen), rtol=0, atol=1e-6)
        if model.splits:
            torch.testing.assert_close(model.from_parts(*model.parts(images)), found, rtol=0, atol=1e-6)
    shape = {**NETWORKS, **LARGE}[name][1]
    assert [tuple(each.shape[1:]) for each in maps[:1]] == ([] if shape is None else [shape])


def test_the_structure_is_what_the_forward_pass_does() -> None:
    model: Any = walled(made("pooling"), "bottom:50", kind="curtain")
    assert str(model.derive_wall()) == "bottom:50@160"
    assert "replaces these pixels" in certify(model).text()
    model.curtained = lambda images: images  # planted: nothing is drawn
    assert not certify(model).passed
    with pytest.raises(InputError, match="does not run on images of 48 x 48 pixels"):
        walled(made("no map"), "bottom:8@48", kind="curtain")


def test_other_walls_refuse_it_and_offer_the_curtain() -> None:
    for kind in ("cut", "sink"):
        with pytest.raises(InputError, match=r"no global average pool.*put it behind a curtain.*curtain:NAME"):
            walled(made("a head that reads positions"), "bottom:32@64", kind=kind)  # type: ignore[arg-type]
    network: Any = made("a head that reads positions")
    backbone = Backbone(
        "mine", nn.Sequential(nn.Conv2d(3, 12, 16, 16)), nn.Sequential(network.avgpool, network.classifier)
    )
    with pytest.raises(InputError, match=r"depends on positions.*curtain:NAME"):
        walled(backbone, "bottom:32@64")


def test_by_name_saved_and_loaded(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = load_model("curtain:timm/test_resnet", pretrained=False, dataset_wall=Wall.parse("bottom:31@128"))
    assert (type(model), str(model.wall)) == (Curtain, "bottom:31@128")  # not widened: there is no stride
    assert model.name == "curtain:test_resnet"
    model.save_pretrained(tmp_path / "cnn")  # type: ignore[attr-defined]
    again = load_model(str(tmp_path / "cnn"))
    assert (type(again), again.wall_kind, str(again.wall)) == (Curtain, "curtain", "bottom:31@128")
    with torch.no_grad():
        assert torch.equal(again(noise(128)), model(noise(128)))
    vit = walled(timm.create_model("test_vit", num_classes=7), "bottom:31@160", kind="curtain")
    assert isinstance(vit, WalledTransformer)
    assert str(vit.derive_wall()) == "bottom:31@160"


IMAGES = [Image.fromarray(np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)) for seed in range(2)]
METHODS = ("GradCAM", "HiResCAM")


def test_cams_of_a_network_that_does_not_split_are_grad_cams() -> None:
    """GradCAM by hand: the mean gradient of each channel weighs it."""
    model = walled(made("a head that reads positions"), WALL, kind="curtain")
    results = evaluate(model, IMAGES, METHODS)
    assert results.run["model"] == "curtain:PositionalHead"
    assert results.per_image["error"].isna().all()
    row = results.per_image.query("method == 'GradCAM'").iloc[0]
    subject = Subject.of(model)
    image = to_input(np.asarray(IMAGES[0])[None], subject.mean, subject.std)
    network: Any = model.extractor
    activations = network.features(model.curtained(image)).detach().requires_grad_(True)
    network.classifier(network.avgpool(activations)).max().backward()
    raw = (activations.grad.mean((2, 3), keepdim=True) * activations).sum(1)
    assert row["mu_native"] == pytest.approx(float(mu_native(raw.detach(), model.wall)[0]), abs=1e-5, nan_ok=True)


def test_without_a_map_cams_are_refused_and_pixel_methods_work() -> None:
    from captum.attr import LayerGradCam, Saliency

    model = walled(made("no map"), WALL, kind="curtain")
    for method in ("GradCAM", "EigenCAM", LayerGradCam):
        with pytest.raises(InputError, match=r"curtain:NoMap makes no map .* use methods that explain pixels"):
            evaluate(model, IMAGES, {"one": method})
    results = evaluate(model, IMAGES, {"Saliency": Saliency})
    assert results.per_image["error"].isna().all()
    assert (results.per_image["mu"] == 0).all()  # the gradient there is 0


def test_attention_behind_a_curtain() -> None:
    """A method by attention sees it as the network has it; without torch's attention it is refused."""
    model = walled(timm.create_model("test_vit", num_classes=7), "bottom:32@160", kind="curtain")
    results = evaluate(model, IMAGES, ["Rollout"])
    assert results.per_image["error"].isna().all()
    assert (results.per_image["mu_native"] > 0).all()
    with pytest.raises(InputError, match="one attention in each block, but curtain:Cait has none that can be read"):
        evaluate(walled(made("timm CaiT"), WALL, kind="curtain"), IMAGES, ["Rollout"])
