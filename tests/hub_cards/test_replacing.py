"""A finished set is replaced by another one: at every moment the folder holds the old one or can be finished."""

import multiprocessing
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from dataset_maker import CALLS, KILLED, contents, make_row, open_writer, plain_card, write_folder

from stackwalls.hub_cards import Manifest, Succession, open_dataset, unfinished_spec, verify
from stackwalls.model import InputError, RunError

OTHER_SEED = Succession(lambda there, now: {**there, "seed": now["seed"]} == now and there["seed"] == 0)
"""Sets of seed 0 may be replaced."""


def replace_folder(folder: Path, seed: int = 1) -> None:
    """Replace the set by one of other rows, in two items; resuming where an earlier attempt stopped."""
    with open_writer(folder, succession=OTHER_SEED, seed=seed) as writer:
        if writer.manifest is not None:
            return
        for number in range(2):
            if writer.record(str(number)) is None:
                rows = [make_row(100 * seed + 2 * number), make_row(100 * seed + 2 * number + 1)]
                writer.write(str(number), rows, [{"item": f"{number}", "reason": "broken"}])
        writer.finish(["0", "1"], inputs={}, card=plain_card)


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
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    children = multiprocessing.get_context("forkserver")
    children.set_forkserver_preload(
        ["dataset_maker", "stackwalls.hub_cards.writing.folder_writer", "PIL.PngImagePlugin"]
    )
    seen = {"old": 0, "unfinished": 0, "new": 0}
    for number in range(1, 1000, 2):
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


def test_the_old_set_is_still_itself_beside_a_run_that_replaces_it(tmp_path: Path) -> None:
    write_folder(tmp_path, rows=10)
    before = contents(tmp_path)
    with open_writer(tmp_path, succession=OTHER_SEED, seed=1) as writer:
        writer.write("0", [make_row(100)])
        with pytest.raises(RunError, match="Another process is writing"):
            open_writer(tmp_path, succession=OTHER_SEED, seed=1)
    assert verify(tmp_path) == []
    with open_writer(tmp_path) as writer:
        assert writer.manifest is not None
    with open_writer(tmp_path, succession=OTHER_SEED, seed=1) as writer:
        assert writer.names() == ["0"], "finding the old set finished does not end the run beside it"
    with pytest.raises(InputError, match=r"an unfinished run .*seed is 1 there, 2 now.* delete .*\.unfinished"):
        open_writer(tmp_path, succession=OTHER_SEED, seed=2)
    with open_writer(tmp_path, succession=OTHER_SEED, seed=1) as writer:
        writer.discard()
    assert contents(tmp_path) == before


def test_a_set_of_the_same_spec_is_revised_where_it_must_be(tmp_path: Path) -> None:
    write_folder(tmp_path, rows=10, card=plain_card)
    asked: list[bool] = []
    for must in (False, True):
        with open_writer(tmp_path, succession=Succession(revised=lambda must=must: must)) as writer:
            asked.append(writer.manifest is None)
    assert asked == [False, True]
    with open_writer(tmp_path, succession=Succession(revised=lambda: True)) as writer:
        writer.write("0", [make_row(3)])
    with open_writer(tmp_path, succession=Succession(revised=lambda: False)) as writer:
        assert writer.names() == ["0"], "it was begun, so it is finished"
        writer.finish(inputs={}, card=plain_card)
    assert len(open_dataset(tmp_path)) == 1


def test_what_a_set_says_of_rows_that_stay_is_carried_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = write_folder(tmp_path, rows=10, card=plain_card).versions
    with monkeypatch.context() as patch:
        patch.setattr("stackwalls.hub_cards.manifest.version", lambda name: "0.0.1")
        with pytest.raises(InputError, match=r'versions.numpy is "\d\S*" there, "0.0.1" now'):
            replace_folder(tmp_path)
        with open_writer(tmp_path, succession=Succession(OTHER_SEED.extends, any_version=True), seed=1) as writer:
            writer.write("0", [make_row(100)])
            writer.finish(inputs={"index_sha256": "1"}, card=plain_card)
    assert Manifest.read(tmp_path).inputs == {"index_sha256": "1", "first_versions": first}


def test_only_a_set_that_may_be_replaced_is(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", rows=10, seed=3)
    before = contents(tmp_path / "a")
    for succession in (None, OTHER_SEED):
        with pytest.raises(InputError, match=r"holds a finished dataset with other settings: spec\.seed"):
            open_writer(tmp_path / "a", succession=succession, seed=1)
    assert contents(tmp_path / "a") == before
