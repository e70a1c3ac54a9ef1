"""The report in a real browser: its gallery's filters, light and dark, on a phone, and without scripts."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from in_memory_dataset import InMemoryDataset, walled_cnn

from stackwalls.evaluate import evaluate

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
)  # fmt: skip

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("STACKWALLS_BROWSER"),
    reason="no Chromium on the PATH (with STACKWALLS_BROWSER=1 that is a failure)",
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets: 30 images of 3 classes, and 2 images."""
    folder = tmp_path_factory.mktemp("report")
    data = [
        InMemoryDataset([index % 3 for index in range(30)], 'a "quoted" <set>'),
        InMemoryDataset([5, -1], "b", seed=1),
    ]
    evaluate(walled_cnn(), data, ["GradCAM", "EigenCAM", "HiResCAM"], out=folder, progress=False)
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.fail("STACKWALLS_BROWSER is set, but there is no Chromium on the PATH: install one")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        found = running.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield found
        found.close()


def opened(browser: Any, report: Path, **options: Any) -> Any:
    page = browser.new_page(**options)
    page.said = []
    page.asked = []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(report.as_uri())
    return page


def visible(page: Any) -> list[str]:
    """Captions of the images that are shown."""
    found: list[str] = page.locator(".sample:visible > figcaption").all_inner_texts()
    return found


def test_the_gallery_is_browsed_by_data_set_class_and_method(browser: Any, report: Path) -> None:
    page = opened(browser, report)
    assert len(visible(page)) == 8
    assert page.locator("#gallery-count").inner_text() == "8 of 30 images"
    page.click("#gallery-more")
    assert len(visible(page)) == 16
    page.select_option("#gallery-class", "goldfish")
    assert page.locator("#gallery-count").inner_text() == "8 of 10 images"
    assert all("goldfish" in caption for caption in visible(page))
    page.select_option("#gallery-method", "EigenCAM")
    assert len(visible(page)) == 10
    assert not page.locator("#gallery-more").is_visible()
    titles = page.locator(".sample:visible .tiles > figure:visible figcaption b").all_inner_texts()
    assert set(titles) == {"image", "EigenCAM"}
    assert len(titles) == 20
    page.select_option("#gallery-order", "highest")
    shown = page.locator(".sample:visible figure[data-method=EigenCAM]").evaluate_all(
        "figures => figures.map((figure) => Number(figure.dataset.mu))"
    )
    assert shown == sorted(shown, reverse=True)
    page.select_option("#gallery-dataset", "b")
    assert page.locator("#gallery-class").input_value() == "", "the other set has no goldfish"
    assert len(visible(page)) == 2
    page.select_option("#gallery-method", "")
    assert page.locator(".sample:visible .tiles > figure:visible").count() == 2 * 4
    assert page.locator("#gallery .tile .wall:visible").count() == 2 * 4
    page.uncheck("#wall-shown")
    assert page.locator("#gallery .tile .wall:visible").count() == 0
    assert not page.said, "no error, nothing refused by the page's policy"
    assert all(url.startswith(("file:", "data:")) for url in page.asked)
    page.close()


def test_the_pictures_are_drawn(browser: Any, report: Path) -> None:
    """Every picture decodes, and an image's own pixels stand in its tile."""
    page = opened(browser, report)
    sizes = page.evaluate("[...document.images].map((image) => image.naturalWidth)")
    assert len(sizes) == 32 * 3 + 1, "and one on top"
    assert set(sizes) == {112}
    backgrounds = page.locator(".sample .photo").evaluate_all(
        "spans => spans.map((span) => getComputedStyle(span).backgroundImage)"
    )
    assert all(found.startswith('url("data:image/webp') for found in backgrounds)
    assert len(set(backgrounds)) == 32
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_it_fits_the_screen_and_can_be_read(browser: Any, report: Path, scheme: str, width: int) -> None:
    page = opened(browser, report, viewport={"width": width, "height": 800}, color_scheme=scheme)
    first = page.locator("#result .tile img").bounding_box()
    assert first["y"] + first["height"] < 800, "a map is on the first screen"
    assert page.evaluate("document.documentElement.scrollHeight") < (8000 if width == 390 else 5000)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing makes the page scroll sideways"
    ink, paper = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert (sum(numbers(paper)) < 3 * 128) == (scheme == "dark")
    assert contrast(ink, paper) >= 7
    faint = page.evaluate("getComputedStyle(document.querySelector('.legend')).color")
    assert contrast(faint, paper) >= 4.5
    page.close()


def numbers(colour: str) -> list[int]:
    return [int(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]


def contrast(one: str, other: str) -> float:
    """The ratio of luminances as WCAG 2.1 defines it; 4.5 is asked of text, 7 of good text."""

    def luminance(colour: str) -> float:
        shares = [value / 255 for value in numbers(colour)]
        linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_without_scripts_everything_is_there(browser: Any, report: Path) -> None:
    page = opened(browser, report, java_script_enabled=False)
    assert len(visible(page)) == 32
    assert page.locator(".sample .tiles > figure").count() == 32 * 4
    assert not page.locator("#gallery-controls").is_visible()
    assert not page.locator("#gallery-more").is_visible()
    page.close()


def test_the_contents_lead_to_every_section_and_open_it(browser: Any, report: Path) -> None:
    page = opened(browser, report)
    names = [link.get_attribute("href")[1:] for link in page.locator("nav a").all()]
    assert names == ["table", "distributions", "statistics", "maps", "certificate", "meaning", "run"]
    assert not page.locator("#certificate dl").is_visible()
    page.click("nav a[href='#certificate']")
    page.locator("#certificate dl").wait_for(state="visible")
    assert abs(page.locator("#certificate").bounding_box()["y"]) < page.viewport_size["height"]
    page.close()


def test_it_prints_whole_on_a4(browser: Any, report: Path) -> None:
    """186 mm wide, colors as on the screen, nothing folded, nothing cut; the outline leaves the leak visible."""
    page = opened(browser, report, viewport={"width": 703, "height": 1000})
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    cut = "[...document.querySelectorAll('table')].filter((each) => each.scrollWidth > 703).length"
    assert page.evaluate(cut) == 0
    assert page.locator("#run dl").is_visible()
    assert page.locator("table:visible").count() >= 6
    style = "getComputedStyle(document.querySelector('#maps figure[data-method=GradCAM] .wall path'))"
    assert page.evaluate(f"{style}.printColorAdjust") == "exact"
    assert page.evaluate(f"{style}.fill + {style}.strokeWidth") == "none3px"
    page.close()
