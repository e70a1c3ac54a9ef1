"""Scores as JSON by their schema, and the page made of them, in a real browser."""

import json
import re
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from browsing import chromium
from in_memory_dataset import InMemoryDataset, walled_cnn

from stackwalls.evaluate import Results, evaluate
from stackwalls.evaluate.leaderboard import Score, read_scores, render_leaderboard, score_schema, scores_json, scores_of
from stackwalls.model import InputError, file_sha256


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path]:
    folder = tmp_path_factory.mktemp("board") / "run"
    methods = ["GradCAM", "HiResCAM", "EigenCAM"]
    return evaluate(walled_cnn(), InMemoryDataset([0, 1, 2]), methods, out=folder, progress=False), folder


def test_scores_are_what_the_table_says(results: tuple[Results, Path]) -> None:
    scores = scores_of(results[0])
    for score, record in zip(scores, results[0].summary.records(), strict=True):
        assert (score.method, score.dataset, score.n) == (record["method"], record["dataset"], record["n"])
        assert score.mu == record["mu_mean"]
        assert score.native_mu == record["native_mu_mean"]
        assert score.blind
        [content] = json.loads(scores_json([score]))
        jsonschema.validate(content, score_schema())
        assert Score.of(content) == score
        assert score.certificate_sha256 == file_sha256(results[1] / "certificate.json")


FAULTS: dict[str, Any] = {
    "mu": 1.5, "n": -1, "method": "", "blind": 1, "images": 2.5, "lit": "all", "format": 2, "energy": float("nan"),
    "versions": [], "wall": None,
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_score_off_the_schema_is_named(results: tuple[Results, Path], name: str) -> None:
    content = asdict(scores_of(results[0])[0]) | {name: FAULTS[name]}
    with pytest.raises(InputError, match=name):
        Score(**content)
    if name not in ("format", "energy"):  # a later format is another schema's, and JSON has no NaN
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(content, score_schema())


def test_counts_must_agree(results: tuple[Results, Path]) -> None:
    with pytest.raises(InputError, match="counts disagree"):
        replace(scores_of(results[0])[0], images=7)


def test_a_folder_of_both_kinds(results: tuple[Results, Path], tmp_path: Path) -> None:
    shutil.copytree(results[1], tmp_path / "board/run")
    other = replace(scores_of(results[0])[0], method="theirs")
    (tmp_path / "board/theirs.json").write_text(scores_json([other]))
    (tmp_path / "board/unrelated.json").write_text("{}")
    read = read_scores(tmp_path / "board")
    assert {score.method for score in read} == {"GradCAM", "HiResCAM", "EigenCAM", "theirs"}
    assert {score.run for score in read} == {"run", "theirs.json"}
    (tmp_path / "board/bad.json").write_text(scores_json([other]).replace('"n": 3', '"n": "3"'))
    with pytest.raises(InputError, match=r"bad\.json"):
        read_scores(tmp_path / "board")
    with pytest.raises(InputError, match="has no scores"):
        read_scores(tmp_path / "board/run/figures")
    with pytest.raises(InputError, match="is not a folder"):
        read_scores(tmp_path / "nowhere")


def test_networks_are_ranked_apart_and_images_and_runs_are_told_apart(results: tuple[Results, Path]) -> None:
    one, other, *_ = scores_of(results[0])
    photos = replace(one, images_are="photographs", mu=0.3, mu_low=0.2, mu_high=0.4, run="a run/1")
    drawn = replace(photos, images_are="drawings", run="theirs/<i>.json")
    page = render_leaderboard([photos, drawn, replace(other, network="another")], "../results")
    *before, _ = parts = page.split('<table class="sortable filtered">')
    tables = parts[1:]
    assert [re.findall("<h3>(.*)</h3>", part) for part in before] == [["another"], ["walled:small"]]
    assert [table.count('scope="row"') for table in tables] == [1, 2]
    assert tables[1].index("drawings") < tables[1].index("photographs")
    assert tables[1].count("20.0–40.0") == 2
    assert '<a href="../results/a%20run/1/report.html">a run/1</a>' in page
    assert '<a href="../results/theirs/%3Ci%3E.json">theirs/&lt;i&gt;.json</a>' in page


def test_kinds_of_walls_are_ranked_apart(results: tuple[Results, Path]) -> None:
    score = scores_of(results[0])[0]
    assert score.wall_kind == "cut"
    page = render_leaderboard([replace(score, wall_kind=kind) for kind in ("sink", "cut")])
    assert re.findall('<p class="soft">Its wall is a (.*?):', page) == ["cut", "sink"]
    content = {key: value for key, value in asdict(score).items() if key != "wall_kind"}  # of an earlier version
    old = {name: Score.of(content | {"network": name}) for name in ("walled:a", "sink:a", "a")}
    assert [score.wall_kind for score in old.values()] == ["cut", "sink", "layers"]
    with pytest.raises(InputError, match="wall_kind"):
        replace(score, wall_kind="fence")


def test_a_link_of_a_score_leads_nowhere_else(results: tuple[Results, Path]) -> None:
    page = render_leaderboard([replace(scores_of(results[0])[0], run="javascript:alert(1)//.json")])
    assert 'href="./javascript%3Aalert%281%29//.json"' in page


def test_intervals_and_images_are_the_tables(results: tuple[Results, Path]) -> None:
    data = InMemoryDataset(range(10))
    found = evaluate(walled_cnn(), data, ["GradCAM"], progress=False)
    [score], row = scores_of(found), found.summary.rows[0]
    assert (score.mu_low, score.mu_high) == (row.interval.low, row.interval.high)
    assert scores_of(results[0])[0].mu_low is None, "three images have no interval"
    assert score.images_are == ""


def test_what_a_name_holds_does_not_become_markup(results: tuple[Results, Path]) -> None:
    page = render_leaderboard([replace(scores_of(results[0])[0], method="<script>alert(1)</script>")])
    assert "<script>alert" not in page


def test_the_page_sorts_in_a_browser(results: tuple[Results, Path], tmp_path: Path) -> None:
    scores = scores_of(results[0])
    scores += [replace(scores[0], method="unknown", mu=None, native_mu=None), replace(scores[1], method="a", mu=0.999)]
    scores += [replace(scores[0], method="tiny", mu=1e-5), replace(scores[0], method="seeing", blind=False)]
    page_file = tmp_path / "leaderboard.html"
    page_file.write_text(render_leaderboard(scores), encoding="utf-8")
    with chromium() as browser:
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(page_file.as_uri())
        first = page.locator("table").first

        def column(index: int) -> list[str]:
            return first.locator(f"tbody tr > :nth-child({index})").all_inner_texts()

        assert page.locator("table").count() == 2
        assert column(1)[0] == "HiResCAM"  # best first
        first.locator("thead button", has_text="method").click()
        assert column(1) == sorted(column(1), key=str.casefold)
        mu = first.locator("thead button").nth(5)
        mu.click()
        rising = [float(text) for text in column(6) if text != "–"]
        assert rising == sorted(rising)
        assert column(1).index("tiny") < column(1).index("a")  # 1e-05 is written with an exponent
        mu.click()
        falling = [float(text) for text in column(6) if text != "–"]
        assert falling == sorted(falling, reverse=True)
        assert column(6)[-1] == "–"  # what is undefined stays last either way
        assert asked == [page_file.as_uri()]
        for width in (1300, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert all(cell.is_visible() for cell in first.locator("tbody tr").first.locator("td").all())
