"""What the checks beyond mu found: a row an image and method, and a table that says where each method's leak is."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stackwalls.evaluate.checks.leak_origin import STAGES
from stackwalls.evaluate.report.table_text import markdown_table
from stackwalls.model import Wall, check_output_folder, disk_errors, write_whole

UNDEFINED = "–"

_COLUMNS = ("image_id", "target", "same_logits", "method", "raw_drift", "map_drift")
FINDINGS_NAME = "findings.json"
"""Written last."""

_NAMES = {"findings.md", "findings.csv", FINDINGS_NAME}


@dataclass(frozen=True, eq=False)
class Findings:
    """What `beyond_mu` found.

    Attributes:
        per_image: one row an image and method: `raw_drift` and `map_drift` (see `seen_change`), `mu_…` after each of
            `STAGES`, `same_logits` (whether the twin's are the same to the last bit), `error` where there is no map.
        about: network, dataset, images, wall, seed.
        certificate: the blindness certificate, as `Certificate.to_dict` gives it.
        wall: the dead zone.
    """

    per_image: pd.DataFrame
    about: Mapping[str, Any]
    certificate: Mapping[str, Any]
    wall: Wall

    def __post_init__(self) -> None:
        columns = [*_COLUMNS, *(f"mu_{stage}" for stage in STAGES), "error"]
        object.__setattr__(self, "per_image", self.per_image.reindex(columns=columns))

    def records(self) -> list[dict[str, Any]]:
        """One dict a method: means of mu by stage, medians of the drifts and the share of exact zeros, failures."""
        return [_record(str(method), rows) for method, rows in self.per_image.groupby("method", sort=False)]

    def headings(self) -> list[str]:
        """Of the table."""
        return ["method", *STAGES, "raw drift", "= 0", "map drift", "n"]

    def lines(self) -> list[list[str]]:
        """The table's cells, mu and drift × 100."""
        return [
            [
                record["method"],
                *(_hundredfold(record[f"mu_{stage}"]) for stage in STAGES),
                _hundredfold(record["raw_drift"]),
                UNDEFINED if math.isnan(record["unmoved"]) else f"{100 * record['unmoved']:.0f} %",
                _hundredfold(record["map_drift"]),
                str(record["n"]),
            ]
            for record in self.records()
        ]

    def text(self) -> str:
        """For a terminal."""
        lines = [self.headings(), *self.lines()]
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        table = [
            "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(pairs))
            for pairs in (list(zip(line, widths, strict=True)) for line in lines)
        ]
        return "\n".join([*table, "", *self.legend()]) + "\n"

    def markdown(self) -> str:
        """As a GitHub table."""
        lines = [self.headings(), ["---", *["---:"] * (len(self.headings()) - 1)], *self.lines()]
        return f"{markdown_table(lines)}\n\n" + "\n".join(f"- {line}" for line in self.legend()) + "\n"

    def legend(self) -> list[str]:
        """What the columns mean, and what went wrong."""
        first = self.per_image.drop_duplicates("image_id")
        same = int(first["same_logits"].sum())
        lines = [
            f"{self.about['model']} behind {self.wall} on {self.about['images']} images of {self.about['dataset']}, "
            f"seed {self.about['seed']}; the logits of {same} of {len(first)} twins are the same to the last bit.",
            f"{', '.join(STAGES)}: mean mu × 100 after each step from the raw map to the one that is shown; a uniform "
            f"map has {100 * self.wall.chance:.1f}.",
            "raw drift, map drift: median change × 100 of the seen part of the map when another picture is put behind "
            "the wall, before and after normalisation and upsampling; = 0: share of the raw maps whose seen part did "
            "not change at all.",
        ]
        failed = self.per_image[self.per_image["error"].notna()]
        return lines + [f"{row.method} failed: {row.error}" for row in failed.drop_duplicates("method").itertuples()]

    def save(self, folder: str | Path) -> None:
        """Write findings.md, findings.csv (the rows) and findings.json (table, certificate, setting), each whole.

        Raises:
            InputError: if the folder holds something else.
            RunError: if the disk refuses.
        """
        folder = check_findings_folder(folder)
        content = {"about": dict(self.about), "methods": self.records(), "certificate": dict(self.certificate)}
        with disk_errors(folder, resumes=False):
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / "findings.csv", self.per_image.to_csv(index=False, lineterminator="\n").encode())
            write_whole(folder / "findings.md", self.markdown().encode())
            write_whole(folder / FINDINGS_NAME, (json.dumps(_finite(content), indent=2) + "\n").encode())


def check_findings_folder(folder: str | Path) -> Path:
    """The folder, if findings may be written to it: new, empty, or with older findings.

    Raises:
        InputError: if it is a file or holds something else.
    """
    folder = Path(folder)
    check_output_folder(folder, _NAMES, "the findings")
    return folder


def _record(method: str, rows: pd.DataFrame) -> dict[str, Any]:
    measured = rows[rows["error"].isna()]
    raw = measured["raw_drift"].dropna()
    return {
        "method": method,
        "n": len(measured),
        "failed": len(rows) - len(measured),
        **{f"mu_{stage}": float(measured[f"mu_{stage}"].mean()) for stage in STAGES},
        "raw_drift": float(raw.median()),
        "unmoved": float((raw == 0).mean()) if len(raw) else math.nan,
        "map_drift": float(measured["map_drift"].median()),
    }


def _hundredfold(value: float) -> str:
    return UNDEFINED if math.isnan(value) else f"{100 * value:.1f}"


def _finite(value: Any) -> Any:
    """JSON has no NaN: an undefined number is null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
