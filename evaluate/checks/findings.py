"""Checks beyond mu on a dataset: twins, the step at which the leak appears, and EigenCAM's signs."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from tqdm import tqdm

from stackwalls.evaluate.adapters import named_methods
from stackwalls.evaluate.checks.leak_diagnostics import STAGES
from stackwalls.evaluate.checks.twin_rows import MakeRows, Task, with_donors
from stackwalls.evaluate.metrics import is_signed
from stackwalls.evaluate.report.formatting import aligned, csv_text, markdown_table, markdown_text, percent, times_100
from stackwalls.evaluate.run.provenance import DRAWINGS, images_are, wall_kind_note
from stackwalls.evaluate.subject import Subject
from stackwalls.evaluate.target_layer import split_at
from stackwalls.hub_cards import StackDataset, open_dataset
from stackwalls.model import (
    Cluster,
    Failure,
    InputError,
    Layer,
    Wall,
    check_output_folder,
    disk_errors,
    require_certificate,
    write_whole,
)

FINDINGS_NAME = "findings.json"
"""Written last."""

_NAMES = {"findings.md", "findings.csv", FINDINGS_NAME}


@dataclass(frozen=True, eq=False)
class Findings:
    """What `beyond_mu` found.

    `per_image` has one row per image and method: `target` (see `LogitClasses.number`) and `target_class`, number and
    name of the class that the network predicts and the maps explain; `raw_drift` and `map_drift` (see `seen_change`),
    `mu_…` after each of `STAGES`, `same_logits` (whether the twin has exactly the same), `error` if there is no map.
    """

    per_image: pd.DataFrame
    about: Mapping[str, Any]  # network, dataset, images, wall, seed
    certificate: Mapping[str, Any]  # as Certificate.to_dict gives it
    wall: Wall

    def __post_init__(self) -> None:
        columns = ["image_id", "target", "target_class", "same_logits", "method", "raw_drift", "map_drift"]
        columns += [*(f"mu_{stage}" for stage in STAGES), "error"]
        object.__setattr__(self, "per_image", self.per_image.reindex(columns=columns))

    def records(self) -> list[dict[str, Any]]:
        """One dict per method: means of mu by stage, medians of the drifts, the share of exact zeros, failures."""
        return [_record(str(method), rows) for method, rows in self.per_image.groupby("method", sort=False)]

    def to_dict(self) -> dict[str, Any]:
        """The setting, `records` and the certificate."""
        return {"about": dict(self.about), "methods": self.records(), "certificate": dict(self.certificate)}

    def lines(self) -> list[list[str]]:
        """The table's cells, mu and drift × 100; the first line is the heading."""
        lines = [["method", *STAGES, "raw drift", "= 0", "map drift", "n"]]
        for record in self.records():
            stages = [times_100(record[f"mu_{stage}"]) for stage in STAGES]
            drifts = [times_100(record["raw_drift"]), percent(record["unmoved"]), times_100(record["map_drift"])]
            lines.append([record["method"], *stages, *drifts, str(record["n"])])
        return lines

    def text(self) -> str:
        """For a terminal."""
        return "\n".join([*aligned(self.lines(), left=1), "", *self.legend()]) + "\n"

    def markdown(self) -> str:
        """As a GitHub table."""
        return (
            f"{markdown_table(self.lines())}\n\n"
            + "\n".join(f"- {markdown_text(line)}" for line in self.legend())
            + "\n"
        )

    def legend(self) -> list[str]:
        """What the columns mean, and what failed."""
        first = self.per_image.drop_duplicates("image_id")
        same = int(first["same_logits"].sum())
        lines = [
            f"{self.about['model']} behind {self.wall} on {self.about['images']} images of {self.about['dataset']}, "
            f"seed {self.about['seed']}; {same} of {len(first)} twins have bit-identical logits.",
            f"{', '.join(STAGES)}: mean mu × 100 after each step from the raw map to the one that is shown; a uniform "
            f"map has {times_100(self.wall.chance)}.",
            "raw drift, map drift: median change × 100 of the map's visible part when another image is placed behind "
            "the wall, before and after normalization and upsampling. = 0: share of raw maps whose visible part did "
            "not change at all.",
        ]
        lines.append(wall_kind_note(self.about["wall_kind"]))
        if self.about.get("images_are") == "drawings":
            lines.append(DRAWINGS.format(self.about["dataset"]))
        failed = self.per_image[self.per_image["error"].notna()]
        return lines + [f"{row.method} failed: {row.error}" for row in failed.drop_duplicates("method").itertuples()]

    def save(self, folder: str | Path) -> None:
        """Write findings.md, findings.csv (the rows) and findings.json (table, certificate, setting), each whole.

        Raises:
            InputError: if the folder contains other files.
            RunError: if writing to the disk fails.
        """
        folder = check_findings_folder(folder)
        finite = json.loads(json.dumps(self.to_dict()), parse_constant=lambda _: None)  # JSON has no NaN
        with disk_errors(folder, resumes=False):
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / "findings.csv", csv_text(self.per_image, missing="").encode())
            write_whole(folder / "findings.md", self.markdown().encode())
            write_whole(folder / FINDINGS_NAME, (json.dumps(finite, indent=2) + "\n").encode())


