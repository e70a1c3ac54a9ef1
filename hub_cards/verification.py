"""`verify`: whether a dataset folder is what its manifest says, in every byte, row, column and image."""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from datasets import DatasetInfo

from stackwalls.hub_cards.cards.card_check import card_metadata, read_card
from stackwalls.hub_cards.layout import CARD_NAME, REJECTED_NAME, open_parquet, read_groups, shard_name, unknown_files
from stackwalls.hub_cards.manifest import BOARD_KIND, FOLDER_KINDS, KINDS, MANIFEST_NAME, Manifest
from stackwalls.hub_cards.record import RECORDS, REJECTED_SCHEMA, row_fault
from stackwalls.hub_cards.writing.run_store import WORK_NAME
from stackwalls.model import InputError, RunError, file_sha256, first_line
from stackwalls.model.images.decoding import BrokenImageError, load_image

MOST_ROWS_NAMED = 10
"""This many wrong rows of a shard are named; the others are counted."""

FORMATS = {"png": "PNG", "webp": "WEBP"}
"""The spec's `encoder` → Pillow's name of the file format."""


def verify(path: str | Path) -> list[str]:
    """Check a folder that has a manifest: hashes, sizes, shards, row counts, columns, images, and unknown files.

    Returns:
        The problems, one sentence each; empty if there are none.

    Raises:
        InputError: if `path` is not a folder.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}: name a dataset folder.")
    if not (folder / MANIFEST_NAME).is_file():
        if (folder / WORK_NAME).is_dir():
            return [f"The folder is unfinished (it has {WORK_NAME}): repeat the command that makes it."]
        return [f"{MANIFEST_NAME} is missing: this is not a finished dataset folder."]
    try:
        manifest = Manifest.read(folder, FOLDER_KINDS)
    except InputError as error:
        return [str(error)]
    if manifest.kind == BOARD_KIND:  # it has no rows
        return list(_file_problems(folder, manifest))
    return [*_file_problems(folder, manifest), *_row_problems(folder, manifest), *_card_problems(folder, manifest)]


def _file_problems(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Missing, changed and unknown files; an incomplete series of shards."""
    for name, entry in sorted(manifest.files.items()):
        path = folder / name
        if not path.is_file():
            yield f"{name} is missing."
        elif path.stat().st_size != entry["bytes"]:
            yield f"{name} has {path.stat().st_size} bytes instead of {entry['bytes']}."
        elif file_sha256(path) != entry["sha256"]:
            yield f"{name} was changed: its SHA-256 is not the manifest's."
    for name in unknown_files(folder, {MANIFEST_NAME, *manifest.files}):
        yield f"{name} is not in the manifest."
    shards = manifest.shards()
    series = [shard_name(number, len(shards)) for number in range(len(shards))]
    if manifest.kind != BOARD_KIND and (shards != series or not shards):
        yield f"The manifest's shards are not a complete series: {', '.join(shards) or 'there are none'}."


def _row_problems(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Row counts, columns and images of the existing shards, and of rejected.parquet."""
    columns, shards = RECORDS[manifest.kind](manifest.classes).arrow_schema, manifest.shards()
    counts: list[int] = []
    ids: set[str] = set()
    for name in shards:
        count = yield from _table_problems(folder, name, manifest.files[name].get("rows"), columns)
        if count is not None:
            counts.append(count)
        if count is not None and manifest.kind in KINDS:
            yield from _image_problems(folder / name, name, manifest, ids)
    if len(counts) == len(shards) and sum(counts) != manifest.counts["kept"]:
        yield f"The shards have {sum(counts)} rows, but by the manifest {manifest.counts['kept']} were kept."
    yield from _table_problems(folder, REJECTED_NAME, manifest.counts["rejected"], REJECTED_SCHEMA)


def _table_problems(folder: Path, name: str, rows: int | None, columns: pa.Schema) -> Generator[str, None, int | None]:
    """Compare a Parquet file's footer; returns its row count, None if the file is missing or cannot be read."""
    if not (folder / name).is_file():
        return None
    try:
        with open_parquet(folder / name) as file:
            metadata, schema = file.metadata, file.schema_arrow
    except RunError as error:
        yield f"{name} is not a Parquet file: {error.__cause__}."
        return None
    if metadata.num_rows != rows:
        yield f"{name} has {metadata.num_rows} rows, but the manifest says {rows}."
    if not schema.equals(columns):
        yield f"{name} has the columns {_columns(schema)} instead of {_columns(columns)}."
        return None
    if schema.metadata != columns.metadata:  # not `check_metadata`: Parquet has its own name for list elements
        yield f"{name} has other features in its metadata than such a file of this package."
    return int(metadata.num_rows)


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in schema)


def _image_problems(path: Path, name: str, manifest: Manifest, ids: set[str]) -> Iterator[str]:
    """Wrong rows of a shard; `ids` are those seen so far."""
    number = wrong = 0
    try:
        for batch in read_groups([path]):
            for row in batch.to_pylist():
                problem = _row_problem(row, manifest, ids)
                if problem and (wrong := wrong + 1) <= MOST_ROWS_NAMED:
                    yield f"{name}, row {number} ({row.get('image_id')}): {problem}."
                number += 1
    except RunError as error:
        yield f"{name} cannot be read from row {number} on: {error.__cause__}."
    if wrong > MOST_ROWS_NAMED:
        yield f"{name}: {wrong - MOST_ROWS_NAMED} more rows are wrong."


def _row_problem(row: dict[str, Any], manifest: Manifest, ids: set[str]) -> str | None:
    if fault := row_fault(row.get("image_id"), row.get("label"), manifest.classes, ids):
        return f"it has {fault}"
    if "image" not in row:
        return None
    try:
        image = load_image((row.get("image") or {}).get("bytes") or b"")
    except BrokenImageError as error:
        return f"its image cannot be decoded ({error})"
    found = (image.format, image.mode, image.size)
    expected = FORMATS.get(manifest.spec.get("encoder", ""), found[0])
    side = manifest.wall.image_size
    if found != (expected, "RGB", (side, side)):
        size = f"{found[2][0]} x {found[2][1]}"
        return f"its image is {found[0]} {found[1]} {size} instead of {expected} RGB {side} x {side}"
    return None


def _card_problems(folder: Path, manifest: Manifest) -> Iterator[str]:
    """The columns and row count that the card states, if the card itself is unchanged."""
    path, entry = folder / CARD_NAME, manifest.files.get(CARD_NAME)
    if entry is None or not path.is_file() or path.stat().st_size != entry["bytes"]:
        return
    if file_sha256(path) != entry["sha256"]:
        return
    try:
        info = card_metadata(read_card(path), "dataset").get("dataset_info")
    except InputError as error:
        yield str(error)
        return
    if not isinstance(info, dict):
        yield f"{CARD_NAME} has no dataset_info."
        return
    try:
        described = DatasetInfo._from_yaml_dict(info)
    except Exception as error:  # of any kind, on what is no description of a dataset
        yield f"{CARD_NAME} has a dataset_info that does not describe a dataset ({first_line(error)})."
        return
    rows = {name: split.num_examples for name, split in (described.splits or {}).items()}
    if rows != {"test": manifest.counts["kept"]}:
        yield f"{CARD_NAME} states the rows {rows} instead of {{'test': {manifest.counts['kept']}}}."
    if described.features != RECORDS[manifest.kind](manifest.classes):
        yield f"{CARD_NAME} states other features than a {manifest.kind} folder has."
