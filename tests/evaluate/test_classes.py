"""Which classes logits stand for, and how those of a dataset are found among them: by name, or by index if asked."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from in_memory_dataset import InMemoryDataset, walled_cnn
from PIL import Image
from torch import nn

from stackwalls.evaluate import Results, evaluate
from stackwalls.evaluate.classes import ClassNames, LogitClasses, Matching
from stackwalls.model import InputError, LabelSpace, Wall, class_names, imagenet
from stackwalls.stackgen.cli import main

PETS = ("Abyssinian", "beagle_x", "pug-x", "Sphynx cat")
GRAD: dict[str, Any] = {"methods": "GradCAM", "progress": False}


def of(**attributes: Any) -> LogitClasses:
    return LogitClasses.of(SimpleNamespace(**attributes), "net")  # type: ignore[arg-type]


class OwnClasses(InMemoryDataset):
    def __init__(self, labels: list[int], names: tuple[str, ...], name: str = "pets") -> None:
        super().__init__(labels, name)
        self.classes = LabelSpace(names)


def id2label(names: Any) -> Any:
    return SimpleNamespace(id2label=dict(enumerate(names)))


@pytest.mark.parametrize(
    ("attributes", "names", "indices"),
    [
        ({}, None, None),
        ({"class_names": PETS}, PETS, None),
        ({"class_names": np.array(PETS)}, PETS, None),
        ({"config": id2label(PETS)}, PETS, None),
        ({"config": SimpleNamespace(id2label={"1": "b", "0": "a"})}, ("a", "b"), None),
        ({"config": id2label(["LABEL_0", "LABEL_1"])}, None, None),
        ({"config": SimpleNamespace(id2label={7: "a"})}, None, None),
        ({"class_names": PETS, "config": id2label("ab")}, PETS, None),
        ({"class_indices": (1, 0)}, ("goldfish", "tench"), (1, 0)),
        ({"config": id2label(["tench, Tinca tinca", "great white shark, white shark"])}, None, (0, 2)),
        ({"class_names": ["n01443537", "tench"]}, ("goldfish", "tench"), (1, 0)),
        ({"class_names": ["tench", "pug-x"]}, ("tench", "pug-x"), None),
        ({"class_names": [str(digit) for digit in range(10)]}, tuple("0123456789"), None),
        ({"config": id2label(class_names())}, class_names(), tuple(range(1000))),
    ],
)
def test_what_a_network_says_of_its_logits(attributes: Any, names: Any, indices: Any) -> None:
    found = of(**attributes)
    assert (names is None and indices is not None) or found.names == (None if names is None else tuple(names))
    assert found.indices == indices


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["a", "a"], "The class names of net cannot be used: The class name 'a' is there twice"),
        (["a", " "], "cannot be used: Expected every class name to be a text that is not empty, but got ' '"),
        (["a", 2], r"Expected the class names of net to be a list of texts, but got \['a', 2\]"),
        ("ab", "to be a list of texts, but got 'ab'"),
        (7, "to be a list of texts, but got 7"),
        ([], r"to be a list of texts, but got \[\]"),
    ],
)
def test_names_that_are_none(given: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        of(class_names=given)


def test_names_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\n".join(PETS))
    network: Any = SimpleNamespace(class_names=("other",))
    assert LogitClasses.of(network, "net", tmp_path / "names.txt").names == PETS
    with pytest.raises(InputError, match=r"none\.txt.*No such file"):
        LogitClasses.of(network, "net", str(tmp_path / "none.txt"))


def test_matching_by_name() -> None:
    """Case, `_`, `-` and order do not matter; ImageNet's classes are found by any of their names."""
    pets, own = LabelSpace(PETS), LogitClasses.of_names(("sphynx_cat", "ABYSSINIAN", "Pug X"), "")
    assert Matching.by_name(pets, 3, own).logits == (1, None, 2, 0)
    mixed = LogitClasses.of_names(("own", "great white shark, white shark", "tench"), "")
    assert Matching.by_name(imagenet(), 3, mixed).logits[:4] == (2, None, 1, None)
    photos = LabelSpace(("own", "Great_White_Shark", "n01443537", "3"))
    assert Matching.by_name(photos, 1000, LogitClasses().checked("net", 1000)).logits == (None, 2, 1, None)
    assert Matching.by_name(photos, 2, of(class_indices=(2, 9))).logits == (None, 0, None, None)
    assert Matching.by_name(pets, 3, LogitClasses()).logits == (None,) * 4
    assert Matching.by_name(imagenet(), 3, LogitClasses()).logits[:4] == (0, 1, 2, None)
    assert set(Matching.by_name(imagenet(), 1001, LogitClasses()).logits) == {None}


@given(st.permutations(range(12)))
def test_every_order_of_names_is_matched(order: list[int]) -> None:
    names = [f"kind-{number}" for number in range(12)]
    found = Matching.by_name(LabelSpace(tuple(names)), 12, LogitClasses.of_names([names[at] for at in order], ""))
    assert [order[logit or 0] for logit in found.logits] == list(range(12))


