"""A leaderboard: scores as JSON with a schema, and one sortable page made of a folder of them.

For the schema alone nothing heavy is imported.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from stackwalls.model import InputError

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

    def __post_init__(self) -> None:
        if self.format != SCORE_FORMAT:
            raise InputError(f"The score has format {self.format!r}, but this version reads {SCORE_FORMAT}.")
        values = asdict(self)
        if odd := [name for name, value in values.items() if isinstance(value, float) and not math.isfinite(value)]:
            raise InputError(f"Expected the score's `{odd[0]}` to be finite or null, but got {values[odd[0]]}.")
        if fault := best_match(Draft202012Validator(score_schema()).iter_errors(values)):
            raise InputError(f"The score's `{fault.json_path[2:]}` does not fit the schema: {fault.message:.200}.")
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
            return cls(**json.loads(text))
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
    sealed = {dataset["name"]: dataset.get("manifest_sha256") or "" for dataset in results.run["datasets"]}
    return [_score(results, row, sealed[row.dataset]) for row in results.summary.rows]


def _score(results: Measurements, row: TableRow, manifest_sha256: str) -> Score:
    run, wall, accuracy = results.run, results.wall, results.summary.accuracy[row.dataset]
    means = {"mu": row.mu.mean, "mu_std": row.mu.std, "native_mu": row.mu_native.mean}
    means |= {"lit": row.lit, "energy": row.energy, "pointing": row.pointing}
    values: dict[str, Any] = {name: None if math.isnan(mean) else float(mean) for name, mean in means.items()}
    values |= {"method": row.method, "dataset": row.dataset, "dataset_sha256": manifest_sha256, "network": run["model"]}
    values |= {"wall": str(wall), "chance": wall.chance, "blind": bool(results.certificate["passed"])}
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
    scores = [score for run in sorted(runs) for score in scores_of(Results.load(run))]
    for path in sorted(folder.rglob("*.json")):
        if not runs.intersection(path.parents):
            scores += _read(path)
    if not scores:
        raise InputError(
            f"{folder} has no scores: expected *.json files by the schema, or folders that `stackgen evaluate` wrote."
        )
    return scores


def _read(path: Path) -> list[Score]:
    try:
        text = path.read_text(encoding="utf-8")
        return [Score.from_json(text)] if all(f'"{key}"' in text for key in ("format", "method", "mu")) else []
    except (OSError, UnicodeDecodeError, InputError) as error:
        raise InputError(f"Cannot read the score {path}: {error}") from error


def render_leaderboard(scores: Sequence[Score]) -> str:
    """The page as HTML text, the same for the same scores, best first (see `Score.rank`).

    Networks that did not pass their certificate are listed separately: they may have used what their maps show.

    Raises:
        InputError: if there are no scores.
    """
    from stackwalls.evaluate.report.formatting import UNDEFINED
    from stackwalls.evaluate.report.page import html_environment

    if not scores:
        raise InputError("There are no scores to list.")
    ranked = sorted(scores, key=lambda score: score.rank)
    template = html_environment(Path(__file__).parent / "templates").get_template("leaderboard.html.jinja")
    return template.render(
        blind=[score for score in ranked if score.blind],
        seeing=[score for score in ranked if not score.blind],
        number=lambda value, factor=100, digits=1: UNDEFINED if value is None else f"{factor * value:.{digits}f}",
        percent=lambda value: UNDEFINED if value is None else f"{100 * value:.0f} %",
    )
