"""Scores as JSON by their schema, and the page made of them, in a real browser."""

import json
import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from in_memory_dataset import InMemoryDataset, walled_cnn

from stackwalls.evaluate import Results, evaluate
from stackwalls.evaluate.checks import Score, read_scores, render_leaderboard, score_schema, scores_of
from stackwalls.model import InputError


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
        jsonschema.validate(json.loads(score.to_json()), score_schema())
        assert Score.from_json(score.to_json()) == score


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
    (tmp_path / "board/theirs.json").write_text(other.to_json())
    (tmp_path / "board/unrelated.json").write_text("{}")
    assert {score.method for score in read_scores(tmp_path / "board")} == {"GradCAM", "HiResCAM", "EigenCAM", "theirs"}
    (tmp_path / "board/bad.json").write_text(other.to_json().replace('"n": 3', '"n": "3"'))
    with pytest.raises(InputError, match=r"bad\.json"):
        read_scores(tmp_path / "board")
    with pytest.raises(InputError, match="has no scores"):
        read_scores(tmp_path / "board/run/figures")
    with pytest.raises(InputError, match="is not a folder"):
        read_scores(tmp_path / "nowhere")


def test_what_a_name_holds_does_not_become_markup(results: tuple[Results, Path]) -> None:
    page = render_leaderboard([replace(scores_of(results[0])[0], method="<script>alert(1)</script>")])
    assert "<script>alert" not in page


def test_the_page_sorts_in_a_browser(results: tuple[Results, Path], tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None and os.environ.get("STACKWALLS_BROWSER"):
        pytest.fail("STACKWALLS_BROWSER is set, but there is no Chromium on the PATH: install one")
    if chromium is None:
        pytest.skip("no Chromium on the PATH (with STACKWALLS_BROWSER=1 that is a failure)")
    from playwright.sync_api import sync_playwright

    scores = scores_of(results[0])
    scores += [replace(scores[0], method="unknown", mu=None, native_mu=None), replace(scores[1], method="a", mu=0.999)]
    scores += [replace(scores[0], method="seeing", blind=False)]
    page_file = tmp_path / "leaderboard.html"
    page_file.write_text(render_leaderboard(scores), encoding="utf-8")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
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
        mu.click()
        falling = [float(text) for text in column(6) if text != "–"]
        assert falling == sorted(falling, reverse=True)
        assert column(6)[-1] == "–"  # what is undefined stays last either way
        assert asked == [page_file.as_uri()]
        browser.close()
