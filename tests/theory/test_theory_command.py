import argparse
import json
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from PIL import Image

from stackwalls.model import InputError, MaskedVGG16, RunError
from stackwalls.model.theory import (
    SIDE,
    SWEEPS,
    OneConvolution,
    SweepPoint,
    estimate_gradcam,
    expected_gradcam,
    mnist_digit,
    padded,
    patch_norms,
    plot_digit,
    plot_pixels,
    plot_stages,
    plot_sweeps,
    small_digit,
    stages_of,
    sweep,
)
from stackwalls.stackgen.commands import theory

FILES = {"cnn.png", "masked-vgg16.png", "digit.png", "pixels.png", "sweeps.png", "theory.json"}


@pytest.fixture
def few_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    for parameter, values in {"filters": (1, 30), "kernel": (2, 3), "tau": (1, 2), "depth": (1, 2)}.items():
        monkeypatch.setitem(SWEEPS, parameter, values)


def stackgen_theory(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    theory.add_arguments(parser)
    return theory.run(parser.parse_args(arguments))


@pytest.mark.usefixtures("few_shapes")
def test_writes_figures_and_numbers_that_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stackgen_theory("--out", str(tmp_path / "a"), "--draws", "200", "--json") == 0
    written = (tmp_path / "a/theory.json").read_text()
    assert {path.name for path in (tmp_path / "a").iterdir()} == FILES
    assert capsys.readouterr().out == written
    result = json.loads(written)
    assert result["agrees"] is True
    assert result["largest_deviation_from_exact"] <= 4
    assert result["dead_start"] == 15
    assert (result["draws"], result["seed"], result["picture"]) == (200, 0, {"digit": 8})
    assert [(point["parameter"], point["value"]) for point in result["sweeps"]] == [
        (parameter, value) for parameter, values in SWEEPS.items() for value in values
    ]
    assert all(abs(point["mean"] - point["exact"]) <= 4 * point["standard_error"] for point in result["sweeps"])
    # the same again, as text
    assert stackgen_theory("--out", str(tmp_path / "b"), "--draws", "200") == 0
    assert (tmp_path / "b/theory.json").read_text() == written
    for name in FILES - {"theory.json"}:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    said = capsys.readouterr().out
    assert "Simulation and theory agree." in said
    assert len(said.splitlines()[0].split()) == 6
    assert "filters 30" in said


@pytest.mark.usefixtures("few_shapes")
def test_a_wrong_theory_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def doubled(spec: OneConvolution, image: torch.Tensor) -> torch.Tensor:
        return 2 * expected_gradcam(spec, image)

    monkeypatch.setattr("stackwalls.model.theory.expected_gradcam", doubled)
    assert stackgen_theory("--out", str(tmp_path), "--draws", "200", "--json") == 1
    assert json.loads((tmp_path / "theory.json").read_text())["agrees"] is False


def test_wrong_calls_write_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="Expected --out to be a folder"):
        stackgen_theory("--out", str(tmp_path / "file"))
    for arguments in (("--draws", "1"), ("--seed", "-1"), ("--digit", "11")):
        with pytest.raises(InputError, match="Expected"):
            stackgen_theory("--out", str(tmp_path / "new"), *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_digits_of_scikit_learn() -> None:
    pictures = [small_digit(digit) for digit in range(10)]
    for picture in pictures:
        assert picture.shape == (1, SIDE, SIDE)
        assert picture.dtype == torch.float64
        assert picture.min() == 0
        assert 0.9 < picture.max() <= 1
    assert len({picture.sum().item() for picture in pictures}) == 10
    with pytest.raises(InputError, match="Expected a digit from 0 to 9, but got 10"):
        small_digit(10)


def test_padding_keeps_the_maps_at_28() -> None:
    picture = small_digit(3)
    for kernel in (1, 2, 5):
        wide = padded(picture, kernel)
        assert wide.shape == (1, 27 + kernel, 27 + kernel)
        assert torch.equal(wide[:, kernel - 1 :, :SIDE], picture)
        assert wide.sum() == picture.sum()


def test_mnist_comes_from_the_hub_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    grey = np.arange(28 * 28, dtype=np.uint8).reshape(28, 28)

    def load(name: str, split: str) -> list[dict[str, object]]:
        assert (name, split) == ("ylecun/mnist", "test")
        return [{"image": Image.fromarray(grey), "label": 7}]

    monkeypatch.setattr(datasets, "load_dataset", load)
    np.testing.assert_allclose(mnist_digit(0)[0], grey / 255)
    with pytest.raises(InputError, match="0 to 0, but got 1"):
        mnist_digit(1)

    def fail(name: str, split: str) -> None:
        raise ConnectionError("no route\nto the hub")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(RunError, match=r"no route\. Leave out --mnist"):
        stackgen_theory("--mnist", "0")


@pytest.mark.usefixtures("few_shapes")
def test_a_sweep_shows_the_brightest_unseen_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = small_digit(8)
    points = list(sweep("kernel", picture, draws=50, seed=3))
    assert [point.value for point in points] == [2, 3]
    spec = OneConvolution(height=30, width=30, kernel=3, filters=64)
    unseen = patch_norms(spec, padded(picture, 3))[spec.dead_start :]
    scale = expected_gradcam(spec, padded(picture, 3)).max() / patch_norms(spec, padded(picture, 3)).max()
    assert points[1].exact == pytest.approx(float(scale * unseen.max()))
    assert points == list(sweep("kernel", picture, draws=50, seed=3))
    assert points[0].mean != next(sweep("kernel", picture, draws=50, seed=4)).mean
    with pytest.raises(InputError, match="Unknown parameter 'width': expected one of filters, kernel, tau, depth"):
        next(sweep("width", picture))
    for image, seed in ((picture[:, :20], 0), (picture[:, :15, :15], 0), (picture, -1)):
        with pytest.raises(InputError, match=r"Expected `image` to be \(C, H, H\) with H ≥ 16, and `seed` ≥ 0"):
            next(sweep("kernel", image, seed=seed))
    monkeypatch.setitem(SWEEPS, "kernel", (7,))
    assert next(sweep("kernel", picture[:, 12:, 12:], draws=2)).exact > 0


def test_the_drawings_of_the_networks_show_what_is_read() -> None:
    cnn, vgg = stages_of(OneConvolution()), stages_of(MaskedVGG16(num_classes=10, width=1 / 64))
    assert [(stage.channels, stage.rows, stage.seen) for stage in cnn] == [(1, 29, 15), (256, 28, 14), (256, 14, 7)]
    assert [(stage.rows, stage.seen) for stage in vgg] == [
        (224, 170), (224, 168), (112, 82), (56, 38), (28, 16), (14, 5),
    ]  # fmt: skip
    (axes,) = plot_stages(vgg, "the masked VGG16").axes
    whole, dead = axes.patches[0], axes.patches[1]
    assert dead.get_height() / whole.get_height() == pytest.approx(54 / 224)  # type: ignore[attr-defined]
    assert "3 × 224 × 224\nrows read: 170" in axes.texts[0].get_text()


def test_the_digits_figure_hatches_what_is_not_seen() -> None:
    spec = OneConvolution(filters=4, classes=10)
    image = padded(small_digit(8), 2)
    networks = spec.draw(1, torch.Generator().manual_seed(0))
    figure = plot_digit(networks, image, estimate_gradcam(spec, image, 20))
    assert [axes.get_title().split("\n")[0] for axes in figure.axes] == ["the digit", "GradCAM", "HiResCAM", "GradCAM"]
    for axes in figure.axes:
        (wall,) = axes.patches
        picture = np.asarray(axes.images[0].get_array())
        assert (wall.get_y(), wall.get_height()) == (14.5, len(picture) - 15)  # type: ignore[attr-defined]
    assert np.asarray(figure.axes[2].images[0].get_array())[15:].max() == 0


def test_the_other_figures_show_what_they_are_given() -> None:
    spec = OneConvolution(filters=30)
    image = padded(small_digit(8), 2)
    figure = plot_pixels(spec, image, estimate_gradcam(spec, image, 20))
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    np.testing.assert_allclose(lines["exact"], np.sort(expected_gradcam(spec, image).flatten()))
    points = [
        SweepPoint(parameter, value, value, {"moments": value / 2, "chebyshev": value / 3}, value, 0.1)
        for parameter in ("filters", "tau", "depth")
        for value in (1, 2)
    ]
    panels = [axes for axes in plot_sweeps(points).axes if axes.lines]
    assert [axes.get_xlabel() for axes in panels] == [
        "filters V",
        "standard deviation of the weights",
        "dense layers L",
    ]
    assert all([0.5, 1.0] in [list(line.get_ydata()) for line in axes.lines] for axes in panels)
