"""STACK-MIX of one's own classes, at other sizes, behind walls of any form."""

import hashlib
import io
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from torchvision.transforms import CenterCrop, InterpolationMode, Resize

from stackwalls.hub_cards import (
    REJECTED,
    Decision,
    DecisionLog,
    Manifest,
    dataset_classes,
    image_sha256,
    open_dataset,
    open_recipe,
    recipe_folder,
    verify,
)
from stackwalls.model import InputError, LabelSpace, RunError, Transform, Wall, class_names
from stackwalls.stackgen.commands.mix import spec_of
from stackwalls.stackmix import MixSpec, mix, rebuild, redo_rejected

pytestmark = pytest.mark.filterwarnings("ignore:Left out 1")

FolderMaker = Callable[[Mapping[str, int]], Path]

NAMES = ("7 up", "Red Panda", "griffin", "red panda", "Ärzte", "小熊猫")
KEYS = {"7 up": "7-up", "griffin": "griffin", "Ärzte": "arzte"}


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [row for shard in sorted((folder / "data").iterdir()) for row in pq.read_table(shard).to_pylist()]


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and ".review" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def slowly(path: Path, transform: Transform) -> np.ndarray:
    """By torchvision."""
    size = (transform.resize, transform.resize) if transform.squash else transform.resize
    with Image.open(path) as image:
        resized = Resize(size, InterpolationMode(transform.interpolation))(image.convert("RGB"))
        return np.asarray(CenterCrop(transform.size)(resized))


@pytest.fixture
def pictures(image_folder: FolderMaker) -> Path:
    return image_folder({**dict.fromkeys(NAMES, 4), "empty": 0})


@pytest.mark.parametrize(
    ("wall", "resizing", "encoder"),
    [
        ("bottom:23@96", None, "png"),
        ("box:20:30:60:70@96", "110:bicubic", "webp"),
        ("bottom:32+left:16@128", "128:lanczos:squash", "png"),
    ],
)
def test_rows_against_a_slow_rewrite(
    pictures: Path, tmp_path: Path, wall: str, resizing: str | None, encoder: str
) -> None:
    behind = Wall.parse(wall)
    transform = None if resizing is None else Transform.parse(resizing, behind.image_size)
    spec = MixSpec(str(pictures), per_class=2, seed=3, wall=behind, encoder=encoder, transform=transform)
    manifest = mix(spec, tmp_path / "out")
    assert verify(tmp_path / "out") == []
    assert manifest.classes == LabelSpace(NAMES)
    assert (manifest.wall, manifest.transform) == (behind, transform or Transform.of_size(behind.image_size))
    assert ("transform" in manifest.spec) == (transform is not None)
    rows = rows_of(tmp_path / "out")
    assert sorted(row["label"] for row in rows) == sorted([*range(6)] * 2)
    for place, row in enumerate(rows):
        key = manifest.classes.key(row["label"])
        assert key == KEYS.get(NAMES[row["label"]], key)
        assert row["image_id"] == f"{key}_{place % 2:04d}"
        assert {Path(row[f"{side}_source"]).parent.name for side in ("top", "bottom")} == {NAMES[row["label"]]}
        image = np.asarray(Image.open(io.BytesIO(row["image"]["bytes"])))
        mask = behind.mask()
        for side, part in (("top", ~mask), ("bottom", mask)):
            expected = slowly(pictures / row[f"{side}_source"], manifest.transform)
            np.testing.assert_array_equal(image[part], expected[part])
    card = (tmp_path / "out/README.md").read_text()
    assert f"{behind.image_size} x {behind.image_size}" in card
    assert "ImageNet-1k" not in card
    assert behind.where in card


@pytest.fixture
def made(pictures: Path, tmp_path: Path) -> Path:
    mix(two_classes(pictures), tmp_path / "set")
    return tmp_path / "set"


def two_classes(pictures: Path) -> MixSpec:
    return MixSpec(str(pictures), classes=("griffin", "red panda"), per_class=2, wall=Wall.parse("left:30@96"))


