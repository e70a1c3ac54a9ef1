"""`dataset_classes`: the classes that a finished set has rows of, from its column of labels alone."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub

from stackwalls.hub_cards.hub_dataset import HUB_PREFIX, manifest_at, opened_shard, opening
from stackwalls.hub_cards.layout import check_present
from stackwalls.hub_cards.manifest import MANIFEST_NAME, Manifest
from stackwalls.hub_cards.reading import HUB_ID
from stackwalls.hub_cards.shards import read_groups
from stackwalls.model import InputError


def dataset_classes(source: str | Path) -> tuple[int, ...]:
    """The classes in index order; no picture is read.

    Args:
        source: a finished dataset folder, or `user/name[@revision]` on the Hugging Face Hub; a recipe will do.

    Raises:
        InputError: if it is neither, or was made by something else than this package.
        RunError: if the Hub refuses access, or cannot be reached.
    """
    text, folder = str(source), Path(source)
    if (folder / MANIFEST_NAME).is_file():
        manifest = Manifest.read(folder)
        check_present(folder, manifest)
        batches = read_groups([folder / name for name in manifest.shards()], columns=["label"])
        return tuple(sorted({label for batch in batches for label in batch.column("label").to_pylist()}))
    match = None if folder.exists() else HUB_ID.fullmatch(text.removeprefix(HUB_PREFIX))
    if match is None:
        raise InputError(
            f"There is no finished dataset folder {text}, and it is no Hub id either: expected a folder that `stackgen "
            "mix` or `generate` made, or user/name[@revision]."
        )
    return _on_the_hub(match["id"], match["revision"], f"{text!r}")


def _on_the_hub(repository: str, revision: str | None, tried: str) -> tuple[int, ...]:
    labels: set[int] = set()
    with opening(repository, tried):
        commit = str(huggingface_hub.HfApi().repo_info(repository, repo_type="dataset", revision=revision).sha)
        manifest = manifest_at(repository, commit)
        if manifest is None:
            raise InputError(
                f"{tried} has no {MANIFEST_NAME}, so it is no set of this package: name its classes one by one."
            )
        for name in manifest.shards():
            with opened_shard(repository, commit, name) as file:
                labels.update(file.read(columns=["label"], use_threads=False).column("label").to_pylist())
    return tuple(sorted(labels))
