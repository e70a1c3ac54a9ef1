"""A finished set gives way to another one: at every moment the folder holds the old one or can be gone on with."""

import multiprocessing
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from dataset_maker import CALLS, KILLED, contents, make_row, open_writer, plain_card, write_folder

from stackwalls.hub_cards import Manifest, open_dataset, unfinished_spec, verify
from stackwalls.model import InputError, RunError


def replace_folder(folder: Path, seed: int = 1) -> None:
    """Replace the set by one of other rows, in two parts; going on where an earlier attempt stopped."""
    replaces = Manifest.read(folder) if (folder / "manifest.json").exists() else None
    with open_writer(folder, replaces=replaces, seed=seed) as writer:
        if writer.complete:
            return
        done = writer.state["done"] if writer.state else 0
        for number in range(done, 2):
            rows = [make_row(100 * seed + 2 * number), make_row(100 * seed + 2 * number + 1)]
            writer.write_part(rows, [{"item": f"{number}", "reason": "broken"}], {"done": number + 1})
        writer.finish(requested=6, inputs={}, card=plain_card)


def replace_until_call(number: int, folder: Path) -> None:
    """In a child process: replace the set, and end before the `number`-th change of the disk without any clean-up."""
    count = 0

    def ending(real: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += 1
            if count == number:
                os._exit(KILLED)
            return real(*args, **kwargs)

        return call

    for name in CALLS:
        setattr(os, name, ending(getattr(os, name)))
    replace_folder(folder)
    os._exit(0)


@pytest.fixture
def expected(tmp_path: Path) -> dict[str, bytes]:
    """The folder of a run that replaced nothing."""
    replace_folder(tmp_path / "expected")
    return contents(tmp_path / "expected")


def test_the_new_set_is_the_same_as_one_that_replaces_none(tmp_path: Path, expected: dict[str, bytes]) -> None:
    write_folder(tmp_path / "a", rows=10, card=plain_card)
    replace_folder(tmp_path / "a")
    assert contents(tmp_path / "a") == expected


def test_dying_before_any_change_of_the_disk(
    tmp_path: Path, expected: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "old", rows=10, card=plain_card)
    old = contents(tmp_path / "old")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    children = multiprocessing.get_context("forkserver")
    children.set_forkserver_preload(["dataset_maker", "stackwalls.hub_cards.folder", "PIL.PngImagePlugin"])
    seen = {"old": 0, "unfinished": 0, "new": 0}
    for number in range(1, 1000):
        folder = Path(shutil.copytree(tmp_path / "old", tmp_path / str(number)))
        child = children.Process(target=replace_until_call, args=(number, folder))
        child.start()
        child.join()
        if child.exitcode == 0:
            break
        assert child.exitcode == KILLED
        left = contents(folder)
        if "manifest.json" in left:
            whole = old if left["manifest.json"] == old["manifest.json"] else expected
            assert {name: left.get(name) for name in whole} == whole
            seen["old" if whole is old else "new"] += 1
            assert len(open_dataset(folder)) == (10 if whole is old else 4)
        else:
            assert unfinished_spec(folder) == Manifest.from_json(expected["manifest.json"].decode()).spec
            seen["unfinished"] += 1
        replace_folder(folder)
        assert contents(folder) == expected, f"died at call {number}"
    assert min(seen.values()) > 2, seen


def test_the_old_set_is_still_itself_beside_a_run_that_is_to_replace_it(tmp_path: Path) -> None:
    write_folder(tmp_path, rows=10)
    old, before = Manifest.read(tmp_path), contents(tmp_path)
    with open_writer(tmp_path, replaces=old, seed=1) as writer:
        writer.write_part([make_row(100)], [], {"done": 1})
        with pytest.raises(RunError, match="Another process is writing"):
            open_writer(tmp_path, replaces=old, seed=1)
    assert verify(tmp_path) == []
    with open_writer(tmp_path) as writer:
        assert writer.complete
    with open_writer(tmp_path, replaces=old, seed=1) as writer:
        assert writer.state == {"done": 1}, "finding the old set finished does not end the run beside it"
    with open_writer(tmp_path, replaces=old, seed=2) as writer:
        assert writer.state is None, "another run takes its place"
        writer.write_part([make_row(200)], [], {"done": 1})
        writer.discard()
    assert contents(tmp_path) == before


def test_only_the_set_that_was_named_gives_way(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", rows=10)
    write_folder(tmp_path / "b", rows=3)
    before = contents(tmp_path / "a")
    for replaces in (None, Manifest.read(tmp_path / "b")):
        with pytest.raises(InputError, match=r"holds a finished dataset with other settings: spec\.seed"):
            open_writer(tmp_path / "a", replaces=replaces, seed=1)
    assert contents(tmp_path / "a") == before
