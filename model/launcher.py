"""Which share of the work this process has, as the launcher's environment says; no process group is made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from stackwalls.model.errors import InputError

_RANKS = (
    ("RANK", "WORLD_SIZE", "LOCAL_RANK"),  # torchrun, accelerate launch
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
    ("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"),
    # not SLURM_NTASKS: a batch script has it too, and is a single process
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID"),
)
"""Rank, number of processes and rank on this machine, by launcher; the first launcher that set both counts."""


@dataclass(frozen=True)
class Launch:
    """One process among those that a launcher started.

    Attributes:
        rank: of this process, 0 to world - 1.
        world: number of processes.
        local_rank: of this process on its machine, which is the number of its GPU.

    Raises:
        InputError: if the rank is not below the number of processes.
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world:
            raise InputError(
                f"The launcher's environment says process {self.rank} of {self.world}: expected 0 to {self.world - 1}. "
                "If RANK or WORLD_SIZE was left over from another job, unset both."
            )

    @classmethod
    def of(cls, environment: Mapping[str, str] | None = None) -> Launch:
        """As torchrun, `accelerate launch`, mpirun, srun and SLURM arrays say it; arrays multiply with the others.

        Args:
            environment: this process's by default.

        Raises:
            InputError: if it contradicts itself.
        """
        variables = os.environ if environment is None else environment
        rank, world, local_rank = 0, 1, 0
        for names in _RANKS:
            found = [_number(variables, name) for name in names]
            if found[0] is not None and found[1]:
                rank, world, local_rank = found[0], found[1], found[2] or 0
                break
        task, tasks = _number(variables, "SLURM_ARRAY_TASK_ID"), _number(variables, "SLURM_ARRAY_TASK_COUNT")
        if task is not None and tasks:
            first, step = _number(variables, "SLURM_ARRAY_TASK_MIN") or 0, _number(variables, "SLURM_ARRAY_TASK_STEP")
            rank, world = (task - first) // (step or 1) * world + rank, tasks * world
        return cls(rank, world, local_rank)


def _number(variables: Mapping[str, str], name: str) -> int | None:
    value = variables.get(name, "")
    return int(value) if value.isdecimal() else None
