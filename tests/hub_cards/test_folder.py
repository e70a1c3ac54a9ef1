import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_maker import SPEC, contents, make_row, open_writer, parts_of, pixels, write_folder
from hypothesis import given, strategies as st

from stackwalls.hub_cards import FolderWriter, ItemRecord, Manifest, stack_mix_features, verify
from stackwalls.hub_cards.record import encode_rows
from stackwalls.hub_cards.writing.finishing import regrouped, write_shards
from stackwalls.model import InputError, RunError, class_names

SHARD = "data/test-00000-of-00001.parquet"
REAL_NAMES = [
    "README.md",
    "assets/examples.png",
    "assets/wall.png",
    "data/test-00000-of-00001.parquet",
    "manifest.json",
    "rejected.parquet",
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 230 rows, written in parts of 64."""
    folder = tmp_path_factory.mktemp("finished") / "stack-mix"
    write_folder(folder, rows=230, part=64)
    return folder


def test_the_finished_folder(finished: Path) -> None:
    assert sorted(contents(finished)) == REAL_NAMES
    assert verify(finished) == []
    manifest = Manifest.read(finished)
    assert manifest.counts == {"requested": 232, "kept": 230, "rejected": 2}
    assert manifest.spec == SPEC
    rejected = pq.read_table(finished / "rejected.parquet").to_pylist()
    assert rejected == [{"item": f"bad{n}.JPEG", "reason": "broken"} for n in range(2)]
    shard = pq.ParquetFile(finished / SHARD)
    assert [shard.metadata.row_group(n).num_rows for n in range(shard.num_row_groups)] == [100, 100, 30]
    assert datasets.Features.from_arrow_schema(shard.schema_arrow) == stack_mix_features()
    shard.close()


@pytest.mark.parametrize("streaming", [False, True])
def test_load_dataset_gives_typed_columns(streaming: bool, finished: Path, tmp_path: Path) -> None:
    table = datasets.load_dataset(str(finished), split="test", streaming=streaming, cache_dir=str(tmp_path))
    assert table.features == stack_mix_features()
    assert table.features["label"].names == list(class_names())
    rows = list(table)
    assert len(rows) == 230
    for number in (0, 99, 100, 229):
        row, expected = rows[number], make_row(number)
        assert np.array_equal(np.asarray(row["image"]), pixels(number))
        assert {name: row[name] for name in row if name != "image"} == {n: expected[n] for n in row if n != "image"}


def test_a_wrong_row_count_in_the_card_is_noticed_by_load_dataset(finished: Path, tmp_path: Path) -> None:
    """The card's `num_examples` is live metadata, not decoration."""
    copy = tmp_path / "copy"
    for name, data in contents(finished).items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(data)
    card = (copy / "README.md").read_text()
    (copy / "README.md").write_text(card.replace("num_examples: 230", "num_examples: 231"))
    with pytest.raises(datasets.exceptions.NonMatchingSplitsSizesError):
        datasets.load_dataset(str(copy), split="test", cache_dir=str(tmp_path / "cache"))


@pytest.mark.parametrize("part", [1, 7, 100, 230])
def test_the_bytes_do_not_depend_on_the_parts(part: int, finished: Path, tmp_path: Path) -> None:
    rows = 230 if part > 1 else 12
    write_folder(tmp_path / "other", rows=rows, part=part)
    if part == 1:
        write_folder(tmp_path / "reference", rows=rows, part=5)
    assert contents(tmp_path / "other") == contents(finished if part > 1 else tmp_path / "reference")


@given(st.lists(st.integers(0, 30), max_size=8), st.integers(1, 12))
def test_regrouped_is_the_same_rows_in_equal_tables(sizes: list[int], size: int) -> None:
    values = iter(range(1000))
    batches = [pa.record_batch({"n": [next(values) for _ in range(count)]}) for count in sizes]
    tables = list(regrouped(batches, size))
    numbers = list(range(sum(sizes)))
    assert [table["n"].to_pylist() for table in tables] == [list(part) for part in parts_of(len(numbers), size)]
    assert all(table["n"].num_chunks == 1 for table in tables)


def test_shards_stay_below_the_limit(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).bytes(20 * 100_000)
    rows = [make_row(n) | {"image": {"bytes": noise[n * 100_000 :][:100_000], "path": "a.png"}} for n in range(20)]
    table = encode_rows(rows, stack_mix_features())
    shards = write_shards([table.slice(start, 2) for start in range(0, 20, 2)], tmp_path, 700_000)
    assert [rows for _, rows in shards] == [6, 6, 6, 2], "three tables of 200 kB fit, a fourth would not"
    assert all(path.stat().st_size < 700_000 for path, _ in shards)
    assert pa.concat_tables(pq.read_table(path) for path, _ in shards).equals(table)
    assert [rows for _, rows in write_shards([table], tmp_path, 1)] == [20], "a single table is never cut"


def test_several_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stackwalls.hub_cards.writing.finishing.SHARD_BYTES", 1)
    manifest = write_folder(tmp_path / "a", rows=230, part=64)
    assert manifest.shards() == [f"data/test-0000{n}-of-00003.parquet" for n in range(3)]
    assert [manifest.files[name]["rows"] for name in manifest.shards()] == [100, 100, 30]
    assert verify(tmp_path / "a") == []
    table = datasets.load_dataset(str(tmp_path / "a"), split="test", cache_dir=str(tmp_path / "cache"))
    assert table["image_id"][:] == [f"row{n:04d}" for n in range(230)]


def test_a_finished_folder_is_recognized_and_left_alone(tmp_path: Path) -> None:
    manifest = write_folder(tmp_path / "a")
    before = contents(tmp_path / "a")
    with open_writer(tmp_path / "a") as writer:
        assert writer.manifest == manifest
        assert writer.finish(requested=0, inputs={}) == manifest
        with pytest.raises(InputError, match="is finished"):
            writer.write("all")
    assert contents(tmp_path / "a") == before


def test_an_unfinished_run_resumes(tmp_path: Path) -> None:
    first = {"item": "x", "reason": "y"}
    with open_writer(tmp_path) as writer:
        assert (writer.names(), writer.record("b")) == ([], None)
        made = writer.write("b", [make_row(0), make_row(1)], [first], {"next": (2, "a")})
        writer.write("c", rejected=[{"item": "z", "reason": "y"}])
    with open_writer(tmp_path) as writer:
        assert (writer.manifest, writer.names()) == (None, ["b", "c"])
        assert writer.record("b") == made == ItemRecord("b", (first,), 2, {"next": [2, "a"]})
        writer.write("a", [make_row(2)])
        assert writer.finish(["b", "c", "missing", "a"], inputs={}) is None
        assert writer.finish(["b", "c", "a"], inputs=lambda: None) is None, "an item is not done"
        manifest = writer.finish(["b", "c", "a"], inputs={}, rejected=[{"item": "last", "reason": "y"}])
    assert manifest is not None
    assert manifest.counts == {"requested": 6, "kept": 3, "rejected": 3}
    assert [row["item"] for row in pq.read_table(tmp_path / "rejected.parquet").to_pylist()] == ["x", "z", "last"]
    assert pq.read_table(tmp_path / SHARD)["image_id"].to_pylist() == ["row0000", "row0001", "row0002"]


def refused(path: Path, message: str, **changes: Any) -> None:
    before = contents(path) if path.is_dir() else {}
    with pytest.raises(InputError, match=message):
        open_writer(path, **changes)
    assert (contents(path) if path.is_dir() else {}) == before, "something was touched"


def test_other_settings_are_named_with_both_values(tmp_path: Path) -> None:
    write_folder(tmp_path / "done")
    with open_writer(tmp_path / "begun") as writer:
        writer.write("all", [make_row(0)])
    for folder, kind in (("done", "a finished dataset"), ("begun", "an unfinished run")):
        path = tmp_path / folder
        refused(path, rf"{kind} with other settings: spec.seed is 0 there, 1 now\. ", seed=1)
        refused(path, r'wall is "bottom:54" there, "top:54" now', wall="top:54")
        refused(path, r"spec.animals is absent there, true now", animals=True)
        refused(path, r'classes\[1\] is "n01443537" there, "n01484850" now', classes=["n01440764", "n01484850"])
        refused(path, r"; and \d+ more\.", classes=list("abcdefgh"), seed=1)


def test_another_origin_is_refused_in_the_middle_of_a_run(tmp_path: Path) -> None:
    def opened(**origin: str) -> FolderWriter:
        return FolderWriter.open(tmp_path, kind="stack-mix", spec=SPEC, origin=origin)

    with opened(recipe="1") as writer:
        writer.write("all", [make_row(0)])
    for origin, message in (
        ({"recipe": "2"}, "from another recipe"),
        ({"dataset": "1"}, "from a recipe, not from a"),
    ):
        with pytest.raises(InputError, match=message):
            opened(**origin)
    refused(tmp_path, "from a recipe, not from a")
    assert opened(recipe="1").names() == ["all"]


def test_a_run_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".unfinished").mkdir()
    (tmp_path / ".unfinished/run.json").write_text('{"kind": "stack-mix", "spec": {}, "versions": {}, "format": 1}')
    refused(tmp_path, "of another version of stackwalls")
    write_folder(tmp_path / "done")
    shutil.copytree(tmp_path / ".unfinished", tmp_path / "done/.unfinished")
    assert open_writer(tmp_path / "done").manifest is not None, "only a leftover"
    assert not (tmp_path / "done/.unfinished").exists()


