"""What `judge` found: scores, findings, and the folder with table, figure and page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from stackwalls.evaluate.judging.findings import Finding, findings_of, preferences
from stackwalls.model import (
    InputError,
    check_output_folder,
    first_line,
)
from stackwalls.model.documents import COUNT, FLAG, OBJECT, SHA256, TEXT, each, keys, nullable, read_json
from stackwalls.model.files import regular_file

JUDGMENT_NAME = "judge.json"
"""Removed first, written last: a folder that has it is complete."""

SCORES_NAME = "scores.parquet"
_NAMES = {SCORES_NAME, "judge.txt", "judge.md", "judge.csv", "judge.png", "judge.html", JUDGMENT_NAME}

_TEXTS = ("network", "image_id", "method", "variant", "metric")
_SCHEMA = pa.schema([*((name, pa.string()) for name in _TEXTS), ("score", pa.float64()), ("error", pa.string())])

_ABOUT = keys(
    {
        **dict.fromkeys(("model", "wall", "dataset", "images_are", "device"), TEXT),
        "control": nullable(TEXT),
        **dict.fromkeys(("image_size", "images", "seed"), COUNT),
        "methods": each(TEXT),
        "metrics": each(keys({"higher": FLAG, "package": TEXT, "source": TEXT}), "object"),
        "limits": each(COUNT, "object"),
        "versions": each(TEXT, "object"),
        "fingerprint": SHA256,
    }
)


@dataclass(frozen=True, eq=False)
class Judgment:
    """Scores of every map by every metric, and what follows.

    Attributes:
        scores: a row per network ("blind" or "control"), image, method ("" for maps that know nothing), variant (see
            `judged_maps.VARIANTS`) and metric: `score` (NaN if undefined), `error` (why there is none).
        about: networks, wall, dataset, methods, metrics, seed, versions.
        certificate: of the blind network, as `Certificate.to_dict` gives it.
    """

    scores: pd.DataFrame
    about: Mapping[str, Any]
    certificate: Mapping[str, Any]

    def __post_init__(self) -> None:
        columns = self.scores.reindex(columns=_SCHEMA.names)
        object.__setattr__(self, "scores", columns.astype({"score": "float64"}))

    @property
    def metrics(self) -> dict[str, bool]:
        """Metric → whether a higher score is better."""
        return {name: metric["higher"] for name, metric in self.about["metrics"].items()}

    @cached_property
    def findings(self) -> dict[str, dict[str, Finding]]:
        """Network → metric → finding."""
        return findings_of(self.scores, self.metrics)

    def records(self) -> list[dict[str, Any]]:
        """One dict per network, metric and method: pairs, shares of m′, m and ties, and the mean gain in spreads."""
        records = []
        for network, own in self.scores.groupby("network", sort=False):
            for metric, higher in self.metrics.items():
                for method, pairs in preferences(own, metric, higher).groupby("method", sort=False):
                    shares = {name: float((pairs["sign"] == sign).mean()) for name, sign in _SIGNS.items()}
                    about = {"network": network, "metric": metric, "method": method, "pairs": len(pairs)}
                    records.append({**about, **shares, "gain": float(pairs["gain"].mean())})
        return records

    @property
    def failures(self) -> dict[str, str]:
        """Method or metric → the first error, of those that failed on any image."""
        failed = self.scores[self.scores["error"].notna()]
        named = failed["metric"].where(failed["metric"] != "", failed["method"])
        return dict(zip(named[::-1], failed["error"][::-1], strict=True))

    def to_dict(self) -> dict[str, Any]:
        """The setting, findings, `records` and the certificate."""
        found = {network: [each.to_dict() for each in own.values()] for network, own in self.findings.items()}
        parts = {"findings": found, "methods": self.records(), "certificate": dict(self.certificate)}
        return {"about": dict(self.about), **parts}

    def to_table(self) -> pa.Table:
        """The scores, as they are stored."""
        return pa.Table.from_pandas(self.scores, _SCHEMA, preserve_index=False)

    @classmethod
    def load(cls, folder: str | Path) -> Judgment:
        """Read what `judgment_page.save_judgment` wrote.

        Raises:
            InputError: if the folder has no finished judgment, or it is damaged.
        """
        folder = Path(folder)
        if not (folder / JUDGMENT_NAME).exists():
            raise InputError(f"There is no judgment in {folder}: expected a folder that `stackgen judge` wrote.")
        found = read_json(folder / JUDGMENT_NAME, keys({"about": _ABOUT, "certificate": OBJECT}))
        try:
            scores = pq.read_table(regular_file(folder / SCORES_NAME)).cast(_SCHEMA).to_pandas()
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            raise InputError(f"Cannot read {folder / SCORES_NAME}: {first_line(error)}.") from error
        return cls(scores, found["about"], found["certificate"])

    @staticmethod
    def fingerprint_in(folder: Path) -> str | None:
        """The fingerprint of the run whose judgment is in a folder; None if there is none."""
        try:
            found = read_json(folder / JUDGMENT_NAME, keys({"about": _ABOUT}))
        except InputError:
            return None
        return str(found["about"]["fingerprint"])


_SIGNS = {"prefers m′": 1, "prefers m": -1, "ties": 0}


def check_judgment_folder(folder: Path) -> None:
    """Raise InputError if a folder contains anything but a judgment or an unfinished one; only reads."""
    check_output_folder(folder, _NAMES, "the judgment")
