"""The page in a real headless Chromium: keys, what lands on the disk, and that nothing leaves this machine."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from browsing import axe_findings, chromium

from stackwalls.hub_cards import read_decisions
from stackwalls.stackgen.review.review_server import ReviewServer

Serve = Callable[[Path], AbstractContextManager[ReviewServer]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


class Visit:
    """A page of its own: what it asked for, what it complained of."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, address: str) -> None:
        self.page.goto(address)
        self.page.wait_for_selector("#title:not(:empty)")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def text(self, selector: str) -> str:
        return str(self.page.inner_text(selector))

    def wait(self, condition: str) -> None:
        """Playwright's own waiting needs `eval`, which the page forbids."""
        limit = time.monotonic() + 10
        while not self.page.evaluate(condition):
            assert time.monotonic() < limit, condition
            self.page.wait_for_timeout(20)


@pytest.fixture
def visit(browser: Any) -> Iterator[Visit]:
    visit = Visit(browser, viewport={"width": 1280, "height": 860})
    yield visit
    visit.context.close()


def verdicts(folder: Path) -> dict[str, tuple[str, str]]:
    return {image_id: (found.verdict, found.comment) for image_id, found in read_decisions(folder).items()}


def counted(text: str) -> str:
    return f"document.getElementById('counts').textContent === '{text}'"


def test_keys_decide_and_what_they_decide_is_on_the_disk_and_there_again(
    mix_folder: Path, serve: Serve, visit: Visit
) -> None:
    with serve(mix_folder) as server:
        visit.open(server.address)
        assert visit.text("#place") == "n01440764_0000 · 1 of 6"
        visit.press("k", "x", "ArrowRight", "k")  # as quick as they come
        visit.wait(counted("2 kept · 1 rejected · 3 undecided"))
        expected = {
            "n01440764_0000": ("keep", ""),
            "n01440764_0001": ("rejected", ""),
            "n01443537_0001": ("keep", ""),
        }
        assert verdicts(mix_folder) == expected
        visit.wait("document.getElementById('place').textContent.startsWith('n01484850_0000')")
        visit.press("c")
        visit.page.keyboard.type("k is no key <b>here</b>")
        visit.press("Enter")
        visit.wait("document.getElementById('verdict').textContent === 'Undecided, with a comment'")
        visit.press("x")
        visit.wait(counted("2 kept · 2 rejected · 2 undecided"))
        expected["n01484850_0000"] = ("rejected", "k is no key <b>here</b>")
        assert verdicts(mix_folder) == expected
        visit.press("ArrowLeft")
        visit.wait("document.getElementById('comment').value === 'k is no key <b>here</b>'")
        visit.press("u")
        visit.wait(counted("2 kept · 1 rejected · 3 undecided"))
        visit.page.reload()
        visit.page.wait_for_selector("#title:not(:empty)")
        assert visit.text("#place") == "n01484850_0000 · 5 of 6", "the page comes back where it was"
        assert visit.text("#counts") == "2 kept · 1 rejected · 3 undecided"
        visit.press("ArrowRight", "n")
        visit.wait("document.getElementById('place').textContent.startsWith('n01443537_0000')")
        visit.page.wait_for_load_state("networkidle")  # the next image is loaded ahead
    with serve(mix_folder) as server:
        visit.open(server.address)
        assert visit.text("#counts") == "2 kept · 1 rejected · 3 undecided"
        assert visit.text("#place") == "n01443537_0000 · 3 of 6", "a review goes on at the first undecided picture"
    assert visit.complaints == []
    assert {urlsplit(url).hostname for url in visit.asked} == {"127.0.0.1"}


def test_buttons_filters_overview_and_what_was_given_up(mix_folder: Path, serve: Serve, visit: Visit) -> None:
    with serve(mix_folder) as server:
        visit.open(server.address)
        for button in ("#keep", "#down", "#next"):
            visit.page.click(button)
        visit.wait("document.getElementById('place').textContent.startsWith('n01443537_0001')")
        visit.page.select_option("#filter", "rejected")
        visit.wait("document.getElementById('place').textContent.startsWith('n01440764_0001')")
        assert visit.page.is_disabled("#next")
        visit.press("g")
        assert visit.page.locator("#tiles li").count() == 1
        assert visit.page.get_by_role("button", name="tench, n01440764_0001, rejected").is_visible()
        visit.page.select_option("#filter", "all")
        visit.page.select_option("#class", label="goldfish")
        assert visit.page.locator("#tiles li").count() == 2
        visit.page.select_option("#filter", "keep")
        assert visit.text("#none") == "No images match."
        visit.page.select_option("#class", "")
        visit.page.select_option("#filter", "all")
        visit.page.get_by_role("button", name="great white shark, n01484850_0001, undecided").click()
        visit.wait("document.getElementById('place').textContent.startsWith('n01484850_0001')")
        assert visit.page.is_visible("#single")
        visit.page.click("#to-rejected")
        visit.wait("document.querySelectorAll('#reasons tr').length === 100")
        visit.page.click("#more")
        visit.wait("document.querySelectorAll('#reasons tr').length === 130")
        assert visit.page.is_hidden("#more")
        assert visit.text("#reasons tr:nth-child(5)").split("\t") == ["picture 4", "<b>reason</b> & 4"]
        visit.press("?")
        assert visit.text("#redo").endswith("--redo-rejected")
    assert visit.complaints == []


