"""The results folder: written whole, loaded again, with table, figures and report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from stackwalls.evaluate.classes import ClassNames
from stackwalls.evaluate.measurements import Measurements, json_bytes
from stackwalls.evaluate.report.comparison import BaselineComparison
from stackwalls.evaluate.report.figures import overlays
from stackwalls.evaluate.report.headline import headline
from stackwalls.evaluate.report.page import COMPARISON_NAMES, RENDERED, render, render_summary
from stackwalls.evaluate.run.measuring import ROW_SCHEMA, TIMINGS, check_rows
from stackwalls.evaluate.run.provenance import RUN_FORMAT, RUN_SCHEMA
from stackwalls.evaluate.run.samples import Samples
from stackwalls.hub_cards.layout import CERTIFICATE_NAME
from stackwalls.model import (
    InputError,
    Wall,
    check_output_folder,
    disk_errors,
    first_line,
    whole_file,
    write_whole,
)
from stackwalls.model.documents import read_json
from stackwalls.model.files import regular_file
from stackwalls.model.networks.proof.certificate import CERTIFICATE_SCHEMA

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RUN_NAME = "run.json"
"""Removed first, written last: a folder that has it is complete."""

ROWS_NAME, _TIMINGS_NAME, _SAMPLES_NAME = "per_image.parquet", "timings.parquet", "samples.npz"
_OURS = {RUN_NAME, ROWS_NAME, _TIMINGS_NAME, _SAMPLES_NAME, CERTIFICATE_NAME, *RENDERED, "leaderboard.html"}
"""Including the page that `stackgen leaderboard` writes next to results by default."""


_KEYS = ["dataset", "image_id", "method"]  # of a row, in both files


class Results(Measurements):
    """What an evaluation found: its measurements, and what people look at."""

    def report_text(self) -> str:
        """For a terminal: Table 1 with what a reader must know, the result in a sentence, why maps are missing."""
        failures = [
            f"{dataset}, {method}, {images} images: {error}"
            for dataset, method, error, images in self.errors.itertuples(index=False, name=None)
        ]
        said = headline(self.summary, self.run["model"], self.blind)
        return "\n".join([self.table(), said, *failures])

    def _repr_html_(self) -> str:
        """For a notebook."""
        return render_summary(self)

    def plot(self, dataset: str | None = None, images: int = 6) -> Figure:
        """The paper's Figure 7: the first images of one dataset (by default the first one) with their maps.

        Raises:
            InputError: if there is no dataset of this name.
        """
        known = self.summary.datasets
        if dataset is not None and dataset not in known:
            raise InputError(f"There are no results on {dataset!r}: expected one of {', '.join(known)}.")
        samples = self.samples.of(dataset or known[0])
        return overlays(samples.at(range(min(images, len(samples)))), self.wall, self.names)

    def compare(self, baseline: Measurements) -> BaselineComparison:
        """This network minus another on the same images, method by method, with intervals and tests.

        Raises:
            InputError: if the walls differ, or they have no image and method in common.
        """
        return BaselineComparison.of(self, baseline)

    render = render  # as a method: results.render(folder, …)

    def save(self, folder: str | Path, overwrite: bool = False, pdf: bool = False) -> None:
        """Write rows, certificate, samples, tables, figures and report, each file whole, `run.json` last.

        Args:
            folder: new, empty, or with results that may be overwritten.
            overwrite: whether existing results may be replaced.
            pdf: whether to write the figures as PDF too.

        Raises:
            InputError: if the folder contains other files, or results and not `overwrite`.
            RunError: if writing to the disk fails.
        """
        folder = Path(folder)
        check_folder(folder, overwrite)
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for name in (RUN_NAME, *COMPARISON_NAMES):  # an old comparison does not describe these results
                (folder / name).unlink(missing_ok=True)
            timings = self.rows.select(["dataset", "image_id", "method", TIMINGS])
            for name, table in ((ROWS_NAME, self.rows.drop_columns(TIMINGS)), (_TIMINGS_NAME, timings)):
                with whole_file(folder / name) as file:
                    pq.write_table(table, file)
            with whole_file(folder / _SAMPLES_NAME) as file:
                self.samples.write(file)
            write_whole(folder / CERTIFICATE_NAME, json_bytes(self.certificate))
            self.render(folder, pdf)
            write_whole(folder / RUN_NAME, json_bytes(self.run))

    @classmethod
    def load(cls, folder: str | Path) -> Results:
        """Read what `save` wrote.

        Raises:
            InputError: if the folder has no finished results, or they are damaged.
        """
        folder = Path(folder)
        if not (folder / RUN_NAME).is_file():
            raise InputError(
                f"{folder} has no finished results (no {RUN_NAME}): expected a folder that `stackgen evaluate` wrote."
            )
        try:
            run = read_json(folder / RUN_NAME)
            if (there := run.get("format")) != RUN_FORMAT and type(there) is int:
                raise InputError(
                    f"They have format {there}, but this version reads {RUN_FORMAT}: evaluate again, or use the "
                    "version that wrote them."
                )
            run = read_json(folder / RUN_NAME, RUN_SCHEMA)
            certificate = read_json(folder / CERTIFICATE_NAME, CERTIFICATE_SCHEMA)
            walls = [run["wall"]["wall"], *(dataset["wall"] for dataset in run["datasets"] if dataset["wall"])]
            for wall in walls:
                Wall.parse(wall, run["wall"]["image_size"])
            rows, samples = _rows(folder), Samples.read(folder / _SAMPLES_NAME)
            check_rows(rows, run["datasets"])
            samples.check({dataset["name"]: ClassNames.of(run, dataset) for dataset in run["datasets"]})
        except InputError as error:
            raise InputError(f"Cannot use the results in {folder}: {error}") from error
        return cls(run, certificate, rows, samples)


def _rows(folder: Path) -> pa.Table:
    """The per-image rows with their timings."""
    try:
        rows, timings = (pq.read_table(regular_file(folder / name)) for name in (ROWS_NAME, _TIMINGS_NAME))
        if not rows.select(_KEYS).equals(timings.select(_KEYS)):
            raise ValueError("they are of different rows")
        return rows.append_column(TIMINGS, timings[TIMINGS]).select(ROW_SCHEMA.names).cast(ROW_SCHEMA)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise InputError(f"{ROWS_NAME} or {_TIMINGS_NAME} cannot be read: {first_line(error)}.") from error


def check_folder(folder: Path, overwrite: bool = False) -> None:
    """Raise InputError if a folder contains other files, or results and not `overwrite`; only reads."""
    check_output_folder(folder, _OURS, "the results")
    if (folder / RUN_NAME).exists() and not overwrite:
        raise InputError(
            f"{folder} already contains finished results of other arguments, data or methods: choose another "
            "folder, or replace them (--overwrite). To add a method, name those of the results too."
        )


def run_in(folder: Path) -> dict[str, Any] | None:
    """What `run.json` says of the finished results in a folder; None if there are none."""
    try:
        found: dict[str, Any] = read_json(folder / RUN_NAME, RUN_SCHEMA)
    except InputError:
        return None
    return found if found["format"] == RUN_FORMAT else None


def fingerprint_in(folder: Path) -> str | None:
    """The fingerprint of the run whose finished results are in a folder (see `SharedRun`); None if there are none."""
    found = (run_in(folder) or {}).get("fingerprint")
    return str(found) if found else None
