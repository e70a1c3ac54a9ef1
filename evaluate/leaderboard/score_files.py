"""Scores on disk: read from a folder of results and score files, and written."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from stackwalls.evaluate.leaderboard.score import Score, scores_of
from stackwalls.hub_cards.manifest import MANIFEST_NAME
from stackwalls.model import InputError
from stackwalls.model.documents import MOST_BYTES, parse_json
from stackwalls.model.files import read_bounded


def scores_json(scores: Sequence[Score]) -> str:
    """The text of a score file: a list of scores; `score_schema` describes each."""
    content = [asdict(score) for score in scores]
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def read_score_file(path: Path) -> list[Score]:
    """The scores of a file: a list of them, or one.

    Raises:
        InputError: if it cannot be read, or a score does not fit the schema; the message names the file.
    """
    try:
        return _parsed(read_bounded(path, MOST_BYTES).decode("utf-8-sig"))
    except (OSError, ValueError, InputError) as error:
        raise InputError(f"Cannot read the score {path}: {getattr(error, 'strerror', None) or error}") from error


def _parsed(text: str) -> list[Score]:
    content = parse_json(text)
    return [Score.of(one) for one in (content if isinstance(content, list) else [content])]


def read_scores(folder: str | Path) -> list[Score]:
    """Every score in a folder and below: `*.json` files by the schema, and results folders of `stackgen evaluate`.

    Other JSON files, such as a certificate, are skipped; one with `"format"`, `"method"` and `"mu"` must hold scores.

    Raises:
        InputError: if there is none, or one is damaged; the message names the file.
    """
    from stackwalls.evaluate.results import RUN_NAME, Results

    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: expected one with scores (*.json) or results folders.")
    runs = {path.parent for path in folder.rglob(RUN_NAME)}
    found = [(run, scores_of(Results.load(run))) for run in sorted(runs)]
    files = (path for path in sorted(folder.rglob("*.json")) if not runs.intersection(path.parents))
    found += [(path, read_score_file(path)) for path in files if _looks_like_scores(path)]
    scores = [replace(score, run=path.relative_to(folder).as_posix()) for path, own in found for score in own]
    if not scores:
        raise InputError(
            f"{folder} has no scores: expected *.json files by the schema, or folders that `stackgen evaluate` wrote."
        )
    return scores


def _looks_like_scores(path: Path) -> bool:
    try:
        text = read_bounded(path, MOST_BYTES).decode("utf-8-sig")
    except (OSError, ValueError, InputError):
        return True  # reading it says why it cannot be read
    return path.name != MANIFEST_NAME and all(f'"{key}"' in text for key in ("format", "method", "mu"))
