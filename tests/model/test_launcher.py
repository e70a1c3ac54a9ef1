"""Rank and number of processes from what torchrun, mpirun, srun and SLURM arrays put into the environment."""

import pytest

from stackwalls.model import InputError, Launch


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, (0, 1, 0)),
        ({"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}, (3, 8, 1)),
        ({"RANK": "3"}, (0, 1, 0)),
        ({"RANK": "x", "WORLD_SIZE": "8"}, (0, 1, 0)),
        ({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_LOCAL_RANK": "1"}, (1, 2, 1)),
        ({"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "4", "SLURM_LOCALID": "1"}, (1, 4, 1)),
        # a batch script is one process, whatever the job asked for
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4", "SLURM_LOCALID": "0"}, (0, 1, 0)),
        # torchrun inside srun: torchrun counts the processes
        ({"RANK": "5", "WORLD_SIZE": "8", "SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2"}, (5, 8, 0)),
        ({"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_MIN": "5", "SLURM_ARRAY_TASK_COUNT": "3"}, (2, 3, 0)),
        (
            {"SLURM_ARRAY_TASK_ID": "9", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_STEP": "4"}
            | {"SLURM_ARRAY_TASK_COUNT": "3", "RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"},
            (5, 6, 1),
        ),
    ],
)
def test_launchers(environment: dict[str, str], expected: tuple[int, int, int]) -> None:
    launch = Launch.of(environment)
    assert (launch.rank, launch.world, launch.local_rank) == expected


def test_an_array_times_its_tasks_covers_every_rank_once() -> None:
    ranks = [
        Launch.of(
            {"SLURM_ARRAY_TASK_ID": str(5 + 2 * task), "SLURM_ARRAY_TASK_MIN": "5", "SLURM_ARRAY_TASK_STEP": "2"}
            | {"SLURM_ARRAY_TASK_COUNT": "3", "SLURM_PROCID": str(process), "SLURM_STEP_NUM_TASKS": "4"}
        ).rank
        for task in range(3)
        for process in range(4)
    ]
    assert sorted(ranks) == list(range(12))


def test_a_rank_left_over_from_another_job_is_named() -> None:
    with pytest.raises(InputError, match="unset both"):
        Launch.of({"RANK": "8", "WORLD_SIZE": "8"})


@pytest.mark.parametrize(
    ("environment", "together"),
    [
        ({}, 1),
        ({"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}, 4),
        ({"RANK": "5", "WORLD_SIZE": "8"}, 8),  # all on one machine, for all that is known
        ({"SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "7", "SLURM_STEP_TASKS_PER_NODE": "2(x3),1"}, 2),
        # tasks of an array lie anywhere, each with what its job was given
        ({"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_COUNT": "2000"}, 1),
    ],
)
def test_how_many_share_a_machine(environment: dict[str, str], together: int) -> None:
    assert Launch.of(environment).local_world == together


def test_so_many_as_are_given_are_on_one_machine() -> None:
    assert Launch(1, 3).local_world == 3
    assert Launch(1, 3, local_world=2).local_world == 2


@pytest.mark.parametrize("task", [1, 3, 7])
def test_an_array_that_is_no_sequence_is_refused_by_every_task(task: int) -> None:
    environment = {"TASK_COUNT": 3, "TASK_MIN": 1, "TASK_MAX": 7, "TASK_STEP": 1, "TASK_ID": task}
    with pytest.raises(InputError, match="are not a regular sequence, so no task knows its share: submit one such as"):
        Launch.of({f"SLURM_ARRAY_{name}": str(value) for name, value in environment.items()})
