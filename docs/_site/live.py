"""The demo's report and a leaderboard of its results, as `make demo` and `stackgen leaderboard` write them."""

from __future__ import annotations

from pathlib import Path

from mkdocs.exceptions import PluginError


def pages(root: Path) -> dict[str, str]:
    """Page → its text.

    Raises:
        PluginError: if the demo has not run.
    """
    from stackwalls.evaluate.leaderboard import read_scores, render_leaderboard

    demo = root / "demo"
    if not (demo / "results/report.html").is_file():
        raise PluginError("The site shows the results of the demo, but there are none: run `make demo` first.")
    reports = {
        f"live/{path.relative_to(demo).as_posix()}": path.read_text(encoding="utf-8")
        for path in demo.rglob("report.html")
    }
    text = (Path(__file__).parent / "live-examples.md").read_text(encoding="utf-8")
    return {
        "live-examples.md": text,
        "live/leaderboard.html": render_leaderboard(read_scores(demo)),  # which links to the reports
    } | reports
