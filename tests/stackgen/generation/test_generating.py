"""A STACK-GEN set from a scripted model: its rows, its reasons, several processes, growth, a second look."""

import errno
import hashlib
import io
import os
import shutil
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from scripted_generation import (
    HARDWARE,
    ScriptedFrames,
    ScriptedLocalizer,
    contents,
    frame_of,
    make,
    spec_of,
)

from stackwalls.hub_cards import (
    Decision,
    DecisionLog,
    FolderWriter,
    Manifest,
    image_sha256,
    parse_license,
    stack_gen_features,
    state_license,
    verify,
)
from stackwalls.model import InputError, RunError, Wall, parse_class
from stackwalls.stackgen.diffusion import Flaw
from stackwalls.stackgen.localizing.cropping import best_crop, cut
from stackwalls.stackgen.localizing.localizer import Crop
from stackwalls.stackgen.localizing.pairing import pick_pair
from stackwalls.stackgen.prompts.noun import Nouns
from stackwalls.stackgen.prompts.prompt import prompt_for
from stackwalls.stackmix import MixSpec, mix

CLASSES = ("goldfish", "hen", "ox", "tench")


def rows_of(folder: Path) -> dict[str, dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for shard in Manifest.read(folder).shards():
        rows += pq.read_table(folder / shard).to_pylist()
    return {row["image_id"]: row for row in rows}


def rejected_of(folder: Path) -> list[tuple[str, str]]:
    return [(entry["item"], entry["reason"]) for entry in pq.read_table(folder / "rejected.parquet").to_pylist()]


def expected_item(name: str, number: int, attempts: int, seed: int = 0) -> tuple[dict[str, Any] | None, list[str]]:
    """One item by the slow way: its row (without the picture's bytes) and the reasons of what was rejected."""
    spec, entry, reasons = spec_of(), parse_class(name), []
    for attempt in range(attempts):
        text = f"stack-gen\0frame\0{seed}\0{entry.synset}\0{number}\0{attempt}".encode()
        frame_seed = int(hashlib.sha256(text).hexdigest()[:16], 16) // 2
        frame = frame_of(frame_seed)
        if isinstance(frame, Flaw):
            reasons.append(frame.reason)
            continue
        pair = pick_pair(ScriptedLocalizer().locate([frame], [[]])[0], frame.size, spec.band)
        crop = best_crop(pair, frame.size, spec.band) if hasattr(pair, "seen") else pair
        if not isinstance(crop, Crop):
            reasons.append(crop.reason)
            continue
        return {
            "label": entry.index,
            "prompt": prompt_for(entry.index, attempt).text,
            "seed": frame_seed,
            "attempt": attempt,
            "crop": list(crop.box),
            "pixels": np.asarray(cut(frame, crop)),
        }, reasons
    return None, reasons


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images of each of four classes, in one process."""
    folder = tmp_path_factory.mktemp("finished") / "stack-gen"
    make(folder, classes=CLASSES, per_class=2)
    return folder


def test_rows_and_reasons_are_those_of_the_slow_way(finished: Path) -> None:
    rows, rejected, order, missing = rows_of(finished), [], [], []
    for name in CLASSES:
        for number in range(2):
            image_id = f"{parse_class(name).synset}_{number:05d}"
            row, reasons = expected_item(name, number, attempts=4)
            rejected += [(f"{image_id} attempt {at}", reason) for at, reason in enumerate(reasons)]
            if row is None:
                missing.append(image_id)
                continue
            order.append(image_id)
            made = rows[image_id]
            assert made["attempt"] == len(reasons)
            assert {key: made[key] for key in row if key != "pixels"} == {k: row[k] for k in row if k != "pixels"}
            with Image.open(io.BytesIO(made["image"]["bytes"])) as image:
                assert (image.format, image.mode, image.size) == ("PNG", "RGB", (224, 224))
                assert np.array_equal(np.asarray(image), row["pixels"])
    assert list(rows) == order
    assert rejected_of(finished) == rejected
    manifest = Manifest.read(finished)
    assert missing, "the script has an image that is given up"
    assert len({reason for _, reason in rejected}) >= 3, "the script has several reasons"
    assert manifest.counts == {"requested": 8, "kept": len(order), "rejected": len(rejected)}
    assert manifest.counts["requested"] == manifest.counts["kept"] + len(missing)
    assert manifest.inputs == {
        "attempts": len(order) + len(rejected),
        "devices": [HARDWARE],
        "given_up": missing,
        "turned_down": 0,
    }


def test_the_folder_is_whole_and_loads(finished: Path, tmp_path: Path) -> None:
    assert verify(finished) == []
    assert not (finished / ".unfinished").exists()
    table = datasets.load_dataset(str(finished), split="test", cache_dir=str(tmp_path))
    assert table.features == stack_gen_features()
    assert [row["image_id"] for row in table] == list(rows_of(finished))
    assert table[0]["image"].size == (224, 224)


@pytest.mark.parametrize("world", [2, 3])
def test_the_number_of_processes_changes_nothing(world: int, finished: Path, tmp_path: Path) -> None:
    ends = [
        make(tmp_path / "a", rank=rank, world=world, classes=CLASSES, per_class=2) for rank in reversed(range(world))
    ]
    assert [end is None for end in ends] == [True] * (world - 1) + [False], "the last one finishes"
    assert contents(tmp_path / "a") == contents(finished)


def test_fewer_or_more_processes_go_on(finished: Path, tmp_path: Path) -> None:
    assert make(tmp_path / "a", rank=1, world=3, classes=CLASSES, per_class=2) is None
    frames = ScriptedFrames()
    assert make(tmp_path / "a", classes=CLASSES, per_class=2, frames=frames) is not None
    assert contents(tmp_path / "a") == contents(finished)
    made = Manifest.read(finished).inputs["attempts"]
    third = sum(
        len(expected_item(CLASSES[at // 2], at % 2, 4)[1]) + (expected_item(CLASSES[at // 2], at % 2, 4)[0] is not None)
        for at in range(1, 8, 3)
    )
    assert len(frames.drawn) == made - third, "what another process made is not made again"
    again = ScriptedFrames()
    make(tmp_path / "a", classes=CLASSES, per_class=2, frames=again)
    assert again.drawn == [], "a finished folder needs no model"


def test_an_item_goes_on_after_the_attempts_that_were_made(tmp_path: Path) -> None:
    class Stopped(ScriptedFrames):
        def draw(self, prompts: Any, seeds: Any) -> Any:
            if len(self.drawn) == 6:
                raise KeyboardInterrupt
            return super().draw(prompts, seeds)

    first, second = Stopped(), ScriptedFrames()
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "a", classes=CLASSES, frames=first)
    make(tmp_path / "a", classes=CLASSES, frames=second)
    make(tmp_path / "b", classes=CLASSES, frames=(all_at_once := ScriptedFrames()))
    assert sorted(first.drawn + second.drawn) == sorted(all_at_once.drawn), "every frame was drawn once"
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize("size", [2, 3, 7])
def test_batches_give_the_same_rows(size: int, finished: Path, tmp_path: Path) -> None:
    frames = ScriptedFrames()
    make(tmp_path / "a", classes=CLASSES, per_class=2, batch_size=size, frames=frames)
    assert rows_of(tmp_path / "a") == rows_of(finished)
    assert rejected_of(tmp_path / "a") == rejected_of(finished)
    assert max(frames.batches) == size
    assert Manifest.read(tmp_path / "a").spec["batch_size"] == size


GROWTHS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "more images": ({"classes": CLASSES}, {"classes": CLASSES, "per_class": 2}),
    "more classes": ({"classes": CLASSES[1:3]}, {"classes": CLASSES}),
    "more of both": ({"classes": 2, "seed": 3}, {"classes": 5, "seed": 3, "per_class": 3}),
    "more attempts": ({"classes": CLASSES, "attempts": 2}, {"classes": CLASSES, "attempts": 5}),
}


@pytest.mark.parametrize("kind", GROWTHS)
@pytest.mark.parametrize("stopped", [False, True])
def test_a_set_grows(kind: str, stopped: bool, tmp_path: Path) -> None:
    """As large as if it had been made at once, to the byte; every row that was there stays."""
    small, large = GROWTHS[kind]
    if stopped:
        make(tmp_path / "a", rank=0, world=2, **small)
        before = {}
    else:
        make(tmp_path / "a", **small)
        before = rows_of(tmp_path / "a")
    frames = ScriptedFrames()
    make(tmp_path / "a", frames=frames, **large)
    make(tmp_path / "b", **large)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    after = rows_of(tmp_path / "a")
    assert {image_id: after[image_id] for image_id in before} == before
    assert 0 < len(frames.drawn) < Manifest.read(tmp_path / "b").inputs["attempts"]
    assert verify(tmp_path / "a") == []


def test_while_it_grows_the_finished_set_stays(tmp_path: Path) -> None:
    make(tmp_path / "a", classes=CLASSES)
    before = contents(tmp_path / "a")
    assert make(tmp_path / "a", rank=0, world=2, classes=CLASSES, per_class=2) is None
    now = contents(tmp_path / "a")
    assert {name: now[name] for name in before} == before
    assert verify(tmp_path / "a") == []
    assert make(tmp_path / "a", classes=CLASSES) == Manifest.read(tmp_path / "a"), "the first request is still met"
    assert contents(tmp_path / "a") == now, "and costs what was begun nothing"
    make(tmp_path / "a", rank=1, world=2, classes=CLASSES, per_class=2)
    make(tmp_path / "b", classes=CLASSES, per_class=2)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_license_that_was_stated_stays(tmp_path: Path) -> None:
    make(tmp_path / "a", classes=CLASSES)
    state_license(tmp_path / "a", parse_license("cc0-1.0"))
    make(tmp_path / "a", classes=CLASSES, per_class=2)
    manifest = Manifest.read(tmp_path / "a")
    assert manifest.inputs["licence"] == "cc0-1.0"
    assert manifest.counts["requested"] == 8
    assert verify(tmp_path / "a") == []


OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "another seed": ({"seed": 1}, "seed is 0 there, 1 now"),
    "fewer images": ({"per_class": 1}, "per_class is 2 there, 1 now"),
    "fewer classes": ({"classes": ("hen",)}, r"classes"),
    "fewer attempts": ({"attempts": 2}, "attempts is 4 there, 2 now"),
    "another template": ({"template": "paper"}, 'template is "refined" there, "paper" now'),
    "another type": ({"dtype": "bfloat16"}, "dtype"),
    "another wall and more images": ({"wall": "top", "per_class": 3}, "wall"),
}


@pytest.mark.parametrize("state", ["finished", "unfinished"])
@pytest.mark.parametrize("kind", OTHERS)
def test_other_settings_are_refused(kind: str, state: str, finished: Path, tmp_path: Path) -> None:
    folder = finished
    if state == "unfinished":
        folder = tmp_path / "a"
        make(folder, rank=0, world=2, classes=CLASSES, per_class=2)
    before = contents(folder)
    changes, said = OTHERS[kind]
    if "wall" in changes:
        changes = changes | {"wall": Wall.parse("top:54")}
    with pytest.raises(InputError, match=said) as error:
        make(folder, **{"classes": CLASSES, "per_class": 2} | changes)
    assert f"{folder} holds" in str(error.value)
    assert "choose another folder" in str(error.value)
    assert contents(folder) == before


def test_a_mix_does_not_take_the_place_of_what_was_begun(tmp_path: Path) -> None:
    make(tmp_path / "a", rank=0, world=2)
    before = contents(tmp_path / "a")
    spec = {"source": "val", "per_class": 1, "seed": 0, "wall": "bottom:54"}
    with pytest.raises(InputError, match="an unfinished stack-gen set, and this would be a stack-mix set: choose"):
        FolderWriter.open(tmp_path / "a", kind="stack-mix", spec=spec)
    assert contents(tmp_path / "a") == before


def test_a_set_of_another_kind_is_said_in_a_word(tmp_path: Path) -> None:
    mix(MixSpec("drawn", classes=1), tmp_path / "a")
    before = contents(tmp_path / "a")
    with pytest.raises(InputError, match="holds a finished stack-mix set, and this would be a stack-gen set: choose"):
        make(tmp_path / "a")
    assert contents(tmp_path / "a") == before


def test_something_else_in_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds something else \(notes.txt\)"):
        make(tmp_path)
    assert contents(tmp_path) == {"notes.txt": b"mine"}


def test_a_second_process_of_the_same_share_is_refused(tmp_path: Path) -> None:
    class Twice(ScriptedFrames):
        def draw(self, prompts: Any, seeds: Any) -> Any:
            with pytest.raises(RunError, match="Another process is writing"):
                make(tmp_path / "a")
            return super().draw(prompts, seeds)

    assert make(tmp_path / "a", frames=Twice()) is not None


def test_nothing_made_leaves_nothing(tmp_path: Path) -> None:
    class Failing(ScriptedFrames):
        def draw(self, prompts: Any, seeds: Any) -> Any:
            raise InputError("The model refuses.")

    with pytest.raises(InputError, match="refuses"):
        make(tmp_path / "a", frames=Failing())
    assert not (tmp_path / "a").exists()


def test_no_image_at_all(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="Of 3 requested images none was kept") as error:
        make(tmp_path / "a", share=0)
    assert "attempt 0" in str(error.value)
    make(tmp_path / "a", attempts=12)
    make(tmp_path / "b", attempts=12)
    assert set(rows_of(tmp_path / "a")) <= set(rows_of(tmp_path / "b")), "more attempts go on from there"


def refusal(folder: Path) -> str | None:
    """The sentence with which a run ends, or None where it is finished."""
    try:
        make(folder)
    except RunError as error:
        return str(error)
    return None


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "b")
    real, stopped = os.replace, 0
    for failing in range(2, 40, 3):
        count = 0

        def refuse(*args: Any, failing: int = failing) -> None:
            nonlocal count
            count += 1
            if count == failing:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(*args)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", refuse)
            problem = refusal(tmp_path / f"{failing}")
        if problem is not None:
            stopped += 1
            assert "The disk is full" in problem
        assert [path for path in (tmp_path / f"{failing}").rglob("*.tmp") if path.is_file()] == []
        make(tmp_path / f"{failing}")
        assert contents(tmp_path / f"{failing}") == contents(tmp_path / "b")
    assert stopped > 3


def test_a_damaged_record_is_made_again(tmp_path: Path) -> None:
    make(tmp_path / "b", classes=CLASSES, per_class=2)
    make(tmp_path / "a", rank=0, world=2, classes=CLASSES, per_class=2)
    path = max((tmp_path / "a/.unfinished/items").iterdir(), key=lambda item: item.stat().st_size)
    data = bytearray(path.read_bytes())
    data[-10] ^= 1
    path.write_bytes(data)
    with pytest.raises(RunError, match=r"is damaged .* it was removed"):
        make(tmp_path / "a", classes=CLASSES, per_class=2)
    make(tmp_path / "a", classes=CLASSES, per_class=2)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def turn_down(folder: Path, image_id: str, comment: str) -> None:
    picture = rows_of(folder)[image_id]["image"]["bytes"]
    with DecisionLog.open(folder) as log:
        log.record(Decision(image_id, image_sha256(picture), "rejected", comment))


@pytest.mark.parametrize("world", [1, 2])
def test_what_was_turned_down_in_review_is_made_anew(world: int, finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a"
    make(folder, classes=CLASSES, per_class=2)
    first, second = list(rows_of(folder))[:2]
    turn_down(folder, first, "two heads")
    turn_down(folder, second, "")
    for rank in range(world):
        make(folder, rank=rank, world=world, classes=CLASSES, per_class=2, redo=True)
    before, after, rejected = rows_of(finished), rows_of(folder), dict(rejected_of(folder))
    for image_id, reason in ((first, "rejected in review: two heads"), (second, "rejected in review")):
        attempt = before[image_id]["attempt"]
        assert rejected[f"{image_id} attempt {attempt}"] == reason
        if image_id in after:
            assert after[image_id]["attempt"] > attempt
            assert after[image_id]["image"] != before[image_id]["image"]
        else:
            assert sum(item.startswith(image_id) for item in rejected) == attempt + 1 + 4, "as many attempts again"
    assert {k: v for k, v in after.items() if k not in (first, second)} == {
        k: v for k, v in before.items() if k not in (first, second)
    }
    assert verify(folder) == []
    assert Manifest.read(folder).inputs["turned_down"] == 2
    kept = contents(folder)
    make(folder, classes=CLASSES, per_class=2, redo=True, frames=(frames := ScriptedFrames()))
    assert frames.drawn == [], "the decisions were about the earlier pictures"
    assert contents(folder) == kept


OWN: dict[str, Any] = {"wall": Wall.parse("top:23@96"), "attempts": 12}


def own(*nouns: str) -> dict[str, Any]:
    return OWN | {"nouns": Nouns.parse(nouns), "classes": len(nouns)}


@pytest.fixture(scope="module")
def finished_own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "own"
    make(folder, **own("red panda", "violin,Geige", "jay"))
    return folder


def test_a_set_of_ones_own_classes_and_size(finished_own: Path, tmp_path: Path) -> None:
    assert verify(finished_own) == []
    table = datasets.load_dataset(str(finished_own), split="test", cache_dir=str(tmp_path))
    assert table.features["label"].names == ["red panda", "Geige", "jay"]
    assert {row["image_id"]: row["label"] for row in table} == {"red-panda_00000": 0, "geige_00000": 1, "jay_00000": 2}
    assert {row["image"].size for row in table} == {(96, 96)}
    assert all("violin" in row["prompt"] for row in table if row["label"] == 1)
    card = (finished_own / "README.md").read_text()
    assert "image | 96 x 96 RGB" in card
    assert "--nouns 'red panda' violin,Geige jay --classes 3" in card
    assert "--wall top:23@96" in card
    assert "animal" not in card.replace("animals.tsv", "")
    assert all("animal" not in reason for _, reason in rejected_of(finished_own))


@pytest.mark.parametrize("stopped", [False, True])
def test_own_classes_grow_at_the_end(stopped: bool, tmp_path: Path) -> None:
    make(tmp_path / "a", rank=0, world=1 + stopped, **own("violin", "jay"))
    before = {} if stopped else rows_of(tmp_path / "a")
    before_it = contents(tmp_path / "a")
    for other in (own("jay", "violin", "ox"), own("violin", "jay", "Violin!")):
        with pytest.raises(InputError, match="New nouns go to the end, and must not be spelled like an earlier one"):
            make(tmp_path / "a", **other)
    assert contents(tmp_path / "a") == before_it
    make(tmp_path / "a", **own("violin", "jay", "ox"))
    make(tmp_path / "b", **own("violin", "jay", "ox"))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert rows_of(tmp_path / "a").items() >= before.items()
    assert verify(tmp_path / "a") == []


def test_own_images_are_made_anew_after_a_review(finished_own: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished_own, tmp_path / "a"))
    turn_down(folder, "geige_00000", "no strings")
    make(folder, redo=True, **own("red panda", "violin,Geige", "jay"))
    before, after = rows_of(finished_own), rows_of(folder)
    assert after["geige_00000"]["attempt"] > before["geige_00000"]["attempt"]
    assert after["jay_00000"] == before["jay_00000"]
    assert verify(folder) == []


def test_redoing_needs_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no folder"):
        make(tmp_path / "a", redo=True)
