"""How mu is distributed, method by method, as numbers of which the report draws SVG."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

BINS = 40
"""Of the histogram over [0, 1]: 2.5 of mu × 100 each."""

MOST_POINTS = 300
"""Shown one by one; of more images, some at equal distances of the sorted values."""

_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Distribution:
    """Mu of one method on one dataset.

    Attributes:
        method: name.
        heights: of the histogram's `BINS` bars, the highest 1.
        points: (mu × 100, place across the strip in [0, 1]), spread so that equal values stay apart.
        n: images with mu.
    """

    method: str
    heights: tuple[float, ...]
    points: tuple[tuple[float, float], ...]
    n: int


def distributions(per_image: pd.DataFrame, dataset: str) -> list[Distribution]:
    """Every method's, in the order of the run.

    Args:
        per_image: the per-image rows (`rows.ROW_SCHEMA`).
        dataset: which of them.
    """
    rows = per_image[per_image["dataset"] == dataset]
    return [_of(str(method), group["mu"]) for method, group in rows.groupby("method", sort=False)]


def _of(method: str, mu: pd.Series[float]) -> Distribution:
    values = np.sort(mu.dropna().to_numpy(dtype=np.float64))
    counts, _ = np.histogram(values, BINS, (0, 1))
    heights = counts / (counts.max() or 1)
    count = min(len(values), MOST_POINTS)
    shown = values[[index * len(values) // count for index in range(count)]] if count else values
    # the golden ratio's multiples spread evenly, whatever their number
    points = tuple((round(100 * float(value), 2), round((index * _GOLDEN) % 1, 3)) for index, value in enumerate(shown))
    return Distribution(method, tuple(round(float(height), 4) for height in heights), points, len(values))
