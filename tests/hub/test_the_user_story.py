"""What a user types: publish both sets and a network, evaluate them from the Hub by name, publish what was found."""

import json
from pathlib import Path

import pytest
from dataset_maker import contents
from huggingface_hub import ModelCard
from in_memory_dataset import sparse_vgg
from loopback_hub import LoopbackHub
from publications import drawn, generated

from stackwalls.hub_cards import parse_license, save_model_folder
from stackwalls.stackgen import cli

METHODS = ("--method", "GradCAM", "--method", "HiResCAM", "--device", "cpu")


def stackgen(*words: object) -> None:
    assert cli.main([str(word) for word in words]) == 0


@pytest.fixture
def folders(hub: LoopbackHub, tmp_path: Path) -> Path:
    """The three folders here, and the same published."""
    here = tmp_path / "here"
    here.mkdir()
    drawn(here / "stack-mix", rows=5, card=None)
    generated(here / "stack-gen", rows=4)
    save_model_folder(sparse_vgg(), here / "masked-vgg16", license=parse_license("mit"))
    for name in ("stack-mix", "stack-gen", "masked-vgg16"):
        stackgen("publish", here / name, f"user/{name}", "--yes", "--tag", "v1.0")
    return here


def rows_of(text: str) -> list[tuple[object, ...]]:
    """The numbers of `--json`, without the names of the sets."""
    found = json.loads(text)
    assert found["certificate"]["passed"] is True
    return [(row["method"], row["n"], row["mu_mean"], row["mu_std"]) for row in found["table"]]


def test_an_evaluation_by_name_is_the_one_of_the_folders(
    hub: LoopbackHub, folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    by_path = [folders / "stack-mix", folders / "stack-gen", "--model", folders / "masked-vgg16"]
    stackgen("evaluate", *by_path, *METHODS, "--json", "--out", tmp_path / "a")
    expected = rows_of(capsys.readouterr().out)
    by_name = ["user/stack-mix", "user/stack-gen@v1.0", "--model", "user/masked-vgg16"]
    stackgen("evaluate", *by_name, *METHODS, "--json", "--out", tmp_path / "b")
    printed = capsys.readouterr().out
    assert rows_of(printed) == expected
    assert [row[:2] for row in expected] == [("GradCAM", 5), ("HiResCAM", 5), ("GradCAM", 4), ("HiResCAM", 4)]
    assert expected[0][2] > 0.01
    names = {row["dataset"] for row in json.loads(printed)["table"]}
    assert names == {"user/stack-mix", "user/stack-gen@v1.0"}
    commit = hub.state.repositories["model", "user/masked-vgg16"].branches["main"]
    here, there = (json.loads((tmp_path / name / "run.json").read_text())["provenance"] for name in "ab")
    assert there["network read from"] == f"user/masked-vgg16@{commit}"
    assert here["contents of stack-gen"] == there["contents of user/stack-gen@v1.0"]
    assert f"user/masked-vgg16@{commit}" in (tmp_path / "b/report.html").read_text()


def test_what_was_found_goes_up_with_the_network(hub: LoopbackHub, folders: Path, tmp_path: Path) -> None:
    stackgen("evaluate", "user/stack-mix", "--model", "user/masked-vgg16", *METHODS, "--out", tmp_path / "results")
    words = ["publish", folders / "masked-vgg16", "user/masked-vgg16", "--results", tmp_path / "results", "--yes"]
    stackgen(*words)
    files = hub.files("user/masked-vgg16", kind="model")
    assert files == contents(folders / "masked-vgg16")
    card = ModelCard(files["README.md"].decode())
    results = {(result.dataset_name, result.metric_type) for result in card.data.eval_results}
    assert results == {("user/stack-mix", "mu"), ("user/stack-mix", "accuracy")}
    commit = hub.state.repositories["model", "user/masked-vgg16"].branches["main"]
    stackgen(*words)
    assert hub.state.repositories["model", "user/masked-vgg16"].branches["main"] == commit, "nothing new, no commit"
    old = hub.files("user/masked-vgg16", kind="model", revision="v1.0")
    assert old["README.md"] != files["README.md"]
    assert old["model.safetensors"] == files["model.safetensors"]


def test_what_was_found_of_another_network_does_not(
    hub: LoopbackHub, folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mini = ["--model", "mini-masked-vgg16"]
    stackgen("evaluate", folders / "stack-mix", *mini, "--method", "HiResCAM", "--out", tmp_path / "results")
    before = contents(folders / "masked-vgg16")
    capsys.readouterr()
    words = ["publish", folders / "masked-vgg16", "user/masked-vgg16", "--results", tmp_path / "results", "--yes"]
    assert cli.main([str(word) for word in words]) == 2
    assert "of a network with other weights than" in capsys.readouterr().err
    assert contents(folders / "masked-vgg16") == before