def test_a_run_with_own_classes(tmp_path: Path) -> None:
    model, names = walled_cnn(), tuple(f"breed {number}" for number in range(10))
    model.class_names = names[::-1]
    data = OwnClasses([0, 1, 2, 3], (*names[:3], "of no breed"))
    results = evaluate(model, data, out=tmp_path / "out", **GRAD)
    rows = results.per_image
    assert rows["correct"].tolist()[:3] == [9 - label == logit for label, logit in enumerate(rows["prediction"][:3])]
    said = "1 of 4 classes of pets is not among the network's ('of no breed'); for their images top-1 is not counted."
    assert said in results.report_text()
    assert "top-1" in results.table().splitlines()[0]
    assert results.run["network_classes"] == list(names[::-1])
    assert results.run["datasets"][0]["class_names"] == [*names[:3], "of no breed"]
    caption = results.names["pets"].caption(0, int(rows["prediction"][0]))
    assert caption == f"breed 0,\nseen as breed {9 - rows['prediction'][0]}"
    page = (tmp_path / "out" / "report.html").read_text()
    assert '"classes":["breed 0","breed 1","breed 2","of no breed"]' in page
    assert "tench" not in page
    assert Results.load(tmp_path / "out").names == results.names
    labels = evaluate(model, data, target="label", **GRAD).per_image
    assert labels["target"].tolist() == [9, 8, 7, rows["prediction"][3]]


class Shapes(nn.Module):
    """A classifier as people have it, with names of its own."""

    class_names = ("red_circle", "Blue Square", "stripes")

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(3, 8, 16, stride=16), nn.ReLU())
        self.pool, self.last = nn.AdaptiveAvgPool2d(1), nn.Linear(8, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.last(torch.flatten(self.pool(self.features(images)), 1))


def shapes() -> nn.Module:
    return Shapes().eval()


def test_own_classes_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder of one's own and a factory, at 96 pixels behind a corner; and a sentence for what does not fit."""
    for number, name in enumerate(("Red-Circle", "blue square", "arcs")):
        (tmp_path / "own" / name).mkdir(parents=True)
        pixels = np.random.default_rng(number).integers(0, 256, (6, 6 + number, 3), dtype=np.uint8)
        Image.fromarray(pixels.repeat(16, 0).repeat(16, 1)).save(tmp_path / "own" / name / "one.png")
    (tmp_path / "two.txt").write_text("a\nb\n")
    call = ["evaluate", str(tmp_path / "own"), "--model", f"walled:{__name__}:shapes", "--method", "GradCAM"]
    call += ["--wall", "bottom:32+left:32@96", "--target", "label", "--device", "cpu", "--out", str(tmp_path / "out")]
    assert main(call) == 0
    printed = capsys.readouterr().out
    assert "1 of 3 classes of own is not among the network's ('arcs'); for their images the predicted" in printed
    assert "of its images, 1 used as they are (96 × 96) and 2 resized and cropped (shorter side 110, " in printed
    found = Results.load(tmp_path / "out")
    assert found.wall == Wall.parse("bottom:32+left:32@96")
    assert found.names["own"].caption(0, 0) == "Red-Circle"
    assert [found.run["datasets"][0]["class_names"], found.run["network_classes"]] == [
        ["Red-Circle", "arcs", "blue square"],
        list(Shapes.class_names),
    ]
    (tmp_path / "own" / "a fourth").mkdir()
    (tmp_path / "own" / "arcs" / "one.png").rename(tmp_path / "own" / "a fourth" / "one.png")
    Image.new("RGB", (96, 96)).save(tmp_path / "own" / "arcs" / "two.png")
    for wrong, reason in (
        (["--match-by-index"], "own has 4 classes, and walled:Shapes 3 logits: expected as many of each"),
        (["--class-names", str(tmp_path / "two.txt")], "has 3 logits, but 2 class names are given"),
        (["--label-space", str(tmp_path / "two.txt")], "own"),
        (["--wall", "bottom:50@96"], "take bottom:64@96"),
    ):
        assert main([*call, *wrong, "--overwrite"]) == 2
        message = capsys.readouterr().err.strip().splitlines()[-1]
        assert message.startswith("stackgen: ")
        assert reason in message


def test_classes_that_do_not_match_at_all() -> None:
    model = walled_cnn()
    data = OwnClasses([0, 1], tuple(f"kind {number}" for number in range(10)))
    unknown = evaluate(model, data, **GRAD)
    assert "pets: top-1 is not known, because it is not known which classes the network's" in unknown.report_text()
    assert unknown.names["pets"].prediction(3) == "class 3"
    other = evaluate(model, data, class_names=[f"breed {number}" for number in range(10)], **GRAD).report_text()
    said = "None of the 2 classes of pets is among the network's ('kind 0', 'kind 1'); for their images top-1 is not"
    assert said in other
    assert "--match-by-index" in other
    by_index = evaluate(model, data, match="index", **GRAD)
    assert by_index.per_image["correct"].notna().all()
    assert by_index.names["pets"].prediction(3) == "kind 3"
    with pytest.raises(InputError, match="pets has 2 classes, and walled:small 10 logits: expected as many of each"):
        evaluate(model, OwnClasses([0], ("a", "b")), match="index", **GRAD)
    with pytest.raises(InputError, match=r"walled:small has 10 logits, but 2 class names .*: expected one for each"):
        evaluate(model, data, class_names=["a", "b"], **GRAD)
    with pytest.raises(InputError, match="Expected `match` to be 'name' or 'index', but got 'order'"):
        evaluate(model, data, match="order", **GRAD)


def test_names_of_older_results() -> None:
    """A run.json of a version that knew ImageNet's classes only."""
    names = ClassNames.of({"spec": {}}, {})
    assert (names.label(0), names.prediction(1)) == ("tench", "goldfish")
    assert names.known(999, -1)
    assert not names.known(1000, 0)
