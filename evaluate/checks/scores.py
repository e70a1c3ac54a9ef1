"""One method's result on one dataset and network as JSON, with a schema: what a leaderboard is built from."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib.resources import files
from typing import Any

from stackwalls.evaluate.report.table import TableRow
from stackwalls.evaluate.results import Results
from stackwalls.model import InputError

SCORE_FORMAT = 1
"""Version of the layout."""


@dataclass(frozen=True)
class Score:
    """One line of a leaderboard. Mu and shares in [0, 1]; None where a number does not exist.

    Attributes:
        format: version of this layout.
        method: its name.
        dataset: its name.
        dataset_sha256: of the dataset's manifest (its seal), or "" where it has none.
        network: its name.
        wall: of the network, as text.
        chance: mu of a uniform map behind that wall.
        blind: whether the network passed its certificate: without it mu is no error.
        images: how many were tried.
        n: maps with a mu.
        nan: maps that are zero everywhere, which have none.
        failed: images without a valid map.
        mu: mean.
        mu_std: unbiased standard deviation.
        native_mu: mean of mu at the map's own resolution.
        lit: share of the maps with any positive value in the dead zone.
        energy: mean share of the map's sum in the dead zone.
        pointing: mean of whether the map's maximum lies there.
        top1: the network's accuracy on the dataset.
        versions: of the packages that the numbers depend on.
        note: what was done to what the method gave, or "".

    Raises:
        InputError: if a value is of another type or out of range.
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
        properties = score_schema()["properties"]
        for field in fields(self):
            _check(field.name, getattr(self, field.name), properties[field.name])
        if self.n + self.nan + self.failed != self.images:
            raise InputError(
                f"The score's counts disagree: {self.n} with mu, {self.nan} without and {self.failed} failed do not "
                f"make {self.images} images."
            )

    def to_json(self) -> str:
        """As indented JSON text that `score_schema` describes."""
        return json.dumps(asdict(self), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Score:
        """Read what `to_json` wrote, or what somebody else wrote by the schema.

        Raises:
            InputError: if it is not what the schema describes.
        """
        try:
            content = json.loads(text)
            score = cls(**content)
        except InputError:
            raise
        except (ValueError, TypeError) as error:
            raise InputError(f"It is no score of this package: {error}") from error
        return score


def score_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a score."""
    text = files("stackwalls.evaluate.checks").joinpath("score.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def scores_of(results: Results) -> list[Score]:
    """A score for each dataset and method of an evaluation."""
    sealed = {dataset["name"]: dataset.get("manifest_sha256") or "" for dataset in results.run["datasets"]}
    return [_score(results, row, sealed[row.dataset]) for row in results.summary.rows]


def _score(results: Results, row: TableRow, manifest_sha256: str) -> Score:
    run, accuracy = results.run, results.summary.accuracy[row.dataset]
    return Score(
        format=SCORE_FORMAT,
        method=row.method,
        dataset=row.dataset,
        dataset_sha256=manifest_sha256,
        network=run["model"],
        wall=str(results.wall),
        chance=results.wall.chance,
        blind=bool(results.certificate["passed"]),
        images=row.images,
        n=row.mu.n,
        nan=row.mu.nan,
        failed=row.failed,
        mu=_known(row.mu.mean),
        mu_std=_known(row.mu.std),
        native_mu=_known(row.mu_native.mean),
        lit=_known(row.lit),
        energy=_known(row.energy),
        pointing=_known(row.pointing),
        top1=accuracy.correct / accuracy.labelled if accuracy.labelled else None,
        versions=dict(run["versions"]),
        note=run["method_notes"].get(row.method, ""),
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


_TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "boolean": (bool,),
    "object": (Mapping,),
    "null": (type(None),),
}


def _check(name: str, value: Any, rule: Mapping[str, Any]) -> None:
    """One value by its property of the schema: type, bounds, length."""
    kinds = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
    fits = any(isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool)) for kind in kinds)
    if not fits:
        raise InputError(f"Expected the score's `{name}` to be {' or '.join(kinds)}, but got {value!r:.80}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"Expected the score's `{name}` to be finite or null, but got {value}.")
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = rule.get("minimum", -math.inf), rule.get("maximum", math.inf)
        if not low <= value <= high:
            raise InputError(f"Expected the score's `{name}` to be from {low} to {high}, but got {value}.")
    if isinstance(value, str) and len(value) < rule.get("minLength", 0):
        raise InputError(f"Expected the score's `{name}` to be text, but it is empty.")
