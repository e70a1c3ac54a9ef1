"""From rows to a finished dataset folder: shards, rejected.parquet, the card and, last, the manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from stackwalls.hub_cards.cards.assets import draw_assets
from stackwalls.hub_cards.cards.dataset_card import render_dataset_card
from stackwalls.hub_cards.cards.facts import read_facts
from stackwalls.hub_cards.layout import CARD_NAME, REJECTED_NAME, clear_data_folder
from stackwalls.hub_cards.manifest import MANIFEST_NAME, Manifest
from stackwalls.hub_cards.record import REJECTED_SCHEMA
from stackwalls.hub_cards.shards import (
    DATA_FOLDER,
    SHARD_BYTES,
    regrouped,
    shard_name,
    write_parquet,
    write_shards,
)
from stackwalls.model import file_sha256
from stackwalls.model.files import put_in_place, sync_folder, whole_file, write_whole

Card = Callable[[Manifest, dict[str, Any]], str]
"""From the manifest (without the card's own entry) and the first row to the text of README.md."""


def finish_folder(
    folder: Path,
    draft: Manifest,
    batches: Callable[[], Iterable[pa.RecordBatch]],
    rejected: Iterable[Mapping[str, str]],
    card: Card | None,
    replaces: Manifest | None = None,
) -> Manifest:
    """Write the files of a finished folder; may be killed and repeated at any point.

    A finished set that is replaced stays whole until the new shards are on the disk under temporary names. Then its
    manifest goes first: at every moment the folder holds the old set or is unfinished.

    Args:
        folder: of an unfinished run; shards that a kill left there are replaced.
        draft: the manifest without files.
        batches: gives the rows in order; they may come in any division.
        rejected: the samples turned down, in order.
        card: makes README.md; by default the kind's own card, with its pictures.
        replaces: the manifest of the finished set that is there and gives way, if there is one.

    Returns:
        The manifest, which was written last.

    Raises:
        OSError: if the disk refuses.
    """
    rows = _write_data(folder, batches, replaces)
    count = _write_rejected(folder / REJECTED_NAME, rejected)
    files = {name: file_entry(folder / name) | {"rows": number} for name, number in rows.items()}
    files[REJECTED_NAME] = file_entry(folder / REJECTED_NAME) | {"rows": count}
    files |= _write_card(folder, replace(draft, files=dict(files)), card)
    manifest = replace(draft, files=files)
    write_whole(folder / MANIFEST_NAME, manifest.to_json().encode())
    return manifest


def _write_card(folder: Path, draft: Manifest, card: Card | None) -> dict[str, dict[str, Any]]:
    """README.md and, where it is the kind's own card, the pictures that it shows. Entries by name."""
    facts = read_facts(folder, draft)
    if card is not None:
        texts = {CARD_NAME: card(draft, dict(facts.rows[0])).encode()}
    else:
        texts = {**draw_assets(facts), CARD_NAME: render_dataset_card(facts).encode()}
    for name, content in texts.items():
        (folder / name).parent.mkdir(exist_ok=True)
        write_whole(folder / name, content)
    return {name: file_entry(folder / name) for name in texts}


def file_entry(path: Path) -> dict[str, Any]:
    """What the manifest says of a file: its SHA-256 and its size."""
    return {"sha256": file_sha256(path), "bytes": path.stat().st_size}


def _write_rejected(path: Path, rejected: Iterable[Mapping[str, str]]) -> int:
    table = pa.Table.from_pylist(list(rejected), schema=REJECTED_SCHEMA)
    with whole_file(path) as file:
        write_parquet(file, table)
    return int(table.num_rows)


def _write_data(
    folder: Path, batches: Callable[[], Iterable[pa.RecordBatch]], replaces: Manifest | None
) -> dict[str, int]:
    """The shards, which get their names when all of them are wholly on the disk. Rows by name."""
    data = folder / DATA_FOLDER
    data.mkdir(exist_ok=True)
    _clear(folder, replaces)
    try:
        shards = write_shards(regrouped(batches()), data, SHARD_BYTES)
        names = [shard_name(number, len(shards)) for number in range(len(shards))]
        if replaces is not None:
            _retire(folder, replaces)
        for name, shard in zip(names, shards, strict=True):
            put_in_place(shard.path, folder / name)
    except BaseException:
        with suppress(OSError):
            _clear(folder, replaces)
            data.rmdir()
        raise
    sync_folder(data)
    return {name: shard.rows for name, shard in zip(names, shards, strict=True)}


def _retire(folder: Path, replaces: Manifest) -> None:
    """Remove the set that is replaced, its manifest first: from there on the folder is an unfinished one."""
    (folder / MANIFEST_NAME).unlink(missing_ok=True)
    sync_folder(folder)
    for name in replaces.files:
        (folder / name).unlink(missing_ok=True)


def _clear(folder: Path, replaces: Manifest | None) -> None:
    """Remove what a kill left of shards; those of a set that is replaced stay while its manifest stands."""
    whole = replaces is not None and (folder / MANIFEST_NAME).exists()
    clear_data_folder(folder / DATA_FOLDER, shards=not whole)
