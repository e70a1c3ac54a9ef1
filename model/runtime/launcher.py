"""Which share of the work this process has, from the launcher's environment; no process group is created."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from stackwalls.model.errors import InputError

_RANKS = (
    ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"),  # torchrun, accelerate launch
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"),
    ("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
    # not SLURM_NTASKS: a batch script has it too, and is a single process
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", "SLURM_STEP_TASKS_PER_NODE"),
)
"""Rank and number of processes, in all and on this machine, by launcher; the first launcher that set both of all."""


@dataclass(frozen=True)
class Launch:
    """One of the processes that a launcher started.

    Attributes:
        rank: of this process, 0 to world - 1.
        world: number of processes.
        local_rank: of this process on its machine, which is the number of its GPU.
        local_world: the most processes on one machine, which share its memory; 0 if unknown, then all of them.

    Raises:
        InputError: if the rank is not below the number of processes.
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    local_world: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world:
            raise InputError(
                f"The launcher's environment says process {self.rank} of {self.world}: expected 0 to {self.world - 1}. "
                "If RANK or WORLD_SIZE was left over from another job, unset both."
            )
        object.__setattr__(self, "local_world", min(self.local_world or self.world, self.world))

    @classmethod
    def of(cls, environment: Mapping[str, str] | None = None) -> Launch:
        """From the variables of torchrun, `accelerate launch`, mpirun, srun and SLURM arrays, which multiply.

        Args:
            environment: this process's by default.

        Raises:
            InputError: if it contradicts itself.
        """
        variables = os.environ if environment is None else environment
        rank, world, local_rank, local_world = 0, 1, 0, 1
        for names in _RANKS:
            found = [_number(variables, name) for name in names]
            if found[0] is not None and found[1]:
                rank, world, local_rank = found[0], found[1], found[2] or 0
                local_world = found[3] or world
                break
        task, tasks = _number(variables, "SLURM_ARRAY_TASK_ID"), _number(variables, "SLURM_ARRAY_TASK_COUNT")
        if task is not None and tasks:
            first = _number(variables, "SLURM_ARRAY_TASK_MIN") or 0
            step = _number(variables, "SLURM_ARRAY_TASK_STEP") or 1
            last = _number(variables, "SLURM_ARRAY_TASK_MAX")
            if (task - first) // step >= tasks or (last is not None and (last - first) // step + 1 != tasks):
                raise InputError(
                    f"The tasks of this SLURM array ({tasks}, from {first} to {last}) are not a regular sequence, "
                    "so no task knows its share: submit one such as --array=0-7, or run the command once by itself to "
                    "do what is missing."
                )
            rank, world = (task - first) // step * world + rank, tasks * world
        return cls(rank, world, local_rank, local_world)


def _number(variables: Mapping[str, str], name: str) -> int | None:
    """A number, or the largest of SLURM's `2(x3),1`."""
    counts = re.sub(r"\(x\d+\)", "", variables.get(name, "")).split(",")
    return max(map(int, counts)) if all(count.isdecimal() for count in counts) else None
