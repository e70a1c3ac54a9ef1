"""Ray on this machine: several nodes, their workers' processes, and work that costs nothing to import."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
import pytest

from stackwalls.model import Cluster, RunError

SIZE = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
"""Of a node."""

TESTS = Path(__file__).resolve().parents[1]
IMPORTED = [str(TESTS / name) for name in ("cluster", "evaluate", "stackgen/generation")]


@dataclass(frozen=True)
class Stub:
    """Work that takes `seconds`; some tasks fail in their own way."""

    seconds: float = 0.0
    answer: Any = None

    def __call__(self) -> Callable[[Any], Any]:
        return self._work

    def _work(self, task: Any) -> Any:
        time.sleep(self.seconds)
        if task == "dies":
            os.kill(os.getpid(), 9)
        if task == "fails":
            raise ValueError("not this one")
        if task == "refused":
            raise RunError("This is a sentence.")
        return task if self.answer is None else self.answer


def worker_processes(title: str = "ray::Worker") -> list[psutil.Process]:
    """Ray's workers below this process."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            line = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if line.startswith(title):
            found.append(process)
    return found


@contextmanager
def importable() -> Iterator[None]:
    """Ray's processes that are started inside find the tests' modules."""
    with patch.dict(os.environ, {"PYTHONPATH": os.pathsep.join([*IMPORTED, os.environ.get("PYTHONPATH", "")])}):
        yield


@contextmanager
def nodes(count: int, cpus: int = 1) -> Iterator[Any]:
    """A cluster of several nodes on this machine, to which this process is connected; `add_node(**SIZE)` adds one."""
    if os.environ.get("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER") == "0":
        pytest.skip("Ray was used on one machine in this process: run this file by itself")
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
    from ray.cluster_utils import Cluster as Nodes

    size = SIZE | {"num_cpus": cpus}
    with importable():
        machines = Nodes(initialize_head=True, head_node_args={**size, "include_dashboard": False})
        try:
            for _ in range(count - 1):
                machines.add_node(**size)
            with Cluster(machines.address).connected():
                yield machines
        finally:
            machines.shutdown()
