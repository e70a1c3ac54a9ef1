"""The report in a real browser: its gallery and tables, light and dark, on a phone, on paper, and without scripts."""

import re
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from browsing import axe_findings, chromium
from in_memory_dataset import InMemoryDataset, walled_cnn

from stackwalls.evaluate import Results, evaluate
from stackwalls.evaluate.report import gallery, page as report_page


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets: 30 images of 3 classes, and 2 images."""
    folder = tmp_path_factory.mktemp("report")
    data = [
        InMemoryDataset([index % 3 for index in range(30)], 'a "quoted" <set>'),
        InMemoryDataset([5, -1], "b", seed=1),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_page, "results_figures", lambda *_: ())  # these take longer than the rest
        evaluate(walled_cnn(), data, ["GradCAM", "EigenCAM", "HiResCAM"], out=folder, progress=False)
    return folder / "report.html"


@pytest.fixture(scope="module")
def large(report: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, where the page has room for a few thumbnails only, and 20 of its images have no stored maps."""
    folder = tmp_path_factory.mktemp("large")
    results = Results.load(report.parent)
    some = results.samples.at([*range(0, 30, 3), 30, 31])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gallery.galleries, "__defaults__", (None, 20_000))
        patch.setattr(report_page, "results_figures", lambda *_: ())
        Results(results.run, results.certificate, results.rows, some).render(folder)
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


def opened(browser: Any, report: Path | str, **options: Any) -> Any:
    page = browser.new_page(**options)
    page.said = []
    page.asked = []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(report if isinstance(report, str) else report.as_uri())
    return page


def visible(page: Any) -> list[str]:
    """Captions of the images that are shown."""
    found: list[str] = page.locator(".sample:visible > figcaption").all_inner_texts()
    return found


def test_the_gallery_is_browsed_by_data_set_class_and_method(browser: Any, report: Path) -> None:
    page = opened(browser, report)
    count = page.locator("#gallery-count")
    assert len(visible(page)) == 8
    assert count.inner_text() == "1–8 of 30 images"
    first = visible(page)
    page.click("#gallery-next")
    assert count.inner_text() == "9–16 of 30 images"
    assert not set(first) & set(visible(page))
    page.click("#gallery-back")
    assert visible(page) == first
    page.select_option("#gallery-class", "goldfish")
    assert count.inner_text() == "1–8 of 10 images"
    assert all("goldfish" in caption for caption in visible(page))
    page.select_option("#gallery-method", "EigenCAM")
    assert len(visible(page)) == 10
    assert not page.locator("#gallery-next").is_visible()
    titles = page.locator(".sample:visible .tiles > figure:visible figcaption b").all_inner_texts()
    assert set(titles) == {"image", "EigenCAM"}
    assert len(titles) == 20
    page.select_option("#gallery-order", "highest")
    captions = page.locator(".sample:visible figure[data-method=EigenCAM] figcaption").all_inner_texts()
    shown = [float(caption.rpartition(" ")[2]) for caption in captions]
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
    """Every sprite decodes, and each image has its own."""
    page = opened(browser, report, java_script_enabled=False)
    styles = [figure.get_attribute("style") or "" for figure in page.locator(".sample").all()]
    page.close()
    assert len(set(styles)) == 32
    page = opened(browser, report)
    background = "getComputedStyle(document.querySelector('.sample .map')).backgroundImage"
    assert page.evaluate(background).startswith('url("data:image/webp')
    decoded = """(sources) => Promise.all(sources.map((source) => {
        const image = new Image(); image.src = source; return image.decode().then(() => image.naturalWidth); }))"""
    sources = [style.removeprefix("--sprite:url(").removesuffix(")") for style in styles]
    assert page.evaluate(decoded, sources) == [4 * gallery.CELL] * 32
    page.close()


