"""Options of the commands whose work a Ray cluster can do."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import TYPE_CHECKING

from stackwalls.model.files import as_text

if TYPE_CHECKING:
    from stackwalls.model import Cluster

_HERE = ""
"""The address of `--ray` without one: this machine."""


def add_cluster(parser: argparse._ActionsContainer) -> None:
    """Declare `--ray` and what each worker takes, which `cluster_of` reads."""
    add = parser.add_argument
    where = (
        "let workers of a Ray cluster do the work; only this process reads the data and writes DIR. ADDRESS is "
        "host:port, or auto for the cluster that this machine is part of (default: a new one, on this machine alone)"
    )
    add("--ray", nargs="?", const=_HERE, metavar="ADDRESS", help=where)
    add("--cpus-per-worker", type=float, metavar="N", help="CPU cores of each of Ray's workers (default 1)")
    add("--gpus-per-worker", type=float, metavar="N", help="GPUs of each of Ray's workers, 1 or 0.5 (default 0)")


def cluster_of(args: argparse.Namespace) -> Cluster | None:
    """The cluster of `--ray`; None without it.

    Raises:
        InputError: if options contradict each other, or this is one of several processes of a launcher.
    """
    from stackwalls.model import Cluster, InputError, Launch

    if args.ray is None:
        if args.cpus_per_worker is not None or args.gpus_per_worker is not None:
            raise InputError("--cpus-per-worker and --gpus-per-worker are for Ray's workers: add --ray.")
        return None
    if (world := Launch.of().world) > 1:
        raise InputError(f"With --ray one process directs all workers, but a launcher started {world}: start it once.")
    if getattr(args, "device", "auto") != "auto":
        raise InputError("With --ray, --gpus-per-worker decides whether workers use GPUs: leave out --device.")
    cpus = 1 if args.cpus_per_worker is None else args.cpus_per_worker
    return Cluster(None if args.ray == _HERE else args.ray, cpus, args.gpus_per_worker or 0)


def command_line(args: argparse.Namespace) -> str:
    """The command as it was typed, for a run's record; where it was computed is left out, as for launchers."""
    from stackwalls.model import without_tokens

    words = iter(["stackgen", *sys.argv[1:]])
    kept = []
    for word in words:
        option, equals, _ = word.partition("=")
        if option not in ("--ray", "--cpus-per-worker", "--gpus-per-worker"):
            kept.append(word)
        elif not equals and not (option == "--ray" and args.ray == _HERE):
            next(words, None)
    return without_tokens(as_text(shlex.join(kept)))
