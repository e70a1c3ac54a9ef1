"""Workers, machines and the directing process that are killed in the middle: nothing is lost, and the same bytes."""

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from cluster_cases import RUNS, files
from ray_nodes import IMPORTED, SIZE, nodes, worker_processes

from stackwalls.model import Cluster

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

LARGE: dict[str, dict[str, int]] = {
    "mix": {"classes": 398, "per_class": 2},
    "generate": {"per_class": 200},
    "evaluate": {"images": 240},
}
"""Runs that last long enough to be killed many times."""


@pytest.mark.parametrize("count", [1, 2, 4])
def test_any_number_of_nodes(count: int, tmp_path: Path) -> None:
    for name, run in RUNS.items():
        run(tmp_path / name / "one")
    with nodes(count) as machines:
        for name, run in RUNS.items():
            run(tmp_path / name / "nodes", Cluster(machines.address))
            assert files(tmp_path / name / "one") == files(tmp_path / name / "nodes"), name


def until_stopped(stopped: threading.Event, steps: int, done: list[int], act: Callable[[], bool]) -> None:
    """Up to `steps` times, a moment apart, what succeeds."""
    while len(done) < steps and not stopped.wait(random.uniform(0.3, 1.0)):
        if act():
            done.append(len(done))


def kill_a_worker() -> bool:
    """Kill one that does a task, as the system does when memory runs out."""
    at_work = worker_processes("ray::Worker.run")
    for process in random.sample(at_work, min(1, len(at_work))):
        try:
            process.kill()
        except psutil.NoSuchProcess:
            return False
    return bool(at_work)


@pytest.mark.parametrize(("name", "kills"), [("mix", 20), ("generate", 20), ("evaluate", 20)])
def test_workers_are_killed(name: str, kills: int, tmp_path: Path) -> None:
    RUNS[name](tmp_path / "one", **LARGE[name])
    done: list[int] = []
    stopped = threading.Event()
    with nodes(2) as machines:
        killer = threading.Thread(target=until_stopped, args=(stopped, kills, done, kill_a_worker))
        killer.start()
        runs = 0
        try:
            while len(done) < kills:  # a quick run ends before all of them
                runs += 1
                RUNS[name](tmp_path / f"killed-{runs}", Cluster(machines.address), **LARGE[name])
                assert files(tmp_path / "one") == files(tmp_path / f"killed-{runs}")
        finally:
            stopped.set()
            killer.join()
    print(f"{name}: {len(done)} workers killed in {runs} runs")  # noqa: T201
    assert len(done) == kills


@pytest.mark.parametrize("name", RUNS)
def test_machines_are_killed(name: str, tmp_path: Path) -> None:
    """The one that is killed has a worker; another takes its place."""
    RUNS[name](tmp_path / "one", **LARGE[name])
    kills = runs = 0
    with nodes(1) as machines, ThreadPoolExecutor(1) as pool:
        other = machines.add_node(**SIZE)
        while kills < 5:  # a quick run ends before all of them
            runs += 1
            run = pool.submit(RUNS[name], tmp_path / f"killed-{runs}", Cluster(machines.address), **LARGE[name])
            while kills < 5 and not run.done():
                time.sleep(random.uniform(0.5, 2))
                if len(worker_processes()) >= 2:
                    machines.remove_node(other, allow_graceful=False)
                    kills += 1
                    other = machines.add_node(**SIZE)
            run.result()
            assert files(tmp_path / "one") == files(tmp_path / f"killed-{runs}")
    print(f"{name}: {kills} nodes killed in {runs} runs")  # noqa: T201


DIRECTS = """
import json, sys
from cluster_cases import RUNS, Cluster, Path
name, out, address, size = sys.argv[1:]
RUNS[name](Path(out), Cluster(address), **json.loads(size))
"""


def records(out: Path) -> int:
    return len(list((out / ".unfinished" / "items").glob("*.item")))


@pytest.mark.parametrize("name", RUNS)
def test_the_directing_process_is_killed(name: str, tmp_path: Path) -> None:
    """Each time after it has stored something more; the last one finishes."""
    RUNS[name](tmp_path / "one", **LARGE[name])
    out, kills = tmp_path / "killed", 0
    path = os.pathsep.join([*IMPORTED, os.environ.get("PYTHONPATH", "")])
    with nodes(2) as machines:
        for _ in range(10):
            before = records(out)
            words = [DIRECTS, name, str(out), machines.address, json.dumps(LARGE[name])]
            process = subprocess.Popen([sys.executable, "-c", *words], env={**os.environ, "PYTHONPATH": path})
            while process.poll() is None and records(out) < before + random.randint(1, 5):
                time.sleep(0.01)
            kills += process.poll() is None
            process.kill()
            process.wait()
        RUNS[name](out, Cluster(machines.address), **LARGE[name])
    print(f"{name}: killed {kills} times")  # noqa: T201
    assert files(tmp_path / "one") == files(out)
    assert kills == 10


def test_ctrl_c_leaves_a_run_that_resumes(tmp_path: Path) -> None:
    """On a machine of its own, whose Ray ends with the run."""
    import signal

    command = ["mix", "--source", "drawn", "--classes", "100", "--per-class", "2", "--ray", "--out"]
    process = subprocess.Popen(
        [sys.executable, "-m", "stackwalls.stackgen", *command, str(tmp_path / "set")],
        stderr=subprocess.PIPE,
        text=True,
    )
    while records(tmp_path / "set") < 3 and process.poll() is None:
        time.sleep(0.05)
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 130
    assert "the same command resumes the run" in said
    gone, alive = psutil.wait_procs(below, timeout=60)
    assert gone
    assert not alive
    RUNS["mix"](tmp_path / "set", classes=100)
    RUNS["mix"](tmp_path / "one", classes=100)
    assert files(tmp_path / "one") == files(tmp_path / "set")
