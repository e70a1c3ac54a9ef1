"""Networks and data in every form that a user has them, and one sentence for those that cannot be evaluated."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from in_memory_dataset import InMemoryDataset, sparse_vgg, walled_cnn
from PIL import Image
from test_evaluate_command import run
from torch import nn
from torch.utils.data import Subset
from torchvision.datasets import ImageFolder

from stackwalls.evaluate import Subject, evaluate
from stackwalls.hub_cards import open_dataset
from stackwalls.model import InputError, NotBlindError, RunError, Wall, certify, load_model, save_model
from stackwalls.stackgen.commands import certify as certify_command, evaluate as evaluate_command

GRAD = {"methods": "GradCAM", "progress": False}
CLASSES = {"n01440764": 0, "goldfish": 1}


class Plain(nn.Module):
    """A network as people have them: no wall, no target layer, ten logits."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(3, 4, 32, stride=32), nn.ReLU())
        self.head = nn.Linear(4, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(images).mean((2, 3)))


class TopHalf(Plain):
    """Blind behind its wall: the head pools the rows that kernels as wide as their stride keep apart."""

    wall = Wall.parse("bottom:112")

    @property
    def target_layer(self) -> nn.Module:
        return self.features

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(images)[:, :, :3].mean((2, 3)))


def plain() -> nn.Module:
    return Plain().eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("photos")
    for number, name in enumerate(CLASSES):
        (place / name).mkdir()
        Image.fromarray(InMemoryDataset([0], seed=number).images[0]).save(place / name / "one.png")
    return place


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(sparse_vgg(), tmp_path_factory.mktemp("weights") / "narrow.safetensors")


def test_a_network_by_name(folder: Path) -> None:
    by_name = evaluate("mini-masked-vgg16", folder, device="cpu", **GRAD)
    assert by_name.run["provenance"] == {"network read from": "stackwalls.model.miniature, masked-vgg16"}
    assert by_name.per_image["mu"].equals(evaluate(load_model("mini-masked-vgg16"), folder, **GRAD).per_image["mu"])
    baseline = evaluate("mini-baseline-vgg16", folder, device="cpu", require_blind=False, **GRAD)
    assert (str(baseline.wall), baseline.blind) == ("bottom:54", False)


def test_a_network_in_a_file_or_made_by_a_function(narrow: Path, folder: Path) -> None:
    for model, weights in ((narrow, None), (str(narrow), None), ("masked-vgg16", narrow)):
        assert certify(model, weights=weights).passed
    found = evaluate("masked-vgg16", folder, weights=narrow, wall="bottom:54", **GRAD)
    assert found.run["provenance"]["weights"].startswith("narrow.safetensors, SHA-256 ")
    for model in (TopHalf, TopHalf(), f"{__name__}:TopHalf", lambda: TopHalf().eval()):
        assert certify(model, device="cpu").passed
        assert evaluate(model, folder, device="cpu", **GRAD).run["model"] == "TopHalf"
    assert not certify(f"{__name__}:plain", "bottom:64").passed
    with pytest.raises(InputError, match=r"narrow.pt is a file of weights, which does not say what network"):
        certify(narrow.rename(narrow.with_suffix(".pt")))


