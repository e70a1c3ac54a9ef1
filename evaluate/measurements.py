"""What an evaluation measured, in memory: pure data, from which `report/` draws."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
import pyarrow as pa

from stackwalls.evaluate.classes import ClassNames
from stackwalls.evaluate.report.table import Table
from stackwalls.evaluate.run.identity import weights_hash
from stackwalls.evaluate.run.provenance import kind_of_wall, notes
from stackwalls.evaluate.run.samples import Samples
from stackwalls.model import InputError, Wall

if TYPE_CHECKING:
    from torch import nn


def json_bytes(value: Any) -> bytes:
    """A JSON file of a results folder."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


class Errors(pd.DataFrame):
    """The value of `Measurements.errors`, a property like `summary`. It was a method: `errors()` gives the same."""

    def __call__(self) -> Errors:
        """The same."""
        return self


@dataclass(frozen=True, eq=False)
class Measurements:
    """Per-image rows and what was run on what; `results.Results` adds the folder and the report."""

    run: Mapping[str, Any]  # see `provenance.describe_run`
    certificate: Mapping[str, Any]  # as `Certificate.to_dict` gives it
    rows: pa.Table  # per image and method, `ROW_SCHEMA`
    samples: Samples  # images of each dataset with their maps, all or 100 at equal distances

    @cached_property
    def per_image(self) -> pd.DataFrame:
        """`rows` as a data frame: truth values that may be missing as "boolean", errors as text or None."""
        frame: pd.DataFrame = self.rows.to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get)
        return frame

    @cached_property
    def names(self) -> dict[str, ClassNames]:
        """Dataset → what the class numbers of its rows are called."""
        return {dataset["name"]: ClassNames.of(self.run, dataset) for dataset in self.run["datasets"]}

    @property
    def wall(self) -> Wall:
        """The wall by which the maps were judged."""
        wall = self.run["wall"]
        return Wall.parse(wall["wall"], wall["image_size"])

    @property
    def blind(self) -> bool:
        """Whether the network is proven blind; False for a baseline, which sees the whole image."""
        return bool(self.run.get("blind", True))

    @property
    def wall_kind(self) -> str:
        """The kind of the network's wall, a key of `WALL_KINDS_IN_WORDS`."""
        return kind_of_wall(self.run)

    @property
    def certificate_sha256(self) -> str:
        """SHA-256 of certificate.json, as `Results.save` writes it."""
        return hashlib.sha256(json_bytes(self.certificate)).hexdigest()

    @cached_property
    def summary(self) -> Table:
        """Table 1 with its numbers."""
        kind = self.wall_kind if self.blind else "none"
        return Table.of(self.per_image, self.wall.chance, notes(self.run), kind, self.run.get("native_chance"))

    def table(self, form: Literal["text", "markdown", "csv", "latex"] = "text") -> str:
        """Table 1 as text. Raises InputError if `form` is none of the four."""
        table = self.summary
        forms = {"text": table.text, "markdown": table.markdown, "csv": table.csv, "latex": table.latex}
        if form not in forms:
            raise InputError(f"Expected the table's form to be one of {', '.join(forms)}, but got {form!r}.")
        return forms[form]()

    @cached_property
    def errors(self) -> Errors:
        """Why maps are missing: dataset, method, error and the number of images."""
        failed = self.per_image[self.per_image["error"].notna()]
        found = failed.groupby(["dataset", "method", "error"], sort=False).size().reset_index(name="images")
        return Errors(found)

    def __repr__(self) -> str:
        rows, methods = self.summary.rows, len(self.summary.methods)
        most = {name: max(row.images for row in rows if row.dataset == name) for name in self.summary.datasets}
        found = ", ".join(f"{name} ({images} image{'s' * (images != 1)})" for name, images in most.items())
        return f"<{type(self).__name__}: {self.setting}, {methods} methods on {found}>"

    @property
    def setting(self) -> str:
        """The network and its wall, in words."""
        return f"{self.run['model']} {'behind' if self.blind else 'NOT BLIND behind'} {self.wall}"

    def are_of(self, model: nn.Module) -> bool:
        """Whether the network that was evaluated had exactly these weights."""
        return bool(self.run.get("weights") == weights_hash(model))
