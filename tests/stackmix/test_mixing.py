"""The run as a whole, on small folders of noise pictures."""

import hashlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, Resize

from stackwalls.hub_cards import FolderWriter, verify
from stackwalls.model import InputError, RunError, Wall, imagenet_classes
from stackwalls.model.images import LabeledImages
from stackwalls.stackmix import MixSpec, class_rows, mix

FolderMaker = Callable[[Mapping[str, int]], Path]

NAMES = [entry.synset for entry in imagenet_classes()[:30]]


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [row for shard in sorted((folder / "data").iterdir()) for row in pq.read_table(shard).to_pylist()]


def rejected_of(folder: Path) -> dict[str, str]:
    return {row["item"]: row["reason"] for row in pq.read_table(folder / "rejected.parquet").to_pylist()}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def as_the_network_sees_it(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(Compose([Resize(256), CenterCrop(224)])(image.convert("RGB")))


@pytest.mark.parametrize(("wall", "encoder"), [("bottom:54", "png"), ("top:64", "webp"), ("columns:80:144", "png")])
def test_rows_against_a_slow_rewrite(image_folder: FolderMaker, tmp_path: Path, wall: str, encoder: str) -> None:
    root = image_folder({NAMES[0]: 3, NAMES[5]: 4, NAMES[7]: 1, NAMES[9]: 5})
    spec = MixSpec(str(root), per_class=2, seed=3, wall=Wall.parse(wall), encoder=encoder)
    manifest = mix(spec, tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    assert sorted(row["label"] for row in rows) == [0, 0, 5, 5, 9, 9]
    assert manifest.counts == {"requested": 6, "kept": 6, "rejected": 0}
    assert verify(tmp_path / "out") == []
    mask = Wall.parse(wall).mask()
    for place, row in enumerate(rows):
        synset = NAMES[row["label"]]
        assert row["image_id"] == f"{synset}_{place % 2:04d}"
        assert row["image"]["path"] == f"{row['image_id']}.{encoder}"
        assert row["top_source"] != row["bottom_source"]
        for side in ("top", "bottom"):
            path = root / row[f"{side}_source"]
            assert path.parent.name == synset
            assert row[f"{side}_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        image = pixels(row["image"]["bytes"])
        assert image.shape == (224, 224, 3)
        np.testing.assert_array_equal(image[~mask], as_the_network_sees_it(root / row["top_source"])[~mask])
        np.testing.assert_array_equal(image[mask], as_the_network_sees_it(root / row["bottom_source"])[mask])


def test_the_folder_is_the_same_for_any_number_of_workers(image_folder: FolderMaker, tmp_path: Path) -> None:
    root = image_folder(dict.fromkeys(NAMES, 3))
    (root / NAMES[4] / "0.png").write_bytes(b"")
    (root / NAMES[11] / "0.png").write_bytes(b"")
    (root / NAMES[11] / "1.png").write_bytes(b"")
    spec = MixSpec(str(root), classes=27, per_class=2)
    for workers in (1, 2, 7):
        mix(spec, tmp_path / f"{workers}", workers=workers)
    assert contents(tmp_path / "1") == contents(tmp_path / "2") == contents(tmp_path / "7")
    assert len(rows_of(tmp_path / "1")) == 54


def test_more_classes_and_more_pairs_keep_the_first(image_folder: FolderMaker, tmp_path: Path) -> None:
    root = image_folder(dict.fromkeys(NAMES[:8], 4))
    (root / NAMES[2] / "1.png").write_bytes(b"broken")

    def rows(classes: int, per_class: int) -> list[dict[str, Any]]:
        out = tmp_path / f"{classes}-{per_class}"
        mix(MixSpec(str(root), classes=classes, per_class=per_class, seed=5), out)
        return rows_of(out)

    few, more_classes, more_pairs = rows(4, 2), rows(8, 2), rows(4, 5)
    assert more_classes[:8] == few
    by_id = {row["image_id"]: row for row in more_pairs}
    assert all(by_id[row["image_id"]] == row for row in few)
    assert len(by_id) == 20
    pairs = {(row["label"], row["top_source"], row["bottom_source"]) for row in more_pairs}
    assert len(pairs) == 20  # every pair is another one


def test_a_class_does_not_depend_on_the_others_and_the_seed_matters(image_folder: FolderMaker, tmp_path: Path) -> None:
    root = image_folder(dict.fromkeys(NAMES[:6], 9))

    def pairs(name: str, **spec: Any) -> dict[str, tuple[str, str]]:
        mix(MixSpec(str(root), **spec), tmp_path / name)
        return {row["image_id"]: (row["top_source"], row["bottom_source"]) for row in rows_of(tmp_path / name)}

    every, one, other_seed = pairs("all"), pairs("one", classes=(NAMES[3],)), pairs("seed", seed=1)
    assert one == {f"{NAMES[3]}_0000": every[f"{NAMES[3]}_0000"]}
    assert every.keys() == other_seed.keys()
    assert every != other_seed


def test_named_classes_come_in_the_order_given(image_folder: FolderMaker, tmp_path: Path) -> None:
    root = image_folder(dict.fromkeys(NAMES[:6], 2))
    manifest = mix(MixSpec(str(root), classes=("tiger shark", 0, NAMES[1])), tmp_path / "out")
    assert [row["label"] for row in rows_of(tmp_path / "out")] == [3, 0, 1]
    assert manifest.spec["classes"] == [NAMES[3], NAMES[0], NAMES[1]]


def test_animals_only(image_folder: FolderMaker, tmp_path: Path) -> None:
    root = image_folder(dict.fromkeys(["goldfish", "tench", "teapot", "pizza", "accordion"], 2))
    mix(MixSpec(str(root), classes=2, animals=True), tmp_path / "out")
    assert sorted(row["label"] for row in rows_of(tmp_path / "out")) == [0, 1]
    with pytest.raises(InputError, match=r"Asked for 3 classes .* but 2 of the 2 animal classes"):
        mix(MixSpec(str(root), classes=3, animals=True), tmp_path / "more")


def break_first_drawn(root: Path, out: Path, spec: MixSpec, data: bytes) -> str:
    """Break the picture that stands at the top of the first row, and give its id."""
    mix(spec, out)
    image_id: str = rows_of(out)[0]["top_source"]
    (root / image_id).write_bytes(data)
    return image_id


def test_a_broken_picture_is_listed_and_another_takes_its_place(image_folder: FolderMaker, tmp_path: Path) -> None:
    root = image_folder(dict.fromkeys(NAMES[:3], 4))
    spec = MixSpec(str(root), classes=3)
    broken = break_first_drawn(root, tmp_path / "whole", spec, b"")
    manifest = mix(spec, tmp_path / "out")
    before, after = rows_of(tmp_path / "whole"), rows_of(tmp_path / "out")
    assert after[1:] == before[1:]
    assert after[0]["image_id"] == before[0]["image_id"]
    assert after[0]["top_source"] == before[0]["bottom_source"]  # the next in line moves up
    assert rejected_of(tmp_path / "out") == {broken: "the file is empty (0 bytes)"}
    assert manifest.counts == {"requested": 4, "kept": 3, "rejected": 1}


def test_the_same_file_twice_is_one_picture(image_folder: FolderMaker, tmp_path: Path) -> None:
    root = image_folder({NAMES[0]: 4})
    for copy in (1, 2):
        (root / NAMES[0] / f"{copy}.png").write_bytes((root / NAMES[0] / "0.png").read_bytes())
    mix(MixSpec(str(root), per_class=2), tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    assert [(row["top_sha256"], row["bottom_sha256"]) for row in rows] == [
        (rows[1]["bottom_sha256"], rows[1]["top_sha256"]),
        (rows[0]["bottom_sha256"], rows[0]["top_sha256"]),
    ]
    assert rows[0]["top_sha256"] != rows[0]["bottom_sha256"]
    reasons = rejected_of(tmp_path / "out")
    assert len(reasons) == 2
    assert all(reason.startswith("the same file as") for reason in reasons.values())
    with pytest.raises(RunError, match=r"2 of its 4 images can be used, which makes 2 pairs instead of 3"):
        mix(MixSpec(str(root), per_class=3), tmp_path / "more")
    assert not (tmp_path / "more").exists()


def test_a_class_that_fails_is_replaced_by_the_next_in_the_order(image_folder: FolderMaker, tmp_path: Path) -> None:
    root = image_folder(dict.fromkeys(NAMES[:6], 2))
    mix(MixSpec(str(root), classes=5), tmp_path / "whole")
    before = [row["label"] for row in rows_of(tmp_path / "whole")]
    gone = NAMES[before[1]]
    (root / gone / "1.png").write_bytes(b"broken")
    manifest = mix(MixSpec(str(root), classes=5), tmp_path / "out")
    after = [row["label"] for row in rows_of(tmp_path / "out")]
    (spare,) = set(range(6)) - set(before)
    assert after == [before[0], *before[2:], spare]
    reasons = rejected_of(tmp_path / "out")
    assert set(reasons) == {f"{gone}/1.png", f"{gone} ({imagenet_classes()[before[1]].name})"}
    assert manifest.counts == {"requested": 7, "kept": 5, "rejected": 2}
    all_of_them = mix(MixSpec(str(root)), tmp_path / "all")
    assert all_of_them.counts == {"requested": 7, "kept": 5, "rejected": 2}


@pytest.mark.parametrize("classes", [6, tuple(NAMES[:6])])
def test_too_few_at_the_end_is_a_run_error_and_nothing_is_finished(
    image_folder: FolderMaker, tmp_path: Path, classes: int | tuple[str, ...]
) -> None:
    root = image_folder(dict.fromkeys(NAMES[:6], 2))
    (root / NAMES[3] / "1.png").write_bytes(b"broken")
    with pytest.raises(
        RunError, match=r"Only \d of 6 classes could be made, 1 had too few .*n01491361 \(tiger shark\)"
    ):
        mix(MixSpec(str(root), classes=classes), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_class_at_all(image_folder: FolderMaker, tmp_path: Path) -> None:
    root = image_folder({NAMES[0]: 2})
    (root / NAMES[0] / "1.png").write_bytes(b"broken")
    with pytest.raises(RunError, match="Only 0 of 1 classes"):
        mix(MixSpec(str(root)), tmp_path / "out")


def test_pictures_that_are_no_longer_held_are_decoded_again(
    image_folder: FolderMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = image_folder({NAMES[0]: 5})
    mix(MixSpec(str(root), per_class=20), tmp_path / "whole")
    monkeypatch.setattr(class_rows, "HELD", 2)
    mix(MixSpec(str(root), per_class=20), tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    rows = rows_of(tmp_path / "out")
    assert len({(row["top_source"], row["bottom_source"]) for row in rows}) == 20


def test_the_manifests_inputs_can_be_worked_out_from_the_rows_and_the_source(
    image_folder: FolderMaker, tmp_path: Path
) -> None:
    root = image_folder(dict.fromkeys(NAMES[:20], 2))
    inputs = mix(MixSpec(str(root), classes=18), tmp_path / "out").inputs
    used = ""
    for row in rows_of(tmp_path / "out"):
        parts = [used, row["top_source"], row["top_sha256"], row["bottom_source"], row["bottom_sha256"]]
        used = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    assert inputs["used_sha256"] == used
    lines = [f"{label}\0{NAMES[label]}/{number}.png\n" for label in range(20) for number in range(2)]
    assert inputs["index_sha256"] == hashlib.sha256("".join(lines).encode()).hexdigest()


class Killed(BaseException):
    pass


@pytest.mark.parametrize("classes", [0, 1, 9, 27])
def test_a_run_that_is_stopped_resumes_to_the_same_bytes(
    image_folder: FolderMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, classes: int
) -> None:
    root = image_folder(dict.fromkeys(NAMES, 3))
    (root / NAMES[4] / "0.png").write_bytes(b"")
    for number in range(2):
        (root / NAMES[11] / f"{number}.png").write_bytes(b"")
    spec = MixSpec(str(root), classes=29, per_class=2)
    mix(spec, tmp_path / "whole")
    write, written = FolderWriter.write, []

    def stop(self: FolderWriter, *args: Any) -> Any:
        if len(written) == classes:
            raise Killed
        written.append(args)
        return write(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(FolderWriter, "write", stop)
        with pytest.raises(Killed):
            mix(spec, tmp_path / "out", workers=1)
    assert not (tmp_path / "out/manifest.json").exists()
    read = []
    original = LabeledImages.read
    monkeypatch.setattr(LabeledImages, "read", lambda self, image_id: read.append(image_id) or original(self, image_id))
    mix(spec, tmp_path / "out", workers=3)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    done = {synset for synset, *_ in written}
    assert len(done) == classes
    assert not done & {image_id.split("/")[0] for image_id in read}  # what was written is not made again


def test_kill_9_in_the_middle(image_folder: FolderMaker, tmp_path: Path) -> None:
    root = image_folder(dict.fromkeys(NAMES, 2))
    mix(MixSpec(str(root)), tmp_path / "whole")
    code = (
        "import sys, time, pathlib; from stackwalls.stackmix import MixSpec, mix, class_rows\n"
        "encode = class_rows.encode\n"
        "class_rows.encode = lambda *a: (time.sleep(0.02), encode(*a))[1]\n"
        "mix(MixSpec(sys.argv[1]), pathlib.Path(sys.argv[2]), workers=2)\n"
    )
    command = [sys.executable, "-c", code, str(root), str(tmp_path / "out")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    limit = time.monotonic() + 60
    while not list((tmp_path / "out").rglob("*.item")) and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.005)
    assert process.poll() is None, "the run ended before it could be killed"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert list((tmp_path / "out").rglob("*.item"))
    assert not (tmp_path / "out/manifest.json").exists()
    mix(MixSpec(str(root)), tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_again_on_a_finished_folder_does_nothing(image_folder: FolderMaker, tmp_path: Path) -> None:
    root = image_folder(dict.fromkeys(NAMES[:3], 2))
    spec = MixSpec(str(root))
    first = mix(spec, tmp_path / "out")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    assert mix(spec, tmp_path / "out") == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == times


def test_another_spec_or_other_pictures_leave_the_folder_alone(
    image_folder: FolderMaker, tmp_path: Path, make_picture: Callable[..., bytes]
) -> None:
    root = image_folder(dict.fromkeys(NAMES[:3], 2))
    mix(MixSpec(str(root)), tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(InputError, match="seed"):
        mix(MixSpec(str(root), seed=1), tmp_path / "out")
    (root / NAMES[0] / "new.png").write_bytes(make_picture(99))
    with pytest.raises(InputError, match="from other images than"):
        mix(MixSpec(str(root)), tmp_path / "out")
    assert contents(tmp_path / "out") == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="thesis"):
        mix(MixSpec(str(root)), tmp_path / "mine")
    assert contents(tmp_path / "mine") == {"thesis.tex": b"years of work"}


def test_a_source_that_changes_between_two_halves_of_a_run_is_refused(
    image_folder: FolderMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_picture: Callable[..., bytes]
) -> None:
    root = image_folder(dict.fromkeys(NAMES[:20], 2))
    with monkeypatch.context() as patch:
        patch.setattr(FolderWriter, "finish", lambda *_, **__: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            mix(MixSpec(str(root)), tmp_path / "out")
    (root / NAMES[0] / "new.png").write_bytes(make_picture(99))
    with pytest.raises(InputError, match="was begun with the same settings from another source of images"):
        mix(MixSpec(str(root)), tmp_path / "out")


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "more classes than there are": ({"classes": 5}, "Asked for 5 classes .* but 2 of the 3 classes in pictures"),
    "more pairs than there are": ({"per_class": 7}, r"Asked for one class with 7 pair\(s\) each, but 0 of the 3"),
    "a class with one image": ({"classes": ("goldfish",)}, r"has 1 image\(s\) of class n01443537 \(goldfish\)"),
    "a class that is not there": ({"classes": ("zebra",)}, "has no image of class n02391049"),
    "a class with too few": ({"classes": ("tench",), "per_class": 3}, r"2 image\(s\) .* makes 2 pair\(s\)"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_the_source_does_not_have_is_said_before_anything_is_written(
    image_folder: FolderMaker, tmp_path: Path, kind: str
) -> None:
    root = image_folder({"tench": 2, "goldfish": 1, NAMES[3]: 2})
    options, message = BAD[kind]
    with pytest.raises(InputError, match=message):
        mix(MixSpec(str(root), **options), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_load_dataset_gives_the_typed_columns(
    image_folder: FolderMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = image_folder(dict.fromkeys(NAMES[:3], 2))
    mix(MixSpec(str(root), classes=3), tmp_path / "stack-mix")
    dataset = load_dataset(str(tmp_path / "stack-mix"), split="test", cache_dir=str(tmp_path / "cache"))
    assert len(dataset) == 3
    row = dataset[0]
    assert row["image"].size == (224, 224)
    assert dataset.features["label"].int2str(row["label"]) == imagenet_classes()[row["label"]].name
    text = b"".join(contents(tmp_path / "stack-mix").values())
    assert str(tmp_path).encode() not in text


def test_pillows_warnings_are_quiet_and_come_back(image_folder: FolderMaker, tmp_path: Path, recwarn: Any) -> None:
    import warnings

    root = image_folder({NAMES[0]: 0})
    for number in range(2):
        image = Image.fromarray(np.random.default_rng(number).integers(0, 256, (40, 40, 3), dtype=np.uint8)).quantize(
            64
        )
        image.save(root / NAMES[0] / f"{number}.png", transparency=bytes(range(64)))
    filters = list(warnings.filters)
    mix(MixSpec(str(root)), tmp_path / "out")
    assert list(warnings.filters) == filters
    assert [str(warning.message) for warning in recwarn if "Palette" in str(warning.message)] == []


def test_workers_are_checked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least 1 worker"):
        mix(MixSpec("drawn"), tmp_path / "out", workers=0)


def test_a_run_that_can_become_no_set_leaves_nothing_behind(image_folder: FolderMaker, tmp_path: Path) -> None:
    """Parts were written before it failed; once the picture is repaired, the set is the one of an untouched source."""
    names = [entry.synset for entry in imagenet_classes()[:40]]
    root = image_folder(dict.fromkeys(names, 2))
    spec = MixSpec(source=str(root), classes=40)
    whole = mix(spec, tmp_path / "whole")
    last = pq.read_table(tmp_path / "whole" / whole.shards()[0]).column("bottom_source").to_pylist()[-1]
    content = (root / last).read_bytes()
    (root / last).write_bytes(b"")
    with pytest.raises(RunError, match="Only 39 of 40 classes"):
        mix(spec, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (root / last).write_bytes(content)
    mix(spec, tmp_path / "out")
    for path in (tmp_path / "whole").rglob("*.*"):
        assert (tmp_path / "out" / path.relative_to(tmp_path / "whole")).read_bytes() == path.read_bytes()
