"""A licence for a dataset folder that is finished: its card and its manifest are written again, nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from stackwalls.hub_cards.cards.dataset_card import render_dataset_card
from stackwalls.hub_cards.cards.facts import FIRST_ROWS, CardFacts
from stackwalls.hub_cards.layout import CARD_NAME, REJECTED_NAME, check_present
from stackwalls.hub_cards.manifest import MANIFEST_NAME, Manifest
from stackwalls.hub_cards.shards import read_groups
from stackwalls.model import file_sha256
from stackwalls.model.files import disk_errors, write_whole

if TYPE_CHECKING:
    from stackwalls.hub_cards.cards.licence import Licence


def state_licence(folder: Path, licence: Licence) -> Manifest:
    """State the licence of a finished dataset folder, in its manifest and on its card.

    The rows stay as they are. A kill between the two files leaves a card that `verify` names; the same call again
    puts it right.

    Raises:
        InputError: if the folder is no finished one.
        RunError: if the disk refuses.
    """
    manifest = Manifest.read(folder)
    others = {name: entry for name, entry in manifest.files.items() if name != CARD_NAME}
    draft = replace(manifest, inputs=manifest.inputs | {"licence": str(licence)}, files=others)
    check_present(folder, draft)
    facts = read_facts(folder, draft)
    with disk_errors(folder):
        write_whole(folder / CARD_NAME, render_dataset_card(facts).encode())
        path = folder / CARD_NAME
        card = {CARD_NAME: {"sha256": file_sha256(path), "bytes": path.stat().st_size}}
        stated = replace(draft, files=others | card)
        write_whole(folder / MANIFEST_NAME, stated.to_json().encode())
    return stated


def read_facts(folder: Path, manifest: Manifest) -> CardFacts:
    """What the card of a folder is made from; its shards and rejected.parquet must be there."""
    first = next(read_groups([folder / manifest.shards()[0]]))
    reasons = pq.read_table(folder / REJECTED_NAME, columns=["reason"]).column(0).to_pylist()
    return CardFacts.of(manifest, first.slice(0, FIRST_ROWS).to_pylist(), reasons)
