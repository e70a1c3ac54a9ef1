"""Inner layers in the evaluation: the engine against grad-cam, native mu, names, the sweep and its files."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from in_memory_dataset import InMemoryDataset
from PIL import Image
from torch import nn

from stackwalls.evaluate import Results, ShareDone, Subject, evaluate, mu_native
from stackwalls.evaluate.adapters import as_explainer, named_methods
from stackwalls.evaluate.checks import LayerTable, WallTable, beyond_mu
from stackwalls.evaluate.engine.engine import ENGINE_METHODS, EngineExplainer
from stackwalls.evaluate.leaderboard import scores_of
from stackwalls.evaluate.report.figures import mu_by_depth
from stackwalls.evaluate.target_layer import split_at
from stackwalls.model import Backbone, InputError, LayeredModel, MaskedVGG16, Wall, Walled, walled
from stackwalls.stackgen.commands import _layers, evaluate as evaluate_command

WALL = "bottom:32@64"


class Block(nn.Module):
    """A stage with a way around its convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv, self.pool = nn.Conv2d(channels, channels, 3, padding=1), nn.MaxPool2d(2)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.pool(maps + self.conv(maps).relu())  # type: ignore[no-any-return]


def tiny_cnn() -> Walled:
    """Stride 16, all of whose stages have 10 channels."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        features = nn.Sequential(nn.Conv2d(3, 10, 8, 4, 2), nn.ReLU(), Block(10), Block(10), nn.ReLU())
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(10, 1000))
    return Walled(Backbone("tiny", features, head), Wall.parse(WALL)).eval()


def tiny_vgg() -> MaskedVGG16:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MaskedVGG16(num_classes=1000, width=1 / 64).eval()


def tiny_vit() -> LayeredModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        options = {"img_size": 64, "embed_dim": 12, "depth": 3, "num_heads": 3}
        network = timm.create_model("vit_tiny_patch16_224", **options).eval()
        with torch.no_grad():
            for tensor in network.parameters():
                tensor.add_(0.2 * torch.randn_like(tensor))
    return walled(network, WALL)


CASES = {
    "a stage": (tiny_cnn, "2"),
    "beside a shortcut": (tiny_cnn, "2.conv"),
    "VGG": (tiny_vgg, "features.22"),
    "VGG, before a ReLU": (tiny_vgg, "features.19"),
    "ViT": (tiny_vit, 1),
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow) if "ReLU" in case else case for case in CASES]
)
def test_the_engine_equals_grad_cam_at_an_inner_layer(case: str) -> None:
    make, layer = CASES[case]
    model = make()
    with split_at(model, layer):  # type: ignore[arg-type]
        subject = Subject.of(model)
        size = subject.wall.image_size
        images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))
        engine = EngineExplainer(subject, ENGINE_METHODS)
        shared = engine.forward(images)
        targets = shared.explained.targets.tolist()
        assert targets == model(images).argmax(1).tolist()
        found = engine.from_pass(shared).explain(images, targets)
        lit = 0
        for name in ENGINE_METHODS:
            grad_cam = as_explainer(name, named_methods([name])[name], subject)
            expected = grad_cam.explain(images, targets, [name])[name]
            np.testing.assert_allclose(found[name].maps, expected.maps, rtol=0, atol=1e-4, err_msg=name)
            lit += np.max(expected.maps) > 0.5
        assert lit >= len(ENGINE_METHODS) - 1
        dead = subject.dead_cells
        assert dead is not None
        assert dead.any()
        raw = found["HiResCAM"].raw
        assert raw is not None
        assert not raw[:, dead].any()
        assert raw[:, ~dead].any()


def test_native_mu_counts_the_dead_cells_of_the_layer() -> None:
    wall = Wall.parse("bottom:54")
    dead = np.zeros((28, 28), bool)
    dead[17:] = True
    maps = np.random.default_rng(0).random((3, 28, 28))
    shifted = maps - maps.min((1, 2), keepdims=True)
    expected = np.sqrt((shifted[:, 17:] ** 2).sum((1, 2)) / (shifted**2).sum((1, 2)))
    np.testing.assert_allclose(mu_native(maps, wall, dead=dead), expected)
    np.testing.assert_array_equal(mu_native(maps[:, :14, :14], wall, dead=dead), mu_native(maps[:, :14, :14], wall))


def test_the_layer_stands_in_names_tables_and_scores() -> None:
    model = tiny_vgg()
    results = evaluate(model, InMemoryDataset([0, 1]), ["HiResCAM", "EigenCAM"], layer="features.22", progress=False)
    assert model.layer is None, "the model is left as it was"
    assert results.run["model"] == results.certificate["model"] == "masked-vgg16[features.22]"
    assert results.run["native_chance"] == pytest.approx(np.sqrt(12 / 28))
    text = results.table()
    assert "The target layer is features.22, not the network's own." in text
    assert f"a uniform map has {100 * np.sqrt(12 / 28):.1f}" in text
    assert {score.network for score in scores_of(results)} == {"masked-vgg16[features.22]"}
    assert {score.native_mu for score in scores_of(results)} == {None}, "its chance level is another"
    assert results.per_image.set_index("method")["mu_native"]["HiResCAM"].max() == 0


@pytest.mark.slow
def test_a_run_at_another_layer_is_another_run(tmp_path: Path) -> None:
    given: Any = tiny_cnn(), InMemoryDataset([0, 1], size=64), ["GradCAM"]
    first = evaluate(*given, layer="2", out=tmp_path / "out", progress=False)
    again = evaluate(*given, layer="2", out=tmp_path / "out", progress=False)
    pd.testing.assert_frame_equal(first.per_image, again.per_image)
    with pytest.raises(InputError, match=r"different|other"):
        evaluate(*given, layer="3", out=tmp_path / "out", progress=False)


class Plain(nn.Module):
    """Blind by its head, and not of this package."""

    name, wall = "plain", Wall.parse(WALL)

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu, self.fc = nn.Conv2d(3, 4, 16, 16), nn.ReLU(), nn.Linear(32, 1000)

    @property
    def target_layer(self) -> nn.Module:
        return self.relu

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.fc(self.relu(self.conv(images))[:, :, :2].flatten(1))  # type: ignore[no-any-return]


def test_a_module_of_any_other_network_by_its_name() -> None:
    data = InMemoryDataset([0, 1], size=64)
    results = evaluate(Plain(), data, ["GradCAM"], layer="conv", progress=False)
    assert results.run["model"] == "plain[conv]"
    assert results.per_image["error"].isna().all()
    with pytest.raises(InputError, match=r"plain has no module 'convs'.* Did you mean 'conv'"):
        evaluate(Plain(), data, ["GradCAM"], layer="convs", progress=False)


def test_findings_at_a_layer() -> None:
    model = tiny_cnn()
    found = beyond_mu(model, InMemoryDataset([0, 1, 2], size=64), ["HiResCAM"], layer="2.conv", progress=False)
    assert found.about["model"] == "walled:tiny[2.conv]"
    assert found.records()[0]["unmoved"] == 1
    assert model.layer is None


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of two images of 64 × 64 pixels, and a module with a network for them."""
    for synset, pixels in zip(("n01440764", "n01443537"), InMemoryDataset([0, 1], size=64).images, strict=True):
        (tmp_path / "pictures" / synset).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / "pictures" / synset / "one.png")
    return tmp_path / "pictures"


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    evaluate_command.add_arguments(parser)
    return evaluate_command.run(parser.parse_args([str(argument) for argument in arguments]))


