"""Results of an evaluation as a dataset to publish: per-image rows, certificate, scores and card, without any pixel."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stackwalls.evaluate.leaderboard.score import scores_of
from stackwalls.evaluate.leaderboard.score_files import scores_json
from stackwalls.evaluate.measurements import Measurements, json_bytes
from stackwalls.evaluate.results import Results
from stackwalls.evaluate.run.measuring import ROW_SCHEMA, TIMINGS, check_rows
from stackwalls.evaluate.run.provenance import RUN_SCHEMA
from stackwalls.evaluate.run.samples import gather
from stackwalls.hub_cards import RESULTS_KIND, License, Manifest, results_features, seal_folder
from stackwalls.hub_cards.layout import (
    CARD_NAME,
    CERTIFICATE_NAME,
    DATA_FOLDER,
    SCORES_NAME,
    check_present,
    file_entry,
    open_parquet,
    shard_name,
)
from stackwalls.hub_cards.manifest import MANIFEST_FORMAT, MANIFEST_NAME, check_publishable
from stackwalls.model import InputError, check_output_folder, disk_errors, file_sha256, whole_file, write_whole
from stackwalls.model.documents import checked, read_json
from stackwalls.model.networks.proof.certificate import CERTIFICATE_SCHEMA

_OURS = {CARD_NAME, CERTIFICATE_NAME, DATA_FOLDER, MANIFEST_NAME, SCORES_NAME}
_PRIVATE = ("versions", "provenance")
"""Keys of a run that the manifest has elsewhere, or that name folders of this machine."""


def publish_results(results: Results, out: str | Path, license: License | None = None) -> Path:
    """Write what may be published of results: rows, certificate, scores, card, manifest; the manifest last.

    The report, the figures and the samples show pixels of the images, and are left out whatever the images' license.

    Args:
        results: of a network that passed its certificate.
        out: new, empty, or with published results, which are replaced.
        license: of the numbers; without one the folder cannot be published.

    Raises:
        InputError: if the network is not certified, a text must not be published, or the folder holds other files.
        RunError: if the disk refuses.
    """
    folder = Path(out)
    if not (results.blind and results.certificate["passed"]):
        raise InputError(
            f"{results.run['model']} did not pass its certificate, and only results of certified networks are "
            "published: its maps may rightly be lit behind the wall."
        )
    rows = results.rows.drop_columns(TIMINGS).cast(results_features().arrow_schema)
    check_publishable({name: rows[name].unique().to_pylist() for name in ("dataset", "image_id", "error")})
    run = {key: value for key, value in results.run.items() if key not in _PRIVATE} | {"wall_kind": results.wall_kind}
    inputs = {"certificate_sha256": results.certificate_sha256} | ({"licence": str(license)} if license else {})
    counts = {"requested": rows.num_rows, "kept": rows.num_rows, "rejected": 0}
    spec = {"wall": str(results.wall), "run": run, "notes": list(results.summary.notes)}
    draft = Manifest(MANIFEST_FORMAT, RESULTS_KIND, spec, dict(results.run["versions"]), inputs, counts, {})
    check_output_folder(folder, _OURS, "the published results")
    with disk_errors(folder, resumes=False):
        (folder / DATA_FOLDER).mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST_NAME).unlink(missing_ok=True)
        with whole_file(folder / shard_name(0, 1)) as file:
            pq.write_table(rows, file)
        write_whole(folder / CERTIFICATE_NAME, json_bytes(results.certificate))
        write_whole(folder / SCORES_NAME, scores_json(scores_of(results)).encode())
        files = {name: file_entry(folder / name) for name in (CERTIFICATE_NAME, SCORES_NAME, shard_name(0, 1))}
        files[shard_name(0, 1)]["rows"] = rows.num_rows
        seal_folder(folder, replace(draft, files=files))
    return folder


def read_published(folder: str | Path) -> Measurements:
    """Read what `publish_results` wrote, here or after a download; it has no samples.

    Raises:
        InputError: if it is something else, or a file was changed.
    """
    folder = Path(folder)
    if not (folder / MANIFEST_NAME).is_file():
        raise InputError(
            f"{folder} does not hold published results (no {MANIFEST_NAME}): write them with `stackgen publish RESULTS "
            "--out DIR`."
        )
    manifest = Manifest.read(folder, [RESULTS_KIND])
    check_present(folder, manifest)
    if changed := [name for name, entry in manifest.files.items() if file_sha256(folder / name) != entry["sha256"]]:
        raise InputError(f"{changed[0]} in {folder} was changed: its SHA-256 is not the manifest's.")
    try:
        run: dict[str, Any] = checked(
            {**manifest.spec["run"], "versions": manifest.versions, "provenance": {}}, RUN_SCHEMA
        )
    except ValueError as error:
        raise InputError(f"The manifest of {folder} does not describe an evaluation: {error}.") from error
    certificate = read_json(folder / CERTIFICATE_NAME, CERTIFICATE_SCHEMA)
    parts = []
    for name in manifest.shards():
        with open_parquet(folder / name, results_features().arrow_schema) as file:
            parts.append(file.read())
    rows = pa.concat_tables(parts)
    rows = rows.append_column(TIMINGS, pa.nulls(rows.num_rows, pa.float64())).select(ROW_SCHEMA.names).cast(ROW_SCHEMA)
    check_rows(rows, run["datasets"])
    methods = rows["method"].unique().to_pylist()
    return Measurements(run, certificate, rows, gather([], methods, run["wall"]["image_size"]))
