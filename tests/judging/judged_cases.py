"""Metrics whose answer is known, and a small run to judge them on."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from in_memory_dataset import InMemoryDataset, walled_cnn

from stackwalls.evaluate import energy_share
from stackwalls.evaluate.judging import Case, Judgment, MetricSpec, judge
from stackwalls.model import Wall

WALL = Wall.parse("bottom:64")


def dead_energy(case: Case) -> Mapping[str, Any]:
    share = energy_share(case.maps, WALL)
    return {"dead": share, "seen": 1 - share, "same": np.zeros(len(share))}


def broken(case: Case) -> Mapping[str, Any]:
    raise ValueError(f"no score for {len(case.maps)} maps")


ORACLE = MetricSpec("oracle", True, dead_energy, key="seen")
ORACLE_LOWER = MetricSpec("oracle, lower", False, dead_energy, key="dead")
ANTI = MetricSpec("anti-oracle", True, dead_energy, key="dead")
SAME = MetricSpec("same", True, dead_energy)
DRAWS = MetricSpec("draws", True, lambda case: {"draws": np.full(len(case.maps), torch.rand(()).item())})
BROKEN = MetricSpec("broken", True, broken)

METHODS = ["GradCAM", "EigenCAM"]


def judged(metrics: list[MetricSpec], images: int = 12, **settings: Any) -> Judgment:
    settings = {"methods": METHODS, "progress": False, **settings}
    return judge(walled_cnn(), InMemoryDataset([0] * images), metrics, **settings)
