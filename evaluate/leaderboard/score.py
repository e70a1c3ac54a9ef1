"""A score: one method's result on one dataset and network, as JSON with a schema.

For the schema alone nothing heavy is imported.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackwalls.model import InputError
from stackwalls.model.documents import checked

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
    certificate_sha256: str = ""

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

    @property
    def subject(self) -> tuple[str, ...]:
        """What was measured on what: two scores with the same are rivals, or one that is there twice."""
        return self.method, self.dataset, self.dataset_sha256, self.network, self.wall, self.wall_kind

    @classmethod
    def of(cls, content: Any) -> Score:
        """Read what `asdict` gives, or what someone else wrote by the schema.

        Raises:
            InputError: if it is not what the schema describes.
        """
        try:
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
    values["top1"] = accuracy.correct / accuracy.labeled if accuracy.labeled else None
    values |= {"versions": dict(run["versions"]), "note": run["method_notes"].get(row.method, "")}
    values["certificate_sha256"] = results.certificate_sha256
    return Score(SCORE_FORMAT, **values)
