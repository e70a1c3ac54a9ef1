"""`stackgen walls`, `check` and `leaderboard`, as a user calls them."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from in_memory_dataset import InMemoryDataset, sparse_vgg, walled_cnn
from PIL import Image

from stackwalls.evaluate import Results, evaluate
from stackwalls.evaluate.adapters import named_methods
from stackwalls.evaluate.results import check_folder
from stackwalls.model import BlindModel, Certificate, Wall, require_certificate, save_model
from stackwalls.stackgen.cli import main
from stackwalls.stackgen.commands._options import parse_methods


@pytest.fixture(scope="module")
def two_walls(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Results behind a wall at the bottom and one on the left, of sets that were made elsewhere."""
    folders = []
    for wall in ("bottom:64", "left:64"):
        folders.append(tmp_path_factory.mktemp("walls") / wall.replace(":", "-"))
        evaluate(walled_cnn(wall), InMemoryDataset([0, 1]), ["GradCAM", "HiResCAM"], out=folders[-1], progress=False)
    return folders


def test_walls_on_every_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("stackwalls.model.load_model", lambda _spec, _weights, wall, **_: walled_cnn(str(wall)))
    certified: list[str] = []

    def certify(model: BlindModel, wall: Wall, seed: int) -> Certificate:
        certified.append(str(wall))
        return require_certificate(model, wall, seed)

    monkeypatch.setattr("stackwalls.evaluate.run.runner.require_certificate", certify)
    sides = ["bottom:64", "top:64", "left:64", "right:64", "rows:64:128"]
    call = ["walls", "--source", "drawn", "--classes", "2", "--method", "GradCAM", "--method", "HiResCAM"]
    assert main([*call, "--device", "cpu", "--out", str(tmp_path)]) == 0
    assert certified == sides, "once per wall, which is the longest part of a short run"
    printed = capsys.readouterr().out
    assert printed.startswith((tmp_path / "walls.txt").read_text())
    lines = list(csv.DictReader((tmp_path / "walls.csv").read_text().splitlines()))
    assert [(line["method"], line["wall"]) for line in lines] == [
        (m, s) for m in ("GradCAM", "HiResCAM") for s in sides
    ]
    for line in lines:
        folder = tmp_path / line["wall"].replace(":", "-")
        found = Results.load(folder / "results")
        assert found.wall == Wall.parse(line["wall"])
        rows = found.per_image.query("method == @line['method']")
        assert float(line["mu_mean"]) == pytest.approx(rows["mu"].mean(), nan_ok=True)
        assert line["n"] == str(rows["mu"].notna().sum())
    # called again, nothing is computed
    before = (tmp_path / "walls.md").read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr("stackwalls.evaluate.run.block_run.BlockRun.over", lambda *_: pytest.fail("computed again"))
        capsys.readouterr()
        assert main([*call, "--device", "cpu", "--out", str(tmp_path), "--json"]) == 0
    assert (tmp_path / "walls.md").read_bytes() == before
    printed = json.loads(capsys.readouterr().out)
    shown = [(row["method"], row["wall"], row["mu_mean"]) for row in printed["table"]]
    assert shown == [(line["method"], line["wall"], pytest.approx(float(line["mu_mean"]))) for line in lines]
    kind, note, _ = printed["notes"]  # the other says that the logits are not all classes
    assert kind.startswith("The wall is a cut: ")
    assert note.startswith("The images of stack-mix are drawn by this software")
    assert note in (tmp_path / "walls.md").read_text()
    assert note in (tmp_path / "walls.txt").read_text()
    # other methods only where that is said
    other = [*call[:-2], "--walls", "bottom:64", "--device", "cpu", "--out", str(tmp_path)]
    assert main(other) == 2
    assert "already contains finished results" in capsys.readouterr().err
    assert (tmp_path / "walls.md").read_bytes() == before
    assert main([*other, "--overwrite"]) == 0
    assert len((tmp_path / "walls.csv").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--method", "Nope"], "Unknown method 'Nope'"),
        (["--walls", "bottom:64", "middle:3"], "middle:3"),
        (["--walls", "bottom:64@96", "--size", "128"], "is of an image of 96 pixels, but 128 are asked for"),
        (["--walls", "box:0:0:64:32+top:224"], "expected a size of 1 to 223 pixels"),
        (["--size", "100"], "32"),
        (["--walls", "bottom:64", "left:50"], "32"),
        (["--batch-size", "0"], "`batch_size` to be a whole number"),
        (["--model", "walled:nope"], "Unknown backbone 'nope'"),
        (["--device", "meta"], "Expected a device such as auto"),
        (["--seed", "-1"], "Expected the seed to be"),
    ],
)
def test_a_wrong_call_of_walls_writes_nothing(
    wrong: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["walls", "--source", "drawn", "--classes", "2", "--method", "GradCAM", "--out", str(tmp_path / "out")]
    assert main([*call, *wrong]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_folders_of_something_else_are_left_alone(
    two_walls: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(two_walls[0].rglob("*"))
    assert main(["walls", "--results", str(two_walls[1]), "--out", str(two_walls[0])]) == 2
    assert "contains other files" in capsys.readouterr().err
    assert sorted(two_walls[0].rglob("*")) == before
    # the leaderboard's page may lie beside the results, and is in nobody's way
    assert main(["leaderboard", str(two_walls[0])]) == 0
    check_folder(two_walls[0], overwrite=True)
    (tmp_path / "page.html").mkdir()
    assert main(["leaderboard", str(two_walls[0]), "--out", str(tmp_path / "page.html")]) == 2
    assert "is a folder: name the page in it" in capsys.readouterr().err
    assert main(["leaderboard", str(two_walls[0]), "--out", str(tmp_path)]) == 2
    assert "contains other files (page.html)" in capsys.readouterr().err


def test_walls_from_results(two_walls: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What STACK-GEN's sets gave behind each wall, in one table."""
    given = [str(folder) for folder in two_walls]
    assert main(["walls", "--results", *given, "--out", str(tmp_path / "table")]) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == [
        "method", "bottom:64", "left:64", "worst", "mu", "/", "chance",
    ]  # fmt: skip
    lines = list(csv.DictReader((tmp_path / "table/walls.csv").read_text().splitlines()))
    for line, folder in zip(lines, two_walls, strict=False):
        row = Results.load(folder).summary.rows[0]
        assert float(line["mu_mean"]) == pytest.approx(row.mu.mean)
    assert main(["walls", "--results", given[0], given[0], "--out", str(tmp_path / "twice")]) == 2
    assert "expected one folder per wall" in capsys.readouterr().err
    assert not (tmp_path / "twice").exists()
    assert main(["walls", "--results", str(tmp_path), "--out", str(tmp_path / "none")]) == 2
    assert "has no finished results" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "one of the arguments --source --results is required"),
        (["--source", "drawn", "--results", "a"], "not allowed with argument"),
        (
            ["--source", "drawn", "--model", "masked-vgg16"],
            "Only a walled backbone can be evaluated behind several",
        ),
    ],
)
def test_wrong_calls_of_walls(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status: Any = main(["walls", *arguments, "--out", str(tmp_path / "out")])
    except SystemExit as stop:  # argparse's own
        status = stop.code
    assert status == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for synset, pixels in zip(("n01440764", "n01443537"), InMemoryDataset([0, 1]).images, strict=True):
        (tmp_path / "pictures" / synset).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / "pictures" / synset / "one.png")
    save_model(sparse_vgg(), tmp_path / "narrow.safetensors")
    call = ["check", str(tmp_path / "pictures"), "--model", "masked-vgg16", "--device", "cpu"]
    call += ["--weights", str(tmp_path / "narrow.safetensors"), "--method", "HiResCAM", "--method", "references"]
    assert main([*call, "--out", str(tmp_path / "findings")]) == 0
    assert "HiResCAM" in capsys.readouterr().out
    found = json.loads((tmp_path / "findings/findings.json").read_text())
    assert "HiResCAM" in json.dumps(found)
    table = (tmp_path / "findings/findings.csv").read_text()
    lines = {line["method"]: line for line in csv.DictReader(table.splitlines())}
    assert {"HiResCAM", "uniform", "center", "edges", "RandomCAM"} <= set(lines)
    before = (tmp_path / "findings/findings.json").read_bytes()
    assert main([*call, "--out", str(tmp_path / "findings")]) == 2
    assert "already contains findings" in capsys.readouterr().err
    assert main([*call, "--out", str(tmp_path / "findings"), "--overwrite", "--json"]) == 0
    assert (tmp_path / "findings/findings.json").read_bytes() == before
    printed = json.loads(capsys.readouterr().out)
    assert printed == {"out": str(tmp_path / "findings"), **json.loads(before)}
    assert main([*call, "--limit", "1", "--out", str(tmp_path / "none")]) == 2
    assert not (tmp_path / "none").exists()
    (tmp_path / "findings/mine.txt").write_text("mine")
    assert main([*call, "--out", str(tmp_path / "findings")]) == 2
    assert "other files (mine.txt)" in capsys.readouterr().err


def signed(model: object, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Attributions, of which nobody says what becomes of the negative ones."""
    return inputs.sum(1) - 100


def test_a_signed_map_stops_at_the_first_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for synset, pixels in zip(("n01440764", "n01443537"), InMemoryDataset([0, 1]).images, strict=True):
        (tmp_path / "pictures" / synset).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / "pictures" / synset / "one.png")
    for command in ("check", "evaluate"):
        call = [command, str(tmp_path / "pictures"), "--model", f"{__name__}:walled_cnn", "--device", "cpu"]
        call += ["--method", "GradCAM", "--method", f"{__name__}:signed", "--out", str(tmp_path / "out")]
        assert main(call) == 2
        printed = capsys.readouterr()
        assert re.search(r"\nstackgen: signed on .*n01440764/one.png: the map holds negative values", printed.err)
        assert not printed.out
        assert not (tmp_path / "out").exists()


def test_a_map_that_is_signed_later_is_a_row() -> None:
    calls: list[int] = []

    def later(model: object, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        calls.append(len(inputs))
        return inputs.abs().sum(1) - (100 if len(calls) > 1 else 0)

    found = evaluate(walled_cnn(), InMemoryDataset([0, 1]), {"later": later}, batch_size=1, progress=False)
    assert found.per_image["error"].isna().tolist() == [True, False]


def test_references_are_methods_wherever_methods_are_named() -> None:
    methods, limits = parse_methods(["GradCAM", "references=5"])
    named = named_methods(methods)
    assert list(named) == ["GradCAM", "uniform", "center", "edges", "RandomCAM"]
    assert limits == {"uniform": 5, "center": 5, "edges": 5, "RandomCAM": 5}
    found = evaluate(walled_cnn(), InMemoryDataset([0, 1]), named, progress=False)
    assert [row.mu.mean for row in found.summary.rows if row.method == "uniform"] == [pytest.approx(found.wall.chance)]


def test_leaderboard(two_walls: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = two_walls[0].parent
    page = tmp_path / "new/board.html"
    assert main(["leaderboard", str(folder), "--out", str(page)]) == 0
    assert capsys.readouterr().out == f"2 scores. Look at:  {page}\n"
    assert all(name in page.read_text() for name in ("GradCAM", "HiResCAM"))
    assert main(["leaderboard", str(folder), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    row = Results.load(two_walls[0]).summary.rows[0]
    assert [score["mu"] for score in scores if score["method"] == "GradCAM"] == [pytest.approx(row.mu.mean)]
    assert main(["leaderboard", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out)["type"] == "object"
    assert main(["leaderboard"]) == 2
    assert "No folder was named" in capsys.readouterr().err
