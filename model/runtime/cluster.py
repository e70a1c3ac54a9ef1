"""Work on a Ray cluster: workers take tasks as they come free, and this process alone gets and keeps the results.

Ray starts the workers and carries tasks and results; what is done is known here, and in what the caller has stored.
Nothing is written on the cluster, so it may grow, shrink or fail, and the caller may be killed: a new run does what its
folder lacks. Knows nothing of what the tasks are. Ray is imported when it is used.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic

from stackwalls.model.errors import InputError, quotable
from stackwalls.model.runtime.signals import handlers_kept
from stackwalls.model.runtime.worker_pool import Failure, Result, Task, Work, WorkerPool

_PATIENCE = 10.0  # seconds for a cluster to answer


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster, and what each worker takes of it.

    Attributes:
        address: of a running cluster, "auto" for the one that this machine belongs to, or host:port; None: one of this
            machine alone, which only this machine can reach and which ends with the run.
        cpus: CPU cores for each worker, which is as many threads of torch if OMP_NUM_THREADS is not set.
        gpus: GPUs for each worker; 0.5 lets two workers share one.

    Raises:
        InputError: if a number is out of range.
    """

    address: str | None = None
    cpus: float = 1
    gpus: float = 0

    def __post_init__(self) -> None:
        if not self.cpus > 0 or not self.gpus >= 0:
            raise InputError(f"Expected more than 0 CPUs and no less than 0 GPUs, but got {self.cpus} and {self.gpus}.")
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise InputError(f"Expected a share of one GPU, or a whole number of them, but got {self.gpus}.")

    @property
    def device(self) -> str:
        """Where torch runs in a worker; Ray shows each worker its own GPU alone."""
        return "cuda" if self.gpus else "cpu"

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Connect to the cluster, or start one; inside an earlier connection, of whoever made it, this is that one.

        Raises:
            InputError: if Ray is not installed, there is no such cluster, or it runs other versions.
        """
        if (imported := sys.modules.get("ray")) is not None and imported.is_initialized():
            yield
            return
        ray = _ray(alone=self.address is None)
        _check_reachable(self.address)
        own = {"include_dashboard": False} if self.address is None else {}
        try:
            with handlers_kept():
                ray.init(address=self.address or "local", log_to_driver=False, logging_level="ERROR", **own)
        except (ConnectionError, RuntimeError, ValueError) as error:
            where = "on this machine" if self.address is None else f"at {self.address}"
            raise InputError(
                f"Cannot use Ray {where} ({quotable(str(error))}): `ray start --head` starts a cluster, whose machines "
                "need the same versions of Ray and Python; --ray without an address uses this machine alone."
            ) from error
        try:
            yield
        finally:
            with handlers_kept():
                ray.shutdown()

    def results(
        self, make: Callable[[], Work[Task, Result]], tasks: Iterable[Task]
    ) -> Generator[tuple[Task, Result | Failure], None, None]:
        """Each task with its result, in the order in which they come.

        Tasks are taken from the iterable as workers come free, so that it may read what travels with them. A task whose
        worker is lost goes to another one. When no task is left, an idle worker makes a copy of one that is not done,
        and the first result counts; so a task must give the same result wherever it runs.

        Args:
            make: pickled, and called once in each worker; what it returns is called with each task.
            tasks: anything that can be pickled.

        Yields:
            (the task, its result); a `Failure` if it failed `FAILURES` times.

        Raises:
            InputError: if there is no room for a worker and there will be none, or `make` cannot be pickled.
            StackwallsError: what a task raised on purpose ends the run, as it does in a single process.
        """
        with self.connected():
            needs = {"CPU": self.cpus, "GPU": self.gpus}
            pool: WorkerPool[Task, Result] = WorkerPool(make, tasks, needs, alone=self.address is None)
            try:
                yield from pool.results()
            finally:
                pool.close()

    def once(self, function: Callable[[], Result]) -> Result:
        """What a function returns in a worker, such as the name of its GPU."""
        for _, found in self.results(_Constant(function), [None]):
            if isinstance(found, Failure):
                raise InputError(f"No worker of the cluster can be used: {found.reason}.")
            return found
        raise AssertionError("one task has one result")


@dataclass(frozen=True)
class _Constant(Generic[Result]):
    """Work that calls a function and ignores the task."""

    function: Callable[[], Result]

    def __call__(self) -> Work[None, Result]:
        return lambda _: self.function()


_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # of what raylets say (that a process died, with a page of advice), which Ray would print to stdout: nothing
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
}
_ALONE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""At "0", on every system, Ray listens on loopback only; the address of a node alone does not do that."""


def _ray(alone: bool) -> Any:
    """The library, which reads its environment once, when it is imported: for one machine or for several.

    Raises:
        InputError: if it is not installed, or was imported for the other purpose.
    """
    if sys.modules.get("ray") is not None and alone != (os.environ.get(_ALONE) == "0"):
        kinds = ("on several machines", "on this machine alone")
        raise InputError(
            f"Ray was imported in this process to run {kinds[not alone]}, and cannot run {kinds[alone]} any more: use "
            "a new process, or call `ray.init()` yourself."
        )
    for name, text in {**_ENVIRONMENT, **({_ALONE: "0"} if alone else {})}.items():
        os.environ.setdefault(name, text)
    try:
        import ray
    except ImportError as error:
        raise InputError("Ray is not installed: pip install 'stackwalls[ray]', or leave out --ray.") from error
    return ray


def _check_reachable(address: str | None) -> None:
    """Ray itself would try for two minutes, and then end the process."""
    host, colon, port = (address or "").rpartition(":")
    if not colon or not port.isdecimal() or "://" in host:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise InputError(
            f"Nothing answers at {address} ({getattr(error, 'strerror', None) or error}): expected the address that "
            "`ray start --head` names, such as 10.0.0.5:6379, or auto on one of the cluster's machines."
        ) from error
