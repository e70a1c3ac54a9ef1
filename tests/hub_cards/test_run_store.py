"""The store of runs: records that appear whole, shares of the work, and one finish, whoever comes last."""

import json
import multiprocessing
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from stackwalls.hub_cards.writing.run_store import RunStore
from stackwalls.model import InputError, Launch, RunError, write_whole

JSON = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9) | st.lists(st.text(max_size=5)))


def begun(folder: Path, rank: int = 0, world: int = 1, **asked: Any) -> RunStore:
    store = RunStore(folder, "done.txt")
    store.begin(asked, lambda: (folder / "done.txt").exists() or None, Launch(rank, world))
    return store


@given(JSON, st.binary(max_size=300))
def test_what_is_written_comes_back(header: dict[str, Any], payload: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        store = begun(Path(name))
        store.write("a_0", {}, b"earlier")
        store.write("a_0", header, payload)
        assert store.read("a_0") == (header, payload)
        assert store.header("a_0") == header
        assert store.names() == ["a_0"]
        assert store.missing(["b", "a_0", "c"]) == ["b", "c"]
        store.close()


def test_a_damaged_record_is_removed_and_one_cut_short_does_not_count(tmp_path: Path) -> None:
    store = begun(tmp_path)
    store.write("a", {"n": 1}, b"payload")
    path = tmp_path / ".unfinished/items/a.item"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert store.missing(["a"]) == ["a"]
    path.write_bytes(whole[:-1] + b"x")
    assert store.header("a") == {"n": 1}
    with pytest.raises(RunError, match=r"a.item of the unfinished run is damaged \(its hash differs\); it was removed"):
        store.read("a")
    assert not path.exists()


def test_a_share_belongs_to_one_process_and_all_divide_alike(tmp_path: Path) -> None:
    first, second = begun(tmp_path, 0, 2), begun(tmp_path, 1, 2)
    for rank, world in ((0, 2), (1, 2), (0, 1), (2, 3)):
        with pytest.raises(RunError, match="Another process is writing"):
            begun(tmp_path, rank, world)
    second.close()
    with pytest.raises(RunError, match="process 0 of 2"):
        begun(tmp_path, 0, 1)
    first.write("a", {})
    first.close()
    assert begun(tmp_path, 0, 1).names() == ["a"]


def test_another_run_does_not_take_the_place_of_one_at_work(tmp_path: Path) -> None:
    first = begun(tmp_path, 0, 2, seed=1)
    with pytest.raises(RunError, match="Another process is writing"):
        begun(tmp_path, 1, 2, seed=2)
    first.close()
    assert not (tmp_path / ".unfinished").exists(), "nothing was written"
    assert begun(tmp_path, 1, 2, seed=2).begun() == {"seed": 2}


def test_finishing_happens_once_and_only_if_nothing_is_missing(tmp_path: Path) -> None:
    written: list[int] = []

    def finish(store: RunStore, number: int) -> bool:
        def write() -> None:
            written.append(number)
            (tmp_path / "done.txt").write_text(str(number))

        return store.finish(lambda: not store.missing(["a", "b"]), write)

    first, second = begun(tmp_path, 0, 2), begun(tmp_path, 1, 2)
    first.write("a", {})
    assert not finish(first, 0)
    second.write("b", {})
    assert finish(second, 1)
    assert not (tmp_path / ".unfinished").exists()
    assert finish(first, 0), "it finds the run finished"
    assert written == [1]
    first.close()
    second.close()
    assert [path.name for path in tmp_path.iterdir()] == ["done.txt"]


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / ".unfinished").mkdir()
    for content, message in (("{", "Cannot read"), (json.dumps({"asked": {}}), "of another version")):
        (tmp_path / ".unfinished/run.json").write_text(content)
        with pytest.raises(InputError, match=message):
            RunStore(tmp_path, "done.txt").begun()
    (tmp_path / ".unfinished/run.json").rename(tmp_path / ".unfinished/asked.json")
    with pytest.raises(InputError, match="of another version"):
        RunStore(tmp_path, "done.txt").begun()


def share(folder: Path, rank: int, world: int) -> None:
    """In a child process: a run of one item a process, which is over at once."""
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(world))
    store = RunStore(folder, "done.txt")
    if store.begin({}, lambda: (folder / "done.txt").exists() or None, Launch.of()) is None:
        store.write(str(rank), {})
        names = [str(number) for number in range(world)]
        store.finish(lambda: not store.missing(names), lambda: write_whole(folder / "done.txt", b"done"))
        store.close()


@pytest.mark.parametrize(("world", "runs"), [(2, 15), *(pytest.param(n, 50, marks=pytest.mark.slow) for n in (2, 3))])
def test_processes_that_end_together_do_not_trip_over_each_other(world: int, runs: int, tmp_path: Path) -> None:
    """The one that finishes removes the folder with the lock that the others wait for."""
    children = multiprocessing.get_context("fork")
    for number in range(runs):
        group = [children.Process(target=share, args=(tmp_path / f"{number}", rank, world)) for rank in range(world)]
        for child in group:
            child.start()
        for child in group:
            child.join()
        assert [child.exitcode for child in group] == [0] * world
        assert (tmp_path / f"{number}/done.txt").exists()
        assert not (tmp_path / f"{number}/.unfinished").exists()
