"""Killed at any moment, alone or beside others, a set goes on and ends with the same bytes."""

import multiprocessing
import os
import random
import signal
import time
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import pytest
from scripted_generation import contents, make, make_in_child

from stackwalls.hub_cards import Manifest, verify

OPTIONS: dict[str, Any] = {"classes": ("goldfish", "ox", "tench"), "attempts": 3}
LARGER = OPTIONS | {"per_class": 2}
MANY: dict[str, Any] = {"classes": 12, "per_class": 2, "attempts": 4}
KILLED = -signal.SIGKILL


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> ForkServerContext:
    """Processes that begin with everything imported."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["scripted_generation", "stackwalls.hub_cards.writing.finishing", "PIL.PngImagePlugin"]
    )
    return context


def begin(
    children: ForkServerContext, folder: Path, options: dict[str, Any], kill_at: int | None = None
) -> ForkServerProcess:
    child = children.Process(target=make_in_child, args=(folder, options, kill_at))
    child.start()
    return child


def check(folder: Path, allowed: list[dict[str, bytes]]) -> None:
    """Where there is a manifest there is a whole set beside it: one of those allowed."""
    left = contents(folder) if folder.exists() else {}
    if "manifest.json" in left:
        # half of a file that a finished set will get lies there under a hidden name
        published = {name: content for name, content in left.items() if "/." not in f"/{name}"}
        assert published in allowed
        assert verify(folder) == []


@pytest.mark.parametrize("every", [28, pytest.param(3, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
@pytest.mark.parametrize("grown", [False, True])
def test_dying_before_any_change_of_the_disk(
    grown: bool, every: int, children: ForkServerContext, tmp_path: Path
) -> None:
    """Also while a finished set grows: until it gives way it is whole."""
    make(tmp_path / "small", **OPTIONS)
    make(tmp_path / "large", **LARGER)
    small, large = contents(tmp_path / "small"), contents(tmp_path / "large")
    options, expected, allowed = (LARGER, large, [small, large]) if grown else (OPTIONS, small, [small])
    left_behind, number = set(), 1
    while True:
        folder = tmp_path / f"{number}"
        if grown:
            make(folder, **OPTIONS)
        child = begin(children, folder, options, kill_at=number)
        child.join()
        if child.exitcode == 0:
            break
        assert child.exitcode == KILLED
        check(folder, allowed)
        left_behind.add(frozenset(contents(folder)) if folder.exists() else frozenset())
        make(folder, **options)
        assert contents(folder) == expected, f"died at call {number}"
        number += every
    assert number > 40
    assert len(left_behind) > 60 // every, "the deaths were at different places"


def kill_often(children: ForkServerContext, root: Path, wanted: int, expected: dict[str, bytes], seed: int) -> None:
    """Kill one to three processes at work on a folder, up to four times, then let it go on; again, `wanted` kills."""
    moment, killed = random.Random(seed), 0
    for number in range(20 * wanted):
        folder = root / f"{number}"
        for _ in range(4):
            world = moment.choice((1, 1, 2, 3))
            group = [begin(children, folder, MANY | {"rank": rank, "world": world}) for rank in range(world)]
            time.sleep(moment.uniform(0, 0.2))
            for child in group:
                child.kill()
            for child in group:
                child.join()
                killed += child.exitcode == KILLED
        make(folder, **MANY)
        assert contents(folder) == expected
        if killed >= wanted:
            return
    pytest.fail(f"only {killed} of {wanted} processes were killed before they ended")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("expected")
    make(folder, **MANY)
    return contents(folder)


def test_a_few_random_kills(children: ForkServerContext, tmp_path: Path, expected: dict[str, bytes]) -> None:
    kill_often(children, tmp_path, 4, expected, seed=0)


@pytest.mark.slow
def test_many_random_kills(children: ForkServerContext, tmp_path: Path, expected: dict[str, bytes]) -> None:
    kill_often(children, tmp_path, 100, expected, seed=1)


@pytest.mark.parametrize("world", [2, 3])
def test_processes_side_by_side(
    world: int, children: ForkServerContext, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    group = [begin(children, tmp_path / "a", MANY | {"rank": rank, "world": world}) for rank in range(world)]
    for child in group:
        child.join()
    assert [child.exitcode for child in group] == [0] * world
    assert contents(tmp_path / "a") == expected
    assert Manifest.read(tmp_path / "a").counts["requested"] == 24
