"""A finished set, class by class, while some of its pairs are replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stackwalls.hub_cards import Decision, RowReader
from stackwalls.model import RunError, imagenet_classes
from stackwalls.stackmix.class_rows import ClassRows, class_item
from stackwalls.stackmix.mix_plan import MixPlan
from stackwalls.stackmix.turned_down import TurnedDownPair

PROVENANCE = ("image_id", "top_source", "bottom_source", "top_sha256", "bottom_sha256")


class FormerSet:
    """The rows and the rejected samples of the set in `folder`, which `plan` describes.

    Raises:
        InputError: if it is not finished.
        RunError: if it cannot be read.
    """

    def __init__(self, folder: Path, plan: MixPlan) -> None:
        self.rows = RowReader(folder)
        columns = self.rows.columns("image_id", "label")
        self._ids: list[str] = columns["image_id"]
        self._numbers: dict[int, list[int]] = {}
        for number, label in enumerate(columns["label"]):
            self._numbers.setdefault(label, []).append(number)
        self._rejected = _by_class(self.rows.rejected(), plan)
        self._redone = {pair.synset for pair in plan.spec.redone}

    def pairs(self, decided: Mapping[str, Decision]) -> tuple[TurnedDownPair, ...]:
        """The pairs of the rows that `decided` names, in the order of the rows."""
        pairs = []
        for number, image_id in enumerate(self._ids):
            if image_id in decided:
                row = self.rows[number]
                comment = decided[image_id].comment
                pairs.append(TurnedDownPair(image_id, row["top_source"], row["bottom_source"], comment))
        return tuple(pairs)

    def class_rows(self, index: int) -> ClassRows:
        """A class as it stands."""
        rows = [self.rows[number] for number in self._numbers.get(index, ())]
        usable = bool(rows) or imagenet_classes()[index].synset in self._redone
        return ClassRows(index, rows, self._rejected.get(index, []), usable)

    def merged(self, made: ClassRows, redone: set[str]) -> ClassRows:
        """A class that was made again, with every row but those of `redone` as it stands.

        Raises:
            RunError: if such a row would be made of other pictures now.
        """
        former = {row["image_id"]: row for row in self.class_rows(made.index).rows}
        stay = [image_id for image_id in former if image_id not in redone]
        again = {row["image_id"]: row for row in made.rows}
        for image_id in stay:
            now = again.get(image_id)
            if now is None or any(now[name] != former[image_id][name] for name in PROVENANCE):
                raise RunError(
                    f"The pictures of {class_item(made.index)} are not those that the set was made from: {image_id} "
                    "would be made of other files now. Bring the former ones back; the set stands as it was."
                )
        return replace(made, rows=[row if name in redone else former[name] for name, row in again.items()])


def _by_class(rejected: Sequence[dict[str, str]], plan: MixPlan) -> dict[int, list[dict[str, Any]]]:
    """The entries of rejected.parquet by class: they stand in the order of the plan's classes."""
    found: dict[int, list[dict[str, Any]]] = {}
    pairs: dict[str, set[str]] = {}
    for pair in plan.spec.redone:
        pairs.setdefault(pair.synset, set()).add(pair.item)
    place = 0
    for index in plan.order:
        if place == len(rejected):
            break
        own = {*plan.index[index], class_item(index), *pairs.get(imagenet_classes()[index].synset, ())}
        while place < len(rejected) and rejected[place]["item"] in own:
            found.setdefault(index, []).append(rejected[place])
            place += 1
    if place < len(rejected):
        raise RunError(
            f"rejected.parquet lists {rejected[place]['item']!r}, which belongs to no class of the set: "
            "`stackgen verify` says what is wrong with it."
        )
    return found
