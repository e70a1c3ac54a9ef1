"""Pairs of boxes as two stacked animals have them, seeded."""

import numpy as np

from stackwalls.stackgen.localizing.localizer import Pair

WIDTH, HEIGHT = 832, 1216


def planted(seed: int, width: int = WIDTH, height: int = HEIGHT) -> Pair:
    """One box on another: heights in a ratio of 0.6 to 1.6, up to a quarter of the smaller one overlapping.

    Edges lie on eighths of pixels, so that their mirror images are exact, as those of a detector (float32) are.
    """
    rng = np.random.default_rng(seed)
    upper = rng.uniform(0.2, 0.45) * height
    heights = np.array([upper, upper * rng.uniform(0.6, 1.6)])
    widths = np.minimum(heights * rng.uniform(0.8, 1.8, 2), width)
    sunk = rng.uniform(0, 0.25) * heights.min()
    shrink = min(1.0, 0.98 * height / (heights.sum() - sunk))
    heights, widths, sunk = heights * shrink, widths * shrink, sunk * shrink
    top = rng.uniform(0, height - (heights.sum() - sunk))
    left = np.clip(width * rng.uniform(0.45, 0.55, 2) - widths / 2, 0, width - widths)
    tops = np.array([top, top + heights[0] - sunk])
    seen, hidden = (
        tuple(np.floor(8 * np.array((left[i], tops[i], left[i] + widths[i], tops[i] + heights[i]))) / 8)
        for i in range(2)
    )
    return Pair(_box(seen), _box(hidden), 0.5, 0.5)


def _box(edges: tuple[float, ...]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (float(edge) for edge in edges)
    return x0, y0, x1, y1
