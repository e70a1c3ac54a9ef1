"""STACK-MIX from real labeled photos, where a folder of them is at hand."""

import hashlib
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, Resize

from stackwalls.hub_cards import verify
from stackwalls.model import imagenet_classes
from stackwalls.stackmix import MixSpec, mix

pytestmark = pytest.mark.real_images

see = Compose([Resize(256), CenterCrop(224)])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return pq.read_table(folder / "data").to_pylist()


@pytest.fixture(scope="module")
def hundred(real_images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`--classes 100 --seed 0` of the photos."""
    folder = tmp_path_factory.mktemp("photos") / "stack-mix"
    mix(MixSpec(str(real_images), classes=100), folder)
    return folder


def test_100_rows_of_100_classes(hundred: Path, tmp_path: Path) -> None:
    dataset = load_dataset(str(hundred), split="test", cache_dir=str(tmp_path))
    assert len(dataset) == 100
    assert len(set(dataset["label"])) == 100
    assert {image.size for image in dataset["image"]} == {(224, 224)}
    assert verify(hundred) == []


def test_each_half_is_its_source_after_torchvisions_transform(hundred: Path, real_images: Path) -> None:
    for row in rows_of(hundred):
        synset = imagenet_classes()[row["label"]].synset
        with Image.open(io.BytesIO(row["image"]["bytes"])) as image:
            composite = np.asarray(image)
        seen = []
        for side in ("top", "bottom"):
            path = real_images / row[f"{side}_source"]
            assert path.parent.name == synset
            assert row[f"{side}_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
            with Image.open(path) as image:
                seen.append(np.asarray(see(image.convert("RGB"))))
        assert row["top_sha256"] != row["bottom_sha256"]
        for line in range(224):
            np.testing.assert_array_equal(composite[line], seen[0][line] if line < 170 else seen[1][line])


def test_the_same_bytes_again_and_after_kill_9(hundred: Path, real_images: Path, tmp_path: Path) -> None:
    mix(MixSpec(str(real_images), classes=100), tmp_path / "again", workers=3)
    assert contents(tmp_path / "again") == contents(hundred)
    code = (
        "import sys, pathlib; from stackwalls.stackmix import MixSpec, mix\n"
        "mix(MixSpec(sys.argv[1], classes=100), pathlib.Path(sys.argv[2]), workers=1)\n"
    )
    out = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", code, str(real_images), str(out)])
    while len(list(out.rglob("*.parquet"))) < 2 and process.poll() is None:
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL, "the run ended before it could be killed"
    assert not (out / "manifest.json").exists()
    mix(MixSpec(str(real_images), classes=100), out)
    assert contents(out) == contents(hundred)


def test_another_seed_gives_other_pairs(hundred: Path, real_images: Path, tmp_path: Path) -> None:
    mix(MixSpec(str(real_images), classes=100, seed=1), tmp_path / "seed")

    def pairs(folder: Path) -> set[tuple[str, str]]:
        return {(row["top_source"], row["bottom_source"]) for row in rows_of(folder)}

    assert len(pairs(tmp_path / "seed") & pairs(hundred)) < 80
    assert len(pairs(tmp_path / "seed")) == 100
