"""The page of a judgment in a real browser: it sorts, it fits a phone, and axe finds nothing."""

from pathlib import Path

import pytest
from browsing import axe_findings, chromium
from judged_cases import ANTI, ORACLE, judged

from stackwalls.evaluate.judging.judgment_page import figure_of, page_of
from stackwalls.evaluate.report.figures import write_figure


@pytest.mark.slow
def test_it_can_be_used_by_all_who_read_it(tmp_path: Path) -> None:
    judgment = judged([ORACLE, ANTI])
    (tmp_path / "judge.html").write_text(page_of(judgment, write_figure(figure_of(judgment))))
    with chromium() as browser:
        page = browser.new_page()
        page.goto((tmp_path / "judge.html").as_uri())
        for width, scheme in ((1300, "light"), (390, "dark")):
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert axe_findings(page) == []
        page.locator("thead button").first.click()
        assert page.locator("tbody th").first.inner_text() == "anti-oracle"