def test_other_versions_are_refused_in_the_middle_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path / "done")
    with open_writer(tmp_path / "begun") as writer:
        writer.write("all", [make_row(0)])
    monkeypatch.setattr("stackwalls.hub_cards.manifest.version", lambda name: "0.0.1")
    refused(tmp_path / "begun", r'versions.numpy is "\d\S*" there, "0.0.1" now')
    assert open_writer(tmp_path / "done").manifest is not None


def test_a_run_without_a_record_gives_way(tmp_path: Path) -> None:
    writer = open_writer(tmp_path, seed=1)
    with pytest.raises(RunError, match="Another process is writing"):
        open_writer(tmp_path)
    writer._store._claim.release()  # as after a kill
    write_folder(tmp_path)
    assert Manifest.read(tmp_path).spec["seed"] == 0


@pytest.mark.parametrize("name", ["photo.jpg", "manifest.json", "README.md", "data/test-00000-of-00001.parquet", "a/b"])
def test_a_folder_that_holds_something_else_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("{}")
    refused(tmp_path, r"something else|Cannot read .*manifest")


def test_something_else_in_an_unfinished_folder_is_refused(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        writer.write("all", [make_row(0)])
    for name in ("notes.txt", "data/train.parquet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
        refused(tmp_path, name)
        (tmp_path / name).unlink()
    (tmp_path / ".gitattributes").write_text("")
    open_writer(tmp_path).close()


def test_a_file_or_a_wrong_call_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file", "is a file")
    refused(tmp_path / "new", "absolute path", source="/data/val")
    refused(tmp_path / "new", "JSON", seed=object())
    with pytest.raises(InputError, match="stack-gen"):
        FolderWriter.open(tmp_path / "new", kind="other", spec=SPEC)
    assert not (tmp_path / "new").exists()


def test_a_finished_folder_with_a_missing_shard_is_not_taken_for_finished(tmp_path: Path) -> None:
    write_folder(tmp_path)
    (tmp_path / SHARD).unlink()
    refused(tmp_path, "data/test-00000-of-00001.parquet is missing")


def test_a_run_that_ends_before_its_first_record_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), open_writer(tmp_path / "new"):
        raise ZeroDivisionError
    assert not (tmp_path / "new").exists()
    (tmp_path / "empty").mkdir()
    open_writer(tmp_path / "empty").close()
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_bad_item_changes_nothing(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        made = writer.write("all", [make_row(0)], [], {"n": 1})
        before = contents(tmp_path)
        for rows, rejected, notes in (
            ([{"image_id": "x"}], [], {}),
            ([make_row(1) | {"top_source": "/home/me/a.JPEG"}], [], {}),
            ([make_row(1)], [{"item": "x"}], {}),
            ([make_row(1)], [{"item": "/home/me/x", "reason": "y"}], {}),
            ([make_row(1)], [], {"n": float("nan")}),
        ):
            with pytest.raises(InputError):
                writer.write("all", rows, rejected, notes)
            assert contents(tmp_path) == before
        assert writer.record("all") == made


def test_counts_that_disagree_and_inputs_that_cannot_be_published_are_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    with open_writer(tmp_path) as writer:
        writer.write("all", [make_row(0)])
        before = contents(tmp_path)
        with pytest.raises(InputError, match="5 were requested"):
            writer.finish(requested=5, inputs={})
        with pytest.raises(InputError, match="absolute path"):
            writer.finish(requested=1, inputs={"source": "/home/me/val"})
        assert contents(tmp_path) == before
        writer.finish(requested=1, inputs={})


def test_a_dataset_without_rows_is_no_dataset(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        writer.write("all", [], [{"item": "a.JPEG", "reason": "truncated"}])
        with pytest.raises(RunError, match=r"1 requested.*a\.JPEG: truncated"):
            writer.finish(requested=1, inputs={})
    assert not (tmp_path / "manifest.json").exists()


def test_another_card_can_be_given(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        writer.write("all", [make_row(3)])
        writer.finish(requested=1, inputs={}, card=lambda manifest, row: f"{manifest.kind} {row['image_id']}\n")
    assert (tmp_path / "README.md").read_text() == "stack-mix row0003\n"


HOLD = """
import sys, time
sys.path.insert(0, sys.argv[2])
from dataset_maker import make_row, open_writer
from pathlib import Path
writer = open_writer(Path(sys.argv[1]))
writer.write("all", [make_row(0)])
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "a"), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        before = contents(tmp_path / "a")
        with pytest.raises(RunError, match="Another process is writing"):
            open_writer(tmp_path / "a")
        assert contents(tmp_path / "a") == before
        holder.kill()
    with open_writer(tmp_path / "a") as writer:
        assert writer.names() == ["all"]


def test_one_process_cannot_open_a_folder_twice(tmp_path: Path) -> None:
    with open_writer(tmp_path), pytest.raises(RunError, match="Another process"):
        open_writer(tmp_path)


def test_paths_of_this_machine_do_not_get_into_the_folder(finished: Path) -> None:
    for name, data in contents(finished).items():
        for secret in (str(finished.parent), str(Path(__file__).parent)):
            assert secret.encode() not in data, name


MEMORY = """
import random, resource, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from dataset_maker import make_row, open_writer
import pyarrow.parquet as pq
from stackwalls.hub_cards import verify
from stackwalls.hub_cards.row_reader import shard_rows

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

def row(number):
    return make_row(0) | {"image_id": str(number), "image": {"bytes": random.randbytes(50_000), "path": "a.png"}}

with open_writer(Path(sys.argv[1])) as writer:
    writer.write("0000", [row(number) for number in range(100)])
    begin = peak()
    for start in range(100, 3000, 100):
        writer.write(f"{start:04d}", [row(number) for number in range(start, start + 100)])
    manifest = writer.finish(requested=3000, inputs={})
folder = Path(sys.argv[1])
assert sum(1 for _ in shard_rows(manifest, lambda name: pq.ParquetFile(folder / name))) == 3000
assert len(verify(sys.argv[1])) == 11, "noise is no picture"
print(peak() - begin)
"""


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """150 MB of images are written, merged, read and checked in a few row groups' worth of memory."""
    command = [sys.executable, "-c", MEMORY, str(tmp_path / "a"), str(Path(__file__).parent)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(result.stdout) < 75, "MB more than after the first record"