def test_a_device_is_left_again(folder: Path) -> None:
    model = TopHalf()
    with pytest.raises(InputError, match="no device 'cuda:99' on this machine"):
        evaluate(model, folder, device="cuda:99", **GRAD)
    with pytest.raises(InputError, match=r"Expected a device such as auto, .* but got 'abacus'"):
        certify(model, device="abacus")
    assert next(model.parameters()).device.type == "cpu"


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (3, r"Expected `model` to be a torch\.nn\.Module, its name .* but got int"),
        (lambda: 3, r"returned an object of type int: expected a torch\.nn\.Module"),
        ("mini-maskd-vgg16", "Did you mean 'mini-masked-vgg16'"),
        (f"{__name__}:plain", r"Plain names no target layer.*walled\(model, 'bottom:64'\).*--model walled:NAME"),
    ],
)
def test_what_is_no_network(model: Any, said: str, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        evaluate(model, folder, wall="bottom:64", **GRAD)
    if isinstance(model, str):
        arguments = ("--model", model, "--wall", "bottom:64", "--device", "cpu", "--out", tmp_path / "out")
        with pytest.raises(InputError, match=said):
            run(evaluate_command, folder, *arguments)
    else:
        with pytest.raises(InputError, match=r"(Expected `model`|returned an object)"):
            certify(model)


def test_certify_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(certify_command, f"{__name__}:TopHalf") == 0
    assert run(certify_command, f"{__name__}:plain", "--wall", "bottom:64") == 1
    assert capsys.readouterr().out.splitlines()[0] == "BLIND: TopHalf behind bottom:112"
    model = Plain()
    with pytest.raises(NotBlindError, match=r"or put it behind one: walled\(model, 'bottom:64'\)"):
        evaluate(model, InMemoryDataset([1]), wall="bottom:64", target_layer=model.features, **GRAD)


def as_image_folder(folder: Path) -> Any:
    return ImageFolder(folder)


def as_subset(folder: Path) -> Any:
    return Subset(ImageFolder(folder), [0, 1])


def as_pairs(folder: Path) -> Any:
    images = [(Image.open(folder / name / "one.png"), index) for name, index in sorted(CLASSES.items())]
    return [(image, torch.tensor(label)) for image, label in images]


def as_images(folder: Path) -> Any:
    return [Image.open(folder / name / "one.png") for name in sorted(CLASSES)]


@pytest.mark.parametrize(
    ("source", "labels"),
    [(as_image_folder, [1, 0]), (as_subset, [1, 0]), (as_pairs, [1, 0]), (as_images, [-1, -1])],
)
def test_images_in_memory(source: Callable[[Path], Any], labels: list[int], folder: Path) -> None:
    dataset = open_dataset(source(folder))
    (batch,) = dataset.batches(2)
    (expected,) = open_dataset(folder).batches(2)  # the same order: names are sorted
    assert np.array_equal(batch.images, expected.images)
    assert batch.labels.tolist() == labels
    assert dataset.identity == open_dataset(source(folder)).identity
    found = evaluate(walled_cnn(), source(folder), **GRAD).per_image
    assert len(found) == 2
    assert found["error"].isna().all()


def test_modes_of_images_in_memory() -> None:
    deep = Image.fromarray(np.full((224, 224), 40_000, dtype=np.uint16))
    inks = Image.new("CMYK", (224, 224), (0, 255, 255, 0))
    (batch,) = open_dataset([deep, inks, Image.new("RGBA", (224, 224), (9, 8, 7, 255))]).batches(3)
    assert batch.images[:, 0, 0].tolist() == [[156, 156, 156], [255, 0, 0], [9, 8, 7]]


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([(torch.zeros(3, 8, 8), 1)], r"Item 0 of images is a pair with Tensor: expected a PIL image"),
        (np.zeros((2, 8, 8, 3)), "Item 0 of images is ndarray: expected a PIL image or"),
        ([(Image.new("RGB", (8, 8)), 1000)], "The label of row 0 of images is 1000: expected 0 to 999"),
        ({"a": 1}, r"Expected a folder, .* a list of PIL images, or a map-style dataset .* but got dict"),
    ],
)
def test_what_is_no_image_in_memory(items: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        list(open_dataset(items).batches(1))


def test_a_dataset_that_fails() -> None:
    class Broken(list):  # type: ignore[type-arg]
        def __getitem__(self, number: Any) -> Any:
            raise KeyError("no such shard")

    with pytest.raises(RunError, match="Cannot read item 0 of images: KeyError: 'no such shard'"):
        open_dataset(Broken([1]))


@pytest.mark.parametrize(
    "given", [torch.arange(10), np.arange(10), list(range(10)), range(10), torch.arange(10.0).int()]
)
def test_class_indices_of_any_type(given: Any) -> None:
    model = walled_cnn()
    model.class_indices = given
    assert Subject.of(model).classes.indices == tuple(range(10))


@pytest.mark.parametrize(
    ("given", "got"),
    [
        (torch.arange(10.0), r"0\.0"),
        ([*range(9), 1000], "1000"),
        ([*range(9), -1], "-1"),
        ([*range(9), True], "True"),
        ([*range(9), "9"], "'9'"),
        ([*range(9), 8], "8 twice"),
        (np.arange(10).reshape(2, 5), r"array\(\[\[0"),
        (7, "7"),
    ],
)
def test_class_indices_that_are_none(given: Any, got: str) -> None:
    model = walled_cnn()
    model.class_indices = given
    with pytest.raises(InputError, match=rf"Expected `class_indices` of walled:small to be .*, but got {got}"):
        evaluate(model, InMemoryDataset([1]), **GRAD)


def test_labels_that_the_logits_cannot_stand_for() -> None:
    model = walled_cnn()
    data = InMemoryDataset([3, 207, 151])
    found = evaluate(model, data, **GRAD)
    assert found.per_image["correct"].isna().all()
    assert "top-1" not in found.table().splitlines()[0]
    said = "noise: top-1 is not known, because it is not known which classes the network's logits stand for. Name them"
    assert said in found.report_text()
    explained = evaluate(model, data, target="label", **GRAD).per_image
    assert explained["target"].tolist() == [3, *found.per_image["prediction"][1:]]
    model.class_indices = torch.tensor([3, 207, 151, 9, 8, 7, 6, 5, 4, 2])
    known = evaluate(model, data, **GRAD)
    assert known.per_image["correct"].notna().all()
    assert "top-1" in known.table()
    assert "stand for" not in known.report_text()


@pytest.mark.parametrize("classes", [1001, 21_841])
def test_more_logits_than_classes(classes: int) -> None:
    """Such networks count a background, or other classes: logit i is not class i."""
    model = TopHalf(classes)
    found = evaluate(model, InMemoryDataset([3]), **GRAD)
    assert "not known which classes the network's logits stand for" in found.report_text()


def lazy() -> nn.Module:
    model = TopHalf()
    model.head = nn.LazyLinear(10)
    return model


def on_meta() -> nn.Module:
    with torch.device("meta"):
        return TopHalf()


def under_inference_mode() -> nn.Module:
    with torch.inference_mode():
        return TopHalf()


def frozen_features() -> nn.Module:
    class Probe(TopHalf):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                found = self.features(images)
            return self.head(found[:, :, :3].mean((2, 3)))

    return Probe()


def detached() -> nn.Module:
    class Detached(TopHalf):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.head(self.features(images).detach()[:, :, :3].mean((2, 3)))

    return Detached()


def detached_on_one_way() -> nn.Module:
    class Two(TopHalf):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            beside = nn.functional.avg_pool2d(images, 32).mean(1, keepdim=True)
            return self.head((self.features(images).detach() + beside)[:, :, :3].mean((2, 3)))

    return Two()


def idle_target() -> nn.Module:
    class Idle(TopHalf):
        def __init__(self) -> None:
            super().__init__()
            self.never = nn.ReLU()

        @property
        def target_layer(self) -> nn.Module:
            return self.never

    return Idle()


class Output(TopHalf):
    """As transformers' classifiers give their logits."""

    def forward(self, images: torch.Tensor) -> SimpleNamespace:  # type: ignore[override]
        return SimpleNamespace(logits=super().forward(images))


def test_logits_in_an_object_are_the_networks() -> None:
    data, methods = InMemoryDataset([1, 2]), ["GradCAM", "AblationCAM", "stackwalls.evaluate.checks.references:edges"]
    plain, wrapped = (evaluate(model, data, methods, progress=False) for model in (TopHalf(), Output()))
    assert wrapped.per_image["error"].isna().all()
    assert wrapped.per_image["mu"].tolist() == plain.per_image["mu"].tolist()
    assert (wrapped.run["model"], wrapped.run["weights"]) == ("Output", plain.run["weights"])
    assert wrapped.are_of(Output())


UNUSABLE: dict[Callable[[], nn.Module], str] = {
    lazy: r"TopHalf cannot be used yet: head\.weight is not initialized .*; run the network on one batch first",
    on_meta: r"TopHalf cannot be used yet: features\.0\.weight is on the meta device",
    under_inference_mode: r"features\.0\.weight was made under torch\.inference_mode\(\)",
    frozen_features: "The network's logits have no gradient at its input",
    detached: "The network's logits have no gradient at its input",
    detached_on_one_way: "No gradient of the logits of Two arrives at its target layer features: leave out",
    idle_target: "The target layer never of Idle does not run: name another one",
}


@pytest.mark.parametrize(("make", "said"), UNUSABLE.items(), ids=lambda one: getattr(one, "__name__", ""))
def test_a_network_that_cannot_be_explained(make: Callable[[], nn.Module], said: str) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a map was made")

    with pytest.raises(InputError, match=said):
        evaluate(make(), InMemoryDataset([1]), {"never": never}, progress=False)
    if make not in (detached_on_one_way, idle_target):  # those are blind
        with pytest.raises(InputError, match=said):
            certify(make())
