"""From a set to its recipe and back: the very same bytes from one's own copy, or a list of what is missing."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stackwalls.hub_cards import Recipe, open_recipe, parse_license, recipe_folder, state_license, verify
from stackwalls.model import InputError, RunError
from stackwalls.model.images import BrokenImageError
from stackwalls.stackgen import cli
from stackwalls.stackmix import MixSpec, NotRebuilt, RecipePictures, mix, rebuild, rebuilding

FolderMaker = Callable[[Mapping[str, int]], Path]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def pictures(image_folder: FolderMaker) -> Path:
    return image_folder({"n01440764": 4, "n01443537": 4, "n01484850": 3})


@pytest.fixture
def made(pictures: Path, tmp_path: Path) -> Path:
    (pictures / "n01440764/broken.png").write_bytes(b"no picture")
    mix(MixSpec(str(pictures), per_class=2), tmp_path / "set")
    return tmp_path / "set"


@pytest.fixture
def recipe(made: Path, tmp_path: Path) -> Recipe:
    return open_recipe(recipe_folder(made, tmp_path / "recipe"))


@pytest.mark.parametrize("workers", [1, 3])
def test_the_same_bytes_come_out(made: Path, recipe: Recipe, pictures: Path, tmp_path: Path, workers: int) -> None:
    found = rebuild(recipe, str(pictures), tmp_path / "again", workers=workers)
    assert (found.same_bytes, found.other_files, found.kept) == (True, 0, 6)
    assert contents(tmp_path / "again") == contents(made)
    assert verify(tmp_path / "again") == []
    assert rebuild(recipe, str(pictures), tmp_path / "again") == found


def test_the_drawn_world_needs_no_copy(tmp_path: Path) -> None:
    mix(MixSpec("drawn", classes=2, encoder="webp"), tmp_path / "set")
    recipe = open_recipe(recipe_folder(tmp_path / "set", tmp_path / "recipe"))
    assert rebuild(recipe, "drawn", tmp_path / "again").same_bytes
    assert contents(tmp_path / "again") == contents(tmp_path / "set")


@pytest.mark.real_images
def test_photographs(real_images: Path, tmp_path: Path) -> None:
    mix(MixSpec(str(real_images), classes=12, seed=3), tmp_path / "set")
    recipe = open_recipe(recipe_folder(tmp_path / "set", tmp_path / "recipe"))
    assert rebuild(recipe, str(real_images), tmp_path / "again").same_bytes
    assert contents(tmp_path / "again") == contents(tmp_path / "set")


def test_pictures_are_found_wherever_they_lie(made: Path, recipe: Recipe, pictures: Path, tmp_path: Path) -> None:
    """One flat folder of files with equal names from several classes: the SHA-256 says which one is meant."""
    other = tmp_path / "other"
    for number, path in enumerate(sorted(pictures.rglob("*.png"))):
        place = other / str(number % 5) / str(number)
        place.mkdir(parents=True)
        shutil.copy(path, place / path.name)
    assert rebuild(recipe, str(other), tmp_path / "again").same_bytes
    assert contents(tmp_path / "again") == contents(made)


def test_parquet_rows(tmp_path: Path, make_picture: Any) -> None:
    labels = ["n01440764"] * 3 + ["n01443537"] * 3
    rows = [{"image": make_picture(number), "label": label} for number, label in enumerate(labels)]
    (tmp_path / "own").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "own/val.parquet")
    mix(MixSpec(str(tmp_path / "own")), tmp_path / "set")
    recipe = open_recipe(recipe_folder(tmp_path / "set", tmp_path / "recipe"))
    assert rebuild(recipe, str(tmp_path / "own"), tmp_path / "again").same_bytes
    pq.write_table(pa.Table.from_pylist(rows[:4]), tmp_path / "own/val.parquet")
    found = rebuild(recipe, str(tmp_path / "own"), tmp_path / "less")
    assert found.manifest is None
    assert {problem.reason for problem in found.not_rebuilt} == {"missing from the source"}


def test_a_stated_license_is_part_of_the_set(made: Path, pictures: Path, tmp_path: Path) -> None:
    state_license(made, parse_license("cc-by-4.0"))
    recipe = open_recipe(recipe_folder(made, tmp_path / "recipe"))
    assert rebuild(recipe, str(pictures), tmp_path / "again").same_bytes


def test_all_that_cannot_be_rebuilt_is_listed_and_the_set_is_not_finished(
    made: Path, recipe: Recipe, pictures: Path, tmp_path: Path
) -> None:
    rows = list(recipe.rows())
    copy = tmp_path / "copy"
    shutil.copytree(pictures, copy)
    gone, changed = rows[3]["top_source"], rows[5]["bottom_source"]
    (copy / gone).unlink()
    (copy / changed).write_bytes((copy / changed).read_bytes() + b"x")
    found = rebuild(recipe, str(copy), tmp_path / "again")
    bad_images = {row["image_id"] for row in rows if {gone, changed} & {row["top_source"], row["bottom_source"]}}
    assert (found.manifest, found.same_bytes, found.kept) == (None, False, 6 - len(bad_images))
    expected = {
        NotRebuilt(row["image_id"], name, reason)
        for row in rows
        for name in (row["top_source"], row["bottom_source"])
        for bad, reason in (
            (gone, "missing from the source"),
            (changed, "changed: its SHA-256 is not the recipe's"),
        )
        if name == bad
    }
    assert set(found.not_rebuilt) == expected
    assert verify(tmp_path / "again")[0].startswith("The folder is unfinished")
    # with the images there it resumes, and reads nothing again that it has
    needed = {row[key] for row in rows if row["image_id"] in bad_images for key in ("top_source", "bottom_source")}
    for path in copy.rglob("*.png"):
        path.unlink()
    for name in needed:
        shutil.copy(pictures / name, copy / name)
    assert rebuild(recipe, str(copy), tmp_path / "again").same_bytes
    assert contents(tmp_path / "again") == contents(made)


def test_other_encoders_and_other_pixels(
    recipe: Recipe, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = rebuilding.encode
    monkeypatch.setattr(rebuilding, "encode", lambda image, encoder: real(image, encoder) + b"\0")
    found = rebuild(recipe, str(pictures), tmp_path / "other-files")
    assert (found.same_bytes, found.other_files, found.manifest is None) == (False, 6, False)
    monkeypatch.setattr(rebuilding, "encode", real)
    compose = rebuilding.compose
    monkeypatch.setattr(rebuilding, "compose", lambda *parts: compose(*parts) ^ 1)
    found = rebuild(recipe, str(pictures), tmp_path / "other-pixels")
    assert found.manifest is None
    assert len(found.not_rebuilt) == 6
    assert all(problem.reason.startswith("other pixels") for problem in found.not_rebuilt)
    assert not (tmp_path / "other-pixels").exists()


def test_a_recipe_cannot_reach_out_of_the_source(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"x")
    found = RecipePictures(str(pictures))
    for name in ("../secret.png", str(tmp_path / "secret.png"), "n01440764/../../secret.png"):
        with pytest.raises(BrokenImageError, match="missing"):
            found.read(name, "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881")


def test_a_folder_that_was_begun_otherwise(recipe: Recipe, pictures: Path, tmp_path: Path) -> None:
    from stackwalls.hub_cards import FolderWriter

    with FolderWriter.open(tmp_path / "a", kind="stack-mix", spec=recipe.manifest.spec) as writer:
        writer.write("n01440764", [], [{"item": "x", "reason": "y"}])
    with pytest.raises(InputError, match="not from a recipe"):
        rebuild(recipe, str(pictures), tmp_path / "a")
    shutil.copytree(pictures, tmp_path / "less" / pictures.name)
    (tmp_path / "less" / pictures.name / list(recipe.rows())[3]["top_source"]).unlink()
    assert rebuild(recipe, str(tmp_path / "less"), tmp_path / "b").manifest is None
    with pytest.raises(InputError, match="was begun with the same settings from a recipe, not from a source of images"):
        mix(MixSpec(str(pictures), per_class=2), tmp_path / "b")


# the command


def test_the_command(made: Path, recipe: Recipe, pictures: Path, tmp_path: Path, capsys: Any) -> None:
    words = ["mix", "--recipe", str(recipe.folder), "--source", str(pictures), "--out", str(tmp_path / "again")]
    assert cli.main(words) == 0
    assert "byte for byte" in capsys.readouterr().err
    assert contents(tmp_path / "again") == contents(made)
    gone = next(iter(recipe.rows()))["top_source"]
    (pictures / gone).unlink()
    words[-1] = str(tmp_path / "less")
    assert cli.main(words) == RunError.exit_status
    out, err = capsys.readouterr()
    lines = [line.split("\t") for line in out.splitlines()]
    assert [gone, "missing from the source"] in [line[1:] for line in lines]
    assert "is not finished" in err
    assert cli.main([*words, "--json"]) == RunError.exit_status
    assert json.loads(capsys.readouterr().out)["not_rebuilt"][0]["picture"] == gone
    assert cli.main([*words, "--seed", "4", "--animals"]) == InputError.exit_status
    assert "leave out --animals, --seed" in capsys.readouterr().err
    assert cli.main(["mix", "--recipe", str(recipe.folder), "--out", str(tmp_path / "q")]) == InputError.exit_status
    assert "name the folder with your copy" in capsys.readouterr().err
    assert cli.main(["mix", "--out", str(tmp_path / "q")]) == InputError.exit_status
    assert "--source is missing" in capsys.readouterr().err


def test_the_license_option(pictures: Path, tmp_path: Path, capsys: Any) -> None:
    words = ["mix", "--source", str(pictures), "--license", "cc-by-4.0", "--out", str(tmp_path / "set")]
    assert cli.main(words) == 0
    before = contents(tmp_path / "set")
    assert b"license: cc-by-4.0\n" in before["README.md"]
    assert cli.main(words) == 0
    assert contents(tmp_path / "set") == before
    words[4] = "my own"
    assert cli.main(words) == InputError.exit_status
    assert "does not know the license 'my own'" in capsys.readouterr().err
