"""A leaderboard: one page from a folder of scores, sortable, which asks for nothing from outside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stackwalls.evaluate.checks.scores import Score, scores_of
from stackwalls.evaluate.results import RUN_NAME, Results
from stackwalls.model import InputError

_TEMPLATES = Path(__file__).parent / "templates"


def read_scores(folder: str | Path) -> list[Score]:
    """Every score in a folder and below: `*.json` files by the schema, and results folders of `stackgen evaluate`.

    Other JSON files, such as a certificate, are passed over; one that says `"format"` and `"method"` must be a score.

    Raises:
        InputError: if there is none, or one is damaged; the message names the file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: expected one that holds scores (*.json) or results folders.")
    runs = {path.parent for path in sorted(folder.rglob(RUN_NAME))}
    scores = [score for run in sorted(runs) for score in scores_of(Results.load(run))]
    for path in sorted(folder.rglob("*.json")):
        if not any(run in path.parents for run in runs):
            scores += _read(path)
    if not scores:
        raise InputError(
            f"{folder} holds no scores: expected *.json files by the schema, or folders that `stackgen evaluate` wrote."
        )
    return scores


def _read(path: Path) -> list[Score]:
    try:
        text = path.read_text(encoding="utf-8")
        if '"method"' not in text or '"format"' not in text or '"mu"' not in text:
            return []
        return [Score.from_json(text)]
    except (OSError, UnicodeDecodeError, InputError) as error:
        raise InputError(f"Cannot read the score {path}: {error}") from error


def render_leaderboard(scores: Sequence[Score]) -> str:
    """The page as HTML text, the same for the same scores; best first: by native mu over chance, then mu over chance.

    Networks that did not pass their certificate are listed apart: what their maps show they may have seen.

    Raises:
        InputError: if there are no scores.
    """
    if not scores:
        raise InputError("There are no scores to list.")
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    ranked = sorted(scores, key=_rank)
    return environment.get_template("leaderboard.html.jinja").render(
        blind=[score for score in ranked if score.blind],
        seeing=[score for score in ranked if not score.blind],
        number=_number,
        percent=_percent,
    )


def _rank(score: Score) -> tuple[float, float, str, str, str]:
    shares = [math.inf if value is None else value / score.chance for value in (score.native_mu, score.mu)]
    # a method whose native map is unknown is ranked by what is shown
    first = shares[1] if score.native_mu is None else shares[0]
    return first, shares[1], score.method, score.network, score.dataset


def _number(value: float | None, factor: float = 100, digits: int = 1) -> str:
    return "–" if value is None else f"{factor * value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"
