"""`stackgen generate` as a user calls it, with tiny pipelines in place of large ones."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest
from hash_localizer import HashLocalizer
from scripted_generation import contents

from stackwalls.hub_cards import Manifest, stack_gen_features, verify
from stackwalls.model import InputError
from stackwalls.stackgen import cli
from stackwalls.stackgen.commands import generate as command

TinyPipeline = Callable[[str], Path]
KINDS = ("stable-diffusion", "z-image", "klein")
SMALL = ("--frame", "64x96", "--steps", "1", "--localizer", "foreground")


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch, no_network: None) -> None:
    monkeypatch.setattr("stackwalls.stackgen.localizing.zero_shot.load_localizer", lambda *_: HashLocalizer())


def call(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(argument) for argument in arguments]))


@pytest.mark.usefixtures("hashed")
@pytest.mark.parametrize("kind", KINDS)
def test_a_set_from_a_real_pipeline(
    kind: str,
    tiny_pipeline: TinyPipeline,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = ("--model", tiny_pipeline(kind), "--classes", "3", *SMALL)
    assert call(*options, "--out", tmp_path / "a") == 0
    printed = capsys.readouterr()
    manifest = Manifest.read(tmp_path / "a")
    kept, made = manifest.counts["kept"], manifest.inputs["attempts"]
    assert f"{tmp_path / 'a'}: {kept} of 3 images, wall bottom:54, by {kind} in {made} attempts" in printed.out
    assert f"{kind} on cpu" in printed.err
    assert "in float32" in printed.err
    assert verify(tmp_path / "a") == []
    model = manifest.spec["model"]
    assert model["name"] == kind
    assert model["revision"].startswith("sha256:")
    assert str(tmp_path.parent.parent) not in json.dumps(manifest.spec), "no place on this machine is published"
    table = datasets.load_dataset(str(tmp_path / "a"), split="test", cache_dir=str(tmp_path / "cache"))
    assert table.features == stack_gen_features()
    assert len(table) == kept > 0

    for rank in (2, 0, 1):
        for name, value in (("RANK", rank), ("WORLD_SIZE", 3), ("LOCAL_RANK", rank)):
            monkeypatch.setenv(name, str(value))
        assert call(*options, "--out", tmp_path / "b") == 0
    printed = capsys.readouterr()
    assert "process 2 of 3 has made its share" in printed.err
    assert printed.out.count("Evaluate:") == 1, "the process that finished says so"
    assert contents(tmp_path / "b") == contents(tmp_path / "a")


def rows_of(folder: Path) -> dict[str, dict[str, Any]]:
    shards = Manifest.read(folder).shards()
    return {row["image_id"]: row for name in shards for row in pq.read_table(folder / name).to_pylist()}


@pytest.mark.usefixtures("hashed")
def test_it_grows_and_prints_json(
    tiny_pipeline: TinyPipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--model", tiny_pipeline("stable-diffusion"), *SMALL, "--seed", 4, "--json")
    assert call(*options, "--classes", 2, "--out", tmp_path / "a") == 0
    first = json.loads(capsys.readouterr().out)
    assert set(first) == {"out", "spec", "counts", "inputs"}
    assert first["counts"]["requested"] == 2
    rows = rows_of(tmp_path / "a")
    assert rows
    assert call(*options, "--classes", 3, "--per-class", 2, "--out", tmp_path / "a") == 0
    assert json.loads(capsys.readouterr().out)["counts"]["requested"] == 6
    grown = rows_of(tmp_path / "a")
    assert len(grown) > len(rows)
    assert {image_id: grown[image_id] for image_id in rows} == rows, "what was there stays, to the byte"
    assert call(*options, "--classes", tmp_path / "a", "--out", tmp_path / "b") == 0
    assert json.loads(capsys.readouterr().out)["counts"]["requested"] <= 3, "the classes of a folder's rows"


@pytest.mark.usefixtures("hashed")
def test_other_things_than_animals_are_allowed_and_said(
    tiny_pipeline: TinyPipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tiny_pipeline("stable-diffusion")
    call("--model", model, *SMALL, "--classes", "hen", "teapot", "index:900", "--out", tmp_path / "a")
    assert "2 of the classes are not animals (teapot, water tower)" in capsys.readouterr().err


@pytest.mark.usefixtures("hashed")
def test_what_was_given_up_is_named(
    tiny_pipeline: TinyPipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--model", tiny_pipeline("stable-diffusion"), *SMALL, "--classes", 8, "--out", tmp_path / "a")
    call(*options, "--attempts", 1)
    said = capsys.readouterr().out
    given_up = Manifest.read(tmp_path / "a").inputs["given_up"]
    assert 0 < len(given_up) < 8
    assert "Given up after 1 attempts each: " in said
    assert all(image_id in said for image_id in given_up)
    assert "--attempts 2" in said
    call(*options, "--attempts", 6)
    assert len(Manifest.read(tmp_path / "a").inputs["given_up"]) < len(given_up)


@pytest.mark.usefixtures("hashed")
def test_the_wall_may_stand_on_the_side(tiny_pipeline: TinyPipeline, tmp_path: Path) -> None:
    call(
        *("--model", tiny_pipeline("stable-diffusion"), *SMALL, "--classes", 3),
        *("--wall", "top:54", "--attempts", 12, "--out", tmp_path / "a"),
    )
    assert Manifest.read(tmp_path / "a").spec["wall"] == "top:54"
    for row in datasets.load_dataset(str(tmp_path / "a"), split="test", cache_dir=str(tmp_path / "cache")):
        assert row["hidden_box"][1] < row["seen_box"][1], "the upper animal is hidden"


@pytest.mark.usefixtures("hashed")
def test_nouns_and_a_size_of_ones_own(
    tiny_pipeline: TinyPipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a file; then a second set of the first one's classes."""
    (tmp_path / "nouns.txt").write_bytes(b"\xef\xbb\xbfred panda\r\n\r\nviolin,Geige\r\n")
    options = ("--model", tiny_pipeline("stable-diffusion"), *SMALL, "--attempts", 12)
    assert call(*options, "--nouns", tmp_path / "nouns.txt", "--size", 64, "--out", tmp_path / "a") == 0
    said = capsys.readouterr()
    assert "2 of 2 images, wall bottom:15@64" in said.out
    assert "Crops of 30 pixels or more from frames of 64 × 96 become images of 64, so some are enlarged" in said.err
    assert "not animals" not in said.err
    table = datasets.load_dataset(str(tmp_path / "a"), split="test", cache_dir=str(tmp_path / "cache"))
    assert table.features["label"].names == ["red panda", "Geige"]
    assert {row["image"].size for row in table} == {(64, 64)}
    assert call(*options, "--classes", tmp_path / "a", "--size", "64", "--out", tmp_path / "b") == 0
    ours, theirs = (Manifest.read(tmp_path / name).spec for name in "ab")
    assert theirs == ours | {"classes": ["red-panda", "geige"]}
    assert verify(tmp_path / "b") == []


