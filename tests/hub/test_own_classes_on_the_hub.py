"""Sets with classes of their own on a Hub: pushed, loaded by `datasets`, opened, rebuilt; and somebody else's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from loopback_hub import LoopbackHub
from PIL import Image
from publications import put

from stackwalls.hub_cards import (
    Manifest,
    open_dataset,
    open_recipe,
    parse_license,
    recipe_folder,
    state_license,
    verify,
)
from stackwalls.model import InputError, LabelSpace, Wall
from stackwalls.model.hub.ids import HubId
from stackwalls.model.images import open_images
from stackwalls.model.images.hub import download_hub, stream_hub
from stackwalls.stackgen.commands._options import parse_classes_option
from stackwalls.stackmix import MixSpec, mix, rebuild

NAMES = ("../x y", "Ärzte\xa0", "griffin: a beast", "no\x85", "ابجد")
"""Among them what YAML reads as something else."""


def photo(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (70, 80, 3), dtype=np.uint8))


PLAIN = tuple(name.rstrip("\x85\xa0") for name in NAMES)
"""Those that `datasets` itself pushes without a change."""


def theirs(names: Sequence[str]) -> Any:
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(names))})
    return datasets.Dataset.from_dict(
        {"image": [photo(number) for number in range(10)], "label": [number % 5 for number in range(10)]}, features
    )


def test_a_set_of_own_classes_to_the_hub_and_back(hub: LoopbackHub, tmp_path: Path) -> None:
    theirs(NAMES).to_parquet(tmp_path / "pets.parquet")
    made = tmp_path / "set"
    mix(MixSpec(str(tmp_path / "pets.parquet"), wall=Wall.parse("box:10:20:50:60@64")), made)
    with pytest.raises(InputError, match=r"does not state a license|its card does not state their license"):
        put(made, "user/own")
    manifest = state_license(made, parse_license("cc-by-4.0"))
    put(made, "user/own")
    loaded = datasets.load_dataset("user/own", split="test")
    assert loaded.features["label"].names == list(NAMES)
    assert sorted(loaded["label"]) == [0, 1, 2, 3, 4]
    assert {image.size for image in loaded["image"]} == {(64, 64)}
    for name in ("user/own", str(made)):
        opened = open_dataset(name)
        assert (opened.classes.names, str(opened.wall)) == (NAMES, "box:10:20:50:60@64")
        images = np.concatenate([batch.images for batch in opened.batches(2)])
        assert np.array_equal(images, np.stack([np.asarray(image) for image in loaded["image"]]))
    assert opened.identity == open_dataset("user/own").identity
    assert sorted(map(str, parse_classes_option(["user/own"]) or ())) == sorted(NAMES)  # type: ignore[arg-type]
    put(recipe_folder(made, tmp_path / "recipe"), "user/recipe")
    recipe = open_recipe("user/recipe")
    assert rebuild(recipe, str(tmp_path / "pets.parquet"), tmp_path / "again").same_bytes
    assert Manifest.read(tmp_path / "again") == manifest
    assert verify(tmp_path / "again") == []


def test_a_dataset_of_somebody_else(hub: LoopbackHub) -> None:
    theirs(PLAIN).push_to_hub("user/pets", split="validation")
    source = open_images("user/pets")
    assert source.classes.names == PLAIN
    assert source.labels.tolist() == [number % 5 for number in range(10)]
    turned = LabelSpace(PLAIN[::-1])
    for opened in (
        open_images("user/pets", label_space=turned),
        download_hub(HubId.parse("user/pets"), "validation", label_space=turned),  # type: ignore[arg-type]
    ):
        assert opened.classes == turned
        assert opened.labels.tolist() == [4 - number % 5 for number in range(10)]
    stream = stream_hub(HubId.parse("user/pets"), "validation")  # type: ignore[arg-type]
    assert (stream.classes.names, [row.label for row in stream.rows(7)]) == (PLAIN, [2, 3, 4])
    dataset = open_dataset("user/pets:validation")
    assert dataset.classes.names == PLAIN
    assert [label for batch in dataset.batches(5) for label in batch.labels.tolist()] == source.labels.tolist()
    assert open_dataset("user/pets:validation", label_space=turned).classes == turned
