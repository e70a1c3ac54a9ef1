"""A leaderboard: scores as JSON with a schema, and one sortable page made of a folder of them.

For the schema alone nothing heavy is imported.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from stackwalls.model import InputError
from stackwalls.model.documents import MOST_BYTES, checked, parse_json
from stackwalls.model.files import read_bounded

if TYPE_CHECKING:
    from stackwalls.evaluate.measurements import Measurements
    from stackwalls.evaluate.report.table import TableRow

SCORE_FORMAT = 1
"""Version of the layout."""


@dataclass(frozen=True)
class Score:
    """One method's result on one dataset and network; `score.schema.json` describes each attribute.

    Mu and shares are in [0, 1], and None if the number does not exist.

    Raises:
        InputError: if a value has the wrong type or is out of range.
    """

    format: int
    method: str
    dataset: str
    dataset_sha256: str
    network: str
    wall: str
    chance: float
    blind: bool
    images: int
    n: int
    nan: int
    failed: int
    mu: float | None
    mu_std: float | None
    native_mu: float | None
    lit: float | None
    energy: float | None
    pointing: float | None
    top1: float | None
    versions: Mapping[str, str]
    note: str = ""
    images_are: str = ""
    mu_low: float | None = None
    mu_high: float | None = None
    run: str = ""
    wall_kind: str = ""

    def __post_init__(self) -> None:
        if not self.wall_kind:  # of an earlier version
            from stackwalls.model import implied_wall_kind

            object.__setattr__(self, "wall_kind", implied_wall_kind(str(self.network)))
        if self.format != SCORE_FORMAT:
            raise InputError(f"The score has format {self.format!r}, but this version reads {SCORE_FORMAT}.")
        values = asdict(self)
        if odd := [name for name, value in values.items() if isinstance(value, float) and not math.isfinite(value)]:
            raise InputError(f"Expected the score's `{odd[0]}` to be finite or null, but got {values[odd[0]]}.")
        try:
            checked(values, score_schema())
        except ValueError as error:
            raise InputError(f"The score does not fit the schema: {error}.") from error
        if self.n + self.nan + self.failed != self.images:
            raise InputError(
                f"The score's counts disagree: {self.n} with mu, {self.nan} without and {self.failed} failed do not "
                f"make {self.images} images."
            )

    @property
    def rank(self) -> tuple[float, float, str, str, str]:
        """The sort key, best first: native mu over chance (mu's if that is unknown), then mu over chance."""
        native, mu = (math.inf if value is None else value / self.chance for value in (self.native_mu, self.mu))
        return mu if self.native_mu is None else native, mu, self.method, self.network, self.dataset

    def to_json(self) -> str:
        """As indented JSON text that `score_schema` describes."""
        return json.dumps(asdict(self), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Score:
        """Read what `to_json` wrote, or what someone else wrote by the schema.

        Raises:
            InputError: if it is not what the schema describes.
        """
        try:
            content = parse_json(text)
            if not isinstance(content, dict) or content.get("format") == SCORE_FORMAT:
                checked(content, score_schema())
            return cls(**content)
        except InputError:
            raise
        except (ValueError, TypeError) as error:
            raise InputError(f"It is not a score of this package: {error}") from error


def score_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a score."""
    schema: dict[str, Any] = json.loads((Path(__file__).parent / "score.schema.json").read_text(encoding="utf-8"))
    return schema


def scores_of(results: Measurements) -> list[Score]:
    """A score for each dataset and method of an evaluation."""
    datasets = {dataset["name"]: dataset for dataset in results.run["datasets"]}
    return [_score(results, row, datasets[row.dataset]) for row in results.summary.rows]


def _score(results: Measurements, row: TableRow, dataset: Mapping[str, Any]) -> Score:
    from stackwalls.evaluate.run.provenance import images_are

    run, wall, accuracy = results.run, results.wall, results.summary.accuracy[row.dataset]
    means = {"mu": row.mu.mean, "mu_std": row.mu.std, "native_mu": row.mu_native.mean}
    means |= {"mu_low": row.interval.low, "mu_high": row.interval.high}
    means |= {"lit": row.lit, "energy": row.energy, "pointing": row.pointing}
    if not math.isclose(run.get("native_chance", wall.chance), wall.chance):
        means["native_mu"] = math.nan  # scores are ranked over one chance level
    values: dict[str, Any] = {name: None if math.isnan(mean) else float(mean) for name, mean in means.items()}
    values |= {"method": row.method, "dataset": row.dataset, "network": run["model"]}
    values |= {"dataset_sha256": dataset.get("manifest_sha256") or ""}
    values |= {"images_are": images_are(dataset["kind"], dataset["spec"])}
    values |= {
        "wall": str(wall),
        "wall_kind": results.wall_kind,
        "chance": wall.chance,
        "blind": bool(results.certificate["passed"]),
    }
    values |= {"images": row.images, "n": row.mu.n, "nan": row.mu.nan, "failed": row.failed}
    values["top1"] = accuracy.correct / accuracy.labelled if accuracy.labelled else None
    values |= {"versions": dict(run["versions"]), "note": run["method_notes"].get(row.method, "")}
    return Score(SCORE_FORMAT, **values)


def read_scores(folder: str | Path) -> list[Score]:
    """Every score in a folder and below: `*.json` files by the schema, and results folders of `stackgen evaluate`.

    Other JSON files, such as a certificate, are skipped; one with `"format"`, `"method"` and `"mu"` must be a score.

    Raises:
        InputError: if there is none, or one is damaged; the message names the file.
    """
    from stackwalls.evaluate.results import RUN_NAME, Results

    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: expected one with scores (*.json) or results folders.")
    runs = {path.parent for path in folder.rglob(RUN_NAME)}
    found = [(run, scores_of(Results.load(run))) for run in sorted(runs)]
    found += [(path, _read(path)) for path in sorted(folder.rglob("*.json")) if not runs.intersection(path.parents)]
    scores = [replace(score, run=path.relative_to(folder).as_posix()) for path, own in found for score in own]
    if not scores:
        raise InputError(
            f"{folder} has no scores: expected *.json files by the schema, or folders that `stackgen evaluate` wrote."
        )
    return scores


def _read(path: Path) -> list[Score]:
    try:
        text = read_bounded(path, MOST_BYTES).decode("utf-8-sig")
        return [Score.from_json(text)] if all(f'"{key}"' in text for key in ("format", "method", "mu")) else []
    except (OSError, UnicodeDecodeError, InputError) as error:
        raise InputError(f"Cannot read the score {path}: {getattr(error, 'strerror', None) or error}") from error


def render_leaderboard(scores: Sequence[Score], folder: str = ".") -> str:
    """The page as HTML text, the same for the same scores: a table per network and kind of wall, best first.

    See `Score.rank`. Scores of the same images, wall and run stand together. Networks that did not pass their
    certificate are listed separately: they may have used what their maps show. `folder` is the scores' folder as seen
    from the page.

    Raises:
        InputError: if there are no scores.
    """
    from stackwalls.evaluate.report.formatting import UNDEFINED
    from stackwalls.evaluate.report.page import REPORT_NAME, html_environment
    from stackwalls.model import WALL_KINDS_IN_WORDS

    if not scores:
        raise InputError("There are no scores to list.")
    ranked = sorted(
        scores, key=lambda one: (one.network, one.wall_kind, one.images_are, one.dataset, one.wall, one.run, one.rank)
    )
    boards = {
        blind: [list(own) for _, own in groupby((s for s in ranked if s.blind == blind), _board)]
        for blind in (True, False)
    }
    template = html_environment(Path(__file__).parent / "templates").get_template("leaderboard.html.jinja")
    return template.render(
        boards=boards,
        kinds=WALL_KINDS_IN_WORDS,
        link=lambda run: quote(f"{folder}/{run}" if run.endswith(".json") else f"{folder}/{run}/{REPORT_NAME}"),
        number=lambda value, factor=100, digits=1: UNDEFINED if value is None else f"{factor * value:.{digits}f}",
        percent=lambda value: UNDEFINED if value is None else f"{100 * value:.0f} %",
    )


def _board(score: Score) -> tuple[str, str]:
    """Which table a score is in."""
    return score.network, score.wall_kind