def check_findings_folder(folder: str | Path) -> Path:
    """The folder, if findings may be written to it: new, empty, or with older findings; otherwise an `InputError`."""
    folder = Path(folder)
    check_output_folder(folder, _NAMES, "the findings")
    return folder


def beyond_mu(
    model: torch.nn.Module,
    dataset: Any,
    methods: Any = None,
    *,
    wall: Wall | None = None,
    target_layer: torch.nn.Module | None = None,
    layer: Layer | None = None,
    batch_size: int = 8,
    limit: int | None = None,
    seed: int = 0,
    progress: bool = True,
    strict: bool = False,
    cluster: Cluster | None = None,
) -> Findings:
    """Measure twin drift, the leak's origin and EigenCAM's signs on a network that is blind behind a wall.

    The twin of an image has the dead zone of the next image in the dataset (the last one that of the first). Both are
    explained for the class that the network predicts, which is the same.

    Args:
        model: a `BlindModel`, or any module if `wall` and `target_layer` are given.
        dataset: as `evaluate` takes one.
        methods: as `evaluate` takes them; the seven by default.
        wall: the dead zone; the model's own by default.
        target_layer: the module whose output is the map; the model's own by default.
        layer: instead of `target_layer`: a block's number or a module's name (see `LayeredModel.explain_at`).
        batch_size: images per forward pass.
        limit: only the first `limit` images.
        seed: of the certificate's noise and of methods that draw random numbers.
        progress: whether to show a progress bar on stderr.
        strict: whether negative values in a method's first maps end it, instead of failing image by image.
        cluster: make the maps there; the model is copied to the workers.

    Raises:
        InputError: if there are fewer than two images, an argument is out of range, or `strict` and a map is signed.
        NotBlindError: if the model is not blind behind the wall.
    """
    source = dataset if isinstance(dataset, StackDataset) else open_dataset(dataset)
    with split_at(model, layer):
        subject = Subject.of(model, wall, target_layer if layer is None else layer)
        return _findings(subject, source, named_methods(methods), batch_size, limit, seed, progress, strict, cluster)


def _findings(
    subject: Subject,
    source: StackDataset,
    methods: Mapping[str, object],
    batch_size: int,
    limit: int | None,
    seed: int,
    progress: bool,
    strict: bool,
    cluster: Cluster | None,
) -> Findings:
    count = len(source) if limit is None else min(limit, len(source))
    if count < 2:
        raise InputError(f"A twin takes its dead zone from another image, but there is only {count}: name more.")
    subject.check_fits(source)
    make = MakeRows(subject, methods, seed)
    work = make()  # also says what is wrong with a method
    certificate = require_certificate(subject.model, subject.wall, seed)
    rows: dict[int, list[dict[str, Any]]] = {}
    with tqdm(total=count, unit="image", disable=not progress) as bar:
        batches = source.batches(batch_size, None, "auto", subject.transform)
        tasks = ((number, *pair) for number, pair in enumerate(with_donors(batches, count)))
        results: Iterator[tuple[Task, list[dict[str, Any]] | Failure]] = ((task, work(task)) for task in tasks)
        if cluster is not None:  # the subject without what was cached
            results = cluster.results(replace(make, subject=replace(subject), device=cluster.device), tasks)
        for (number, batch, _), found in results:
            rows[number] = make.failed(batch, found.reason) if isinstance(found, Failure) else found
            signed = next((row for row in rows[number] if is_signed(row.get("error"))), None)
            if strict and signed and number == 0:
                raise InputError(f"{signed['method']} on {signed['image_id']}: {signed['error']}.")
            bar.update(len(batch))
    about = {"model": subject.name, "dataset": source.name, "images": count, "seed": seed}
    about |= {"wall": str(subject.wall), "wall_kind": certificate.wall_kind}
    if manifest := source.manifest:
        about["images_are"] = images_are(manifest.kind, manifest.spec)
    in_order = [row for _, found in sorted(rows.items()) for row in found]
    return Findings(pd.DataFrame(in_order), about, certificate.to_dict(), subject.wall)


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
