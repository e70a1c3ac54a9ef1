"""The card of a dataset folder, of either set or of a recipe: data, rendered through a template of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datasets import ClassLabel, List, Value

from stackwalls.hub_cards.cards.facts import CardFacts
from stackwalls.hub_cards.cards.front_matter import front_matter
from stackwalls.hub_cards.cards.licence import licence_of
from stackwalls.hub_cards.cards.regeneration import regenerate_command
from stackwalls.hub_cards.cards.rendering import flat, render
from stackwalls.hub_cards.record import MEANINGS, RECORDS
from stackwalls.model import NUM_ANIMALS, class_names, find_class

NAMES = {"stack-mix": "STACK-MIX", "stack-mix-recipe": "STACK-MIX recipe", "stack-gen": "STACK-GEN"}
"""How people call each kind of folder."""

MOST_LISTED = 8
"""Entries of a list that are named; of a longer one the number is given."""

MOST_REASONS = 12
"""Kinds of reasons that are listed; the rest are counted."""


def render_dataset_card(facts: CardFacts) -> str:
    """The README.md of a finished folder; the same facts give the same bytes.

    Raises:
        jinja2.UndefinedError: if the manifest lacks what its kind's card says.
    """
    manifest = facts.manifest
    licence = licence_of(facts)
    features = RECORDS[manifest.kind]()
    row = facts.rows[0]
    return render(
        f"{manifest.kind.replace('-', '_')}.md",
        metadata=front_matter(facts, NAMES[manifest.kind], licence),
        name=NAMES[manifest.kind],
        manifest=manifest,
        wall=manifest.wall,
        fields=[(name, _type_name(feature), MEANINGS[name]) for name, feature in features.items()],
        example={name: _shown(value) for name, value in row.items() if name not in ("image", "label")},
        example_class=class_names()[row["label"]],
        classes=_named_classes(manifest.spec.get("classes")),
        settings=dict(flat({key: value for key, value in manifest.spec.items() if key != "classes"})),
        found=_found(manifest.inputs),
        reasons=facts.reasons[:MOST_REASONS],
        other_reasons=sum(number for _, number in facts.reasons[MOST_REASONS:]),
        shows_pixels="image" in features,
        command=regenerate_command(manifest),
        licence=licence,
        stated="licence" in manifest.inputs,
        drawn=facts.drawn,
        num_animals=NUM_ANIMALS,
    )


def _type_name(feature: Any) -> str:
    if isinstance(feature, ClassLabel):
        return f"ClassLabel ({feature.num_classes} names)"
    if isinstance(feature, List):
        return f"{feature.length} × {_type_name(feature.feature)}"
    return str(feature.dtype) if isinstance(feature, Value) else type(feature).__name__


def _shown(value: Any) -> Any:
    """A value of a row for a reader: six digits are enough."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return ", ".join(str(_shown(item)) for item in value) if isinstance(value, list) else value


def _found(inputs: Mapping[str, Any]) -> dict[str, str]:
    """What a run found: of long lists the length only."""
    short = {
        key: len(value) if isinstance(value, list) and len(value) > MOST_LISTED else value
        for key, value in inputs.items()
        if key != "licence"
    }
    return dict(flat(short))


def _named_classes(classes: Any) -> list[str]:
    """Names of the classes that a spec lists; empty where it gives a number or none."""
    entries = map(find_class, classes) if isinstance(classes, list) else ()
    return [entry.name for entry in entries if entry is not None]
