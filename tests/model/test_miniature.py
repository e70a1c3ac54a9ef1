"""The networks whose weights come with the package: small, blind where they say, and right about drawn animals."""

import json
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from stackwalls.model import (
    MINIATURES,
    USUAL_TRANSFORM,
    BlindModel,
    InputError,
    Wall,
    WalledTransformer,
    certify,
    class_names,
    imagenet_classes,
    load_model,
    to_input,
)
from stackwalls.model.images.drawn import draw
from stackwalls.stackgen.cli import main

MOST_BYTES = 2_000_000
FIRST_SEED = 5_000
"""Of pictures that neither training (1,000,000 …) nor the choice of the best epoch (0 to 19) saw."""


def folder(name: str) -> Path:
    return Path(str(resources.files("stackwalls.model.miniature").joinpath(MINIATURES[name])))


@pytest.fixture(scope="module", params=list(MINIATURES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(name: str) -> BlindModel:
    return load_model(name)


def classes_of(model: BlindModel) -> tuple[int, ...]:
    """The ImageNet-1k index of each logit."""
    return model.class_indices or tuple(class_names().index(name) for name in model.class_names or ())


def share_right(model: BlindModel, pictures: list[np.ndarray], labels: list[int]) -> float:
    """Of pictures (224, 224, 3) uint8, the share whose class has the highest logit."""
    classes = classes_of(model)
    with torch.inference_mode():
        images = to_input(torch.from_numpy(np.stack(pictures)))
        found = torch.cat([model(part).argmax(1) for part in images.split(50)])
    return float(np.mean([classes[position] == label for position, label in zip(found, labels, strict=True)]))


@cache
def fresh(classes: tuple[int, ...], each: int) -> tuple[list[np.ndarray], list[int]]:
    """Drawn animals, so many of each class, by the evaluation transform."""
    labels = [index for index in classes for _ in range(each)]
    seeds = [FIRST_SEED + number % each for number in range(len(labels))]
    drawn = [draw(label, seed) for label, seed in zip(labels, seeds, strict=True)]
    return [USUAL_TRANSFORM(Image.fromarray(picture)) for picture in drawn], labels


def test_it_is_small_and_says_how_it_was_made(name: str, model: BlindModel) -> None:
    files = {path.name: path.stat().st_size for path in folder(name).iterdir() if path.is_file()}
    assert sum(files.values()) < MOST_BYTES
    training = json.loads((folder(name) / "training.json").read_text())
    assert (training["seed"], training["stored"], training["data"]) == (0, "fp16", "drawn")
    assert training["accuracy"]["top1"] >= 0.9
    history = [json.loads(line) for line in (folder(name) / "history.jsonl").read_text().splitlines()]
    best = max((row for row in history if "top1" in row), key=lambda row: row["top1"])
    assert best["step"] == training["best_step"]
    assert best["top1"] == pytest.approx(training["accuracy"]["top1"], abs=0.01)  # bf16 against rounded float32
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    assert model.name == name


def test_it_is_blind_as_it_says(name: str, model: BlindModel, capsys: pytest.CaptureFixture[str]) -> None:
    if name != "mini-masked-vgg16":
        assert model.wall is None
        return
    assert model.wall == Wall.parse("bottom:54")
    assert certify(model).passed
    assert main(["certify", name]) == 0
    assert f"BLIND: {name} behind bottom:54" in capsys.readouterr().out


def test_it_knows_at_least_100_animals_and_is_right_about_nine_in_ten(model: BlindModel) -> None:
    classes = classes_of(model)
    assert len(classes) >= 100
    assert all(imagenet_classes()[index].is_animal for index in classes)
    assert share_right(model, *fresh(classes, 3)) >= 0.9


@pytest.mark.parametrize("kind", ["walled", "sink"])
def test_the_transformer_stands_behind_both_walls_with_the_weights_that_it_has(kind: str) -> None:
    whole, behind = load_model("mini-vit"), load_model(f"{kind}:mini-vit")
    assert isinstance(whole, WalledTransformer)
    assert isinstance(behind, WalledTransformer)
    assert (whole.wall, str(behind.wall), behind.name) == (None, "bottom:64", f"{kind}:mini-vit")
    assert behind.class_names == whole.class_names
    state = behind.state_dict()
    assert all(torch.equal(tensor, state[key]) for key, tensor in whole.state_dict().items())
    assert certify(behind).passed
    assert load_model(f"{kind}:mini-vit", wall="left:32").wall == Wall.parse("left:32")


def test_it_brings_its_weights_and_its_wall(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="already includes weights: leave out --weights"):
        load_model(name, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="Did you mean 'mini-"):
        load_model(name.replace("mini-", "mini-m"))
    if name == "mini-masked-vgg16":
        with pytest.raises(InputError, match="is blind behind bottom:54, not bottom:64"):
            load_model(name, wall=Wall.parse("bottom:64"))
