"""`stackgen generate` with pipelines of real architectures, killed at random moments: the same bytes in the end."""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import pytest
from hash_localizer import generate_in_child
from scripted_generation import contents

from stackwalls.hub_cards import verify

TinyPipeline = Callable[[str], Path]
KILLS = 8
"""Of each of the three pipelines."""


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> ForkServerContext:
    """Processes that begin with everything imported."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["hash_localizer", "torch", "transformers", "diffusers", "datasets"])
    return context


def begin(
    children: ForkServerContext, words: tuple[str, ...], out: Path, rank: int = 0, world: int = 1
) -> ForkServerProcess:
    child = children.Process(target=generate_in_child, args=((*words, "--out", str(out)), rank, world))
    child.start()
    return child


def ended(*group: ForkServerProcess) -> list[int | None]:
    for child in group:
        child.join()
    return [child.exitcode for child in group]


def wait_for(folder: Path, records: int, group: list[ForkServerProcess]) -> None:
    """Until so many images have a record, or nobody works on it any more."""
    while any(child.is_alive() for child in group):
        if sum(1 for _ in (folder / ".unfinished/items").glob("*")) >= records:
            return
        time.sleep(0.005)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["stable-diffusion", "z-image", "klein"])
def test_killed_at_random_moments(
    kind: str, tiny_pipeline: TinyPipeline, children: ForkServerContext, tmp_path: Path
) -> None:
    """One to three processes are killed in the middle of their work, until there were so many; then one goes on."""
    words = ("--model", str(tiny_pipeline(kind)), "--size", "64x96", "--steps", "1", "--localizer", "foreground")
    words += ("--classes", "5", "--per-class", "2", "--attempts", "4")
    assert ended(begin(children, words, tmp_path / "expected")) == [0]
    expected = contents(tmp_path / "expected")
    moment, killed, unfinished = random.Random(kind), 0, 0
    for number in range(10 * KILLS):
        folder = tmp_path / f"{number}"
        world = moment.choice((1, 2, 3))
        group = [begin(children, words, folder, rank, world) for rank in range(world)]
        wait_for(folder, moment.randint(0, 9), group)
        time.sleep(moment.uniform(0, 0.15))  # what an attempt takes
        for child in group:
            child.kill()
        killed += ended(*group).count(-signal.SIGKILL)
        unfinished += (folder / ".unfinished").is_dir()
        assert ended(begin(children, words, folder)) == [0]
        assert contents(folder) == expected
        if killed >= KILLS:
            break
    assert killed >= KILLS
    assert unfinished > 0, "some were killed after their first record"
    assert verify(tmp_path / "expected") == []


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("world", [2, 3])
def test_processes_side_by_side(
    world: int, tiny_pipeline: TinyPipeline, children: ForkServerContext, tmp_path: Path
) -> None:
    words = ("--model", str(tiny_pipeline("klein")), "--size", "64x96", "--steps", "1", "--localizer", "foreground")
    words += ("--classes", "5", "--per-class", "2")
    assert ended(begin(children, words, tmp_path / "a")) == [0]
    assert ended(*(begin(children, words, tmp_path / "b", rank, world) for rank in range(world))) == [0] * world
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
