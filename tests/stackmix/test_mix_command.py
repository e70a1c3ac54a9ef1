"""`stackgen mix` as a user calls it."""

import argparse
import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from stackwalls.hub_cards import Manifest, verify
from stackwalls.model import InputError, Wall, class_order, imagenet_classes
from stackwalls.model.images.drawn import draw
from stackwalls.stackgen.commands import mix as command
from stackwalls.stackgen.commands._options import parse_classes_option

FolderMaker = Callable[[Mapping[str, int]], Path]


def call(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(argument) for argument in arguments]))


def labels(folder: Path) -> list[int]:
    return pq.read_table(folder / "data", columns=["label"]).column("label").to_pylist()


def test_it_says_what_was_made_and_how_to_go_on(
    image_folder: FolderMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = image_folder({"goldfish": 3, "n01440764": 2, "unicorn": 1})
    (root / "goldfish/0.png").write_bytes(b"")
    out = tmp_path / "set"
    assert call("--source", root, "--per-class", 2, "--seed", 5, "--wall", "top:64", "--out", out) == 0
    printed = capsys.readouterr()
    assert f"{out}: 4 images of 2 classes, wall top:64, from pictures, seed 5." in printed.out
    assert f"1 images or classes were skipped; see {out}/rejected.parquet" in printed.out
    [load] = [line for line in printed.out.splitlines() if line.startswith("Load:")]
    code = f'from datasets import load_dataset; print(load_dataset("{out}", split="test")[0])'
    assert shlex.split(load.removeprefix("Load:")) == ["python", "-c", code]
    assert f"stackgen evaluate {out} " in printed.out
    assert printed.err.startswith("stackgen: Left out 1 folder (unicorn): not an ImageNet-1k class")
    assert ".py" not in printed.err


def test_json(image_folder: FolderMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = image_folder({"goldfish": 2, "tench": 2})
    call("--source", root, "--classes", 1, "--encoder", "webp", "--workers", 1, "--json", "--out", tmp_path / "set")
    printed = json.loads(capsys.readouterr().out)
    assert printed["out"] == str(tmp_path / "set")
    assert printed["counts"] == {"requested": 1, "kept": 1, "rejected": 0}
    assert printed["spec"]["encoder"] == "webp"
    assert set(printed["inputs"]) == {"index_sha256", "used_sha256"}


def test_overwrite_replaces_a_finished_set_and_nothing_else(image_folder: FolderMaker, tmp_path: Path) -> None:
    root, out = image_folder({"goldfish": 4, "tench": 4}), tmp_path / "set"
    assert call("--source", root, "--out", tmp_path / "fresh", "--wall", "top:64", "--seed", 1) == 0
    assert call("--source", root, "--out", out) == 0
    with pytest.raises(InputError, match="finished dataset with other settings"):
        call("--source", root, "--out", out, "--wall", "top:64", "--seed", 1)
    assert call("--source", root, "--out", out, "--wall", "top:64", "--seed", 1, "--overwrite") == 0
    files = [path.relative_to(out) for path in sorted(out.rglob("*")) if path.is_file()]
    assert all((out / name).read_bytes() == (tmp_path / "fresh" / name).read_bytes() for name in files)
    assert len(files) == sum(path.is_file() for path in (tmp_path / "fresh").rglob("*"))
    before = (out / "manifest.json").read_bytes()
    with pytest.raises(InputError, match="2 classes"):
        call("--source", root, "--classes", 5, "--out", out, "--overwrite")
    assert (out / "manifest.json").read_bytes() == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("ten years")
    with pytest.raises(InputError, match=r"thesis\.tex"):
        call("--source", root, "--out", tmp_path / "mine", "--overwrite")
    with pytest.raises(InputError, match="name one"):
        call("--source", root, "--out", out, "--overwrite", "--redo-rejected")


def test_overwriting_that_was_killed_resumes(
    image_folder: FolderMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, out = image_folder({"goldfish": 4, "tench": 4}), tmp_path / "set"
    assert call("--source", root, "--out", out) == 0
    before = (out / "manifest.json").read_bytes()
    again = ("--source", root, "--out", out, "--seed", 1, "--overwrite")
    with monkeypatch.context() as killed:
        killed.setattr("stackwalls.hub_cards.FolderWriter.finish", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            call(*again)
    assert (out / "manifest.json").read_bytes() == before, "the old set stays until the new one is whole"
    with pytest.raises(InputError, match="unfinished run with other settings"):
        call("--source", root, "--out", out, "--seed", 2, "--overwrite")
    assert call(*again) == 0
    assert json.loads((out / "manifest.json").read_bytes())["spec"]["seed"] == 1


def test_classes_by_number_name_and_folder(image_folder: FolderMaker, tmp_path: Path) -> None:
    root = image_folder({entry.synset: 2 for entry in imagenet_classes()[:6]})
    call("--source", root, "--classes", "2", "--out", tmp_path / "two")
    call("--source", root, "--classes", "goldfish", "index:4", "n01440764", "--out", tmp_path / "named")
    call("--source", root, "--classes", tmp_path / "named", "--seed", 9, "--out", tmp_path / "same")
    assert len(labels(tmp_path / "two")) == 2
    assert labels(tmp_path / "named") == [1, 4, 0]
    assert labels(tmp_path / "same") == [0, 1, 4]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (None, None),
        (["100"], 100),
        (["index:7"], (7,)),
        ([",".join(f"index:{n}" for n in range(300))], tuple(range(300))),  # longer than a file's name may be
        (["great white shark", "index:12"], ("great white shark", 12)),
        (["tench, goldfish", "index:12"], ("tench", "goldfish", 12)),
        (["index:seven"], ("index:seven",)),
        (["9" * 5000], 9_999_999_999),  # refused where there are fewer
        (["index:" + "9" * 5000], ("index:" + "9" * 5000,)),
    ],
    ids=lambda value: str(value)[:30],
)
def test_the_classes_option(values: list[str] | None, expected: object) -> None:
    assert parse_classes_option(values) == expected


def test_drawn_images_of_made_up_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Class folders of 300 × 300 PNGs, mixed at 96; then the classes of that set, and those of an ImageNet set."""
    for kind, name in enumerate(("blorb", "Zwiebelfisch", "red_panda")):
        (tmp_path / "toys" / name).mkdir(parents=True)
        for seed in range(4):
            Image.fromarray(draw(kind, seed, size=300)).save(tmp_path / f"toys/{name}/{seed}.png")
    out = tmp_path / "set"
    assert call("--source", tmp_path / "toys", "--size", 96, "--wall", "left:24", "--out", out) == 0
    assert f"{out}: 3 images of 3 classes, wall left:24@96, from toys, seed 0." in (printed := capsys.readouterr()).out
    assert printed.err == ""
    manifest = Manifest.read(out)
    assert (manifest.classes.names, manifest.wall) == (("Zwiebelfisch", "blorb", "red_panda"), Wall.parse("left:24@96"))
    assert verify(out) == []
    assert labels(out) == [manifest.classes.find(key) for key in class_order(["blorb", "zwiebelfisch", "red-panda"], 0)]
    call(
        "--source", tmp_path / "toys", "--classes", "Red Panda", "index:1", "--per-class", 3, "--out", tmp_path / "two"
    )
    assert labels(tmp_path / "two") == [2, 2, 2, 1, 1, 1]
    call("--source", tmp_path / "toys", "--classes", tmp_path / "two", "--out", tmp_path / "same")
    assert labels(tmp_path / "same") == [1, 2]
    call("--source", "drawn", "--classes", "goldfish", "--out", tmp_path / "drawn")
    with pytest.raises(InputError, match="Unknown class 'n01443537': expected one of the 3 classes"):
        call("--source", tmp_path / "toys", "--classes", tmp_path / "drawn", "--out", tmp_path / "none")


BAD = {
    "bare index in a list": (["--classes", "goldfish", "7"], "an index is written index:7"),
    "two numbers": (["--classes", "3,7"], "an index is written index:3"),
    "empty name": (["--classes", "goldfish,"], "Unknown class ''"),
    "unknown class": (["--classes", "goldfsh"], "Unknown class 'goldfsh'"),
    "more classes than there are": (["--classes", "9"], "Asked for 9 classes"),
    "wall that does not fit": (["--wall", "bottom:224"], "'bottom:224' does not fit"),
    "no wall": (["--wall", "floor"], "Cannot read the wall 'floor'"),
    "unknown encoder": (["--encoder", "jpeg"], "Unknown encoder"),
    "missing labels": (["--labels", "nothing.csv"], "has no images directly"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_wrong_call_is_one_sentence_and_writes_nothing(image_folder: FolderMaker, tmp_path: Path, kind: str) -> None:
    root = image_folder({"goldfish": 2, "tench": 1})
    options, message = BAD[kind]
    with pytest.raises(InputError, match=message) as error:
        call("--source", root, *options, "--out", tmp_path / "set")
    assert "\n" not in str(error.value)
    assert error.value.exit_status == 2
    assert not (tmp_path / "set").exists()