BAD: dict[str, tuple[list[Any], str]] = {
    "unknown preset": (
        ["--preset", "kleine"],
        "Unknown preset 'kleine': expected auto, klein, .* Did you mean 'klein'",
    ),
    "a frame that the preset cannot make": (["--preset", "PINNED", "--frame", "830x1210"], "the nearest is 832x1216"),
    "a frame of the older option": (["--size", "99999x64"], "Expected `width` to be 1 to 4096, but got 99999"),
    "a frame that is none": (["--frame", "96"], "Cannot read the size '96'"),
    "a size that is none": (["--size", "big"], "Cannot read the size 'big'"),
    "two frames": (["--size", "64x96", "--frame", "64x96"], "Expected --size N, one number for the images"),
    "a size that is too small": (["--size", "63"], "images of 64 to 2048 pixels a side, but got 63"),
    "no size": (["--size", "0"], "image size of 16 to 2048 pixels, but got 0"),
    "a size without end": (["--size", "9" * 30], "image size of 16 to 2048"),
    "a size that is not the wall's": (["--size", "96", "--wall", "top:20@128"], "is of an image of 128 pixels, but 96"),
    "a wall that is no band": (["--wall", "box:0:0:96:96"], "is not a band .*`stackgen mix`"),
    "a file of nouns that is not there": (["--nouns", "mine.txt"], "Cannot read the nouns of mine.txt"),
    "a noun twice": (["--nouns", "jay", "Jay"], "The noun 'Jay' is there twice"),
    "a class that has no noun": (["--nouns", "jay", "--classes", "ox"], "Unknown class 'ox': expected one of the 1"),
    "more classes than nouns": (["--nouns", "jay", "--classes", "2"], "1 to 1 classes, the nouns, but got 2"),
    "a noun that would publish a path": (["--nouns", "ox", "jay,/home/jay"], "must not contain the absolute path"),
    "no steps": (["--steps", "0"], "Expected `steps` to be 1 or more"),
    "negative guidance": (["--guidance", "-1"], "Expected `guidance` to be 0 to 100"),
    "too many animals": (["--classes", "399"], "1 to 398 classes, the animals"),
    "an unknown class": (["--classes", "dragonn"], "Unknown class 'dragonn'"),
    "a class twice": (["--classes", "hen", "n01514859"], "asked for twice"),
    "no images": (["--per-class", "0"], "Expected `per_class` to be 1 to 100000"),
    "no attempts": (["--attempts", "0"], "Expected `attempts` to be 1 to 1000"),
    "no batch": (["--batch-size", "0"], "Expected `batch_size` to be 1 to 256"),
    "negative seed": (["--seed", "-1"], "seed to be a whole number from 0"),
    "unknown template": (["--template", "papper"], "Unknown template 'papper'.*'paper'"),
    "unknown number type": (["--dtype", "half"], "Unknown number type 'half'"),
    "unknown offload": (["--offload", "disk"], "Unknown offload 'disk'"),
    "unknown attention": (["--attention", "flsh"], "cannot use the attention backend"),
    "no wall": (["--wall", "floor"], "Cannot read the wall 'floor'"),
    "a folder without a pipeline": (["--model", "EMPTY"], "is not a pipeline .*model_index.json"),
    "a folder that is not there": (["--model", "./nothing"], r"There is no folder \./nothing"),
    "a preset and a model": (["--preset", "sd15"], "Expected --preset or --model, but got both"),
    "a revision of a folder": (["--revision", "main"], "requires an id on the Hub"),
    "nothing to redo": (["--redo-rejected"], "There is no folder"),
}


