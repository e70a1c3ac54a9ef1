"""Whether a dataset folder is what its manifest says: every byte, row, column and picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import DatasetInfo
from huggingface_hub import DatasetCard

from stackwalls.hub_cards.layout import CARD_NAME, NOT_OURS, REJECTED_NAME
from stackwalls.hub_cards.manifest import MANIFEST_NAME, Manifest
from stackwalls.hub_cards.parts import WORK_NAME
from stackwalls.hub_cards.record import RECORDS, REJECTED_SCHEMA
from stackwalls.hub_cards.shards import read_groups, shard_name
from stackwalls.model import IMAGE_SIZE, InputError, class_names, file_sha256
from stackwalls.model.images.decoding import BrokenImageError, load_image

MOST_ROWS_NAMED = 10
"""Rows of one shard that are named one by one; the others are counted."""

FORMATS = {"png": "PNG", "webp": "WEBP"}
"""The spec's `encoder` and Pillow's name of the file format."""


def verify(path: str | Path) -> list[str]:
    """Check a dataset folder: every hash and size, shards, row counts, columns and pictures; no unknown file.

    Returns:
        What is wrong, one sentence each; empty where nothing is.

    Raises:
        InputError: if `path` is no folder.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}: name a dataset folder.")
    if not (folder / MANIFEST_NAME).is_file():
        if (folder / WORK_NAME).is_dir():
            return [f"The folder is unfinished: it has {WORK_NAME} and no {MANIFEST_NAME}; make it again to go on."]
        return [f"{MANIFEST_NAME} is missing: this is no finished dataset folder."]
    try:
        manifest = Manifest.read(folder)
    except InputError as error:
        return [str(error)]
    return [*_file_problems(folder, manifest), *_row_problems(folder, manifest), *_card_problems(folder, manifest)]


def _file_problems(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Missing, changed and unknown files; a series of shards with a hole."""
    for name, entry in sorted(manifest.files.items()):
        path = folder / name
        if not path.is_file():
            yield f"{name} is missing."
        elif path.stat().st_size != entry["bytes"]:
            yield f"{name} has {path.stat().st_size} bytes instead of {entry['bytes']}."
        elif file_sha256(path) != entry["sha256"]:
            yield f"{name} was changed: its SHA-256 is not the manifest's."
    for name in _unknown_files(folder, manifest):
        yield f"{name} is not in the manifest."
    shards = manifest.shards()
    if shards != [shard_name(number, len(shards)) for number in range(len(shards))] or not shards:
        yield f"The manifest's shards are no whole series: {', '.join(shards) or 'there is none'}."


def _unknown_files(folder: Path, manifest: Manifest) -> Iterator[str]:
    known = {MANIFEST_NAME, *manifest.files}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if relative.parts[0] == WORK_NAME:
            continue  # the set is being extended or redone; it stays whole until that is done
        if not NOT_OURS.isdisjoint(relative.parts) or (path.is_dir() and not path.is_symlink()):
            continue
        if relative.as_posix() not in known:
            yield relative.as_posix()


def _row_problems(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Row counts, columns and pictures of the shards that are there, and of rejected.parquet."""
    columns = RECORDS[manifest.kind]().arrow_schema
    rows: list[int] = []
    ids: set[str] = set()
    for name in manifest.shards():
        path = folder / name
        read, problem = _read_footer(path)
        if read is None:
            yield from [f"{name} {problem}."] if path.is_file() else []
            continue
        count, schema = read
        rows.append(count)
        if count != manifest.files[name].get("rows"):
            yield f"{name} has {count} rows, but the manifest says {manifest.files[name].get('rows')}."
        if not schema.equals(columns):
            yield f"{name} has the columns {_columns(schema)} instead of {_columns(columns)}."
        elif schema.metadata != columns.metadata:  # not `check_metadata`: Parquet has its own name for list elements
            yield f"{name} tells `datasets` of other features than those of a {manifest.kind} folder."
        yield from _picture_problems(path, name, manifest, ids)
    if len(rows) == len(manifest.shards()) and sum(rows) != manifest.counts["kept"]:
        yield f"The shards have {sum(rows)} rows, but the manifest says that {manifest.counts['kept']} were kept."
    yield from _rejected_problems(folder / REJECTED_NAME, manifest)


def _read_footer(path: Path) -> tuple[tuple[int, pa.Schema] | None, str]:
    """Row count and schema of a Parquet file, or the reason why it cannot be read."""
    try:
        metadata = pq.read_metadata(path)
        return (metadata.num_rows, metadata.schema.to_arrow_schema()), ""
    except (pa.ArrowException, OSError, ValueError) as error:
        return None, f"cannot be read as Parquet: {error}"


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in schema)


