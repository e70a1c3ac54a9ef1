"""The workers of one run on a Ray cluster: as many as there is room for, and which of them has which task."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Generic, TypeVar

from tqdm import tqdm

from stackwalls.model.errors import InputError, RunError, StackwallsError, quotable, reason_of

Task = TypeVar("Task")
Result = TypeVar("Result")
Work = Callable[[Task], Result]
"""What a worker does with a task; made once in each worker, where it may hold a network."""

FAILURES = 3
"""A task is given up when it has failed, or ended its worker's process, this often."""

IN_FLIGHT = 2
"""Tasks that a worker has: the one that it does, and the next, so that it never waits."""

_LOOK = 1.0  # seconds between two looks at the cluster's room
_PAUSE = 30.0  # seconds without a new worker, after several could not start while others work
_DIED = f"the process of its worker died {FAILURES} times (killed, out of memory, or crashed)"


@dataclass(frozen=True)
class Failure:
    """Why there is no result."""

    reason: str


class Worker:
    """The actor: makes its work when it starts, then does one task after the other."""

    def __init__(self) -> None:
        self._work: Work[Any, Any] | None = None

    def start(self, make: Callable[[], Work[Any, Any]]) -> StackwallsError | Failure | None:
        """Make the work; what went wrong if it cannot be made."""
        found = _attempt(make)
        self._work = None if isinstance(found, StackwallsError | Failure) else found
        return found if self._work is None else None

    def run(self, task: Any) -> Any:
        """The result, a `Failure`, or what was raised on purpose."""
        return _attempt(self._work, task)


