"""What a faithfulness metric is, and what it is asked about: maps of a batch of images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stackwalls.model import InputError

Maps = NDArray[np.float32]
"""Saliency maps `(N, H, W)` in [0, 1] at the image's resolution."""


@dataclass(frozen=True, eq=False)
class Case:
    """Maps to be scored, and what they explain.

    Attributes:
        model: the network; `(N, 3, H, W)` normalized images to logits `(N, classes)`.
        images: `(N, 3, H, W)` float32, normalized.
        targets: the explained class of each image.
        maps: `(N, H, W)` float32 in [0, 1].
        explain: images and targets to their maps in the same way, for metrics that explain other images too.
    """

    model: nn.Module
    images: torch.Tensor
    targets: list[int]
    maps: Maps
    explain: Callable[[torch.Tensor, Sequence[int]], Maps]


Scorer = Callable[[Case], Mapping[str, Any]]
"""Scores a case: name of a number → `(N,)` numbers, one per image; NaN where one is not defined."""


@dataclass(frozen=True)
class MetricSpec:
    """A faithfulness metric of some package.

    Attributes:
        name: of its rows.
        higher: whether a higher score is better.
        scorer: calls the package. Metrics with the same scorer are computed in one call.
        key: of the metric's number among the scorer's; by default the name.
        package: that computes it, with the settings that are not its defaults.
        source: the paper that it is from.
        of_uniform: whether it scores a uniform map, which has no order.
    """

    name: str
    higher: bool
    scorer: Scorer
    key: str = ""
    package: str = ""
    source: str = ""
    of_uniform: bool = True

    def of(self, found: Mapping[str, Any], count: int) -> NDArray[np.float64]:
        """The metric's `(count,)` float64 among what its scorer returned.

        Raises:
            InputError: if there are not as many numbers.
        """
        scores = np.asarray(found[self.key or self.name], dtype=np.float64)
        if scores.shape != (count,):
            raise InputError(f"{self.name} gave {scores.shape} scores: expected one for each of {count} images")
        return np.where(np.isfinite(scores), scores, np.nan)
