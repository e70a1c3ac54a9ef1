"""What an evaluation found: per-image rows, Table 1, certificate, samples; saved as a folder and loaded again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from stackwalls.evaluate.report.headline import headline
from stackwalls.evaluate.report.rendered import COMPARISON_NAMES, RENDERED
from stackwalls.evaluate.report.table import Table
from stackwalls.evaluate.rows import ROW_SCHEMA, TIMINGS, as_frame
from stackwalls.evaluate.run.identity import weights_hash
from stackwalls.evaluate.run.provenance import RUN_FORMAT, notes
from stackwalls.evaluate.run.samples import Samples
from stackwalls.model import InputError, Wall, check_output_folder, disk_errors, whole_file, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn

    from stackwalls.evaluate.report.baseline_comparison import BaselineComparison

RUN_NAME = "run.json"
"""Written last, removed first: a folder that has it is whole."""

_ROWS_NAME, _TIMINGS_NAME, _SAMPLES_NAME = "per_image.parquet", "timings.parquet", "samples.npz"
_CERTIFICATE_NAME = "certificate.json"
_OURS = {RUN_NAME, _ROWS_NAME, _TIMINGS_NAME, _SAMPLES_NAME, _CERTIFICATE_NAME, *RENDERED, "leaderboard.html"}
"""With the page that `stackgen leaderboard` writes beside results by default."""


_RUN_KEYS = ("format", "model", "wall", "datasets", "spec", "versions", "provenance", "method_notes")


@dataclass(frozen=True, eq=False)
class Results:
    """What an evaluation found.

    Attributes:
        run: what was run on what (see `provenance.describe_run`).
        certificate: the blindness certificate, as `Certificate.to_dict` gives it.
        rows: the per-image rows as an Arrow table, `rows.ROW_SCHEMA`.
        samples: images of each dataset with their maps, all or 100 at equal distances.
    """

    run: Mapping[str, Any]
    certificate: Mapping[str, Any]
    rows: pa.Table
    samples: Samples

    @cached_property
    def per_image(self) -> pd.DataFrame:
        """One row a dataset, image and method: mu and its company, prediction, seconds, error (`rows.ROW_SCHEMA`)."""
        return as_frame(self.rows)

    @property
    def wall(self) -> Wall:
        """The wall by which the maps were judged."""
        wall = self.run["wall"]
        return Wall.parse(wall["wall"], wall["image_size"])

    @cached_property
    def summary(self) -> Table:
        """Table 1 with its numbers."""
        return Table.of(self.per_image, self.wall.chance)

    def table(self, form: Literal["text", "markdown", "csv"] = "text") -> str:
        """Table 1 as text.

        Raises:
            InputError: if `form` is none of the three.
        """
        forms = {"text": self.summary.text, "markdown": self.summary.markdown, "csv": self.summary.csv}
        if form not in forms:
            raise InputError(f"Expected the table's form to be one of {', '.join(forms)}, but got {form!r}.")
        return forms[form]()

    @property
    def blind(self) -> bool:
        """Whether the network is proven blind; False for a baseline, which sees the band."""
        return bool(self.run.get("blind", True))

    def are_of(self, model: nn.Module) -> bool:
        """Whether the network that was evaluated had these weights, to the bit."""
        return bool(self.run.get("weights") == weights_hash(model))

    def plot(self, dataset: str | None = None, images: int = 6) -> Figure:
        """The paper's Figure 7 for one dataset (the first by default): its first images, overlays, the wall.

        Raises:
            InputError: if there is no dataset of this name.
        """
        from stackwalls.evaluate.report.figures import overlays

        known = self.summary.datasets
        if dataset is not None and dataset not in known:
            raise InputError(f"There are no results on {dataset!r}: expected one of {', '.join(known)}.")
        samples = self.samples.of(dataset or known[0])
        return overlays(samples.at(range(min(images, len(samples)))), self.wall)

    def compare(self, baseline: Results) -> BaselineComparison:
        """This network minus another on the same images, method by method, with intervals and tests.

        Raises:
            InputError: if the walls differ, or they have no image and method in common.
        """
        from stackwalls.evaluate.report.baseline_comparison import BaselineComparison

        return BaselineComparison.of(self, baseline)

    def report_text(self) -> str:
        """For a terminal: Table 1, the result in a sentence, what a reader must be told, why maps are missing."""
        failures = [
            f"{error['dataset']}, {error['method']}, {error['images']} images: {error['error']}"
            for error in self.errors().to_dict("records")
        ]
        said = headline(self.summary, self.run["model"], self.blind)
        return "\n".join([self.table(), said, *notes(self.run), *failures])

    def errors(self) -> pd.DataFrame:
        """Why there is no map: dataset, method, error and how many images."""
        failed = self.per_image[self.per_image["error"].notna()]
        return failed.groupby(["dataset", "method", "error"], sort=False).size().reset_index(name="images")

    def save(self, folder: str | Path, overwrite: bool = False, pdf: bool = False) -> None:
        """Write rows, tables, certificate, figures and report, each file whole, `run.json` last.

        Args:
            folder: new or empty, or results that may be overwritten.
            overwrite: whether results that are there already may be replaced.
            pdf: whether to write the figures as PDF too.

        Raises:
            InputError: if the folder holds something else, or results and not `overwrite`.
            RunError: if the disk refuses.
        """
        folder = claim_folder(Path(folder), overwrite)
        with disk_errors(folder):
            for name in (RUN_NAME, *COMPARISON_NAMES):  # a comparison of former results
                (folder / name).unlink(missing_ok=True)
            _write_table(folder / _ROWS_NAME, self.rows.drop_columns(TIMINGS))
            _write_table(folder / _TIMINGS_NAME, self.rows.select(["dataset", "image_id", "method", TIMINGS]))
            with whole_file(folder / _SAMPLES_NAME) as file:
                self.samples.write(file)
            write_whole(folder / _CERTIFICATE_NAME, _json(self.certificate))
            self.render(folder, pdf)
            write_whole(folder / RUN_NAME, _json(self.run))

    def render(
        self,
        folder: Path,
        pdf: bool = False,
        method: str | None = None,
        comparison: BaselineComparison | None = None,
        sections: Mapping[str, str] | None = None,
    ) -> None:
        """Write what follows from the rest: tables, figures and report; arguments and errors as of `rendering`'s."""
        from stackwalls.evaluate.report.rendering import render

        render(self, folder, pdf, method, comparison, sections)

    @classmethod
    def load(cls, folder: str | Path) -> Results:
        """Read what `save` wrote.

        Raises:
            InputError: if the folder holds no finished results, or they are damaged.
        """
        folder = Path(folder)
        if not (folder / RUN_NAME).is_file():
            raise InputError(
                f"{folder} holds no finished results (no {RUN_NAME}): expected a folder that `stackgen evaluate` wrote."
            )
        try:
            run = json.loads((folder / RUN_NAME).read_text(encoding="utf-8"))
            certificate = json.loads((folder / _CERTIFICATE_NAME).read_text(encoding="utf-8"))
            rows = pq.read_table(folder / _ROWS_NAME)
            seconds = pq.read_table(folder / _TIMINGS_NAME)[TIMINGS]
            table = rows.append_column(TIMINGS, seconds).select(ROW_SCHEMA.names).cast(ROW_SCHEMA)
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            raise InputError(f"The results in {folder} are damaged: {error}") from error
        for name, content, needed in ((RUN_NAME, run, _RUN_KEYS), (_CERTIFICATE_NAME, certificate, ("passed",))):
            if not isinstance(content, dict):
                raise InputError(f"The results in {folder} are damaged: {name} is no JSON object.")
            if missing := [key for key in needed if key not in content]:
                raise InputError(f"The results in {folder} are damaged: {name} lacks {', '.join(missing)}.")
        if run["format"] != RUN_FORMAT:
            raise InputError(
                f"The results in {folder} have format {run['format']}, but this version reads {RUN_FORMAT}: "
                "evaluate again, or use the version that wrote them."
            )
        return cls(run, certificate, table, Samples.read(folder / _SAMPLES_NAME))


def check_folder(folder: Path, overwrite: bool = False) -> None:
    """Make sure that results may be written to a folder; reads, and touches nothing.

    Raises:
        InputError: if it holds something else, or results and not `overwrite`.
    """
    check_output_folder(folder, _OURS, "the results")
    if (folder / RUN_NAME).exists() and not overwrite:
        raise InputError(
            f"{folder} holds finished results already, of other arguments, data or methods: choose another folder, or "
            "say that they may be replaced (--overwrite)."
        )


def fingerprint_in(folder: Path) -> str | None:
    """Which run made the finished results in a folder (see `unfinished`); None where there are none, or older ones."""
    try:
        found = json.loads((folder / RUN_NAME).read_bytes()).get("fingerprint")
    except (OSError, ValueError, AttributeError):
        return None
    return str(found) if found else None


def claim_folder(folder: Path, overwrite: bool = False) -> Path:
    """`check_folder`, and make the folder, so that a disk that refuses does so before anything is computed.

    Raises:
        InputError: as `check_folder`.
        RunError: if it cannot be made.
    """
    check_folder(folder, overwrite)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write_table(path: Path, table: pa.Table) -> None:
    with whole_file(path) as file:
        pq.write_table(table, file)


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
