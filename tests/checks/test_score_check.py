"""Score files that somebody submits, and published results whose rows are averaged again."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from in_memory_dataset import InMemoryDataset, walled_cnn

from stackwalls.evaluate import Results, evaluate
from stackwalls.evaluate.leaderboard import (
    Score,
    check_scores,
    publish_results,
    read_published,
    read_scores,
    scores_json,
    scores_of,
    write_board,
)
from stackwalls.evaluate.run.measuring import ROW_SCHEMA
from stackwalls.hub_cards import RESULT_MEANINGS, Manifest, open_dataset, parse_license, results_features, verify
from stackwalls.hub_cards.layout import file_entry
from stackwalls.model import InputError, file_sha256
from stackwalls.stackgen.cli import main

SHARD = "data/test-00000-of-00001.parquet"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("results") / "run"
    about = {"command": "stackgen evaluate /home/somebody/secret-place"}
    data = InMemoryDataset(range(10))
    return evaluate(walled_cnn(), data, ["GradCAM", "HiResCAM"], out=folder, progress=False, provenance=about)


@pytest.fixture(scope="module")
def score(results: Results) -> Score:
    return scores_of(results)[0]


def check(folder: Path, *scores: Score) -> list[str]:
    (folder / "mine.json").write_text(scores_json(scores))
    return check_scores([folder / "mine.json"])[str(folder / "mine.json")]


def test_what_the_evaluator_measures_is_in_order(results: Results, tmp_path: Path) -> None:
    assert check(tmp_path, *scores_of(results)) == []


FAULTS: Sequence[tuple[dict[str, Any], str]] = (
    ({"blind": False}, "did not pass its certificate"),
    ({"certificate_sha256": ""}, "certificate_sha256 is missing"),
    ({"versions": {"torch": "2"}}, "does not name the version of stackwalls"),
    ({"wall_kind": "sink"}, "wall_kind is sink, but the network's name walled:small says cut"),
    ({"wall": "bottom:54"}, r"chance is 0\.5345\d*, but a uniform map behind bottom:54 has 0\.4909"),
    ({"wall": "fence"}, "fence"),
    ({"mu_low": 0.1, "mu_high": 0.2}, r"mu is 0\.\d+, outside of its own interval, 0\.1 to 0\.2"),
    ({"mu": None}, "nothing to compare: mu is null, of 10 maps"),
    ({"mu_low": None}, "mu_low and mu_high are missing, but 10 maps have an interval"),
    ({"mu_std": None}, "mu_std is missing"),
    # half of ten numbers 0 and half 1: sqrt(10 / 9) / 2
    ({"mu": 0.5, "mu_low": 0.4, "mu_high": 0.6, "mu_std": 0.6}, r"with the mean 0\.5 have 0\.527 at most"),
)


@pytest.mark.parametrize(("change", "said"), FAULTS, ids=[str(change) for change, _ in FAULTS])
def test_an_implausible_score_is_named(change: dict[str, Any], said: str, score: Score, tmp_path: Path) -> None:
    [fault] = check(tmp_path, replace(score, **change))
    assert re.search(said, fault)
    assert fault.startswith("GradCAM on noise: ")
    assert fault.endswith(".")
    assert "\n" not in fault


def test_the_largest_deviation_there_is_passes(score: Score, tmp_path: Path) -> None:
    assert check(tmp_path, replace(score, mu=0.5, mu_low=0.4, mu_high=0.6, mu_std=0.5270462)) == []


def test_files_as_the_command_checks_them(score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad, other = (tmp_path / name for name in ("good.json", "bad.json", "other.json"))
    good.write_text(scores_json([score]))
    bad.write_text(scores_json([score]).replace('"format": 1', '"format": 2'))
    other.write_text("{")
    assert main(["leaderboard", "--check", str(good)]) == 0
    assert capsys.readouterr().out == f"{good}: nothing is wrong with it.\n"
    assert main(["leaderboard", "--check", str(good), str(bad), str(other), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found[str(good)] == []
    assert "has format 2, but this version reads 1" in found[str(bad)][0]
    assert "is not JSON" in found[str(other)][0]
    bad.write_text(scores_json([score]))
    assert main(["leaderboard", "--check", str(good), str(bad)]) == 1
    assert capsys.readouterr().out.count("GradCAM on noise: it is there 2 times among these files") == 2
    assert main(["leaderboard", "--check", str(tmp_path / "nowhere.json")]) == 2
    assert capsys.readouterr().err == (
        f"stackgen: There is no {tmp_path}/nowhere.json: expected a score file or a folder of published results.\n"
    )


def test_published_results_are_the_rows_without_pixels(results: Results, tmp_path: Path) -> None:
    folder = publish_results(results, tmp_path / "published", parse_license("cc-by-4.0"))
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert files.keys() == {"README.md", "certificate.json", SHARD, "manifest.json", "scores.json"}
    content = b"".join(path.read_bytes() for path in files.values())
    assert not [mark for mark in (b"RIFF", b"\x89PNG", b"image/webp", b"secret-place") if mark in content]
    assert verify(folder) == []
    assert check_scores([folder]) == {str(folder): []}
    again = read_published(folder)
    assert again.rows.drop_columns("seconds").equals(results.rows.drop_columns("seconds"))
    assert [score.n for score in scores_of(again)] == [10, 10]
    assert scores_of(again) == read_and_stripped(folder) == scores_of(results)
    assert scores_of(results)[0].certificate_sha256 == file_sha256(folder / "certificate.json")
    before = {name: path.read_bytes() for name, path in files.items()}
    publish_results(results, folder, parse_license("cc-by-4.0"))
    assert before == {name: path.read_bytes() for name, path in files.items()}
    with pytest.raises(InputError, match="is a folder of kind results"):
        open_dataset(folder)


def read_and_stripped(folder: Path) -> list[Score]:
    return [replace(score, run="") for score in read_scores(folder)]


def test_the_columns_are_the_evaluators(results: Results) -> None:
    assert [field for field in ROW_SCHEMA if field.name != "seconds"] == list(
        results_features().arrow_schema.remove_metadata()
    )
    assert list(RESULT_MEANINGS) == [name for name in ROW_SCHEMA.names if name != "seconds"]


def test_scores_that_are_not_those_of_the_rows(results: Results, tmp_path: Path) -> None:
    """Whoever changes a row and seals the folder again is found by the scores."""
    folder = publish_results(results, tmp_path / "published")
    rows = pq.read_table(folder / SHARD)
    pairs = zip(rows["method"].to_pylist(), rows["mu"].to_pylist(), strict=True)
    changed = pa.array([0.0 if method == "GradCAM" else mu for method, mu in pairs], pa.float64())
    pq.write_table(rows.set_column(rows.schema.get_field_index("mu"), "mu", changed), folder / SHARD)
    [fault] = check_scores([folder])[str(folder)]
    assert "data/test-00000-of-00001.parquet has" in fault
    manifest = Manifest.read(folder, ["results"])
    manifest.files[SHARD] |= file_entry(folder / SHARD)
    (folder / "manifest.json").write_text(manifest.to_json())
    faults = check_scores([folder])[str(folder)]
    assert [fault.split(" is ")[0] for fault in faults] == [
        f"GradCAM on noise: {name}" for name in ("mu", "mu_std", "mu_low", "mu_high")
    ]


def test_what_must_not_be_published(results: Results, tmp_path: Path) -> None:
    sighted = Results({**results.run, "blind": False}, results.certificate, results.rows, results.samples)
    with pytest.raises(InputError, match="did not pass its certificate, and only results of certified networks"):
        publish_results(sighted, tmp_path / "out")
    column = results.rows.schema.get_field_index("image_id")
    ids = pa.array([f"/home/somebody/{name}" for name in results.rows["image_id"].to_pylist()])
    private = Results(
        results.run, results.certificate, results.rows.set_column(column, "image_id", ids), results.samples
    )
    with pytest.raises(InputError, match="must not contain the absolute path '/home/somebody"):
        publish_results(private, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"contains other files \(thesis.txt\)"):
        publish_results(results, tmp_path / "full")


def test_a_board_in_the_folder_of_its_results_does_not_grow(score: Score, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(scores_json([score]))
    for _ in range(3):
        assert write_board(tmp_path, tmp_path / "public/board") == 1
    assert [path.name for path in (tmp_path / "public/board/scores").rglob("*")] == ["a.json"]


def test_a_board_keeps_what_others_submitted(score: Score, tmp_path: Path) -> None:
    source, board = tmp_path / "mine", tmp_path / "board"
    source.mkdir()
    (source / "a.json").write_text(scores_json([score, replace(score, method="B")]))
    assert write_board(source, board, "user/results", parse_license("cc-by-4.0")) == 2
    first = {path: path.read_bytes() for path in board.rglob("*") if path.is_file()}
    assert verify(board) == []
    assert write_board(board, board) == 2
    assert first == {path: path.read_bytes() for path in board.rglob("*") if path.is_file()}
    (board / "scores/theirs").mkdir()
    (board / "scores/theirs/c.json").write_text(scores_json([replace(score, method="C")]))
    (source / "a.json").write_text(scores_json([replace(score, method="D")]))
    assert write_board(source, board) == 2
    assert {found.method: found.run for found in read_scores(board)} == {
        "D": "scores/a.json",
        "C": "scores/theirs/c.json",
    }
    page, card = (board / "index.html").read_text(), (board / "README.md").read_text()
    assert 'href="scores/theirs/c.json"' in page
    assert 'connect-src https://huggingface.co"' in page
    assert "license: cc-by-4.0" in card
    assert "- user/results" in card
    (board / "thesis.txt").write_text("mine")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="contains other files"):
        write_board(source, board)
    with pytest.raises(InputError, match="has no scores"):
        write_board(tmp_path / "nothing", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    with pytest.raises(InputError, match="Expected the dataset of results as user/name"):
        write_board(source, tmp_path / "new", "a/b/c@d")
    assert not (tmp_path / "new").exists()