@pytest.mark.usefixtures("hashed")
@pytest.mark.parametrize("kind", BAD)
def test_a_wrong_call_is_one_sentence_and_writes_nothing(
    kind: str, tiny_pipeline: TinyPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stackwalls.stackgen.diffusion import ModelSource, find_preset

    options, message = BAD[kind]
    model: list[object] = ["--model", tiny_pipeline("stable-diffusion")]
    if options[:2] == ["--preset", "PINNED"]:
        source = ModelSource("black-forest-labs/FLUX.2-klein-4B", "abc", "Flux2KleinPipeline", find_preset("klein"))
        monkeypatch.setattr("stackwalls.stackgen.diffusion.find_model", lambda *_: source)
        options, model = options[2:], []
    if options[0] == "--model" or options[1:] == ["kleine"]:
        model = []
    (tmp_path / "empty").mkdir()
    options = [str(tmp_path / "empty") if option == "EMPTY" else option for option in options]
    with pytest.raises(InputError, match=message) as error:
        call("--localizer", "foreground", "--classes", 1, *model, *options, "--out", tmp_path / "set")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "set").exists()


@pytest.mark.usefixtures("hashed")
def test_ctrl_c_says_that_the_command_goes_on(
    tiny_pipeline: TinyPipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from stackwalls.stackgen.diffusion import TextToImage

    arguments = ["generate", "--model", str(tiny_pipeline("stable-diffusion")), *SMALL, "--classes", "6"]
    draw, count = TextToImage.draw, 0

    def interrupted(self: TextToImage, *rest: Any) -> Any:
        nonlocal count
        count += 1
        if count == 4:
            raise KeyboardInterrupt
        return draw(self, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(TextToImage, "draw", interrupted)
        assert cli.main([*arguments, "--out", str(tmp_path / "a")]) == 130
    assert capsys.readouterr().err.endswith("stackgen: stopped: the same command resumes the run.\n")
    assert cli.main([*arguments, "--out", str(tmp_path / "a")]) == 0
    assert cli.main([*arguments, "--out", str(tmp_path / "b")]) == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