@pytest.fixture
def served(large: Path) -> Iterator[str]:
    """The address of the large report on a web server."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(large.parent))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/{large.name}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("over", ["file", "http"])
def test_thumbnails_are_loaded_when_they_are_shown(browser: Any, large: Path, served: str, over: str) -> None:
    page = opened(browser, served if over == "http" else large)
    assert page.locator("#gallery-count").inner_text() == "1–8 of 10 images"
    page.wait_for_load_state("networkidle")
    asked = {url.rpartition("/")[2] for url in page.asked if "report-images/" in url}
    assert 0 < len(asked) < 8
    assert asked < {path.name for path in (large.parent / gallery.THUMBNAILS).iterdir()}
    width = """async () => { const [figure] = [...document.querySelectorAll(".sample")].filter((each) =>
        each.style.getPropertyValue("--sprite").includes("report-images"));
        const image = new Image(); image.src = figure.style.getPropertyValue("--sprite").slice(4, -1);
        await image.decode(); return image.naturalWidth; }"""
    assert page.evaluate(width) == 4 * gallery.CELL
    assert page.locator("#gallery-lost").is_hidden()
    page.select_option("#gallery-images", label="all (30)")
    assert page.locator("#gallery-count").inner_text() == "1–8 of 30 images"
    assert page.locator(".bare").count() == 5
    assert page.locator(".bare").first.inner_text().startswith("goldfish")
    said = page.locator(".bare").first.inner_text()
    assert "its maps are not stored" in said
    assert re.search(r"EigenCAM\s+mu \d+\.\d", said)
    assert [said for said in page.said if "404" not in said] == [], "but for the icon that a browser asks a server for"
    page.evaluate("fetch('https://example.org/').catch(() => 0)")
    assert any("Content Security Policy" in each for each in page.said), "nothing from elsewhere"
    page.close()


def test_lost_thumbnails_are_named(browser: Any, large: Path, tmp_path: Path) -> None:
    page = opened(browser, Path(shutil.copy(large, tmp_path)))
    page.locator("#gallery-lost").wait_for(state="visible")
    assert page.locator("#gallery-lost").inner_text().endswith("keep the folder report-images next to this page.")
    page.close()


def test_an_image_has_an_address(browser: Any, large: Path) -> None:
    """The address shows the image whatever is chosen, with maps or without, and a link next to it gives the address."""
    page = opened(browser, large)
    page.select_option("#gallery-method", "EigenCAM")
    for place, maps in ((28, False), (3, True)):
        name = f'a "quoted" <set>-{place}'
        page.goto(f"{large.as_uri()}#" + gallery.anchor('a "quoted" <set>', name))
        assert page.evaluate("document.activeElement.dataset.key") == f"0-{place}"
        focused = page.locator(".sample:focus")
        assert focused.locator(".tile").first.is_visible() == maps
        assert name in focused.inner_text()
        assert 0 <= focused.bounding_box()["y"] < page.viewport_size["height"]
        address = focused.locator("a").evaluate("link => link.href")
    assert page.locator("#gallery-images").input_value() == "stored"
    page.goto("about:blank")
    page.goto(address)
    assert page.evaluate("document.activeElement.dataset.key") == "0-3"
    page.goto(f"{large.as_uri()}#b/b-1")
    assert page.evaluate("document.activeElement.dataset.key") == "1-1"
    for nothing in ("b/nothing", "%E0/b-1", "%"):
        page.goto(f"{large.as_uri()}#{nothing}")
    assert not page.said
    page.close()


def test_the_table_sorts_and_filters(browser: Any, report: Path) -> None:
    """By keyboard; what is undefined and the uniform map stay last."""
    page = opened(browser, report)
    table = page.locator("table[data-dataset]").first
    methods, sort = table.locator("tbody th"), table.locator("thead button")
    assert methods.all_inner_texts() == ["GradCAM", "EigenCAM", "HiResCAM"]
    sort.nth(1).focus()
    for expected in ("ascending", "descending"):
        page.keyboard.press("Enter")
        assert table.locator("thead th").nth(1).get_attribute("aria-sort") == expected
        means = [float(text.split()[0]) for text in table.locator("tbody td:nth-child(2)").all_inner_texts()]
        assert means == sorted(means, reverse=expected == "descending")
    sort.first.click()
    assert methods.all_inner_texts() == ["EigenCAM", "GradCAM", "HiResCAM"]
    assert table.locator("[aria-sort]").count() == 1
    assert table.locator("tfoot").inner_text().startswith("uniform map")
    page.close()


def test_a_long_table_filters(browser: Any, tmp_path: Path) -> None:
    script = (Path(gallery.__file__).parent / "templates" / "sortable.js").read_text()
    values = zip("abcdeé", ["5", "–", "20", "<0.1", "−3", "7"], strict=True)
    rows = "".join(f"<tr><th>{name}CAM</th><td>{value}</td></tr>" for name, value in values)
    head = "<meta charset=utf-8><table class=sortable><thead><tr><th>method<th>mu<tbody>"
    (tmp_path / "page.html").write_text(f"{head}{rows}</table><script>{script}</script>")
    page = opened(browser, tmp_path / "page.html")
    names = page.locator("tbody tr:visible th")
    page.fill("input", "CAM e")
    assert names.all_inner_texts() == ["eCAM"]
    assert page.locator("output").inner_text() == "1 of 6 rows"
    page.fill("input", "")
    page.click("button >> text=mu")
    assert [text[0] for text in names.all_inner_texts()] == list("edaécb")
    page.click("button >> text=mu")
    assert [text[0] for text in names.all_inner_texts()] == list("céadeb")
    page.close()


@pytest.mark.parametrize(
    "screens",
    [((1300, "light"), (390, "dark")), pytest.param(((1300, "dark"), (390, "light")), marks=pytest.mark.slow)],
)
def test_axe_finds_nothing(browser: Any, large: Path, screens: tuple[tuple[int, str], ...]) -> None:
    """With everything open, on a wide and on a narrow screen, light and dark."""
    page = opened(browser, large)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.select_option("#gallery-images", "")
    for width, scheme in screens:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        assert axe_findings(page) == []
    page.close()


def test_it_can_be_used_by_keyboard(browser: Any, report: Path) -> None:
    """From the top: skip, contents, tables, folds, gallery; each shows that it has the focus."""
    page = opened(browser, report)
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the result"
    assert page.locator(":focus").bounding_box()["width"] > 100
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        outline, where = page.evaluate(
            "[getComputedStyle(document.activeElement).outlineStyle, document.activeElement.closest('section')?.id]"
        )
        if where is None and len(seen) > 2 and seen[-1] == "run":
            break
        assert outline != "none"
        if where not in seen[-1:]:
            seen.append(where)
    assert seen == [None, "result", "table", "distributions", "statistics", "maps", "certificate", "meaning", "run"]
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_it_fits_the_screen_and_can_be_read(browser: Any, report: Path, scheme: str, width: int) -> None:
    page = opened(browser, report, viewport={"width": width, "height": 800}, color_scheme=scheme)
    first = page.locator("#result .tile .map").bounding_box()
    assert first["y"] + first["height"] < 800, "a map is on the first screen"
    assert page.evaluate("document.documentElement.scrollHeight") < 4500
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


def numbers(color: str) -> list[int]:
    return [int(part) for part in color[color.index("(") + 1 : -1].split(",")[:3]]


def contrast(one: str, other: str) -> float:
    """The ratio of luminances as WCAG 2.1 defines it; 4.5 is asked of text, 7 of good text."""

    def luminance(color: str) -> float:
        shares = [value / 255 for value in numbers(color)]
        linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_without_scripts_everything_is_there(browser: Any, report: Path) -> None:
    page = opened(browser, report, java_script_enabled=False)
    assert len(visible(page)) == 32
    assert page.locator(".sample .tiles > figure").count() == 32 * 4
    assert page.locator("table thead").count() == page.locator("table").count() > 5
    assert not page.locator("button:visible, input:visible").count()
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
