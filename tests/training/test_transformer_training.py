"""Vision transformers in the same training: behind both walls, and without one."""

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from conftest import SYNSETS, write_folder

from stackwalls.hub_cards import check_model_folder, save_model_folder
from stackwalls.model import InputError, Wall, WalledTransformer, certify, load_model, walled
from stackwalls.model.networks.backbones.backbone import split_classifier
from stackwalls.model.training import Recipe, Running, TrainingNetwork, TrainingSpec, find_recipe, open_data, train

WALL = "bottom:16+left:16@64"
KINDS = {"cut": "walled:test_vit", "sink": "sink:test_vit"}


@pytest.fixture
def quick() -> Recipe:
    """Two epochs of three steps."""
    return find_recipe("fine-tune").with_values(epochs=2, batch_size=8, precision="fp32", learning_rate=2e-3)


def tiny(kind: Any) -> WalledTransformer:
    torch.manual_seed(0)
    network = timm.create_model("test_vit", num_classes=5, img_size=64)
    made = walled(network, WALL, kind=kind)
    assert isinstance(made, WalledTransformer)
    return made


def test_behind_a_curtain_the_pixels_there_do_not_matter() -> None:
    torch.manual_seed(0)
    model = walled(timm.create_model("test_resnet", num_classes=5), WALL, kind="curtain")
    network = TrainingNetwork(model, 0.0).train()
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    changed = images.clone()
    changed[:, :, torch.from_numpy(Wall.parse(WALL).mask())] = 7
    logits = network(images)
    assert torch.equal(network(changed), logits)
    (gradient,) = torch.autograd.grad(logits.square().sum(), next(network.parameters()))
    assert gradient.any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_moves_the_network_that_is_loaded_afterwards(kind: str) -> None:
    """Behind a sink the keys there follow the weights: in training, in its gradients, and in what is loaded."""
    network = TrainingNetwork(tiny(kind), 0.0).double().train()
    images = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.add_(0.1 * torch.randn(tensor.shape, dtype=tensor.dtype))
    logits = network(images)
    torch.testing.assert_close(torch.cat([network(images[:1]), network(images[1:])]), logits)
    again = tiny(kind).double()
    again.load_state_dict(network.model.state_dict())
    torch.testing.assert_close(again((images.double() - network.mean) / network.std), logits, rtol=1e-9, atol=1e-9)
    changed = images.clone()
    changed[:, :, torch.from_numpy(again.wall.mask())] = 7  # type: ignore[union-attr]
    assert torch.equal(network(changed), logits)
    # the gradient along a direction, by differences of whole networks
    weight = network.model.network.blocks[1].attn.qkv.weight
    direction = torch.randn_like(weight)
    (gradient,) = torch.autograd.grad(logits.square().sum(), weight)
    values = []
    for step in (1e-5, -1e-5):
        state = network.model.state_dict()
        key = next(name for name, tensor in state.items() if tensor.data_ptr() == weight.data_ptr())
        again.load_state_dict({**state, key: state[key] + step * direction})
        values.append(again((images.double() - network.mean) / network.std).square().sum())
    slope = (values[0] - values[1]) / 2e-5
    torch.testing.assert_close(slope, (gradient * direction).sum(), rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_trained_resumed_to_the_last_bit_and_loaded(
    kind: str, pictures: Path, quick: Recipe, tmp_path: Path
) -> None:
    class KilledError(Exception):
        pass

    def kill(line: str) -> None:
        if "step 5" in line:
            raise KilledError

    spec, data = TrainingSpec(quick, KINDS[kind], size=64, wall="left:32", pretrained=False), open_data(str(pictures))
    running = Running(device="cpu", log_steps=1, checkpoint_steps=2, accumulate=2, half=True)
    whole = train(data, spec, tmp_path / "whole", running)
    with pytest.raises(KilledError):
        train(data, spec, tmp_path / "parts", running, report=kill)
    parts = train(data, spec, tmp_path / "parts", running, resume=True)
    assert whole is not None
    assert parts is not None
    for key, value in whole.model.state_dict().items():
        assert torch.equal(parts.model.state_dict()[key], value), key
    assert (whole.training["network"], whole.training["start"]) == (KINDS[kind], "random")
    folder = save_model_folder(whole.model, tmp_path / "model", whole.certificate, training=whole.training)
    check_model_folder(folder)
    model = load_model(str(folder))
    images = torch.randn(2, 3, 64, 64)
    assert torch.equal(model(images), whole.model(images))
    assert (str(model.wall), model.wall_kind, certify(model).passed) == ("left:32@64", kind, True)
    # its weights behind the other wall
    other = load_model(f"{'sink' if kind == 'cut' else 'walled'}:{folder}", wall="top:16")
    assert (str(other.wall), other.class_names) == ("top:16@64", model.class_names)
    assert certify(other).passed


def test_one_without_a_wall_is_the_network_itself_and_stands_behind_walls_afterwards(
    quick: Recipe, tmp_path: Path
) -> None:
    for split, count in (("train", 4), ("val", 1)):
        write_folder(tmp_path / "data" / split, count, 500 * (split == "val"))
    data = open_data(str(tmp_path / "data"))
    spec = TrainingSpec(quick.with_values(epochs=1, batch_size=6), "vit-mini")
    outcome = train(data, spec, tmp_path / "out", Running(device="cpu", half=True))
    assert outcome is not None
    assert (outcome.certificate, outcome.training["wall"], outcome.training["stored"]) == (None, None, "fp16")
    folder = save_model_folder(outcome.model, tmp_path / "model", training=outcome.training)
    check_model_folder(folder)
    assert (folder / "model.safetensors").stat().st_size < 1_500_000
    config = json.loads((folder / "config.json").read_text())
    assert (config["wall"], config["backbone"], len(config["class_names"])) == (None, "stackwalls/vit-mini", 3)
    model: Any = load_model(str(folder))
    images = torch.randn(2, 3, 224, 224)
    assert (model.wall, model.derive_wall(), model.name) == (None, None, "vit-mini")
    plain = timm.models.VisionTransformer(
        img_size=224, patch_size=16, embed_dim=96, depth=4, num_heads=3, num_classes=len(SYNSETS)
    ).eval()
    plain.load_state_dict({key: tensor.float() for key, tensor in model.own_weights().items()})
    with torch.no_grad():
        assert torch.equal(model(images), plain(images))
        assert model.features(images).shape == (2, 96, 14, 14)
        torch.testing.assert_close(model.from_parts(*model.parts(images)), plain(images), rtol=0, atol=1e-6)
        torch.testing.assert_close(model.attended(images).logits, plain(images), rtol=1e-4, atol=1e-5)
    behind = load_model(f"walled:{folder}")
    assert (str(behind.wall), behind.name, behind.class_names) == ("bottom:64", "walled:vit-mini", model.class_names)
    more = TrainingSpec(quick.with_values(epochs=1, learning_rate=1e-12, batch_size=6), str(folder))
    again = train(data, more, tmp_path / "more", Running(device="cpu"))
    assert again is not None
    torch.testing.assert_close(again.model(images), model(images), rtol=0, atol=1e-4)


def test_a_folder_of_another_kind_and_other_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="masked-vgg16 is a VGG16, whose wall follows from its layers"):
        load_model("walled:mini-masked-vgg16")
    with pytest.raises(InputError, match="already includes weights: leave out --weights"):
        load_model("walled:mini-vit", tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="has weights already"):
        load_model("sink:mini-vit", pretrained=False)


def test_the_wall_of_a_network_given_as_a_module_is_trained_nowhere() -> None:
    model = tiny("cut")
    with pytest.raises(InputError, match="given as a module, whose classifier cannot be replaced"):
        model.with_classes(SYNSETS)
    assert split_classifier(timm.create_model("test_vit", num_classes=5, img_size=64)).blueprint is None
