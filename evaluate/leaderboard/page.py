"""The page of a leaderboard: a table per network and kind of wall, best first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from stackwalls.evaluate.leaderboard.score import SCORE_FORMAT, Score
from stackwalls.evaluate.report.formatting import UNDEFINED
from stackwalls.evaluate.report.page import REPORT_NAME, html_environment
from stackwalls.model import WALL_KINDS_IN_WORDS, HubId, InputError


@dataclass(frozen=True)
class Cell:
    """What a table shows of a score: text, what follows in small letters, the value to sort by, and a link."""

    text: str
    small: str = ""
    value: float | str | None = None
    link: str = ""


COLUMNS = {
    "method": "name of the saliency method",
    "images": "the dataset, and what its images are",
    "wall": "the network's dead zone",
    "run": "where the score comes from, the version that made it, and the SHA-256 of the network's certificate",
    "native mu": "mean mu × 100 at the map's own resolution; 0 is correct",
    "mu": "mean mu × 100 of the maps as shown",
    "± std": "unbiased standard deviation × 100",
    "95 %": "95 % interval of the mean, × 100",
    "mu / chance": "1 for a uniform map",
    "lit": "share of maps with any positive value in the dead zone",
    "pointing": "share of maps whose maximum is in the dead zone",
    "n": "maps with a mu; below it the all-zero maps (NaN) and the images without a valid map (failed)",
    "top-1": "the network's accuracy on the dataset",
}
"""The columns and what they mean; the first four are text. `latest_scores.js` makes the same of fetched scores."""


def cells(score: Score, link: Callable[[str], str]) -> list[Cell]:
    """The cells of a score in the order of `COLUMNS`; `link` makes the address of its run."""
    interval = UNDEFINED if score.mu_low is None else f"{_number(score.mu_low)}–{_number(score.mu_high)}"
    ratio = None if score.mu is None else score.mu / score.chance
    lost = [f"{score.nan} NaN"] * bool(score.nan) + [f"{score.failed} failed"] * bool(score.failed)
    made = [f"stackwalls {score.versions['stackwalls']}"] if "stackwalls" in score.versions else []
    made += [f"certificate {score.certificate_sha256[:8]}"] if score.certificate_sha256 else []
    return [
        Cell(score.method),
        Cell(score.dataset, score.images_are),
        Cell(score.wall),
        Cell(score.run or UNDEFINED, " · ".join(made), link=link(score.run) if score.run else ""),
        *(Cell(_number(value), value=value) for value in (score.native_mu, score.mu, score.mu_std)),
        Cell(interval, value=score.mu_low),
        Cell(_number(ratio, 1, 2), value=ratio),
        *(Cell(_percent(value), value=value) for value in (score.lit, score.pointing)),
        Cell(str(score.n), ", ".join(lost), score.n),
        Cell(_percent(score.top1), value=score.top1),
    ]


def render_leaderboard(scores: Sequence[Score], folder: str = ".", results: str = "") -> str:
    """The page as HTML text, the same for the same scores: a table per network and kind of wall, best first.

    See `Score.rank`. Scores of the same images, wall and run stand together. Networks that did not pass their
    certificate are listed separately: they may have used what their maps show.

    Args:
        scores: at least one.
        folder: the scores' folder as seen from the page, whose reports it links to; "" if the page is in a folder with
            the score files alone.
        results: `user/name` of published results on the Hub, whose latest scores the page adds when a server gives it.

    Raises:
        InputError: if there are no scores, or `results` is not an id.
    """
    if not scores:
        raise InputError("There are no scores to list.")
    ranked = sorted(
        scores, key=lambda one: (one.network, one.wall_kind, one.images_are, one.dataset, one.wall, one.run, one.rank)
    )
    boards = {
        blind: [list(own) for _, own in groupby((s for s in ranked if s.blind == blind), _board)]
        for blind in (True, False)
    }

    def link(run: str) -> str:
        place = f"{folder}/{run}" if folder else run
        return quote(place if run.endswith(".json") else f"{place}/{REPORT_NAME}")

    template = html_environment(Path(__file__).parent / "templates").get_template("leaderboard.html.jinja")
    return template.render(
        boards=boards,
        columns=COLUMNS,
        cells=lambda score: zip(COLUMNS, cells(score, link), strict=True),
        kinds=WALL_KINDS_IN_WORDS,
        live=_live(results) if results else None,
    )


def _live(results: str) -> dict[str, str | int]:
    """Where the page finds the latest scores: the JSON file beside the Parquet, which a browser can read by itself."""
    from huggingface_hub import constants

    if HubId.parse(results) != HubId(results):
        raise InputError(f"Expected the dataset of results as user/name, but got {results!r}.")
    page = f"{constants.ENDPOINT}/datasets/{results}"
    address = f"{page}/resolve/main/scores.json"
    return {"host": constants.ENDPOINT, "name": results, "page": page, "address": address, "format": SCORE_FORMAT}


def _board(score: Score) -> tuple[str, str]:
    """Which table a score is in."""
    return score.network, score.wall_kind


def _number(value: float | None, factor: float = 100, digits: int = 1) -> str:
    return UNDEFINED if value is None else f"{factor * value:.{digits}f}"


def _percent(value: float | None) -> str:
    return UNDEFINED if value is None else f"{100 * value:.0f} %"
