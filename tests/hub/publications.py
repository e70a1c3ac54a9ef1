"""Folders to publish, and publishing them, in this process or in one of its own."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, NamedTuple

from card_cases import STACK_GEN, gen_row
from dataset_maker import contents, make_row, open_writer
from loopback_hub import LoopbackHub

from stackwalls.hub_cards import FolderWriter, Manifest
from stackwalls.hub_cards.publishing.plan import Plan, PublishSpec, plan_publication
from stackwalls.hub_cards.publishing.upload import publish

Client = Callable[..., CompletedProcess[str]]
"""The fixture `client`: code in a process of its own, with the Hub's clients as they are."""

PUBLISH = ("-m", "stackwalls.stackgen", "publish")


class Published(NamedTuple):
    """What was planned, and the commit that holds the folder now."""

    plan: Plan
    commit: str


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
            entries = [{"item": "bad.JPEG", "reason": "broken"}] if not start else []
            writer.write(f"{start:06d}", made, entries)
        writer.finish(requested=rows + 1, inputs={"index_sha256": "0" * 64}, card=card)
    return path


def generated(path: Path, rows: int = 3) -> Path:
    """A STACK-GEN folder with its own card, of the same pictures as `drawn`."""
    with FolderWriter.open(path, kind="stack-gen", spec=STACK_GEN.spec) as writer:
        made = [gen_row(number) for number in range(rows)]
        writer.write("all", made)
        writer.finish(requested=rows, inputs={"attempts": rows, "given_up": [], "turned_down": 0, "devices": ["cuda"]})
    return path


def put(folder: Path, name: str, **asked: Any) -> Published:
    """Plan and publish, as the command does with --yes."""
    plan = plan_publication(PublishSpec(str(folder), name, **asked))
    return Published(plan, publish(plan))


def begun(hub: LoopbackHub, tmp_path: Path, xet: bool, *words: str) -> subprocess.Popen[bytes]:
    """`stackgen publish …` in a process of its own, which is not waited for."""
    return subprocess.Popen(
        [sys.executable, *PUBLISH, *words],
        env=hub.environment(tmp_path / "home", xet=xet),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def published(folder: Path) -> dict[str, bytes]:
    """What the Hub should hold of a folder without anything else in it."""
    return contents(folder)


def whole_states(hub: LoopbackHub, name: str, *folders: Path) -> None:
    """The watcher saw nothing on the branch but an empty repository and whole sets."""
    allowed = [{}, *map(published, folders)]
    for tree in hub.trees(name):
        assert {path: hub.state.content(entry) for path, entry in tree.items()} in allowed