@pytest.mark.parametrize("wall", ["bottom:54", "left:30", "box:20:30:90:224", "bottom:64+left:32"])
def test_the_picture_is_crisp_and_the_wall_lies_on_it(
    mix_maker: Callable[..., Path], tmp_path: Path, serve: Serve, visit: Visit, wall: str
) -> None:
    from stackwalls.model import Wall

    with serve(mix_maker(tmp_path / "set", wall=wall)) as server:
        visit.open(server.address)
        visit.wait("document.getElementById('image').complete")
        picture = visit.page.locator("#image").bounding_box()
        marks = [mark.bounding_box() for mark in visit.page.locator("#marks .wall").all()]
        assert visit.page.evaluate("getComputedStyle(document.getElementById('image')).imageRendering") == "pixelated"
        assert visit.page.evaluate("document.getElementById('image').naturalWidth") == 224
    scale, dead = picture["width"] / 224, Wall.parse(wall).dead
    for mark, (top, left, bottom, right) in zip(marks, dead, strict=True):
        corner = {"x": left, "y": top, "width": right - left, "height": bottom - top}
        for name, value in corner.items():
            at = mark[name] - picture[name] if name in "xy" else mark[name]
            assert at == pytest.approx(value * scale, abs=2 if name in "xy" else 3), name


def test_stack_gen_boxes(gen_folder: Path, serve: Serve, visit: Visit) -> None:
    with serve(gen_folder) as server:
        visit.open(server.address)
        visit.wait("document.getElementById('image').complete")
        picture = visit.page.locator("#image").bounding_box()
        box = visit.page.locator("#marks .over.hidden").bounding_box()
        assert visit.page.locator("#marks .over").count() == 3
        assert visit.text("#legend").count("animal") == 2
        assert "two animals, both recognizable as “goldfish”" in visit.text("#criteria")
        assert visit.page.locator("#criteria").bounding_box()["y"] < picture["y"] + picture["height"], (
            "beside the image"
        )
        width = "(name) => parseFloat(getComputedStyle(document.querySelector(name)).strokeWidth)"
        rim, box_under = (visit.page.evaluate(width, name) for name in ("#marks .rim", "#marks .under:not(.rim)"))
        assert rim >= 4 + box_under, "the dead zone shows on both sides of a box that lies on it"
        assert visit.page.get_attribute("#image", "alt").endswith("animal behind the wall are outlined")
        assert visit.text("#caption dt").startswith("seen score"), "what a decision may hang on comes first"
        assert "4611686018427387904" in visit.text("#caption")
        visit.press("m")
        assert visit.page.locator("#marks .wall").is_hidden()
    assert box["width"] == pytest.approx(picture["width"], abs=3)
    assert box["y"] - picture["y"] == pytest.approx(0.7 * picture["height"], abs=2)


def test_a_set_of_own_classes(own_folder: Path, serve: Serve, visit: Visit) -> None:
    with serve(own_folder) as server:
        visit.open(server.address)
        assert visit.text("#title") == "violin & bow"
        assert "two objects, both recognizable as “violin & bow”" in visit.text("#criteria")
        assert visit.text("#legend").endswith("object behind the wall")
        assert visit.page.get_attribute("#image", "alt").endswith("object behind the wall are outlined")
    assert visit.complaints == []


