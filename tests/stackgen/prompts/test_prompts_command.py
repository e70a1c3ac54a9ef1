import json
from pathlib import Path

import pytest

from stackwalls.model import animals
from stackwalls.stackgen.cli import main
from stackwalls.stackgen.prompts.prompt import prompt_for


def test_all_animals_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompts"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [(line[0], line[1]) for line in lines] == [(str(entry.index), entry.name) for entry in animals()]
    assert [line[3] for line in lines] == [prompt_for(entry.index, 0).text for entry in animals()]


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompts", "--classes", "cock", "index:517", "--attempts", "2", "--template", "paper", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["index"], row["attempt"]) for row in rows] == [(7, 0), (7, 1), (517, 0), (517, 1)]
    assert rows[0]["prompt"] == "A photo of cock stacked on top of cock."
    assert rows[0]["nouns"] == ["rooster", "chicken"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--template", "refind"], "Did you mean 'refined'"),
        (["--template", "paper", "--wall", "right:54"], "separates left from right"),
        (["--classes", "henn"], "Did you mean 'hen'"),
        (["--classes", "5"], "index:5"),
        (["--attempts", "0"], "--attempts of 1 or more"),
        (["--wall", "middle"], "Cannot read the wall"),
        (["--wall", "box:0:0:9:9"], "is not a band of rows or columns"),
        (["--nouns", "ox", "ox"], "'ox' is there twice"),
        (["--nouns", "ox", "jay", "--classes", "hen"], "Unknown class 'hen': expected one of the 2 classes (ox, jay)"),
        (["--nouns", "ox", "jay", "--classes", "ox", "index:0"], "Class 'ox' (index 0) is asked for twice"),
        (["--nouns", "ox", "jay", "--classes", "2"], "leave out --classes for all 2"),
        (["--nouns", "ox", "--preset", "mini"], "leave one out"),
        (["--nouns", "nouns.txt"], "Cannot read the nouns of nouns.txt"),
    ],
)
def test_wrong_calls_say_what_to_do(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompts", *arguments]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


def test_nouns_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    nouns = ["--nouns", "red panda", "violin,Geige", "urn"]
    assert main(["prompts", *nouns, "--template", "paper", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["index"], row["class"], row["nouns"]) for row in rows] == [
        (0, "red panda", ["red panda", "animal"]),
        (1, "Geige", ["violin"]),
        (2, "urn", ["urn"]),
    ]
    assert "synset" not in rows[0]
    assert main(["prompts", *nouns, "--classes", "index:2", "geige"]) == 0
    assert [line.split("\t")[:2] for line in capsys.readouterr().out.splitlines()] == [["2", "urn"], ["1", "Geige"]]


def test_the_classes_of_a_dataset_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "mix"
    assert main(["mix", "--source", "drawn", "--classes", "hen", "tench", "--out", str(folder)]) == 0
    capsys.readouterr()
    assert main(["prompts", "--classes", str(folder)]) == 0
    assert [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()] == ["tench", "hen"]
