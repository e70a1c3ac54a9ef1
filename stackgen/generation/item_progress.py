"""When an item is done: one attempt was kept, or as many as allowed were turned down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stackwalls.hub_cards import Decision, ItemRecord

REVIEWED = "turned down in review"
"""How the reason of an image begins that a person turned down."""


def is_done(record: ItemRecord, attempts: int) -> bool:
    """Whether nothing more is to be tried for an item.

    After an image was turned down in review there are as many attempts again.
    """
    if record.row is not None:
        return True
    reviewed = [number for number, reason in enumerate(record.rejected) if reason.startswith(REVIEWED)]
    return len(record.rejected) >= attempts + (reviewed[-1] + 1 if reviewed else 0)


def after_review(record: ItemRecord, decisions: Mapping[str, Decision]) -> ItemRecord:
    """The record without its row where the picture in it was turned down; the comment becomes the reason.

    Args:
        record: with a row, whose image is known by its SHA-256.
        decisions: by image id; a decision is about one picture, and says nothing of a later one.
    """
    decision = decisions.get(record.image_id)
    if record.row is None or decision is None or not decision.rejected:
        return record
    if decision.picture_sha256 != record.row["image"]["sha256"]:
        return record
    return record.turned_down(f"{REVIEWED}: {decision.comment}" if decision.comment else REVIEWED)


def summarise(records: Iterator[ItemRecord], attempts: int) -> dict[str, Any] | None:
    """The manifest's inputs, or None while an item is not done.

    Returns:
        "attempts" that were made, "given_up" (ids of the images that are missing), "turned_down" in review, and the
        "devices" that drew.
    """
    made = turned_down = 0
    given_up: list[str] = []
    devices: set[str] = set()
    for record in records:
        if not is_done(record, attempts):
            return None
        made += len(record.rejected) + (record.row is not None)
        turned_down += sum(reason.startswith(REVIEWED) for reason in record.rejected)
        given_up += [record.image_id] if record.row is None else []
        devices.update(record.devices)
    return {"attempts": made, "given_up": given_up, "turned_down": turned_down, "devices": sorted(devices)}
