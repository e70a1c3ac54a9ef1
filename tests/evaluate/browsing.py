"""A headless Chromium for the tests of pages, and axe, which finds what stops people without mouse or sight."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-default-browser-check",
)  # fmt: skip


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser; the test is skipped where there is none, and fails with STACKWALLS_BROWSER=1."""
    if CHROMIUM is None and os.environ.get("STACKWALLS_BROWSER"):
        pytest.fail("STACKWALLS_BROWSER is set, but there is no Chromium on the PATH: install one")
    if CHROMIUM is None:
        pytest.skip("no Chromium on the PATH (with STACKWALLS_BROWSER=1 that is a failure)")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


def axe_findings(page: Any) -> list[str]:
    """What axe says of a page as it is now: each rule that fails, of any impact, with the first element that does."""
    pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    return [f"{each['impact']} {each['id']}: {each['nodes'][0]['html']}" for each in found["violations"]]
