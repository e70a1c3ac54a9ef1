"""A small world in which the pages' commands run: pictures, sets, networks, results, and a Hub on this machine."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest
import timm
import torch
from torch import nn

TESTS = Path(__file__).parents[1]

sys.path.insert(0, str(TESTS / "hub"))  # `loopback_hub`
_spec = importlib.util.spec_from_file_location("hub_fixtures", TESTS / "hub/conftest.py")
assert _spec is not None
assert _spec.loader is not None
_fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fixtures)
hub = _fixtures.hub

CLASSES = 4
PICTURES = 3


def synsets() -> tuple[str, ...]:
    """Animals that the miniature draws too."""
    from stackwalls.stackgen.diffusion.miniature.spec import miniature_synsets

    return miniature_synsets()[:CLASSES]


def narrow(visible_rows: int) -> nn.Module:
    """The paper's network with few channels and random weights whose logits differ."""
    from stackwalls.model import MaskedVGG16

    torch.manual_seed(0)
    model = MaskedVGG16(visible_rows, width=1 / 32).eval()
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return model


def write_pictures(place: Path) -> None:
    """Drawn animals as ImageNet's files, in class folders and in a flat one, and as somebody's own photographs."""
    from PIL import Image

    from stackwalls.model import parse_class
    from stackwalls.model.images.drawn import draw

    labels = ["ImageId,PredictionString"]
    for folder in ("imagenet/flat", *(f"imagenet/val/{synset}" for synset in synsets())):
        (place / folder).mkdir(parents=True)
    for number in range(CLASSES * PICTURES):
        entry = parse_class(synsets()[number % CLASSES])
        name = f"ILSVRC2012_val_{number + 1:08d}"
        picture = Image.fromarray(draw(entry.index, seed=number))
        picture.save(place / f"imagenet/val/{entry.synset}/{name}.JPEG")
        picture.save(place / f"imagenet/flat/{name}.JPEG")
        labels.append(f"{name},{entry.synset} 0 0 9 9")
        for name, side in (("stackmix", 224), ("stackgen", 320)):  # as the authors publish theirs
            flat = place / f"datasets/{name}/{entry.name}_{number}.png"
            flat.parent.mkdir(parents=True, exist_ok=True)
            picture.resize((side, side)).save(flat)
        own = place / f"my-photos/{entry.name}/{number}.png"
        own.parent.mkdir(parents=True, exist_ok=True)
        picture.save(own)
    for split in ("train", "val"):
        shutil.copytree(place / "my-photos", place / "my-images" / split)
    (place / "imagenet/flat/LOC_val_solution.csv").write_text("\n".join(labels) + "\n")
    shutil.copy(place / "imagenet/flat/LOC_val_solution.csv", place)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages take for granted, made once; every page gets a copy."""
    from stackwalls.evaluate import evaluate
    from stackwalls.hub_cards import save_model_folder
    from stackwalls.model import save_model
    from stackwalls.stackgen.cli import main
    from stackwalls.stackmix import MixSpec, mix

    place = tmp_path_factory.mktemp("world")
    write_pictures(place)
    mix(MixSpec(source=str(place / "imagenet/val"), classes=synsets()), place / "stack-mix")
    assert main(["generate", "--preset", "mini", "--classes", "2", "--out", str(place / "stack-gen")]) == 0
    save_model(narrow(5), place / "masked.safetensors")
    save_model(narrow(14), place / "baseline.safetensors")
    save_model_folder(narrow(5), place / "masked-vgg16/model")
    evaluate(narrow(5), place / "stack-mix", ["GradCAM", "HiResCAM"], out=place / "results", progress=False)
    own = timm.create_model("test_resnet", num_classes=CLASSES)
    torch.save(own.state_dict(), place / "mine.pt")
    (place / "names.txt").write_text("\n".join(sorted(folder.name for folder in (place / "my-photos").iterdir())))
    (place / "mylib").mkdir()
    (place / "mylib/cams.py").write_text("from pytorch_grad_cam import HiResCAM\n\n\nclass MyCAM(HiResCAM): ...\n")
    return place
