"""The YAML of a dataset's card: what the Hub, its viewer and `datasets` read."""

from __future__ import annotations

from typing import Any

from huggingface_hub import DatasetCardData

from stackwalls.hub_cards.cards.facts import CardFacts
from stackwalls.hub_cards.cards.licence import Licence
from stackwalls.hub_cards.record import RECORDS

SIZE_CATEGORIES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
"""The Hub's size categories: the first whose bound lies above the number of rows."""

_TAGS = ["explainability", "saliency", "class-activation-map", "benchmark", "stackwalls"]


def front_matter(facts: CardFacts, name: str, licence: Licence | None) -> str:
    """The YAML without its fences; without a licence where none is known, which `check_card` refuses to publish."""
    manifest = facts.manifest
    features, rows = RECORDS[manifest.kind](), manifest.counts["kept"]
    stored = sum(manifest.files[path]["bytes"] for path in manifest.shards())
    original = manifest.kind == "stack-gen" or facts.drawn
    fields: dict[str, Any] = {
        "pretty_name": name,
        **(licence.to_dict() if licence else {}),
        "task_categories": ["image-classification"],
        "size_categories": [next((text for bound, text in SIZE_CATEGORIES if rows < bound), "n>1M")],
        "annotations_creators": ["machine-generated"],
        "source_datasets": ["original" if original else "extended"],
        "tags": [*_TAGS, manifest.kind],
        "configs": [{"config_name": "default", "data_files": [{"split": "test", "path": "data/test-*.parquet"}]}],
        "dataset_info": {
            "features": features._to_yaml_list(),
            "splits": [{"name": "test", "num_bytes": stored, "num_examples": rows}],
            "download_size": stored,
            "dataset_size": stored,
        },
    }
    return DatasetCardData(**fields).to_yaml()
