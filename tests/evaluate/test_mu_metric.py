"""The streaming object against NumPy on everything at once."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from stackwalls.evaluate import MuMetric, mu, summarize
from stackwalls.model import InputError, Wall

WALL = Wall.of_band("rows", 3, 4, image_size=4)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=6), st.integers(0, 2**32 - 1), st.booleans())
def test_streaming_is_the_whole_at_once(sizes: list[int], seed: int, near_equal: bool) -> None:
    generator = np.random.default_rng(seed)
    batches = [generator.random((size, 4, 4)) * (1e-9 if near_equal else 1) + near_equal for size in sizes]
    for batch in batches[::2]:
        batch[:1] = 0
    metric = MuMetric(WALL)
    for batch in batches:
        metric.update(batch)
    values = np.concatenate([mu(batch, WALL) for batch in batches] or [np.zeros(0)])
    known = values[~np.isnan(values)]
    found = metric.compute()
    assert (found.n, found.nan) == (len(known), len(values) - len(known))
    assert found.mean == pytest.approx(known.mean() if len(known) else math.nan, nan_ok=True)
    assert found.std == pytest.approx(
        known.std(ddof=1) if len(known) > 1 else math.nan, rel=1e-6, abs=1e-12, nan_ok=True
    )


def test_one_map_has_no_spread_and_none_has_no_mean() -> None:
    metric = MuMetric(WALL)
    assert math.isnan(metric.compute().mean)
    metric.update(torch.zeros(2, 4, 4))
    assert metric.compute().nan == 2
    metric.update(np.ones((1, 4, 4)))
    assert metric.compute().mean == pytest.approx(0.5)
    assert math.isnan(metric.compute().std)
    metric.update(np.ones((1, 4, 4)))
    assert metric.compute().std == pytest.approx(0)
    metric.reset()
    assert metric.compute().n == metric.compute().nan == 0


def test_a_refused_batch_adds_nothing() -> None:
    metric = MuMetric(WALL)
    metric.update(np.ones((2, 4, 4)))
    before = metric.compute()
    with pytest.raises(InputError):
        metric.update(np.full((2, 4, 4), -1.0))
    assert metric.compute() == before


def test_summary_of_a_list() -> None:
    found = summarize([0.1, math.nan, 0.3])
    assert (found.n, found.nan) == (2, 1)
    assert found.mean == pytest.approx(0.2)
    assert found.std == pytest.approx(math.sqrt(0.02))
