"""Results as a dataset and a leaderboard as a static Space: published, read by others, submitted to, and refused."""

import json
import re
from dataclasses import replace
from pathlib import Path

import datasets
import pytest
from dataset_maker import contents
from in_memory_dataset import InMemoryDataset, walled_cnn
from loopback_hub import OTHER_TOKEN, READ_TOKEN, LoopbackHub

from stackwalls.evaluate import Results, evaluate
from stackwalls.evaluate.leaderboard import read_scores, scores_json, scores_of
from stackwalls.stackgen.cli import main

RESULTS, SPACE = ("dataset", "user/results"), ("space", "user/board")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measured") / "results"
    evaluate(walled_cnn(), InMemoryDataset(range(10)), ["GradCAM", "HiResCAM"], out=folder, progress=False)
    return folder


@pytest.fixture
def board(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    words = ["--results", "user/results", "--license", "cc-by-4.0"]
    assert main(["leaderboard", str(results), "--out", str(tmp_path / "board"), *words]) == 0
    assert capsys.readouterr().out == f"2 scores. Look at:  {tmp_path}/board/index.html\n"
    return tmp_path / "board"


def publish(*words: object) -> int:
    return main(["publish", *map(str, words)])


def test_results_become_a_dataset_of_rows(
    hub: LoopbackHub, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(results)
    assert publish(results, "user/results", "--license", "cc-by-4.0") == 0
    plan = capsys.readouterr().out
    assert "Pixels:      none: the report, the figures and the sample images show pixels" in plan
    assert hub.state.repositories == {}
    assert publish(results, "user/results", "--license", "cc-by-4.0", "--yes") == 0
    assert "Load it:  datasets.load_dataset('user/results', split='test')" in capsys.readouterr().out
    there = hub.files("user/results")
    assert there.keys() == {
        "README.md",
        "certificate.json",
        "data/test-00000-of-00001.parquet",
        "manifest.json",
        "scores.json",
    }
    assert contents(results) == before, "the results themselves stay as they are"
    assert publish(results, "--out", tmp_path / "kept", "--license", "cc-by-4.0") == 0
    assert contents(tmp_path / "kept") == there
    remote, local = (datasets.load_dataset(name, split="test") for name in ("user/results", str(tmp_path / "kept")))
    assert remote.features == local.features
    assert remote.to_list() == local.to_list()
    assert remote.num_rows == 20
    capsys.readouterr()
    assert publish(tmp_path / "kept", "user/results", "--yes", "--json") == 0
    assert {file["change"] for file in json.loads(capsys.readouterr().out)["files"]} == {"unchanged"}


def test_a_leaderboard_becomes_a_static_space(
    hub: LoopbackHub, board: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish(board, "user/board", "--yes") == 0
    space = hub.state.repositories[SPACE]
    assert (space.sdk, space.private) == ("static", False)
    there = hub.files("user/board", kind="space")
    assert {name: data for name, data in there.items() if name != "style.css"} == contents(board)
    assert f"Look at it:  {hub.url}/spaces/user/board" in capsys.readouterr().out
    info = hub.api().space_info("user/board")
    assert (info.sdk, info.card_data["app_file"], info.card_data["license"]) == ("static", "index.html", "cc-by-4.0")
    hub.state.collections["user/walls-0123"] = []
    assert publish(board, "user/board", "--yes", "--tag", "v1", "--collection", "user/walls-0123") == 0
    assert "nothing to send" in capsys.readouterr().out
    assert hub.state.collections["user/walls-0123"] == [("space", "user/board")]
    for path in (board / "scores").iterdir():
        path.unlink()
    assert publish(board, "user/board", "--yes") == 2
    assert "is missing in" in capsys.readouterr().err


def test_somebody_submits_a_score_and_the_owner_takes_it(
    hub: LoopbackHub, board: Path, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish(board, "user/board", "--yes") == 0
    [score, _] = scores_of(Results.load(results))
    (tmp_path / "theirs.json").write_text(scores_json([replace(score, method="theirs")]))
    assert main(["leaderboard", "--check", str(tmp_path / "theirs.json")]) == 0
    asked = hub.api(OTHER_TOKEN).upload_file(
        path_or_fileobj=tmp_path / "theirs.json",
        path_in_repo="scores/theirs.json",
        repo_id="user/board",
        repo_type="space",
        create_pr=True,
    )
    assert asked.pr_num == 1
    assert "scores/theirs.json" not in hub.files("user/board", kind="space")
    place = tmp_path / "submitted"
    hub.api().snapshot_download("user/board", repo_type="space", revision="refs/pr/1", local_dir=place)
    capsys.readouterr()
    assert main(["leaderboard", "--check", *map(str, sorted((place / "scores").iterdir()))]) == 0
    assert main(["leaderboard", str(place), "--out", str(place)]) == 0
    assert publish(place, "user/board", "--yes") == 0
    there = hub.files("user/board", kind="space")
    assert b"theirs" in there["index.html"]
    assert {found.method for found in read_scores(place)} == {"GradCAM", "HiResCAM", "theirs"}


def test_what_is_refused_in_a_sentence(
    hub: LoopbackHub,
    board: Path,
    results: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub.api().create_repo("user/results", repo_type="dataset")
    hub.api().create_repo("user/demo", repo_type="space", space_sdk="gradio")
    unlicensed, empty, unfinished, half = (tmp_path / name for name in ("unlicensed", "empty", "unfinished", "half"))
    assert main(["leaderboard", str(results), "--out", str(unlicensed)]) == 0
    for folder in (empty, unfinished / ".unfinished", half):
        folder.mkdir(parents=True)
    (half / "per_image.parquet").write_bytes(b"PAR1")
    capsys.readouterr()
    for status, words, said in (
        (2, (board, "user/results"), "user/results is a dataset on the Hub, and a leaderboard is a Space"),
        (2, (board, "user/demo"), "user/demo is a gradio Space, and a leaderboard"),
        (2, (board, "user/board", "--gated"), "A Space has no access requests"),
        (2, (unlicensed, "user/board"), "does not state a license; state it with --license"),
        (2, (results, "user/new"), "README.md of the results in .* does not state a license"),
        (2, (empty, "user/new"), "is neither a dataset folder nor a leaderboard"),
        (2, (unfinished, "user/new"), "is unfinished: repeat the command"),
        (2, (half, "user/new", "--license", "mit"), "has no finished results"),
        (2, (results, "user/new", "--results", results), "--results needs a model folder"),
        (2, (results, "--license", "mit"), "USER/NAME is missing: .* with --out DIR"),
        (2, (board, "user/board", "--out", tmp_path / "x"), "--out is where a recipe or results are written"),
    ):
        assert publish(*words, "--yes") == status, words
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert re.search(said, error), error
    for token, said in ((READ_TOKEN, "is read-only"), (OTHER_TOKEN, "not to user")):
        monkeypatch.setenv("HF_TOKEN", token)
        assert publish(board, "user/board", "--yes") == 1
        assert said in capsys.readouterr().err
    assert hub.state.repositories.keys() == {RESULTS, ("space", "user/demo")}
    assert main(["leaderboard", str(empty), "--out", str(tmp_path / "y")]) == 2
    assert not (tmp_path / "y").exists()


def test_two_kinds_do_not_share_a_repository(
    hub: LoopbackHub, results: Path, board: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish(results, "user/results", "--license", "mit", "--yes") == 0
    changed = hub.files("user/results")["manifest.json"].replace(b'"kind": "results"', b'"kind": "stack-mix"')
    hub.api().upload_file(
        path_or_fileobj=changed, path_in_repo="manifest.json", repo_id="user/results", repo_type="dataset"
    )
    assert publish(results, "user/results", "--license", "mit", "--yes") == 2
    assert "user/results holds a stack-mix set" in capsys.readouterr().err