def _picture_problems(path: Path, name: str, manifest: Manifest, ids: set[str]) -> Iterator[str]:
    """Rows of a shard that are wrong in themselves; `ids` are those met so far."""
    number = wrong = 0
    try:
        for batch in read_groups([path]):
            for row in batch.to_pylist():
                problem = _row_problem(row, manifest, ids)
                if problem and (wrong := wrong + 1) <= MOST_ROWS_NAMED:
                    yield f"{name}, row {number} ({row.get('image_id')}): {problem}."
                number += 1
    except (pa.ArrowException, OSError, ValueError) as error:
        yield f"{name} cannot be read from row {number} on: {error}."
    if wrong > MOST_ROWS_NAMED:
        yield f"{name}: {wrong - MOST_ROWS_NAMED} more rows are wrong."


def _row_problem(row: dict[str, Any], manifest: Manifest, ids: set[str]) -> str | None:
    image_id, label = row.get("image_id"), row.get("label")
    if not image_id or image_id in ids:
        return f"its image_id {image_id!r} is empty or stands twice"
    ids.add(image_id)
    if not isinstance(label, int) or not 0 <= label < len(class_names()):
        return f"its label {label!r} is no class"
    if "image" not in row:
        return None
    try:
        picture = load_image((row.get("image") or {}).get("bytes") or b"")
    except BrokenImageError as error:
        return f"its picture cannot be decoded ({error})"
    found = (picture.format, picture.mode, picture.size)
    expected = FORMATS.get(manifest.spec.get("encoder", ""), found[0])
    if found != (expected, "RGB", (IMAGE_SIZE, IMAGE_SIZE)):
        size = f"{found[2][0]} x {found[2][1]}"
        return f"its picture is {found[0]} {found[1]} {size} instead of {expected} RGB {IMAGE_SIZE} x {IMAGE_SIZE}"
    return None


def _rejected_problems(path: Path, manifest: Manifest) -> Iterator[str]:
    read, problem = _read_footer(path)
    if read is None:
        yield from [f"{REJECTED_NAME} {problem}."] if path.is_file() else []
        return
    count, schema = read
    if not schema.equals(REJECTED_SCHEMA):
        yield f"{REJECTED_NAME} has the columns {schema.names} instead of {REJECTED_SCHEMA.names}."
    if count != manifest.counts["rejected"]:
        yield f"{REJECTED_NAME} has {count} rows, but by the manifest {manifest.counts['rejected']} were rejected."


def _card_problems(folder: Path, manifest: Manifest) -> Iterator[str]:
    """The card's own columns and row count, where there is a card that is as it was written."""
    path, entry = folder / CARD_NAME, manifest.files.get(CARD_NAME)
    if entry is None or not path.is_file() or file_sha256(path) != entry["sha256"]:
        return
    info = DatasetCard(path.read_text(encoding="utf-8")).data.get("dataset_info")
    if not isinstance(info, dict):
        yield f"{CARD_NAME} has no dataset_info."
        return
    described = DatasetInfo._from_yaml_dict(info)
    rows = {name: split.num_examples for name, split in (described.splits or {}).items()}
    if rows != {"test": manifest.counts["kept"]}:
        yield f"{CARD_NAME} tells of the rows {rows} instead of {{'test': {manifest.counts['kept']}}}."
    if described.features != RECORDS[manifest.kind]():
        yield f"{CARD_NAME} tells of other features than those of a {manifest.kind} folder."
