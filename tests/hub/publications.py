"""Folders to publish, and publishing them in this process."""

from pathlib import Path
from typing import Any

from dataset_maker import contents, make_row, open_writer
from huggingface_hub import HfApi

from stackwalls.hub_cards import Manifest
from stackwalls.hub_cards.publishing import Patience, Published, PublishSpec, plan_publication, publish

AT_ONCE = Patience(wait=0)
"""Tries as often as a user's run, without waiting."""


def small_card(manifest: Manifest, row: dict[str, Any]) -> str:
    """A card that the Hub takes and that takes no time: 1000 class names take a third of a second to read."""
    return f"""---
license: apache-2.0
task_categories: [image-classification]
size_categories: [n<1K]
source_datasets: [original]
annotations_creators: [machine-generated]
tags: [saliency]
configs:
- config_name: default
  data_files: [{{split: test, path: data/test-*.parquet}}]
dataset_info:
  features: [{{name: image_id, dtype: string}}]
  splits: [{{name: test, num_examples: {manifest.counts["kept"]}}}]
---
Seed {manifest.spec["seed"]}, from {row["image_id"]} on.
"""


def drawn(
    path: Path, rows: int = 12, part: int = 100, *, photos: bool = False, card: Any = small_card, **spec: Any
) -> Path:
    """A STACK-MIX folder of drawn pictures, by their ids; `seed=` makes another.

    Args:
        photos: the ids are those of files, as of a folder of photos.
        card: of `FolderWriter.finish`.
    """
    with open_writer(path, **({"source": "drawn"} | spec)) as writer:
        for start in range(0, rows, part):
            made = [make_row(number) for number in range(start, min(rows, start + part))]
            for row in () if photos else made:
                row |= dict.fromkeys(("top_source", "bottom_source"), f"drawn/n01440764/{row['label']:06d}")
            writer.write_part(made, [{"item": "bad.JPEG", "reason": "broken"}] if not start else [], {})
        writer.finish(requested=rows + 1, inputs={"index_sha256": "0" * 64}, card=card)
    return path


def put(folder: Path, name: str, api: HfApi | None = None, patience: Patience = AT_ONCE, **asked: Any) -> Published:
    """Plan and publish, as the command does with --yes."""
    plan = plan_publication(PublishSpec(str(folder), name, **asked), api, patience)
    return publish(plan, api, patience)


def published(folder: Path) -> dict[str, bytes]:
    """What the Hub should hold of a folder without anything else in it."""
    return contents(folder)
