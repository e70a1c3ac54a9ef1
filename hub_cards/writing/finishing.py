"""From rows to a finished dataset folder: shards, rejected.parquet, the card and, last, the manifest.

The bytes of a Parquet file depend on its rows alone, not on how the rows came in.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stackwalls.hub_cards.cards.assets import draw_assets
from stackwalls.hub_cards.cards.dataset_card import render_dataset_card
from stackwalls.hub_cards.cards.facts import read_facts
from stackwalls.hub_cards.layout import CARD_NAME, DATA_FOLDER, REJECTED_NAME, SHARD, file_entry, shard_name
from stackwalls.hub_cards.manifest import MANIFEST_NAME, Manifest
from stackwalls.hub_cards.record import REJECTED_SCHEMA
from stackwalls.model.files import (
    is_temporary,
    new_file,
    put_in_place,
    sync_folder,
    temporary_path,
    whole_file,
    write_whole,
)

ROWS_PER_GROUP = 100
"""Rows of a row group: what a viewer or a stream reads at once (15 MB of images at most)."""

SHARD_BYTES = 480_000_000
"""A new shard is started before this size, to stay under the 500 MB that the Hub's tools recommend."""

Card = Callable[[Manifest, dict[str, Any]], str]
"""From the manifest (without the card's own entry) and the first row to the text of README.md."""


def finish_folder(
    folder: Path,
    draft: Manifest,
    batches: Iterable[pa.RecordBatch],
    rejected: Iterable[Mapping[str, str]],
    card: Card | None,
) -> None:
    """Write the files of a finished folder, the manifest last; may be killed and repeated at any point.

    Args:
        folder: of an unfinished run, or of a finished set that is replaced.
        draft: the manifest without files.
        batches: the rows in order, in batches of any size.
        rejected: in order.
        card: makes README.md; by default the kind's own card, with its images.
    """
    rows = _write_data(folder, batches)
    rows[REJECTED_NAME] = _write_rejected(folder / REJECTED_NAME, rejected)
    files = {name: file_entry(folder / name) | {"rows": number} for name, number in rows.items()}
    files |= _write_card(folder, replace(draft, files=dict(files)), card)
    write_whole(folder / MANIFEST_NAME, replace(draft, files=files).to_json().encode())


def _write_data(folder: Path, batches: Iterable[pa.RecordBatch]) -> dict[str, int]:
    """Write the shards, which get their names when all of them are on the disk; rows by name.

    A finished set that is replaced stays whole until then. Its manifest is removed first: at every moment the folder
    holds the old set or is unfinished.
    """
    data, rows = folder / DATA_FOLDER, {}
    data.mkdir(exist_ok=True)
    replaced = Manifest.read(folder).files if (folder / MANIFEST_NAME).is_file() else {}
    _clear(folder)
    try:
        shards = write_shards(regrouped(batches), data, SHARD_BYTES)
        if replaced:
            (folder / MANIFEST_NAME).unlink()
            sync_folder(folder)
        for name in replaced:
            (folder / name).unlink(missing_ok=True)
        for number, (path, count) in enumerate(shards):
            name = shard_name(number, len(shards))
            put_in_place(path, folder / name)
            rows[name] = count
    except BaseException:
        with suppress(OSError):
            _clear(folder)
            data.rmdir()
        raise
    sync_folder(data)
    return rows


def _clear(folder: Path) -> None:
    """Remove what a kill left in the data folder: temporary files, and shards unless they are a finished set's."""
    finished = (folder / MANIFEST_NAME).exists()
    for path in (folder / DATA_FOLDER).iterdir():
        if is_temporary(path) or (not finished and SHARD.fullmatch(f"{DATA_FOLDER}/{path.name}")):
            path.unlink()


def regrouped(batches: Iterable[pa.RecordBatch], size: int = ROWS_PER_GROUP) -> Iterator[pa.Table]:
    """The same rows in tables of exactly `size` rows (the last one may be shorter), each in one piece."""
    held: pa.Table | None = None
    for batch in filter(len, batches):
        table = pa.Table.from_batches([batch])
        held = table if held is None else pa.concat_tables([held, table])
        while held.num_rows >= size:
            yield held.slice(0, size).combine_chunks()
            held = held.slice(size)
    if held is not None and held.num_rows:
        yield held.combine_chunks()


def write_shards(tables: Iterable[pa.Table], folder: Path, limit: int) -> list[tuple[Path, int]]:
    """Write tables, each as one row group, to shards of less than `limit` bytes; their temporary names and rows.

    A single table larger than the limit makes a larger shard.
    """
    shards: list[tuple[Path, int]] = []
    waiting = next(iterator := iter(tables), None)
    while waiting is not None:
        path, rows = temporary_path(folder / f"test-{len(shards):05d}.parquet"), 0
        with new_file(path) as file, _open_writer(file, waiting.schema) as writer:
            while waiting is not None and (not rows or file.tell() + _image_bytes(waiting) < limit):
                writer.write_table(waiting, row_group_size=ROWS_PER_GROUP)
                rows += waiting.num_rows
                waiting = next(iterator, None)
        shards.append((path, rows))
    return shards


def write_parquet(file: BinaryIO, table: pa.Table) -> None:
    """Write one table in row groups of `ROWS_PER_GROUP`."""
    with _open_writer(file, table.schema) as writer:
        writer.write_table(table, row_group_size=ROWS_PER_GROUP)


def _open_writer(file: BinaryIO, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer with the settings of every file here; dictionaries would store images twice."""
    return pq.ParquetWriter(file, schema, compression="snappy", use_dictionary=False, store_schema=True)


def _image_bytes(table: pa.Table) -> int:
    """Bytes of the encoded images in a table, nearly all of what it takes on the disk; for a recipe, of all columns."""
    if "image" not in table.column_names:
        return int(table.nbytes)
    sizes: Any = pc.binary_length(pc.struct_field(table["image"], "bytes"))
    return int(pc.sum(sizes).as_py() or 0)


def _write_rejected(path: Path, rejected: Iterable[Mapping[str, str]]) -> int:
    table = pa.Table.from_pylist(list(rejected), schema=REJECTED_SCHEMA)
    with whole_file(path) as file:
        write_parquet(file, table)
    return int(table.num_rows)


def _write_card(folder: Path, draft: Manifest, card: Card | None) -> dict[str, dict[str, Any]]:
    """README.md and, for the kind's own card, the images that it shows. Entries by name."""
    facts = read_facts(folder, draft)
    text = render_dataset_card(facts) if card is None else card(draft, dict(facts.rows[0]))
    texts = {**({} if card else draw_assets(facts)), CARD_NAME: text.encode()}
    for name, content in texts.items():
        (folder / name).parent.mkdir(exist_ok=True)
        write_whole(folder / name, content)
    return {name: file_entry(folder / name) for name in texts}