def test_a_set_is_loaded_with_its_names(made: Path, tmp_path: Path) -> None:
    loaded = datasets.load_dataset(str(made), split="test", cache_dir=str(tmp_path / "cache"))
    assert loaded.features["label"].names == list(NAMES)
    assert [NAMES[label] for label in loaded["label"]] == ["griffin"] * 2 + ["red panda"] * 2
    assert {image.size for image in loaded["image"]} == {(96, 96)}
    opened = open_dataset(made)
    assert opened.classes.names == NAMES
    assert {batch.images.shape for batch in opened.batches(3)} == {(3, 96, 96, 3), (1, 96, 96, 3)}
    assert dataset_classes(made) == (2, 3)
    with pytest.raises(InputError, match="is a finished set, whose classes are known: leave out the label space"):
        open_dataset(made, label_space="own")


def test_a_recipe_rebuilds_the_bytes(made: Path, pictures: Path, tmp_path: Path) -> None:
    recipe = open_recipe(recipe_folder(made, tmp_path / "recipe"))
    assert recipe.manifest.classes.names == NAMES
    copy = tmp_path / "copy"
    shutil.copytree(pictures, copy / "in other folders")
    assert rebuild(recipe, str(copy), tmp_path / "again").same_bytes
    assert contents(tmp_path / "again") == contents(made)


def test_a_rejected_pair_is_replaced(made: Path, pictures: Path) -> None:
    before = rows_of(made)
    with DecisionLog.open(made) as log:
        log.record(Decision(before[2]["image_id"], image_sha256(before[2]["image"]["bytes"]), REJECTED, "no panda"))
    spec = MixSpec(str(pictures), classes=("griffin", 3), per_class=2, wall=Wall.parse("left:30@96"))
    redone = redo_rejected(spec, made)
    assert redone.replaced == (before[2]["image_id"],)
    after = rows_of(made)
    assert [row == there for row, there in zip(after, before, strict=True)] == [True, True, False, True]
    assert verify(made) == []
    mix(spec, made)
    assert rows_of(made) == after


def test_a_new_class_makes_another_set_and_keeps_the_pairs(made: Path, pictures: Path, tmp_path: Path) -> None:
    shutil.copytree(pictures / "griffin", pictures / "a new one")
    spec = two_classes(pictures)
    with pytest.raises(InputError, match=r'spec\.class_names\[2\] is "griffin" there, "a new one" now'):
        mix(spec, made)
    mix(spec, tmp_path / "next")
    assert [{**row, "label": row["label"] - 1} for row in rows_of(tmp_path / "next")] == rows_of(made)


def test_a_set_of_another_label_space(image_folder: FolderMaker, tmp_path: Path) -> None:
    """The same pictures read as ImageNet's, as the source's own, and in the order of a file."""
    root = image_folder({"goldfish": 2, "griffin": 2, "tench": 2})
    (tmp_path / "names.txt").write_text("griffin\ntench\nyeti\ngoldfish\n")
    found = {}
    for space in ("imagenet", "own", str(tmp_path / "names.txt")):
        out = tmp_path / Path(space).stem
        manifest = mix(MixSpec(str(root), label_space=space), out)
        assert manifest.spec["label_space"] == Path(space).name
        assert str(tmp_path) not in (out / "manifest.json").read_text()
        found[out.name] = sorted((row["label"], row["image_id"]) for row in rows_of(out))
    assert found == {
        "imagenet": [(0, "n01440764_0000"), (1, "n01443537_0000")],
        "own": [(0, "goldfish_0000"), (1, "griffin_0000"), (2, "tench_0000")],
        "names": [(0, "griffin_0000"), (1, "tench_0000"), (3, "goldfish_0000")],
    }


NETWORK = """
import torch
from stackwalls.model import Transform, Wall

class Own(torch.nn.Module):
    wall = Wall.parse("bottom:32@96")
    transform = Transform(96, 96, "bicubic", True)

def seeing():
    network = Own()
    network.wall = None
    return network
"""


def asked(*words: str) -> MixSpec:
    import argparse

    from stackwalls.stackgen.commands import mix as command

    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return spec_of(parser.parse_args(["--source", "drawn", "--out", "x", *words]))


