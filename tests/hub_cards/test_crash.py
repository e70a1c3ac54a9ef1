"""Killed or refused by the disk at any moment, the same command goes on and ends with the same bytes."""

import errno
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dataset_maker import KILLED, contents, make_row, open_writer, plain_card, png, write_folder, write_until_call

from stackwalls.hub_cards import verify
from stackwalls.model import RunError


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The folder of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("expected")
    write_folder(folder, card=plain_card)
    return contents(folder)


def test_dying_before_any_change_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"rows": 3, "part": 2, "card": plain_card}
    write_folder(tmp_path / "expected", **options)
    expected = contents(tmp_path / "expected")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    children = multiprocessing.get_context("forkserver")
    children.set_forkserver_preload(
        ["dataset_maker", "stackwalls.hub_cards.writing.folder_writer", "PIL.PngImagePlugin"]
    )
    left_behind = set()
    for number in range(1, 1000):
        folder = tmp_path / str(number)
        child = children.Process(target=write_until_call, args=(number, folder), kwargs=options)
        child.start()
        child.join()
        if child.exitcode == 0:
            break
        assert child.exitcode == KILLED
        left = contents(folder) if folder.exists() else {}
        left_behind.add(frozenset(left))
        if "manifest.json" in left:
            assert {name: left[name] for name in expected} == expected, "a manifest is only beside a whole folder"
        write_folder(folder, **options)
        assert contents(folder) == expected, f"died at call {number}"
    assert number > 40
    assert len(left_behind) > 15, "the deaths were at different places"


RUN = """
import sys
sys.path.insert(0, sys.argv[2])
from dataset_maker import write_folder, make_row
from pathlib import Path
[make_row(number) for number in range(60)]
print("ready", flush=True)
write_folder(Path(sys.argv[1]), rows=60, part=3)
"""


def test_kill_9_at_random_moments(tmp_path: Path) -> None:
    start = time.perf_counter()
    write_folder(tmp_path / "expected", rows=60, part=3)
    seconds = time.perf_counter() - start
    moment = random.Random(0)
    for _ in range(3):
        command = [sys.executable, "-c", RUN, str(tmp_path / "a"), str(Path(__file__).parent)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(moment.uniform(0, seconds))
            process.send_signal(signal.SIGKILL)
    write_folder(tmp_path / "a", rows=60, part=3)
    assert contents(tmp_path / "a") == contents(tmp_path / "expected")


def refusal(folder: Path) -> str | None:
    """The sentence with which writing the folder ends, or None where it is finished."""
    try:
        write_folder(folder, card=plain_card)
    except RunError as error:
        return str(error)
    return None


@pytest.mark.parametrize(("name", "number"), [("replace", errno.ENOSPC), ("fsync", errno.EIO)])
def test_a_disk_that_refuses_any_one_call(
    name: str, number: int, tmp_path: Path, expected: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends with one sentence, no temporary file is left, and the same command goes on."""
    real = getattr(os, name)
    for failing in range(1, 100):
        folder, count = tmp_path / f"{failing}", 0

        def refuse(*args: Any, failing: int = failing) -> Any:
            nonlocal count
            count += 1
            if count == failing:
                raise OSError(number, os.strerror(number))
            return real(*args)

        with monkeypatch.context() as patch:
            patch.setattr(os, name, refuse)
            problem = refusal(folder)
        if problem is None:
            assert count < failing
            break
        assert ("disk is full" in problem) == (number == errno.ENOSPC)
        assert "same command again" in problem
        assert [path for path in folder.rglob("*") if path.name.endswith(".tmp")] == []
        write_folder(folder, card=plain_card)
        assert contents(folder) == expected, f"refused call {failing}"
        shutil.rmtree(folder)
    assert failing > 8


def test_the_same_writer_goes_on_after_the_disk_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EDQUOT, "over quota")

    with open_writer(tmp_path / "a") as writer:
        for step in (
            lambda: writer.write("all", [make_row(0)]),
            lambda: writer.finish(requested=1, inputs={}),
        ):
            with monkeypatch.context() as patch:
                patch.setattr(os, "replace", refuse)
                with pytest.raises(RunError, match="quota"):
                    step()
            step()
    assert verify(tmp_path / "a") == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mounts a file system of so many kB, or makes it larger; skips where that is not permitted."""
    mount = tmp_path / "disk"
    mount.mkdir()

    def resize(kilobytes: int) -> Path:
        option = "remount," if os.path.ismount(mount) else ""
        command = ["mount", "-t", "tmpfs", "-o", f"{option}size={kilobytes}k", "stackwalls-test", str(mount)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no small disk to fill: mounting is not permitted here ({error})")
        return mount

    yield resize
    if os.path.ismount(mount):
        subprocess.run(["umount", str(mount)], check=True)


def test_a_full_disk(tmp_path: Path, small_disk: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full first for the records, then for the shards, then large enough."""
    noise = {number: png(number) + random.Random(number).randbytes(50_000) for number in range(12)}
    monkeypatch.setattr("dataset_maker.png", noise.get)
    write_folder(tmp_path / "reference", card=plain_card)
    seen = set()
    for kilobytes in range(100, 2000, 100):
        folder = small_disk(kilobytes) / "stack-mix"
        problem = refusal(folder)
        if problem is None:
            break
        assert "The disk is full" in problem
        assert str(folder) in problem
        assert [path for path in folder.rglob("*") if path.name.endswith(".tmp")] == []
        assert not (folder / "data").exists()
        seen.add(len(list(folder.rglob("*.item"))))
    assert seen == {0, 1, 2, 3}, "it was full in each record and while finishing"
    assert contents(folder) == contents(tmp_path / "reference")


def test_a_damaged_record_is_made_again(tmp_path: Path, expected: dict[str, bytes]) -> None:
    with open_writer(tmp_path / "a") as writer:
        for start in (0, 5):
            writer.write(f"{start:06d}", [make_row(n) for n in range(start, start + 5)])
    first, second = sorted((tmp_path / "a/.unfinished/items").iterdir())
    first.write_bytes(first.read_bytes()[:-1])
    data = bytearray(second.read_bytes())
    data[-500] ^= 1
    second.write_bytes(data)
    with open_writer(tmp_path / "a") as writer:
        assert writer.record("000000") is None, "it was cut short, so it does not count"
        assert writer.record("000005") is not None
    with pytest.raises(RunError, match=r"000005.item of the unfinished run is damaged .* removed"):
        write_folder(tmp_path / "a", card=plain_card)
    assert not second.exists()
    write_folder(tmp_path / "a", card=plain_card)
    assert contents(tmp_path / "a") == expected


@pytest.mark.parametrize("content", [b"", b"[]\n", b"{}\n", b'{"header": {"rejected": 3}, "bytes": 0, "sha256": ""}\n'])
def test_a_record_that_is_none_does_not_count(content: bytes, tmp_path: Path, expected: dict[str, bytes]) -> None:
    with open_writer(tmp_path) as writer:
        writer.write("000000", [make_row(n) for n in range(5)])
        (tmp_path / ".unfinished/items/000000.item").write_bytes(content)
        assert writer.record("000000") is None
    write_folder(tmp_path, card=plain_card)
    assert contents(tmp_path) == expected
