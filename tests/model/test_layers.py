"""Networks that are explained at an inner layer: the same logits to the bit, dead cells that are dead, and refusals."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import nn

from stackwalls.model import (
    LAST,
    Backbone,
    InputError,
    Layer,
    LayeredModel,
    MaskedVGG16,
    Wall,
    Walled,
    certify,
    explained_at,
    load_model,
    shown_name,
    split_classifier,
    walled,
)
from stackwalls.model.networks.geometry.inner_maps import InnerMap
from stackwalls.model.networks.geometry.seen_rows import rows_needed

BAND, CORNER = "rows:32:64@96", "bottom:32+left:32@96"


class Shortcuts(nn.Module):
    """A stage with a way around its convolution, which writes into what it gets, as torchvision's blocks do."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 2 * stride - 1, stride, stride - 1)
        self.norm, self.relu = nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
        self.shortcut = nn.AvgPool2d(stride) if inputs == outputs else nn.Conv2d(inputs, outputs, stride, stride)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        kept = self.shortcut(maps)
        return self.relu(self.norm(self.conv(maps)) + kept)  # type: ignore[no-any-return]


class TinyResNet(nn.Module):
    """Stride 32; `relu` runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.relu = nn.Conv2d(3, 8, 7, 4, 3), nn.ReLU()
        self.layer1, self.layer2, self.layer3 = Shortcuts(8, 8, 2), Shortcuts(8, 12, 2), Shortcuts(12, 12, 2)
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(12, 7)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.layer3(self.layer2(self.layer1(self.relu(self.stem(images)))))
        return self.fc(self.pool(self.relu(maps)).flatten(1))  # type: ignore[no-any-return]


def seeded(make: Callable[[], Any]) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = make().eval()
        for module in network.modules():  # statistics that are not the identity
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
    return network


def tiny_resnet(wall: str = BAND) -> Walled:
    found = walled(seeded(TinyResNet), wall)
    assert isinstance(found, Walled)
    return found


def tiny_vit(kind: Any = "cut") -> LayeredModel:
    options = {"img_size": 96, "num_classes": 7, "embed_dim": 48, "depth": 3, "num_heads": 3}
    return walled(seeded(lambda: timm.create_model("vit_tiny_patch16_224", **options)), CORNER, kind=kind)


def tiny_vgg() -> MaskedVGG16:
    found: MaskedVGG16 = seeded(lambda: MaskedVGG16(num_classes=7, width=1 / 32))
    return found


SLOW = ("efficientnet", "convnext, channels last", "vit, sink")
NETWORKS: dict[str, Callable[[], LayeredModel]] = {
    "resnet, two pieces that are seen": tiny_resnet,
    "efficientnet": lambda: walled(seeded(lambda: timm.create_model("test_efficientnet", num_classes=7)), BAND),
    "convnext, channels last": lambda: walled(
        seeded(lambda: timm.create_model("test_convnext", num_classes=7)), CORNER
    ),
    "vit": tiny_vit,
    "vit, sink": lambda: tiny_vit("sink"),
    "vgg": tiny_vgg,
}


def images_of(model: LayeredModel, number: int = 2) -> torch.Tensor:
    size = 224 if model.wall is None else model.wall.image_size
    return torch.randn(number, 3, size, size, generator=torch.Generator().manual_seed(1))


def all_layers(model: LayeredModel) -> list[Layer]:
    if isinstance(model, Walled):
        return [name for name, inner in model._inner_maps.items() if isinstance(inner, InnerMap)]
    return [f"features.{number}" for number in range(29)] if isinstance(model, MaskedVGG16) else [*model.layers()]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in NETWORKS]
)
def test_the_logits_are_the_same_to_the_bit_at_every_layer(name: str) -> None:
    model = NETWORKS[name]()
    images = images_of(model)
    with torch.no_grad():
        logits = model(images)
        layers = all_layers(model)
        assert len(layers) >= 3
        for layer in layers[:: max(1, len(layers) // 8)]:
            with explained_at(model, layer):
                assert torch.equal(model(images), logits), layer
                maps, rest = model.parts(images)
                torch.testing.assert_close(model.from_parts(maps, rest), logits, rtol=0, atol=1e-5)
                assert maps.shape[2:] == model.dead_cells().shape
                shown = list[torch.Tensor]()
                hook = model.target_layer.register_forward_hook(lambda *given, shown=shown: shown.append(given[2]))
                model(images)
                hook.remove()
                torch.testing.assert_close(shown[0], maps, rtol=0, atol=1e-5)
        assert model.layer is None
        assert torch.equal(model(images), logits)


def test_a_map_is_that_of_the_network_itself_away_from_the_wall() -> None:
    """An independent way to it: a hook in the unwalled network, on cells whose receptive field is on one side."""
    network, given = seeded(TinyResNet), list[torch.Tensor]()
    model = walled(network, "bottom:32@96", layer="layer1.conv")
    images = images_of(model)
    network.layer1.conv.register_forward_hook(lambda *found: given.append(found[2].clone()))
    with torch.no_grad():
        network(images)
        maps = model.parts(images)[0]
    assert maps.shape == (2, 8, 12, 12)
    torch.testing.assert_close(maps[:, :, :8], given[0][:, :, :8])
    assert not torch.allclose(maps[:, :, 8], given[0][:, :, 8]), "at the wall, the network itself sees across"


def test_modules_run_once_on_each_side_and_nothing_is_left_behind() -> None:
    model = tiny_resnet()
    model.explain_at("layer2.conv")
    counts = dict.fromkeys(map(id, model.modules()), 0)

    def count(module: nn.Module, *_: Any) -> None:
        counts[id(module)] += 1

    hooks = [module.register_forward_hook(count) for side in model.sides for module in (side.stem, side.layer3.conv)]  # type: ignore[union-attr,arg-type]
    model(images_of(model))
    assert sorted(number for number in counts.values() if number) == [1] * 6
    for hook in hooks:
        hook.remove()
    model.explain_at(None)
    assert not any(module._forward_hooks for module in model.modules())


def test_what_leads_around_the_layer_is_part_of_the_rest() -> None:
    model, other = tiny_resnet(), torch.ones(2, 3, 96, 96)
    images = images_of(model)
    with torch.no_grad():
        for layer, around in (("layer2", False), ("layer2.conv", True), ("stem", False)):
            model.explain_at(layer)
            maps, rest = model.parts(images)
            assert (rest is not None) == around, layer
            if around:
                assert not torch.allclose(model.from_parts(maps, other), model(images))


@pytest.mark.parametrize("layer", [f"features.{number}" for number in (3, 4, 15, 28, 29)])
def test_dead_rows_of_the_vgg_are_all_rows_that_reach_no_logit(layer: str) -> None:
    """Row by row, and by the arithmetic of `rows_needed`."""
    model = seeded(lambda: MaskedVGG16(num_classes=7, width=1 / 16))
    model.explain_at(layer)
    needed = rows_needed(model.convolutions, model.visible_rows)[int(layer.partition(".")[2]) + 1]
    dead = model.dead_cells()
    assert dead[:, 0].tolist() == [row >= needed for row in range(len(dead))]
    with torch.no_grad():
        maps = model.parts(images_of(model, 1))[0]
        before = model.head(maps)
        for row in (0, needed - 1, needed, len(dead) - 1):
            changed = maps.clone()
            changed[:, :, row] = 5 + 1000 * torch.rand(
                changed[:, :, row].shape, generator=torch.Generator().manual_seed(row)
            )
            assert torch.equal(model.head(changed), before) == bool(dead[row, 0]), row


@pytest.mark.parametrize("name", ["resnet, two pieces that are seen", "vit, sink", "vgg"])
def test_the_certificate_has_the_layers_dead_cells(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = NETWORKS[name]()
    layer = model.layers()[1]
    assert [check.name for check in certify(model).checks] == ["structure", "intervention", "gradient", "contrast"]
    found = certify(model, layer=layer)
    assert found.passed
    assert found.checks[-1].name == "layer"
    assert found.model == f"{model.name}[{'block 1' if layer == 1 else layer}]"
    assert model.layer is None, "the model is left as it was"
    dead = model.dead_cells
    monkeypatch.setattr(model, "dead_cells", lambda: dead().roll(1, 0))
    assert [check.name for check in certify(model, layer=layer).checks if not check.passed] == ["layer"]


def test_a_layer_that_reaches_no_logit_is_not_certified(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_vgg()
    monkeypatch.setattr(model, "head", lambda maps: (0 * maps.sum((1, 2, 3)))[:, None].expand(-1, 7))
    found = certify(model, layer="features.22")
    assert "nothing is shown" in found.checks[-1].found


def test_a_layer_by_name_and_number() -> None:
    model = tiny_vit()
    for given, layer in ((-1, None), (2, None), (LAST, None), ("blocks.2", None), (-3, 0), ("blocks.1", 1)):
        model.explain_at(given)  # type: ignore[arg-type]
        assert model.layer == layer
    assert shown_name(model) == "walled:VisionTransformer[block 1]"
    assert tuple(model.layers()) == (0, 1, LAST)
    assert tiny_vgg().layers() == ("features.3", "features.8", "features.15", "features.22", LAST)
    assert tiny_resnet().layers() == ("layer1", "layer2", "layer3", LAST)


def test_stages_of_the_libraries_networks() -> None:
    def stages(name: str) -> list[Layer]:
        return list(walled(seeded(lambda: timm.create_model(name, num_classes=7)), BAND).layers())

    assert stages("test_resnet") == ["conv1", "layer1", "layer2", "layer3", LAST]  # layer4 is the last map
    assert stages("test_efficientnet") == ["blocks.0", "blocks.1", "blocks.2", "blocks.3", "blocks.4", LAST]
    resnet = walled(seeded(lambda: torchvision.models.resnet18(num_classes=7)), "bottom:32@96", layer="layer3.1.bn2")
    assert list(resnet.layers()) == ["layer1", "layer2", "layer3", LAST]
    assert resnet.layer == "layer3.1.bn2"


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (
            "layer5",
            r"'layer5': the network has no such module. Take one such as layer1, layer2, layer3. Did you mean 'layer",
        ),
        ("relu", "it runs 2 times on each side"),
        ("fc", "it does not run"),
        ("pool", "it does not run"),
        (3, "'3': the network has no such module"),
    ],
)
def test_modules_that_do_not_fit(layer: Layer, said: str) -> None:
    with pytest.raises(InputError, match=said):
        walled(seeded(TinyResNet), BAND, layer=layer)


def test_a_map_that_the_wall_cuts_is_refused() -> None:
    features = nn.Sequential(nn.Conv2d(3, 4, 8, 8), nn.Conv2d(4, 4, 5, 1), nn.ConvTranspose2d(4, 4, 5, 1))
    backbone = Backbone("odd", features, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 7)))
    model = Walled(backbone, Wall.parse("bottom:48@96"))
    with pytest.raises(
        InputError, match=r"odd cannot be explained at '1': its output is not a map .* Take one such as 0"
    ):
        model.explain_at("1")
    model.explain_at("0")


def test_layers_that_other_networks_do_not_have() -> None:
    with pytest.raises(InputError, match="0 to 2 or negative, but got 3"):
        tiny_vit().explain_at(3)
    with pytest.raises(InputError, match="'layer3': that is not one of its blocks"):
        tiny_vit().explain_at("layer3")
    with pytest.raises(InputError, match=r"'features.30': the network has no such layer. Take one such as features.3"):
        tiny_vgg().explain_at("features.30")
    with pytest.raises(InputError, match="Linear is not a network whose layers this package knows"):
        certify(nn.Linear(2, 2), "bottom:32@96", layer="weight")


def test_the_layer_is_in_the_folder(tmp_path: Path) -> None:
    network = seeded(lambda: timm.create_model("test_resnet", num_classes=7))
    blueprint = {"backbone": "timm/test_resnet", "num_classes": 7}
    backbone = split_classifier(network)
    saved = {
        "walled": walled(Backbone(**{**vars(backbone), "blueprint": blueprint}), BAND, layer="layer2"),
        "vgg": seeded(lambda: MaskedVGG16(num_classes=7, width=1 / 32, layer="features.15")),
        "plain": tiny_vgg(),
    }
    for name, model in saved.items():
        model.save_pretrained(tmp_path / name)
        again = load_model(str(tmp_path / name))
        assert again.layer == model.layer
        images = images_of(model, 1)
        with torch.no_grad():
            torch.testing.assert_close(again(images), model(images), rtol=0, atol=1e-6)
    assert "layer" not in (tmp_path / "plain" / "config.json").read_text()
    assert load_model(str(tmp_path / "vgg"), layer=LAST).layer is None
