"""An evaluation that runs in a process of its own, so that it can be killed or share its work with others."""

import multiprocessing
from contextlib import nullcontext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from in_memory_dataset import InMemoryDataset, walled_cnn

from stackwalls.evaluate import Results, ShareDone, evaluate
from stackwalls.model import Launch

# a server that has imported all of it forks in no time
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["evaluation_worker", "stackwalls.evaluate.run.runner", "stackwalls.evaluate.report.page"]
)


def noise_method(model: Any, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Draws its map."""
    del model, targets
    return torch.rand(len(inputs), 7, 7)


METHODS = {"GradCAM": "GradCAM", "ScoreCAM": "ScoreCAM", "EigenCAM": "EigenCAM", "noise": noise_method}


def _table_alone(results: Results, folder: Path, pdf: bool = False) -> None:
    del pdf
    (folder / "table.txt").write_text(results.table())


def run(out: Path | None, rank: int = 0, world: int = 1, figures: bool = False, **options: Any) -> Results:
    """The same evaluation, but for `options`: 27 images in 3 + 1 blocks; without `figures` in no time."""
    torch.set_num_threads(1)
    data = [InMemoryDataset([*range(9), -1] * 2, "a"), InMemoryDataset(range(7), "b", seed=1)]
    given = {"limits": {"ScoreCAM": 18}, "progress": False} | options
    launch = Launch(rank, world, rank)
    with nullcontext() if figures else patch.object(Results, "render", _table_alone):
        return evaluate(walled_cnn(), data, **({"methods": METHODS} | given), out=out, launch=launch)


def share(out: Path, rank: int, world: int, **options: Any) -> bool:
    """Whether the results are there after this process's share."""
    try:
        run(out, rank, world, **options)
    except ShareDone:
        return False
    return True


def started(out: Path, rank: int = 0, world: int = 1, figures: bool = False) -> BaseProcess:
    """`share` in a process of its own."""
    process = PROCESSES.Process(target=share, args=(out, rank, world), kwargs={"figures": figures})
    process.start()
    return process


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of the results but the timings, hidden ones too."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "timings.parquet")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
