"""The leaderboard in a real browser: as a Space beside its dataset, without it, and as a file on a disk."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from browsing import axe_findings, chromium
from loopback_hub import LoopbackHub
from loopback_hub_state import Entry

from stackwalls.evaluate.leaderboard import Score, scores_json, write_board
from stackwalls.hub_cards import parse_license
from stackwalls.stackgen.cli import main

pytestmark = pytest.mark.slow

SCORE = Score(
    format=1,
    method="GradCAM",
    dataset="stack-mix",
    dataset_sha256="0" * 64,
    network="masked-vgg16",
    wall="bottom:54",
    chance=0.4909902530309828,
    blind=True,
    images=100,
    n=97,
    nan=2,
    failed=1,
    mu=0.2271,
    mu_std=0.1338,
    native_mu=0.1904,
    lit=0.98,
    energy=0.1,
    pointing=0.04,
    top1=None,
    versions={"stackwalls": "0.1.0", "torch": "2.14.1"},
    note="Channels are summed.",
    images_are="photographs",
    mu_low=0.2013,
    mu_high=0.2541,
    wall_kind="layers",
    certificate_sha256="ab" * 32,
)
SCORES = (
    SCORE,
    replace(SCORE, method="HiResCAM", mu=0.0, mu_std=0.0, native_mu=0.0, mu_low=0.0, mu_high=0.0, nan=0, n=99),
    replace(SCORE, method="EigenCAM", mu=0.5171, mu_std=0.1966, native_mu=None, mu_low=None, mu_high=None),
    replace(SCORE, method="Rollout", network="sink:mini-vit", wall_kind="sink", images_are="drawings", note=""),
)
NEW = replace(SCORE, method="<b>mine</b>", network="curtain:somebody/classifier", wall_kind="curtain", top1=0.755)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def board(hub: LoopbackHub, tmp_path: Path) -> Path:
    """A leaderboard of all scores but the new one, and on the Hub a dataset that has only the first and the new one."""
    (tmp_path / "scores").mkdir()
    (tmp_path / "scores/all.json").write_text(scores_json([*SCORES, replace(SCORE, method="sighted", blind=False)]))
    write_board(tmp_path / "scores", tmp_path / "board", "user/results", parse_license("cc-by-4.0"))
    assert main(["publish", str(tmp_path / "board"), "user/board", "--yes"]) == 0
    hub.api().create_repo("user/results", repo_type="dataset")
    offer(hub, scores_json([SCORE, NEW]).encode())
    return tmp_path / "board"


def offer(hub: LoopbackHub, content: bytes) -> None:
    """Let the dataset hold this scores.json."""
    repository = hub.state.repositories["dataset", "user/results"]
    repository.commit("main", repository.branches["main"], {"scores.json": Entry(content)}, "results")


def opened(browser: Any, address: str, **options: Any) -> Any:
    page = browser.new_page(**options)
    page.said, page.asked = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(address)
    if options.get("java_script_enabled", True) and not address.startswith("file:"):
        page.wait_for_function("!document.getElementById('live').textContent.startsWith('The scores are')")
    return page


def space(hub: LoopbackHub) -> str:
    """The page on another host than its dataset, as a Space is."""
    return f"{hub.url}/spaces/user/board/resolve/main/index.html".replace("127.0.0.1", "localhost")


def said(page: Any) -> str:
    return " ".join(page.locator("#live").inner_text().split())


def texts(row: Any) -> list[str]:
    return [" ".join(text.split()) for text in row.locator("th, td").all_inner_texts()]


def test_a_space_adds_the_latest_scores(browser: Any, hub: LoopbackHub, board: Path) -> None:
    page = opened(browser, space(hub))
    assert said(page) == "Read just now: 1 score of user/results, added to those that the page came with."
    assert page.locator("#count").inner_text() == "6 of 6 scores"
    added = page.locator(".board[data-network='curtain:somebody/classifier']")
    assert added.locator("h3").inner_text() == "curtain:somebody/classifier"
    assert "a constant in the place of the dead zone" in added.locator("p").inner_text()
    assert added.locator("tbody th").inner_text() == "<b>mine</b>"
    assert added.locator("tbody a").get_attribute("href") == f"{hub.url}/datasets/user/results"
    assert page.locator("#network option").all_inner_texts()[1:] == [
        "curtain:somebody/classifier", "masked-vgg16", "sink:mini-vit",
    ]  # fmt: skip
    assert page.said == []
    assert [url for url in page.asked if "scores.json" in url] == [
        f"{hub.url}/datasets/user/results/resolve/main/scores.json"
    ]
    page.close()


def test_a_fetched_score_looks_like_one_that_came_with_the_page(
    browser: Any, hub: LoopbackHub, board: Path, tmp_path: Path
) -> None:
    """The two languages that make cells agree on every cell of every score but where it comes from."""
    expected = opened(browser, (board / "index.html").as_uri())
    (tmp_path / "one").mkdir()
    (tmp_path / "one/one.json").write_text(scores_json([replace(NEW, method="first")]))
    write_board(tmp_path / "one", tmp_path / "short", "user/results", parse_license("mit"))
    assert main(["publish", str(tmp_path / "short"), "user/board", "--yes"]) == 0
    offer(hub, scores_json(SCORES).encode())
    page = opened(browser, space(hub))
    assert said(page) == "Read just now: 4 scores of user/results, added to those that the page came with."
    for score in SCORES:
        where = f"#blind tr[data-name='{score.method}']"
        one, other = texts(expected.locator(where)), texts(page.locator(where))
        assert one[3].split(" ", 1)[1] == other[3].split(" ", 1)[1] == "stackwalls 0.1.0 · certificate abababab"
        assert one[:3] + one[4:] == other[:3] + other[4:]
        values = f'[...document.querySelectorAll("{where} td")].map(({{dataset}}) => [dataset.label, +dataset.value])'
        assert expected.evaluate(values) == page.evaluate(values)
    expected.close()
    page.close()


BROKEN = {
    "not JSON": b"<html>",
    "another format": scores_json([replace(SCORE, method="x")]).replace('"format": 1', '"format": 2').encode(),
    "not a score": b'[{"method": "x"}]',
    "a mu of 7": json.dumps([asdict(SCORE) | {"method": "x", "mu": 7}]).encode(),
    "an unknown wall": json.dumps([asdict(SCORE) | {"method": "x", "wall_kind": '"] *'}]).encode(),
    "not certified": json.dumps([asdict(SCORE) | {"method": "x", "blind": False}]).encode(),
}


def test_without_the_dataset_the_page_shows_what_it_came_with(browser: Any, hub: LoopbackHub, board: Path) -> None:
    failed = "The latest scores of user/results could not be read: the page shows those that it came with."
    for content in BROKEN.values():
        offer(hub, content)
        page = opened(browser, space(hub))
        assert (said(page), page.locator("#count").inner_text()) == (failed, "5 of 5 scores")
        page.close()
    offer(hub, scores_json(SCORES[:2]).encode())
    page = opened(browser, space(hub))
    assert said(page) == "Read just now: the latest scores of user/results are those that the page came with."
    page.close()
    del hub.state.repositories["dataset", "user/results"]
    page = opened(browser, space(hub))
    assert (said(page), page.locator("#count").inner_text()) == (failed, "5 of 5 scores")
    page.close()


def test_a_file_on_a_disk_asks_nobody(browser: Any, board: Path) -> None:
    address = (board / "index.html").as_uri()
    page = opened(browser, address)
    page.wait_for_timeout(300)
    assert said(page).startswith("The scores are those that the page came with.")
    assert (page.asked, page.said) == ([address], [])
    page.evaluate("fetch('https://example.org/').catch(() => 0)")
    assert "violates the following Content Security Policy directive" in page.said[0]
    page.close()
    plain = opened(browser, address, java_script_enabled=False)
    assert plain.locator("tbody tr:visible").count() == 5
    assert not plain.locator("#filters").is_visible()
    plain.close()


def test_filters_and_sorting_by_keyboard(browser: Any, board: Path) -> None:
    page = opened(browser, (board / "index.html").as_uri())
    page.fill("#method", "cam")
    assert page.locator("tbody tr:visible th").all_inner_texts() == ["HiResCAM", "GradCAM", "EigenCAM"]
    assert page.locator("#count").inner_text() == "3 of 5 scores"
    assert page.locator("h2:visible").all_inner_texts() == ["Networks that are proven blind"]
    page.fill("#method", "")
    page.select_option("#kind", "sink")
    assert page.locator("tbody tr:visible th").all_inner_texts() == ["Rollout"]
    page.select_option("#kind", "")
    page.select_option("#network", "masked-vgg16")
    assert page.locator("#count").inner_text() == "4 of 5 scores"
    button = page.locator("#blind thead button:visible", has_text="native mu")
    button.focus()
    heading = page.locator("#blind thead th:visible", has_text="native mu")
    for order, first in (("ascending", "HiResCAM"), ("descending", "GradCAM")):
        page.keyboard.press("Enter")
        assert heading.get_attribute("aria-sort") == order
        methods = page.locator("#blind tbody tr:visible th").all_inner_texts()
        assert (methods[0], methods[-1]) == (first, "EigenCAM"), "what is undefined stays last"
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1300, 800, 390])
def test_it_fits_the_screen_and_assistive_technology(
    browser: Any, hub: LoopbackHub, board: Path, scheme: str, width: int
) -> None:
    page = opened(browser, space(hub), viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert axe_findings(page) == []
    assert all(cell.is_visible() for cell in page.locator("#blind tbody tr").first.locator("td").all())
    page.close()


def test_it_prints_as_tables_on_a4(browser: Any, board: Path) -> None:
    """273 mm of a page on its side."""
    page = opened(browser, (board / "index.html").as_uri(), viewport={"width": 1032, "height": 700})
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1032
    assert not page.locator("#filters").is_visible()
    assert page.locator("table").first.evaluate("(table) => getComputedStyle(table).display") == "table"
    page.close()
