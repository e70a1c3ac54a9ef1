"""A recipe holds for each image where it comes from and what must come out, and nothing of its pixels."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from dataset_maker import contents, make_row, open_writer, pixels, png, write_folder
from datasets import load_dataset

from stackwalls.hub_cards import (
    Manifest,
    open_dataset,
    open_recipe,
    parse_license,
    recipe_folder,
    stack_mix_recipe_features,
    state_license,
    verify,
)
from stackwalls.model import InputError, RunError, file_sha256


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    write_folder(tmp_path / "set", rows=7, part=3)
    return tmp_path / "set"


def test_every_row_has_its_sources_and_its_hashes(dataset: Path, tmp_path: Path) -> None:
    folder = recipe_folder(dataset, tmp_path / "recipe")
    assert verify(folder) == []
    rows = load_dataset(str(folder), split="test", cache_dir=str(tmp_path / "cache"))
    assert rows.features == stack_mix_recipe_features()
    assert len(rows) == 7
    for number, row in enumerate(rows):
        expected = {name: value for name, value in make_row(number).items() if name != "image"}
        assert row == expected | {
            "image_sha256": hashlib.sha256(png(number)).hexdigest(),
            "pixels_sha256": hashlib.sha256(np.ascontiguousarray(pixels(number)).tobytes()).hexdigest(),
        }


def test_no_pixel_is_in_it(dataset: Path, tmp_path: Path) -> None:
    folder = recipe_folder(dataset, tmp_path / "recipe")
    everything = b"".join(contents(folder).values())
    assert not any(png(number)[16:120] in everything for number in range(7))
    assert sorted(contents(folder)) == [
        *("README.md", "assets/wall.png", "data/test-00000-of-00001.parquet", "manifest.json", "rejected.parquet")
    ]
    assert sum(map(len, contents(folder).values())) < 100_000


def test_it_says_of_which_set_it_is(dataset: Path, tmp_path: Path) -> None:
    folder = recipe_folder(dataset, tmp_path / "recipe")
    own, other = Manifest.read(dataset), Manifest.read(folder)
    assert (other.kind, other.spec, other.counts) == ("stack-mix-recipe", own.spec, own.counts)
    assert other.inputs["dataset"] == {
        "inputs": own.inputs,
        "versions": own.versions,
        "files": own.files,
        "manifest_sha256": file_sha256(dataset / "manifest.json"),
    }
    assert other.inputs["transform"] == {"resize": 256, "crop": 224}
    assert pq.read_table(folder / "rejected.parquet") == pq.read_table(dataset / "rejected.parquet")
    assert [row["image_id"] for row in list(open_recipe(folder).rows())[5:]] == ["row0005", "row0006"]


def test_the_same_set_gives_the_same_recipe_and_another_is_refused(dataset: Path, tmp_path: Path) -> None:
    folder = recipe_folder(dataset, tmp_path / "recipe")
    before = contents(folder)
    assert recipe_folder(dataset, folder) == folder
    assert contents(recipe_folder(dataset, tmp_path / "again")) == before
    write_folder(tmp_path / "other", rows=8, part=3)
    with pytest.raises(InputError, match="the recipe of another set"):
        recipe_folder(tmp_path / "other", folder)
    assert contents(folder) == before


def test_a_license_goes_over(dataset: Path, tmp_path: Path) -> None:
    assert "license:" not in (recipe_folder(dataset, tmp_path / "none") / "README.md").read_text()
    stated = recipe_folder(dataset, tmp_path / "given", parse_license("cc0-1.0"))
    assert "license: cc0-1.0\n" in (stated / "README.md").read_text()
    state_license(dataset, parse_license("cc-by-4.0"))
    assert "license: cc-by-4.0\n" in (recipe_folder(dataset, tmp_path / "taken") / "README.md").read_text()


def test_a_kill_in_the_middle(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stackwalls.hub_cards import recipe

    monkeypatch.setattr(recipe, "_PART_ROWS", 2)
    real, calls = recipe._hashed, 0

    def dying(row: dict[str, object]) -> dict[str, object]:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise KeyboardInterrupt
        return real(row)

    monkeypatch.setattr(recipe, "_hashed", dying)
    with pytest.raises(KeyboardInterrupt):
        recipe_folder(dataset, tmp_path / "killed")
    assert verify(tmp_path / "killed")[0].startswith("The folder is unfinished")
    recipe_folder(dataset, tmp_path / "killed")
    assert calls == 5 + 3
    assert contents(tmp_path / "killed") == contents(recipe_folder(dataset, tmp_path / "whole"))


def test_what_is_no_set(dataset: Path, tmp_path: Path) -> None:
    folder = recipe_folder(dataset, tmp_path / "recipe")
    with pytest.raises(InputError, match="is a stack-mix-recipe folder"):
        recipe_folder(folder, tmp_path / "twice")
    with pytest.raises(InputError, match=r"no finished dataset folder .* \(no manifest\.json in it\)"):
        recipe_folder(tmp_path, tmp_path / "none")
    with open_writer(tmp_path / "half") as writer:
        writer.write("000000", [make_row(0)])
    with pytest.raises(InputError, match=r"no finished dataset folder .* \(no manifest\.json in it\)"):
        recipe_folder(tmp_path / "half", tmp_path / "none")
    shard = dataset / "data/test-00000-of-00001.parquet"
    content = bytearray(shard.read_bytes())
    content[5000] ^= 1
    shard.write_bytes(content)
    with pytest.raises(RunError, match="was changed after it was made"):
        recipe_folder(dataset, tmp_path / "damaged")


def test_what_is_no_recipe(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a recipe but a finished stack-mix set"):
        open_recipe(dataset)
    with pytest.raises(InputError, match="There is no recipe"):
        open_recipe(tmp_path / "none")
    folder = recipe_folder(dataset, tmp_path / "recipe")
    with pytest.raises(InputError, match=r"a recipe of STACK-MIX without pixels.*stackgen mix --recipe"):
        open_dataset(folder)
    shard = folder / "data/test-00000-of-00001.parquet"
    content = bytearray(shard.read_bytes())
    content[500] ^= 1
    shard.write_bytes(content)
    with pytest.raises(InputError, match="was changed: its SHA-256"):
        open_recipe(folder)