def _attempt(function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except StackwallsError as error:
        return error
    except (Exception, SystemExit) as error:  # whatever a task raises is the reason in its row
        return Failure(reason_of(error))


@dataclass(eq=False)
class _Ticket(Generic[Task]):
    """A task that is not done: how often it failed, and how many workers have it."""

    task: Task
    failures: int = 0
    copies: int = 0
    done: bool = False


@dataclass(eq=False)
class _Actor(Generic[Task]):
    """A worker: Ray's handle, whether it has started, and its tasks in order; the first one runs."""

    handle: Any
    ready: bool = False
    tickets: list[_Ticket[Task]] = field(default_factory=list)


class WorkerPool(Generic[Task, Result]):
    """See `Cluster.results`.

    Args:
        make: as there.
        tasks: as there.
        needs: how much of each resource a worker takes, by Ray's name of it.
        alone: whether the cluster is this machine, which does not grow.
    """

    def __init__(
        self, make: Callable[[], Work[Task, Result]], tasks: Iterable[Task], needs: Mapping[str, float], alone: bool
    ) -> None:
        import ray

        self._ray: Any = ray
        self._tasks, self._alone = iter(tasks), alone
        self._needs = {name: amount for name, amount in needs.items() if amount}
        self._queue: deque[_Ticket[Task]] = deque()
        self._later: deque[_Ticket[Task]] = deque()  # failed: again when no other task is left
        self._found: deque[tuple[Task, Result | Failure]] = deque()
        self._open = 0  # tickets that are not done, here or with a worker
        self._actors: list[_Actor[Task]] = []
        self._running: dict[Any, tuple[_Actor[Task], _Ticket[Task] | None]] = {}  # without a ticket: it is starting
        self._next_look, self._failed_starts, self._told = 0.0, 0, False
        try:
            self._make = ray.put(make)
        except Exception as error:  # whatever an object raises that cannot be pickled
            raise InputError(f"The work cannot be sent to other processes ({reason_of(error)}).") from error
        taken = {"num_cpus": needs.get("CPU", 0), "num_gpus": needs.get("GPU", 0)}
        self._worker: Any = self._ray.remote(max_restarts=0, max_task_retries=0, **taken)(Worker)

    def results(self) -> Iterator[tuple[Task, Result | Failure]]:
        """See `Cluster.results`."""
        while self._filled():
            self._grow()
            self._hand_out()
            for reference in self._ended():
                self._take(reference)
                self._hand_out()  # before the caller stores the result, which takes time
                while self._found:
                    yield self._found.popleft()

    def close(self) -> None:
        """Stop the workers, whatever they do."""
        for actor in self._actors:
            self._ray.kill(actor.handle)
        self._actors, self._running = [], {}

    def _filled(self) -> bool:
        """Take a task from the caller if none waits; whether anything is left to do."""
        if not self._queue:
            for task in islice(self._tasks, 1):
                self._queue.append(_Ticket(task))
                self._open += 1
        if not self._queue and self._later:
            self._queue.append(self._later.popleft())
        return self._open > 0

    def _grow(self) -> None:
        """While a task waits, ask for as many workers as there is room for.

        Where there is none, ask for one: a cluster that can grow sees it, and one that cannot lets it wait.
        """
        if not self._queue or time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + _LOOK
        starting = sum(not actor.ready for actor in self._actors)
        for _ in range(max(self._room(), 1) - starting):
            actor: _Actor[Task] = _Actor(self._worker.remote())
            self._actors.append(actor)
            self._running[actor.handle.start.remote(self._make)] = actor, None

    def _room(self) -> int:
        """How many more workers fit. A cluster too small for one is said once, or an error if it cannot grow."""
        whole = self._ray.cluster_resources()
        if not self._told and any(whole.get(name, 0) < amount for name, amount in self._needs.items()):
            self._told = True
            asked = " and ".join(f"{amount:g} {name}" for name, amount in self._needs.items())
            there = " and ".join(f"{whole.get(name, 0):g} {name}" for name in self._needs)
            if self._alone:
                raise InputError(f"A worker needs {asked}, but this machine has {there}: ask for less.")
            tqdm.write(f"A worker needs {asked}, the cluster has {there}: waiting until it has more.", file=sys.stderr)
        free = self._ray.available_resources()
        return int(min(free.get(name, 0) // amount for name, amount in self._needs.items()))

    def _hand_out(self) -> None:
        """Give tasks to workers that have few, the first one to each first; let workers go that will get none."""
        for most in range(1, IN_FLIGHT + 1):
            for actor in [each for each in self._actors if each.ready and len(each.tickets) < most]:
                if (ticket := self._next(idle=not actor.tickets)) is not None:
                    ticket.copies += 1
                    actor.tickets.append(ticket)
                    self._running[actor.handle.run.remote(ticket.task)] = actor, ticket
                elif not actor.tickets:
                    self._remove(actor)

    def _next(self, idle: bool) -> _Ticket[Task] | None:
        """The next task. When none is left, for an idle worker, one that another worker has, rather one that waits."""
        while self._filled() and self._queue:
            if not (ticket := self._queue.popleft()).done:
                return ticket
        if not idle:
            return None
        waiting = [ticket for actor in self._actors for ticket in actor.tickets[1:]]
        begun = [ticket for actor in self._actors for ticket in actor.tickets[:1]]
        return next((ticket for ticket in waiting + begun if ticket.copies == 1 and not ticket.done), None)

    def _ended(self) -> list[Any]:
        """What has ended, in the order in which it was begun; waits a moment for the first."""
        running = list(self._running)
        if not running:
            time.sleep(_LOOK / 10)
            return []
        found, _ = self._ray.wait(running, num_returns=1, timeout=_LOOK)
        return list(self._ray.wait(running, num_returns=len(running), timeout=0)[0]) if found else []

    def _take(self, reference: Any) -> None:
        """Take what has ended: a task, or the start of a worker."""
        if (known := self._running.pop(reference, None)) is None:
            return  # of a worker that was stopped meanwhile
        actor, ticket = known
        try:
            answer = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self._lost(actor, ticket, error)
            return
        if isinstance(answer, StackwallsError):
            raise answer
        if ticket is None and isinstance(answer, Failure):
            self._not_started(actor, answer.reason)
        elif ticket is None:
            actor.ready, self._failed_starts = True, 0
        elif isinstance(answer, Failure):
            actor.tickets.remove(ticket)
            self._remove(actor)  # after an unexpected error, a GPU or a library may be of no use
            self._failed(ticket, answer.reason)
            self._put_back(ticket)
        else:
            actor.tickets.remove(ticket)
            ticket.copies -= 1
            self._done(ticket, answer)

    def _lost(self, actor: _Actor[Task], ticket: _Ticket[Task] | None, error: Exception) -> None:
        """A worker is gone. If its process died, the task that it did has failed; not if its machine is gone."""
        kinds = self._ray.exceptions
        gone = isinstance(error, kinds.ActorUnavailableError | kinds.ObjectLostError) or "node has died" in str(error)
        begun = actor.tickets[:1] if actor in self._actors else []  # its death is reported once for each task
        self._remove(actor)
        if ticket is None:
            if not gone:
                self._not_started(actor, quotable(str(error).strip().rpartition("\n")[2]))
            return
        if not isinstance(error, kinds.RayActorError | kinds.ObjectLostError):  # such as a result without a pickle
            self._failed(ticket, reason_of(getattr(error, "cause", None) or error))
        elif not gone:
            for each in begun:
                self._failed(each, _DIED)
        self._put_back(ticket)

    def _not_started(self, actor: _Actor[Task], reason: str) -> None:
        """Several in a row end the run, or, while others work, wait."""
        self._remove(actor)
        self._failed_starts += 1
        if self._failed_starts < FAILURES:
            return
        if not any(each.ready for each in self._actors):
            raise RunError(f"No worker of the cluster can start ({reason}): are the same packages and files there?")
        self._failed_starts, self._next_look = 0, time.monotonic() + _PAUSE

    def _remove(self, actor: _Actor[Task]) -> None:
        """Stop a worker, if that was not done; what it has not ended goes to others."""
        if actor not in self._actors:
            return
        self._actors.remove(actor)
        left = {ref: ticket for ref, (owner, ticket) in self._running.items() if owner is actor}
        ended = self._ray.wait(list(left), num_returns=len(left), timeout=0)[0] if left else []
        self._ray.kill(actor.handle)
        for reference in reversed([each for each in left if each not in ended]):
            del self._running[reference]
            if (ticket := left[reference]) is not None:
                self._put_back(ticket)

    def _put_back(self, ticket: _Ticket[Task]) -> None:
        """Into the queue, unless another worker has it too; one that failed comes last, and harms others least."""
        ticket.copies -= 1
        if not ticket.done and not ticket.copies:
            self._later.append(ticket) if ticket.failures else self._queue.appendleft(ticket)

    def _failed(self, ticket: _Ticket[Task], reason: str) -> None:
        ticket.failures += 1
        if ticket.failures >= FAILURES:
            self._done(ticket, Failure(reason))

    def _done(self, ticket: _Ticket[Task], answer: Result | Failure) -> None:
        if not ticket.done:  # otherwise the other copy was faster
            ticket.done = True
            self._open -= 1
            self._found.append((ticket.task, answer))