def test_a_review_that_has_ended_is_said_and_the_picture_stays(mix_folder: Path, serve: Serve, visit: Visit) -> None:
    with serve(mix_folder) as server:
        visit.open(server.address)
        visit.context.set_offline(True)
        visit.press("k")
        visit.page.wait_for_selector("#alert:not([hidden])")
        assert "no longer running; nothing was saved" in visit.text("#alert")
        assert visit.text("#place") == "n01440764_0000 · 1 of 6"
        assert visit.text("#counts") == "0 kept · 0 rejected · 6 undecided"
        visit.context.set_offline(False)
        visit.press("k")
        visit.wait(counted("1 kept · 0 rejected · 5 undecided"))
        visit.wait("document.getElementById('alert').hidden")
    assert verdicts(mix_folder) == {"n01440764_0000": ("keep", "")}


def test_a_wrong_token_and_a_page_of_another_site(mix_folder: Path, serve: Serve, visit: Visit) -> None:
    with serve(mix_folder) as server, serve_other_site() as other:
        answer = visit.page.goto(f"http://127.0.0.1:{server.server_address[1]}/")
        assert answer.status == 403
        visit.page.goto(other)
        script = """async (address) => {
            const tried = [];
            for (const type of ["text/plain", "application/json"])
              tried.push(await fetch(address + "decide", {method: "POST", headers: {"Content-Type": type},
                body: '{"row": 0, "verdict": "keep", "comment": ""}'}).then((r) => r.status, () => "refused"));
            tried.push(await fetch(address + "set").then((r) => r.status, () => "refused"));
            return tried;
        }"""
        assert visit.page.evaluate(script, server.address) == ["refused"] * 3
    assert verdicts(mix_folder) == {}


def serve_other_site() -> Any:
    """Another origin on this machine, which knows the token."""
    import threading
    from contextlib import contextmanager
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>other</title>")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    @contextmanager
    def serving() -> Iterator[str]:
        with HTTPServer(("127.0.0.1", 0), Other) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_address[1]}/"
            finally:
                server.shutdown()
                thread.join()

    return serving()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)])
def test_nothing_is_cut_off_and_words_stand_out(
    gen_folder: Path, serve: Serve, browser: Any, scheme: str, width: int
) -> None:
    """No sideways scrolling; words against their ground at 4.5 : 1 or more; set STACKWALLS_SHOTS to keep pictures."""
    visit = Visit(browser, viewport={"width": width, "height": 844}, color_scheme=scheme)
    contrast = """() => {
        const level = (color) => { const [r, g, b] = color.match(/[\\d.]+/g).map((c) => c / 255)
            .map((c) => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4); return .2126*r + .7152*g + .0722*b; };
        const ground = (node) => { for (; node; node = node.parentElement) { const c = getComputedStyle(node)
            .backgroundColor; if (!c.startsWith("rgba(0, 0, 0, 0")) return c; } return "rgb(255, 255, 255)"; };
        return [...document.querySelectorAll("body *")].filter((node) => node.checkVisibility() && !node.disabled
            && [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim()))
          .map((node) => { const a = level(getComputedStyle(node).color), b = level(ground(node));
            return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), node.tagName + " " + node.textContent.trim()]; })
          .filter(([ratio]) => ratio < 4.5);
    }"""
    with serve(gen_folder) as server:
        visit.open(server.address)
        visit.press("x", "k", "ArrowLeft")
        visit.wait(counted("1 kept · 1 rejected · 1 undecided"))
        for view in ("single", "g", "?"):
            if view != "single":
                visit.press(view)
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
            assert visit.page.evaluate(contrast) == []
            if (scheme, width) in (("light", 1280), ("dark", 390)):
                assert axe_findings(visit.page) == []
            if folder := os.environ.get("STACKWALLS_SHOTS"):
                visit.page.screenshot(path=f"{folder}/{scheme}-{width}-{view.replace('?', 'help')}.png")
        visit.context.close()  # before the server: pictures of the grid may still be on their way
    assert visit.complaints == []


def test_every_control_has_a_name_and_a_focus_that_shows(gen_folder: Path, serve: Serve, visit: Visit) -> None:
    with serve(gen_folder) as server:
        visit.open(server.address)
        names = visit.page.evaluate(
            "[...document.querySelectorAll('button, select, textarea, img, dialog, [role=progressbar]')]"
            ".filter((node) => !(node.textContent.trim() || node.ariaLabel || node.alt || node.labels?.length"
            " || node.getAttribute('aria-labelledby'))).map((node) => node.outerHTML)"
        )
        assert names == []
        seen = set()
        for _ in range(14):
            visit.press("Tab")
            name, width = visit.page.evaluate(
                "[document.activeElement.id, getComputedStyle(document.activeElement).outlineWidth]"
            )
            assert width == "3px" or name == "", name
            seen.add(name)
        assert {"filter", "class", "to-grid", "keep", "down", "comment", "next"} <= seen
