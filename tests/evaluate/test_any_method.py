"""`evaluate` with methods and networks that are not this package's, and the README's own example."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_grad_cam
import torch
from in_memory_dataset import InMemoryDataset, sparse_vgg, walled_cnn
from test_evaluate_command import evaluate as evaluate_by_command, place as place_with_pictures
from torch import nn

from stackwalls.evaluate import evaluate, mu
from stackwalls.model import InputError, Wall

README = Path(__file__).resolve().parents[2] / "README.md"
place = place_with_pictures


def bright_bottom(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    maps = torch.zeros(len(inputs), 224, 224)
    maps[:, 100:] = 1
    return maps


def test_the_readmes_method() -> None:
    """The snippet, run as it stands on a network that needs no download."""
    snippets = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (code,) = [snippet for snippet in snippets if "def my_method" in snippet]
    definition = code[code.index("def my_method") : code.index("results =")]
    scope: dict[str, Any] = {}
    exec(definition, scope)
    methods = {"GradCAM": "GradCAM", "mine": scope["my_method"]}
    results = evaluate(walled_cnn(), InMemoryDataset([1, 2]), methods, progress=False)
    rows = results.per_image.set_index(["image_id", "method"])
    # an input gradient is exactly zero where the network sees nothing
    assert (rows.xs("mine", level="method")["mu"] == 0).all()
    assert (rows.xs("GradCAM", level="method")["mu"] > 0).all()


def test_a_function_is_measured_as_it_answers() -> None:
    results = evaluate(sparse_vgg(), InMemoryDataset([1, 2, 3]), {"mine": bright_bottom}, progress=False)
    expected = np.sqrt(54 / 124)
    assert results.per_image["mu"].to_list() == pytest.approx([expected] * 3)
    assert any(note.startswith("mine:") for note in results.report_text().splitlines())


def test_maps_that_were_made_elsewhere() -> None:
    data = InMemoryDataset([1, 2, 3])
    maps = {image_id: np.random.default_rng(place).random((224, 224)) for place, image_id in enumerate(data.ids[:2])}
    rows = evaluate(sparse_vgg(), data, {"stored": maps}, progress=False).per_image
    wall = Wall.parse("bottom:54")
    assert rows["mu"].to_list()[:2] == pytest.approx([float(mu(maps[key][None], wall)[0]) for key in data.ids[:2]])
    assert data.ids[2] in rows["error"].to_list()[2]


def test_a_method_that_fails_is_a_row_with_its_reason() -> None:
    def fails(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if int(targets[0]) == 0 or len(inputs) > 1:
            raise ValueError("no map today")
        return torch.full((1, 224, 224), torch.nan)

    rows = evaluate(sparse_vgg(), InMemoryDataset([1, 2]), {"fails": fails, "GradCAM": "GradCAM"}, progress=False)
    errors = rows.per_image.set_index("method")["error"]
    assert errors["fails"].str.contains("no map today|NaN").all()
    assert errors["GradCAM"].isna().all()


class Upper(nn.Module):
    """Anybody's own network, with a wall and a target layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.wall = Wall.parse("bottom:64")
        self.convolution = nn.Conv2d(3, 4, 32, stride=32)
        self.target_layer = nn.ReLU()
        self.dense = nn.Linear(4 * 5 * 7, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.target_layer(self.convolution(images))
        return self.dense(maps[:, :, :5].flatten(1))


def test_a_network_of_ones_own_by_name(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stackwalls.evaluate import Results
    from stackwalls.stackgen.commands import evaluate as command

    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import argparse

    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    own = "test_any_method"
    arguments = [str(place / "pictures"), "--model", f"{own}:Upper", "--device", "cpu", "--out", str(tmp_path / "out")]
    methods = ["--method", f"{own}:bright_bottom", "--method", "HiResCAM", "--method", "LayerCAM"]
    assert command.run(parser.parse_args(arguments + methods)) == 0
    results = Results.load(tmp_path / "out")
    assert results.run["model"] == "Upper"
    found = results.per_image.groupby("method")
    assert found["mu_native"].max()["HiResCAM"] == 0
    assert found["mu"].mean()["bright_bottom"] == pytest.approx(np.sqrt(64 / 124))


def test_what_is_no_method_is_refused(place: Path, tmp_path: Path) -> None:
    for wrong, said in (("nosuch.module:f", "nosuch"), ("GradCAMM", "Did you mean 'GradCAM'")):
        with pytest.raises(InputError, match=said):
            evaluate_by_command(place, tmp_path / "out", "--method", wrong)
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError):
        evaluate(sparse_vgg(), InMemoryDataset([1]), {"mine": 3}, progress=False)


@pytest.mark.parametrize("name", ["LayerCAM", "GradCAMElementWise", "EigenGradCAM"])
def test_further_classes_of_grad_cam_by_name_come_from_the_engine(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = InMemoryDataset([1, 2])
    by_class = evaluate(sparse_vgg(), data, {"cam": getattr(pytorch_grad_cam, name)}, progress=False).per_image
    monkeypatch.delattr(pytorch_grad_cam, name)
    by_name = evaluate(sparse_vgg(), data, [name], progress=False).per_image
    assert by_name["error"].isna().all()
    assert by_name["mu"].to_list() == pytest.approx(by_class["mu"].to_list(), abs=1e-5)