def sweep(pictures: Path, out: Path, *more: object, network: str = "tiny_cnn") -> int:
    model = f"{__name__}:{network}"
    return run(pictures, "--model", model, "--device", "cpu", "--method", "GradCAM", "--out", out, *more)


def test_a_sweep_and_a_killed_one(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr(LayerTable, "of", lambda results: 1 / 0)  # killed before the table
    with pytest.raises(ZeroDivisionError):
        sweep(pictures, out, "--layers", "2.conv,", "last")
    monkeypatch.undo()
    parts = {path: path.stat().st_mtime_ns for path in out.rglob("per_image.parquet")}
    assert {path.parent.name for path in parts} == {"2.conv", "last-map"}
    (out / "2.conv" / "run.json").unlink()  # as if this one had not been finished
    for path in (out / "2.conv").iterdir():
        path.unlink() if path.is_file() else [each.unlink() for each in path.iterdir()] and path.rmdir()
    capsys.readouterr()
    assert sweep(pictures, out, "--layers", "2.conv", "last", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    kept = {path for path, at in parts.items() if path.exists() and path.stat().st_mtime_ns == at}
    assert {path.parent.name for path in kept} == {"last-map"}
    assert [(row["layer"], row["method"]) for row in printed["table"]] == [
        (layer, "GradCAM") for layer in ("2.conv", "last map")
    ]
    table = pd.read_csv(out / "layers.csv")
    for row in table.itertuples():
        own = Results.load(out / str(row.layer).replace(" ", "-")).per_image["mu"]
        assert row.mu_mean == pytest.approx(own.mean())
        assert row.chance == pytest.approx(np.sqrt(0.5))
    assert "| 2.conv |" in (out / "layers.md").read_text()
    assert (out / "layers.txt").read_text().startswith("mu × 100")
    with Image.open(out / "layers.png") as picture:
        assert 700 <= picture.width <= 1300


def test_all_layers_and_wrong_ones(pictures: Path, tmp_path: Path) -> None:
    assert _layers.asked_layers(["all"], tiny_vit()) == [0, 1, "last"]
    assert _layers.asked_layers(["0,", "-1", "blocks.1"], tiny_vit()) == [0, "last", 1]
    assert _layers.asked_layers(["all"], tiny_cnn()) == ["2", "3", "last"]
    for texts, said in ((["5"], "0 to 2 or negative"), ([","], "No layer was named"), (["all", "0"], "'all'")):
        with pytest.raises(InputError, match=said):
            _layers.asked_layers(texts, tiny_vit())
    with pytest.raises(InputError, match="--layers is for networks whose layers"):
        sweep(pictures, tmp_path / "out", "--layers", "all", network="Plain")
    with pytest.raises(InputError, match="on one dataset"):
        run(pictures, pictures, "--model", "mini-masked-vgg16", "--layers", "all", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="contains other files"):
        sweep(pictures, tmp_path / "other", "--layers", "all")


@pytest.mark.slow
def test_the_last_of_several_processes_writes_the_table(tmp_path: Path) -> None:
    given: Any = tiny_cnn(), InMemoryDataset([0, 1], size=64), ["GradCAM"]

    def own(layer: Any, out: Path) -> Results:
        if layer == "2":
            raise ShareDone("others are not done")
        return evaluate(*given, layer=layer, out=out, progress=False)

    with pytest.raises(ShareDone):
        _layers.sweep(["2", "3"], tmp_path, own, pdf=False)
    assert not (tmp_path / "layers.txt").exists()
    evaluate(*given, layer="2", out=tmp_path / "2", progress=False)
    assert list(_layers.sweep(["2", "3"], tmp_path, own, pdf=True)) == ["2", "3"]
    assert (tmp_path / "layers.pdf").exists()


def test_tables_and_figures_of_several_runs() -> None:
    model, data = tiny_cnn(), InMemoryDataset([0, 1], size=64)
    results = {layer: evaluate(model, data, ["EigenCAM"], layer=layer, progress=False) for layer in ("0", "2")}
    table = LayerTable.of(results)
    assert table.layers == ("0", "2")
    assert [line[0] for line in table.blocks()["mu × 100: mean ± std"]] == ["layer", "0", "2"]
    assert not any("target layer" in note for note in table.notes)
    assert WallTable.of({Wall.parse(WALL): results["0"]}).methods == ("EigenCAM",)
    other = evaluate(tiny_vgg(), InMemoryDataset([0, 1]), ["EigenCAM"], progress=False)
    with pytest.raises(InputError, match="on one set behind one wall"):
        LayerTable.of({**results, "4": other})
    with pytest.raises(InputError, match="no results"):
        LayerTable.of({})


def test_labels_of_a_figure_do_not_overlap() -> None:
    means = {
        name: [0.1, level] for name, level in zip("abcdefg", (0.1, 0.1, 0.1, 0.4, 0.41, 0.9, float("nan")), strict=True)
    }
    figure = mu_by_depth(["0", "1"], means, 0.5)
    [axes] = figure.axes
    heights = sorted(float(text.get_position()[1]) for text in axes.texts)
    assert {text.get_text() for text in axes.texts} == {*"abcdefg", "chance"}
    assert min(np.diff(heights)) >= 0.06 * axes.get_ylim()[1]
    assert max(heights) <= axes.get_ylim()[1]