def test_size_wall_and_transform_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_network_for_mix.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(tmp_path)
    own = "own_network_for_mix:Own"
    for words, wall, transform in (
        ((), "bottom:54", Transform()),
        (("--size", "96"), "bottom:23@96", Transform.of_size(96)),
        (("--wall", "left:20+top:3", "--size", "300"), "top:3+left:20@300", Transform.of_size(300)),
        (("--wall", "left:20@64"), "left:20@64", Transform.of_size(64)),
        (("--size", "128", "--resize", "128:bicubic"), "bottom:31@128", Transform(128, 128, "bicubic")),
        (("--for", own), "bottom:32@96", Transform(96, 96, "bicubic", True)),
        (("--for", "own_network_for_mix:seeing"), "bottom:23@96", Transform(96, 96, "bicubic", True)),
        (("--for", "mini-masked-vgg16"), "bottom:54", Transform()),
    ):
        spec = asked(*words)
        assert (str(spec.wall), spec.crop) == (wall, transform)
    for words, said in (
        (("--size", "96", "--wall", "left:20@64"), "is of an image of 64 pixels, but 96 are asked for"),
        (("--size", "8"), "Expected an image size of 16 to 2048 pixels, but got 8"),
        (("--size", "96", "--resize", "300"), "the shorter side after resizing to be 96"),
        (("--size", "96", "--wall", "bottom:96"), "'bottom:96' does not fit: expected a size of 1 to 95"),
        (("--for", own, "--resize", "100"), "says how images are resized: leave out --resize"),
        (("--weights", "x.pt"), "are those of the network of --for: name it"),
        (("--for", "torch.nn:Identity"), "does not say its wall and its transform"),
        (("--for", own, "--size", "128"), "takes images of 96 pixels, not 128: leave out --size"),
        (
            ("--for", "own_network_for_mix:seeing", "--wall", "left:9@64"),
            "of an image of 64 pixels, but 96 are asked for",
        ),
    ):
        with pytest.raises(InputError, match=said) as caught:
            asked(*words)
        assert "\n" not in str(caught.value)


CHANGES: tuple[tuple[str, Any, str], ...] = (
    ("class_names", list(class_names()), "lists class names .* unless they are ImageNet-1k's"),
    ("class_names", [], "Expected 1 to 100,000 class names"),
    ("class_names", ["a", "a"], "is there twice"),
    ("class_names", {"0": "a"}, "does not describe a stack-mix folder"),
    ("class_names", [1, 2], "does not describe a stack-mix folder"),
    ("class_names", ["a", "/home/somebody/b"], "must not contain the absolute path"),
    ("class_names", ["a", "hf_" + "x" * 34], "must not contain an access token"),
    ("transform", Transform(64, 64).to_dict(), "one to 96 × 96 pixels"),
    ("transform", Transform.of_size(96).to_dict(), "none if that is the usual"),
    ("transform", Transform.of_size(96).to_dict() | {"interpolation": "x"}, "Unknown interpolation"),
    ("transform", {"size": 96}, "does not describe a stack-mix folder"),
)


def test_manifests_that_say_nonsense(made: Path) -> None:
    content = json.loads((made / "manifest.json").read_text())
    del content["manifest_sha256"]
    for key, value, said in CHANGES:
        with pytest.raises(InputError, match=said):
            Manifest(**content | {"spec": content["spec"] | {key: value}})


def test_labels_beyond_the_names_are_found(made: Path) -> None:
    path = next((made / "data").iterdir())
    table = pq.read_table(path)
    labels = table.schema.get_field_index("label")
    pq.write_table(table.set_column(labels, table.schema.field(labels), [[0, 1, 5, 6]]), path)
    content = json.loads((made / "manifest.json").read_text())
    del content["manifest_sha256"]
    data = path.read_bytes()
    content["files"][f"data/{path.name}"] |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    (made / "manifest.json").write_text(Manifest(**content).to_json())
    assert "row 3 (" in (found := verify(made))[0]
    assert "the label 6: expected a class index, 0 to 5" in found[0]
    with pytest.raises(RunError, match="expected labels 0 to 5, but found 0 to 6"):
        open_dataset(made)
