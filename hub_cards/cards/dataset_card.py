"""The card of a dataset folder, of either set or of a recipe: YAML and text, rendered by the template of its kind."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from datasets import ClassLabel, List, Value
from huggingface_hub import DatasetCardData
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from stackwalls.hub_cards.cards.facts import CardFacts, regenerate_command
from stackwalls.hub_cards.cards.license import License, license_of
from stackwalls.hub_cards.manifest import Manifest
from stackwalls.hub_cards.record import RECORDS, meanings
from stackwalls.model import NUM_ANIMALS, Transform

PAPER_URL = "https://arxiv.org/abs/2404.01964"

NAMES = {"stack-mix": "STACK-MIX", "stack-mix-recipe": "STACK-MIX recipe", "stack-gen": "STACK-GEN"}
"""The name of each kind of folder."""

_MOST_LISTED = 8
"""A list of at most this many entries is shown; of a longer one, the number of entries."""

_MOST_REASONS = 12
"""This many kinds of reasons are listed; the rest are counted."""

_SIZE_CATEGORIES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
"""The Hub's size categories: the first whose bound is above the number of rows."""

_MARKUP = re.compile(r"<(?=[A-Za-z/!?])|(?<=!)\[")

_LOST = "\x85\xa0"
"""Characters that YAML readers take for the end of a line or a space unless they are escaped."""

TAGS = ["explainability", "saliency", "class-activation-map", "benchmark", "stackwalls"]


def render_dataset_card(facts: CardFacts) -> str:
    """The README.md of a finished folder; the same facts give the same bytes.

    Raises:
        jinja2.UndefinedError: if the manifest lacks a value that the template of its kind uses.
    """
    manifest = facts.manifest
    license, features, row = license_of(facts), RECORDS[manifest.kind](manifest.classes), facts.rows[0]
    meaning = meanings(manifest.classes, manifest.wall.image_size)
    return render(
        f"{manifest.kind.replace('-', '_')}.md",
        metadata=Markup(_front_matter(facts, license)),  # noqa: S704 - YAML
        name=NAMES[manifest.kind],
        manifest=manifest,
        wall=manifest.wall,
        transform=_steps(manifest.transform),
        fields=[(name, type_name(feature), meaning[name]) for name, feature in features.items()],
        example={name: _shown(value) for name, value in row.items() if name not in ("image", "label")},
        example_class=manifest.classes.names[row["label"]],
        classes=_named_classes(manifest),
        settings=dict(flat({key: value for key, value in manifest.spec.items() if key != "classes"})),
        found=_found(manifest.inputs),
        reasons=facts.reasons[:_MOST_REASONS],
        other_reasons=sum(number for _, number in facts.reasons[_MOST_REASONS:]),
        shows_pixels="image" in features,
        command=regenerate_command(manifest),
        license=license,
        stated="licence" in manifest.inputs,
        drawn=facts.drawn,
        num_animals=NUM_ANIMALS,
    )


def render(template: str, **values: Any) -> str:
    """Render a template of `hub_cards/templates/`; jinja2.UndefinedError if it uses a value that is not given."""
    environment = Environment(
        loader=PackageLoader("stackwalls.hub_cards"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - a card is Markdown
        finalize=_without_markup,
    )
    # text that cannot break out of a table's cell of code
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("`", "'").replace("\n", " ")
    environment.filters["times_100"] = lambda value: "–" if value is None else f"{100 * value:.1f}"
    return environment.get_template(template).render(paper_url=PAPER_URL, **values)


def _without_markup(value: Any) -> Any:
    """A value as text of Markdown in which no tag and no image begins; what is `Markup` is a part of the card."""
    return value if isinstance(value, Markup) else _MARKUP.sub(lambda found: f"&#{ord(found[0])};", str(value))


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of a JSON value as (`recipe.learning_rate`, text); empty and null values are left out."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        elif isinstance(value, list | tuple):
            if value:
                yield f"{prefix}{key}", ", ".join(map(str, value))
        elif value is not None and value != "":
            yield f"{prefix}{key}", f"{value:g}" if isinstance(value, float) else str(value)


def _front_matter(facts: CardFacts, license: License | None) -> str:
    """The YAML without its fences; without a license if none is known, which `check_card` rejects."""
    manifest = facts.manifest
    original = manifest.kind == "stack-gen" or facts.drawn
    return dataset_metadata(manifest, NAMES[manifest.kind], license, "original" if original else "extended")


def dataset_metadata(manifest: Manifest, name: str, license: License | None, source: str) -> str:
    """The YAML of a dataset's card without its fences; `source` is "original", or "extended" if made from others."""
    features, rows = RECORDS[manifest.kind](manifest.classes), manifest.counts["kept"]
    stored = sum(manifest.files[path]["bytes"] for path in manifest.shards())
    fields: dict[str, Any] = {
        "pretty_name": name,
        **(license.to_dict() if license else {}),
        "task_categories": ["image-classification"],
        "size_categories": [next((text for bound, text in _SIZE_CATEGORIES if rows < bound), "n>1M")],
        "annotations_creators": ["machine-generated"],
        "source_datasets": [source],
        "tags": [*TAGS, manifest.kind],
        "configs": [{"config_name": "default", "data_files": [{"split": "test", "path": "data/test-*.parquet"}]}],
        "dataset_info": {
            "features": features._to_yaml_list(),
            "splits": [{"name": "test", "num_bytes": stored, "num_examples": rows}],
            "download_size": stored,
            "dataset_size": stored,
        },
    }
    data = DatasetCardData(**fields)
    if any(mark in name for name in manifest.classes.names for mark in _LOST):
        return str(yaml.safe_dump(data.to_dict(), sort_keys=False)).rstrip()  # type: ignore[no-untyped-call]
    return data.to_yaml()


def type_name(feature: Any) -> str:
    """The type of a column, for a card."""
    if isinstance(feature, ClassLabel):
        return f"ClassLabel ({feature.num_classes} names)"
    if isinstance(feature, List):
        return f"{feature.length} × {type_name(feature.feature)}"
    return str(feature.dtype) if isinstance(feature, Value) else type(feature).__name__


def _shown(value: Any) -> Any:
    """A value of a row for a reader, with six digits."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return ", ".join(str(_shown(item)) for item in value) if isinstance(value, list) else value


def _found(inputs: Mapping[str, Any]) -> dict[str, str]:
    """What a run found, with only the length of long lists."""
    short = {
        key: len(value) if isinstance(value, list) and len(value) > _MOST_LISTED else value
        for key, value in inputs.items()
        if key != "licence"
    }
    return dict(flat(short))


def _steps(transform: Transform) -> str:
    """`resize the shorter side to 256 pixels, crop the central 224 x 224`; bilinear if it is not said."""
    sides = "both sides" if transform.squash else "the shorter side"
    kind = "" if transform.interpolation == "bilinear" else f" ({transform.interpolation})"
    crop = f"crop the central {transform.size} x {transform.size}"
    return f"resize {sides} to {transform.resize} pixels{kind}, {crop}"


def _named_classes(manifest: Manifest) -> list[str]:
    """Names of the classes that a spec lists; empty if it gives a number or nothing."""
    classes = manifest.spec.get("classes")
    found = map(manifest.classes.find, classes) if isinstance(classes, list) else ()
    return [manifest.classes.names[index] for index in found if index is not None]
