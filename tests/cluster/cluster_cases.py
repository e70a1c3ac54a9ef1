"""The three runs that a cluster can share, small, in one process or on workers; and work that costs nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from in_memory_dataset import walled_cnn
from PIL import Image
from scripted_generation import HARDWARE, ScriptedFrames, ScriptedLocalizer, spec_of

from stackwalls.evaluate import Results, evaluate
from stackwalls.model import Cluster, Launch
from stackwalls.stackgen.generation.generating import generate
from stackwalls.stackgen.generation.image_workers import Tools
from stackwalls.stackmix import MixSpec, mix

TIMINGS = {"timings.parquet"}
"""The one file that says how long a run took."""


def files(folder: Path) -> dict[str, str]:
    """SHA-256 of each file by its path, but for the timings."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: hashlib.sha256(found[name].read_bytes()).hexdigest() for name in found.keys() - TIMINGS}


def mixed(out: Path, cluster: Cluster | None = None, classes: int = 4, per_class: int = 2) -> None:
    mix(MixSpec(source="drawn", classes=classes, per_class=per_class), out, cluster=cluster)


def scripted_tools() -> Tools:
    return Tools(ScriptedFrames(), ScriptedLocalizer(), HARDWARE)


def generated(out: Path, cluster: Cluster | None = None, per_class: int = 4) -> None:
    generate(
        spec_of(per_class=per_class),
        out,
        frames=ScriptedFrames,
        localizer=ScriptedLocalizer(),
        hardware=HARDWARE,
        launch=Launch(),
        remote=None if cluster is None else (cluster, scripted_tools),
    )


def grid_method(model: Any, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Draws its map, and fails where the first pixel is bright."""
    del model, targets
    if (inputs[:, 0, 0, 0] > 1).any():
        raise ValueError("too bright")
    return torch.rand(len(inputs), 7, 7)


METHODS = {"GradCAM": "GradCAM", "ScoreCAM": "ScoreCAM", "EigenCAM": "EigenCAM", "grid": grid_method}


def noise_images(count: int) -> list[Image.Image]:
    coarse = np.random.default_rng(0).integers(0, 256, (count, 14, 14, 3), dtype=np.uint8)
    return [Image.fromarray(each) for each in coarse.repeat(16, axis=1).repeat(16, axis=2)]


def _table_alone(results: Results, folder: Path, pdf: bool = False) -> None:
    del pdf
    (folder / "table.txt").write_text(results.table())


def evaluated(out: Path, cluster: Cluster | None = None, images: int = 36) -> Results:
    """Two datasets in blocks of 8 images; without figures, in no time."""
    data = [noise_images(images), noise_images(images // 3)]
    limits = {"ScoreCAM": images // 2}
    sources = [open_named(name, each) for name, each in zip("ab", data, strict=True)]
    with patch.object(Results, "render", _table_alone):
        return evaluate(walled_cnn(), sources, METHODS, limits=limits, progress=False, out=out, cluster=cluster)


def open_named(name: str, images: list[Image.Image]) -> Any:
    from stackwalls.hub_cards import open_dataset

    dataset = open_dataset(images)
    dataset.name = name
    return dataset


RUNS: dict[str, Callable[..., Any]] = {"mix": mixed, "generate": generated, "evaluate": evaluated}
