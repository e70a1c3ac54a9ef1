"""What a person rejected is replaced, and nothing else changes."""

import hashlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, strategies as st

from stackwalls.hub_cards import (
    KEPT,
    REJECTED,
    Decision,
    DecisionLog,
    FolderWriter,
    Manifest,
    image_sha256,
    verify,
)
from stackwalls.model import InputError, RunError, imagenet_classes
from stackwalls.stackmix import MixSpec, RejectedPair, image_order, mix, pair_order, redo_rejected
from stackwalls.stackmix.mix_plan import draw, rejected_pairs

FolderMaker = Callable[[Mapping[str, int]], Path]
NAMES = [entry.synset for entry in imagenet_classes()[:12]]


def rows_of(folder: Path) -> dict[str, dict[str, Any]]:
    shards = sorted((folder / "data").iterdir())
    return {row["image_id"]: row for shard in shards for row in pq.read_table(shard).to_pylist()}


def rejected_of(folder: Path) -> list[tuple[str, str]]:
    return [(row["item"], row["reason"]) for row in pq.read_table(folder / "rejected.parquet").to_pylist()]


def contents(folder: Path) -> dict[str, bytes]:
    """The files of the set; what a review keeps beside them is none."""
    paths = [path for path in folder.rglob("*") if path.is_file() and ".review" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def turn_down(folder: Path, *image_ids: str, comment: str = "", keep: tuple[str, ...] = ()) -> None:
    rows = rows_of(folder)
    with DecisionLog.open(folder) as log:
        for image_id in (*image_ids, *keep):
            verdict = KEPT if image_id in keep else REJECTED
            log.record(Decision(image_id, image_sha256(rows[image_id]["image"]["bytes"]), verdict, comment))


def pair(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["top_source"], row["bottom_source"]


def test_against_a_slow_rewrite(image_folder: FolderMaker, tmp_path: Path) -> None:
    """Three rounds of review; pairs are counted off a list of all pairs of the class."""
    root = image_folder(dict.fromkeys(NAMES[:6], 5))
    spec, out = MixSpec(str(root), per_class=3, seed=4), tmp_path / "out"
    mix(spec, out)
    every = {
        name: [(order[a], order[b]) for a, b in pair_order(5)]
        for name in NAMES[:6]
        for order in [image_order([f"{name}/{number}.png" for number in range(5)], name, 4)]
    }
    standing = {name: every[name][:3] for name in NAMES[:6]}
    used = dict.fromkeys(NAMES[:6], 3)
    turned: list[tuple[str, str]] = []
    a, b, c = NAMES[3], NAMES[0], NAMES[5]
    rounds = [[f"{a}_0001", f"{b}_0000", f"{b}_0002"], [f"{b}_0002", f"{c}_0001"], [f"{b}_0000", f"{b}_0002"]]
    for number, wanted in enumerate(rounds):
        before = rows_of(out)
        in_order = [image_id for image_id in before if image_id in wanted]
        turn_down(out, *wanted, comment=f"round {number}", keep=(f"{NAMES[1]}_0000",))
        for image_id in in_order:
            name, place = image_id.split("_")
            turned.append((image_id, f"{image_id} ({', '.join(pair(before[image_id]))})"))
            standing[name][int(place)] = every[name][used[name]]
            used[name] += 1
        redone = redo_rejected(spec, out)
        after = rows_of(out)
        assert redone.replaced == tuple(in_order)
        assert redone.gone == ()
        assert list(after) == list(before)
        assert all(after[image_id] == before[image_id] for image_id in after if image_id not in wanted)
        assert all(after[image_id]["image"] != before[image_id]["image"] for image_id in wanted)
        assert {name: [pair(after[f"{name}_{place:04d}"]) for place in range(3)] for name in NAMES[:6]} == standing
        listed = rejected_of(out)
        assert sorted(item for item, _ in listed) == sorted(item for _, item in turned)
        assert {reason for _, reason in listed} == {f"rejected in review: round {n}" for n in range(number + 1)}
        assert redone.manifest.counts == {"requested": 18 + len(turned), "kept": 18, "rejected": len(turned)}
        assert verify(out) == []
        assert [entry["image_id"] for entry in redone.manifest.spec["redone"]] == [name for name, _ in turned]
        anew = tmp_path / f"anew{number}"
        whole = MixSpec(str(root), per_class=3, seed=4, redone=RejectedPair.read(redone.manifest.spec["redone"]))
        mix(whole, anew)
        assert contents(anew) == contents(out), "the spec says all of it"


def test_nothing_turned_down_changes_nothing(image_folder: FolderMaker, tmp_path: Path) -> None:
    root = image_folder(dict.fromkeys(NAMES[:3], 4))
    spec, out = MixSpec(str(root)), tmp_path / "out"
    first = mix(spec, out)
    turn_down(out, f"{NAMES[0]}_0000")
    turn_down(out, keep=(f"{NAMES[0]}_0000",))
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.*") if ".review" not in path.parts}
    redone = redo_rejected(spec, out)
    assert (redone.manifest, redone.replaced, redone.gone) == (first, (), ())
    assert {path: path.stat().st_mtime_ns for path in times} == times
    turn_down(out, f"{NAMES[0]}_0000")
    assert redo_rejected(spec, out).replaced == (f"{NAMES[0]}_0000",)
    before = contents(out)
    assert redo_rejected(spec, out).replaced == (), "the decision was about the former picture"
    assert mix(spec, out) == Manifest.read(out), "the command without the flag finds the set as it is"
    assert contents(out) == before


def test_a_class_without_another_pair_loses_the_row(image_folder: FolderMaker, tmp_path: Path) -> None:
    """Two pictures make two pairs; a broken one, listed, among another class's; one class replaced by the next."""
    root = image_folder({NAMES[0]: 2, NAMES[1]: 5, NAMES[2]: 2, NAMES[3]: 2, NAMES[4]: 4})
    for name in NAMES[1:4]:
        (root / name / "1.png").write_bytes(b"")
    spec, out = MixSpec(str(root), classes=3), tmp_path / "out"
    mix(spec, out)
    assert {name.split("_")[0] for name in rows_of(out)} == {NAMES[0], NAMES[1], NAMES[4]}
    gone = f"{NAMES[0]}_0000"
    turn_down(out, gone, comment="blurred")
    assert redo_rejected(spec, out).replaced == (gone,)
    turn_down(out, gone, f"{NAMES[1]}_0000", comment="still blurred")
    redone = redo_rejected(spec, out)
    assert (redone.replaced, redone.gone) == ((f"{NAMES[1]}_0000",), (gone,))
    assert list(rows_of(out)) == [name for name in rows_of(out) if name != gone]
    reasons = [reason for item, reason in rejected_of(out) if item.startswith(gone)]
    assert reasons == [
        "rejected in review: blurred",
        "rejected in review: still blurred; its class has no other pair left, so the row is gone",
    ]
    assert redone.manifest.counts["requested"] == redone.manifest.counts["kept"] + len(rejected_of(out))
    assert verify(out) == []
    turn_down(out, f"{NAMES[4]}_0000")
    redone = redo_rejected(spec, out)  # a class that is gone stays gone, and no other comes for it
    assert {name.split("_")[0] for name in rows_of(out)} == {NAMES[1], NAMES[4]}
    mix(MixSpec(str(root), classes=3, redone=RejectedPair.read(redone.manifest.spec["redone"])), tmp_path / "anew")
    assert contents(tmp_path / "anew") == contents(out)


def test_a_set_of_nothing_is_refused(image_folder: FolderMaker, tmp_path: Path) -> None:
    root = image_folder({NAMES[0]: 2})
    spec, out = MixSpec(str(root), per_class=2), tmp_path / "out"
    mix(spec, out)
    before = contents(out)
    turn_down(out, *rows_of(out))
    with pytest.raises(RunError, match=r"Every row of .* was rejected and no class has another pair"):
        redo_rejected(spec, out)
    assert contents(out) == before


def test_a_review_under_way_another_set_or_none(image_folder: FolderMaker, tmp_path: Path) -> None:
    root = image_folder(dict.fromkeys(NAMES[:2], 4))
    spec, out = MixSpec(str(root)), tmp_path / "out"
    with pytest.raises(InputError, match="holds no finished set"):
        redo_rejected(spec, out)
    assert not out.exists()
    mix(spec, out)
    turn_down(out, f"{NAMES[0]}_0000")
    before = contents(out)
    with DecisionLog.open(out), pytest.raises(RunError, match="Another process reviews"):
        redo_rejected(spec, out)
    with pytest.raises(InputError, match="seed is 0 there, 1 now"):
        redo_rejected(MixSpec(str(root), seed=1), out)
    (root / NAMES[1] / "9.png").write_bytes((root / NAMES[1] / "0.png").read_bytes())
    with pytest.raises(InputError, match="from other images than"):
        redo_rejected(spec, out)
    assert contents(out) == before


def test_a_picture_that_was_changed_since_is_not_used_silently(
    image_folder: FolderMaker, tmp_path: Path, make_picture: Callable[..., bytes]
) -> None:
    root = image_folder(dict.fromkeys(NAMES[:2], 6))
    spec, out = MixSpec(str(root), per_class=2), tmp_path / "out"
    mix(spec, out)
    turn_down(out, f"{NAMES[0]}_0000")
    rows, before = rows_of(out), contents(out)
    for name, message in (
        (f"{NAMES[0]}_0001", "would be made of other files"),
        (f"{NAMES[0]}_0000", "was rejected, but that row"),
    ):
        path = root / rows[name]["top_source"]
        content = path.read_bytes()
        path.write_bytes(make_picture(77) if name.endswith("1") else b"")
        with pytest.raises(RunError, match=message):
            redo_rejected(spec, out)
        path.write_bytes(content)
        left = contents(out)
        assert {name: left[name] for name in before} == before
        assert {name.split("/")[0] for name in left.keys() - before.keys()} <= {".unfinished"}
        assert verify(out) == []
    other = root / rows[f"{NAMES[1]}_0000"]["top_source"]
    other.write_bytes(b"")  # a class that is not touched is not read
    assert redo_rejected(spec, out).replaced == (f"{NAMES[0]}_0000",)


def test_the_versions_that_the_rows_which_stay_were_made_with(
    image_folder: FolderMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = image_folder(dict.fromkeys(NAMES[:2], 4))
    spec, out = MixSpec(str(root)), tmp_path / "out"
    first = mix(spec, out)
    turn_down(out, f"{NAMES[0]}_0000")
    with monkeypatch.context() as patch:
        patch.setattr("stackwalls.hub_cards.manifest.version", lambda name: "99" if name == "pillow" else "1")
        second = redo_rejected(spec, out).manifest
    assert second.versions["pillow"] == "99"
    assert second.inputs["first_versions"] == first.versions
    assert set(first.inputs) == {"index_sha256", "used_sha256"}


class Killed(BaseException):
    pass


@pytest.mark.parametrize("stop", ["write 0", "write 5", "finish 0"])
def test_stopped_in_the_middle_the_old_set_stands_and_the_same_command_goes_on(
    image_folder: FolderMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: str
) -> None:
    root = image_folder(dict.fromkeys(NAMES, 4))
    spec, out = MixSpec(str(root), per_class=8), tmp_path / "out"
    mix(spec, out)
    turned = [list(rows_of(out))[number] for number in (0, 9, 40, 95)]
    turn_down(out, *turned, comment="no")
    shutil.copytree(out, tmp_path / "whole")
    redo_rejected(spec, tmp_path / "whole")
    before = contents(out)
    name, count = stop.split()
    real, calls = getattr(FolderWriter, name), itertools.count()

    def killed(self: FolderWriter, *args: Any, **options: Any) -> Any:
        if next(calls) == int(count):
            raise Killed
        return real(self, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(FolderWriter, name, killed)
        with pytest.raises(Killed):
            redo_rejected(spec, out)
    left = contents(out)
    assert {name: left[name] for name in before} == before
    assert verify(out) == []
    assert mix(spec, out) == Manifest.read(tmp_path / "out")
    redo_rejected(spec, out)
    assert contents(out) == contents(tmp_path / "whole")


RUN = """
import sys
from pathlib import Path
from stackwalls.stackmix import MixSpec, redo_rejected
spec = MixSpec(sys.argv[1], per_class=8)
print("ready", flush=True)
redo_rejected(spec, Path(sys.argv[2]), workers=1)
"""


def test_kill_9_at_random_moments(image_folder: FolderMaker, tmp_path: Path) -> None:
    root = image_folder(dict.fromkeys(NAMES, 4))
    spec, out = MixSpec(str(root), per_class=8), tmp_path / "out"
    mix(spec, out)
    turn_down(out, *list(rows_of(out))[::5])
    shutil.copytree(out, tmp_path / "whole")
    start = time.perf_counter()
    redo_rejected(spec, tmp_path / "whole", workers=1)
    seconds, moment = time.perf_counter() - start, random.Random(0)
    for _ in range(2):
        command = [sys.executable, "-c", RUN, str(root), str(out)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(moment.uniform(0, seconds))
            os.kill(process.pid, signal.SIGKILL)
    redo_rejected(spec, out)
    assert contents(out) == contents(tmp_path / "whole")


def test_killed_after_the_old_set_was_given_up(
    image_folder: FolderMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is an unfinished one then: `mix` and the redo both finish it."""
    root = image_folder(dict.fromkeys(NAMES[:3], 4))
    spec, out = MixSpec(str(root)), tmp_path / "out"
    mix(spec, out)
    turn_down(out, f"{NAMES[0]}_0000")
    with monkeypatch.context() as patch:
        patch.setattr(
            "stackwalls.hub_cards.writing.finishing._write_rejected", lambda *_: (_ for _ in ()).throw(Killed)
        )
        with pytest.raises(Killed):
            redo_rejected(spec, out)
    assert not (out / "manifest.json").exists()
    shutil.copytree(out, tmp_path / "other")
    assert redo_rejected(spec, out).replaced == (f"{NAMES[0]}_0000",)
    mix(spec, tmp_path / "other")
    assert contents(out) == contents(tmp_path / "other")
    assert verify(out) == []


def test_the_drawn_source(tmp_path: Path) -> None:
    spec, out = MixSpec("drawn", classes=3, per_class=2, seed=1), tmp_path / "out"
    mix(spec, out)
    before = rows_of(out)
    turned = list(before)[3]
    turn_down(out, turned)
    redo_rejected(spec, out)
    after = rows_of(out)
    assert [name for name in before if before[name] != after[name]] == [turned]
    assert set(pair(after[turned])).isdisjoint(itertools.chain(*map(pair, before.values()))), "fresh pictures"
    hashes = [hashlib.sha256(row["image"]["bytes"]).hexdigest() for row in after.values()]
    assert len(set(hashes)) == 6


@given(
    count=st.integers(1, 6),
    places=st.lists(st.integers(0, 5), max_size=12),
    pictures=st.integers(2, 5),
)
def test_drawing_against_a_list(count: int, places: list[int], pictures: int) -> None:
    places = [place for place in places if place < count]
    names = [f"n_{number}" for number in range(count)]
    redone = [RejectedPair(names[place], "a", "b") for place in places]
    every = list(pair_order(pictures))
    standing: dict[str, Any] = dict(zip(names, every, strict=False))
    left = every[count:]
    for entry in redone:
        standing[entry.image_id] = left.pop(0) if left else None
    drawn = list(draw(iter(every), names, redone))
    given = dict(drawn)
    short = {entry.image_id for entry in redone[max(0, len(drawn) - count) :]} if len(drawn) >= count else set()
    if len(every) >= count:
        assert {name: None if name in short else given[name] for name in names} == standing
        assert [entry["reason"].endswith("gone") for entry in rejected_pairs(redone, short)] == [
            standing[entry.image_id] is None and entry.image_id not in places_after(redone, number)
            for number, entry in enumerate(redone)
        ]


def places_after(redone: list[RejectedPair], number: int) -> list[str]:
    return [entry.image_id for entry in redone[number + 1 :]]


def test_a_row_that_is_not_there() -> None:
    with pytest.raises(InputError, match="n_7"):
        draw(iter([]), ["n_0"], [RejectedPair("n_7", "a", "b")])
    with pytest.raises(InputError, match=r"lists? pairs"):
        RejectedPair.read(json.loads('[{"image_id": "n_0"}]'))
    with pytest.raises(InputError, match="two sources"):
        RejectedPair("n_0", "", "b")
