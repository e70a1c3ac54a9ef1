"""The dataset card: data, rendered through a template, from the manifest, the columns and the class names alone."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from datasets import ClassLabel, Features, Value
from huggingface_hub import DatasetCardData
from jinja2 import Environment, PackageLoader, StrictUndefined

from stackwalls.hub_cards.manifest import Manifest
from stackwalls.hub_cards.record import MEANINGS, stack_mix_features
from stackwalls.model import NUM_ANIMALS, InputError, Wall, class_names, find_class

DRAWN = "drawn"
"""The source of the procedural pictures: nobody else's data is in them."""

SIZE_CATEGORIES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
"""The Hub's size categories: the first whose bound lies above the number of rows."""

PAPER_URL = "https://arxiv.org/abs/2404.01964"


@dataclass(frozen=True)
class Licence:
    """The terms that the pictures carry.

    Attributes:
        identifier: the Hub's, in lower case, such as "cc-by-4.0"; "other" for terms of another name.
        name: the name of other terms.
        link: where those stand, a URL or a file in the folder.

    Raises:
        InputError: if other terms have no name.
    """

    identifier: str = "other"
    name: str = ""
    link: str = ""

    def __post_init__(self) -> None:
        if self.identifier == "other" and not self.name:
            raise InputError("A licence of another name needs that name: Licence('other', name=…, link=…).")
        if self.identifier != self.identifier.lower():
            raise InputError(f"Expected the Hub's licence identifier in lower case, but got {self.identifier!r}.")

    def to_dict(self) -> dict[str, str]:
        """The card's metadata."""
        fields = {"license": self.identifier, "license_name": self.name, "license_link": self.link}
        return {key: value for key, value in fields.items() if value}


def stack_mix_card(manifest: Manifest, first_row: Mapping[str, Any], licence: Licence | None = None) -> str:
    """The README.md of a STACK-MIX folder.

    Args:
        manifest: the folder's, with every file but the card.
        first_row: shown as the example.
        licence: the terms of the pictures; without them the card says that the pictures carry their source's.
    """
    features = stack_mix_features()
    spec = manifest.spec
    return _render(
        "stack_mix.md",
        metadata=_metadata(manifest, features, "STACK-MIX", licence),
        manifest=manifest,
        wall=Wall.parse(spec["wall"]),
        fields=[(name, _type_name(feature), MEANINGS[name]) for name, feature in features.items()],
        example={name: value for name, value in first_row.items() if name not in ("image", "label")},
        example_class=class_names()[first_row["label"]],
        classes=_named_classes(spec.get("classes")),
        command=regenerate_command(spec),
        licence=licence,
        drawn=spec["source"] == DRAWN,
        num_animals=NUM_ANIMALS,
        paper_url=PAPER_URL,
    )


CARDS: dict[str, Callable[[Manifest, dict[str, Any]], str]] = {"stack-mix": stack_mix_card}
"""The card of each kind of dataset that has one."""


def regenerate_command(spec: Mapping[str, Any]) -> str:
    """The command that makes the dataset of a STACK-MIX spec again, but for where the source lies."""
    source = str(spec["source"])
    if source != DRAWN and "/" not in source:  # one with a slash is an id on the Hub
        source = f"PATH/TO/{source}"
    classes = spec.get("classes")
    words = ["stackgen", "mix", "--source", source]
    if classes is not None:
        words += ["--classes", ",".join(map(str, classes)) if isinstance(classes, list) else str(classes)]
    words += ["--animals"] if spec.get("animals") else []
    words += ["--per-class", str(spec["per_class"]), "--seed", str(spec["seed"]), "--wall", str(spec["wall"])]
    words += ["--encoder", str(spec["encoder"])] if spec.get("encoder", "png") != "png" else []
    return shlex.join([*words, "--out", "stack-mix"])


def _render(template: str, **values: Any) -> str:
    environment = Environment(
        loader=PackageLoader("stackwalls.hub_cards"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the card is Markdown
    )
    environment.filters["cell"] = _table_cell
    return environment.get_template(template).render(**values)


def _metadata(manifest: Manifest, features: Features, name: str, licence: Licence | None) -> str:
    """The card's YAML front matter, without its fences."""
    rows = manifest.counts["kept"]
    stored = sum(manifest.files[path]["bytes"] for path in manifest.shards())
    unstated = Licence(name="terms-of-the-source")
    fields: dict[str, Any] = {
        "pretty_name": name,
        **(licence or unstated).to_dict(),
        "task_categories": ["image-classification"],
        "size_categories": [next((text for bound, text in SIZE_CATEGORIES if rows < bound), "n>1M")],
        "annotations_creators": ["machine-generated"],
        "source_datasets": ["original" if manifest.spec["source"] == DRAWN else "extended"],
        "tags": ["explainability", "saliency", "class-activation-map", "benchmark", "stackwalls"],
        "configs": [{"config_name": "default", "data_files": [{"split": "test", "path": "data/test-*.parquet"}]}],
        "dataset_info": {
            "features": features._to_yaml_list(),
            "splits": [{"name": "test", "num_bytes": stored, "num_examples": rows}],
            "download_size": stored,
            "dataset_size": stored,
        },
    }
    return DatasetCardData(**fields).to_yaml()


def _type_name(feature: Any) -> str:
    if isinstance(feature, ClassLabel):
        return f"ClassLabel ({feature.num_classes} names)"
    return str(feature.dtype) if isinstance(feature, Value) else type(feature).__name__


def _named_classes(classes: Any) -> list[str]:
    """Names of the classes that a spec lists; empty where it gives a number or none."""
    entries = map(find_class, classes) if isinstance(classes, list) else ()
    return [entry.name for entry in entries if entry is not None]


def _table_cell(text: Any) -> str:
    """Text that cannot break out of a Markdown table's cell of code."""
    return str(text).replace("|", "\\|").replace("`", "'").replace("\n", " ")
