"""Bootstrap intervals and paired differences: against SciPy, and by how often they hold the true mean."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray
from scipy import stats

from stackwalls.evaluate.statistics import (
    FEWEST,
    bootstrap_interval,
    bootstrap_intervals,
    default_draws,
    paired_difference,
    paired_differences,
    resampled_means,
)
from stackwalls.model import InputError

Draw = Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float64]]

POPULATIONS: dict[str, tuple[Draw, float]] = {
    "symmetric": (lambda generator, shape: generator.beta(3, 3, shape), 0.5),
    "skewed": (lambda generator, shape: generator.beta(1.2, 4, shape), 1.2 / 5.2),
    "very skewed": (lambda generator, shape: generator.beta(0.4, 3, shape), 0.4 / 3.4),
    "two humps": (
        lambda generator, shape: np.where(
            generator.random(shape) < 0.3, generator.beta(1, 8, shape), generator.beta(8, 2, shape)
        ),
        0.3 / 9 + 0.7 * 0.8,
    ),
    "mostly zero": (lambda generator, shape: (generator.random(shape) < 0.2) * generator.beta(1, 3, shape), 0.05),
}
"""Numbers in [0, 1] as mu is, with their true means."""


def widened(level: float, n: int) -> float:
    """The level of which plain BCa is asked: at it a normal interval is as wide as Student's at `level`."""
    reach = math.sqrt(n / (n - 1)) * stats.t.ppf((1 + level) / 2, n - 1)
    return float(2 * stats.norm.cdf(reach) - 1)


@pytest.mark.parametrize("name", POPULATIONS)
@pytest.mark.parametrize(("n", "level"), [(12, 0.9), (100, 0.95)])
def test_against_scipy(name: str, n: int, level: float) -> None:
    """SciPy's BCa, asked for the widened level, draws the same resamples from the same seed."""
    values = POPULATIONS[name][0](np.random.default_rng(1), (1, n))[0]
    found = bootstrap_interval(values, level, draws=5000, seed=2)
    expected = stats.bootstrap(
        (values,), np.mean, confidence_level=widened(level, n), method="BCa", n_resamples=5000, rng=2
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)
    assert found.mean == pytest.approx(values.mean())


@pytest.mark.parametrize("name", POPULATIONS)
def test_intervals_hold_the_true_mean_as_often_as_they_say(name: str) -> None:
    """2,000 data sets of 100 images: 95 ± 2 % of the intervals hold the mean of the population."""
    draw, true_mean = POPULATIONS[name]
    trials = draw(np.random.default_rng(7), (100, 2000))
    held = [found.low <= true_mean <= found.high for found in bootstrap_intervals(trials, draws=1000)]
    assert 0.93 <= np.mean(held) <= 0.97


@pytest.mark.parametrize("name", ["symmetric", "skewed", "very skewed", "two humps"])
def test_so_they_do_with_24_images(name: str) -> None:
    draw, true_mean = POPULATIONS[name]
    trials = draw(np.random.default_rng(8), (24, 2000))
    held = [found.low <= true_mean <= found.high for found in bootstrap_intervals(trials, draws=1000)]
    assert 0.93 <= np.mean(held) <= 0.97


def test_so_do_those_of_differences() -> None:
    generator = np.random.default_rng(9)
    shared = generator.beta(1.2, 4, (100, 2000))
    first, second = shared + generator.beta(1, 8, shared.shape), shared
    found = paired_differences(first - second, draws=1000)
    assert 0.93 <= np.mean([each.low <= 1 / 9 <= each.high for each in found]) <= 0.97


def test_resampling_against_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random((7, 3))
    generator = np.random.default_rng(5)
    expected = [values[generator.integers(0, 7, 7)].mean(0) for _ in range(50)]
    np.testing.assert_allclose(resampled_means(values, 50, seed=5), expected, rtol=1e-13)
    monkeypatch.setattr("stackwalls.evaluate.statistics._BLOCK", 21)
    np.testing.assert_allclose(resampled_means(values, 50, seed=5), expected, rtol=1e-13)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_columns_interval_does_not_depend_on_its_company(seed: int) -> None:
    generator = np.random.default_rng(seed)
    columns = np.where(generator.random((15, 5)) < 0.2, np.nan, generator.random((15, 5)))
    for column, found in zip(columns.T, bootstrap_intervals(columns, draws=200, seed=3), strict=True):
        known = column[~np.isnan(column)]
        alone = bootstrap_interval(known, draws=200, seed=3)
        assert (found.mean, found.low, found.high) == pytest.approx((alone.mean, alone.low, alone.high), nan_ok=True)
        assert (found.n, found.nan) == (len(known), 15 - len(known))
        if len(known) >= FEWEST:
            assert found.low <= found.mean <= found.high


def test_what_is_undefined_is_nan() -> None:
    nothing, one, same = (bootstrap_interval(values) for values in ([math.nan], [0.3, math.nan], [0.0] * 10))
    assert math.isnan(nothing.mean)
    assert (nothing.n, nothing.nan) == (0, 1)
    assert one.mean == 0.3
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    assert (same.low, same.mean, same.high) == (0, 0, 0)
    assert [math.isnan(bootstrap_interval(range(n)).low) for n in (2, 9, 10)] == [True, True, False]
    assert bootstrap_intervals(np.zeros((4, 0))) == []


def test_the_size_of_the_numbers_does_not_matter() -> None:
    values = np.random.default_rng(0).gamma(0.5, size=12)
    usual = bootstrap_interval(values)
    for factor in (2.0**-960, 2.0**-400, 2.0**300):  # which changes no digit
        found = bootstrap_interval(values * factor)
        assert (found.low / factor, found.high / factor) == (usual.low, usual.high)


def test_many_numbers_take_fewer_draws_and_no_memory_that_grows() -> None:
    import tracemalloc

    assert [default_draws(n) for n in (1, 10_000, 20_000, 50_000, 10**7)] == [10_000, 10_000, 5000, 2000, 2000]
    values = np.random.default_rng(0).random(50_000)
    tracemalloc.start()
    found = bootstrap_interval(values, draws=300)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**28
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / math.sqrt(50_000), rel=0.15)


def test_a_paired_difference_by_hand() -> None:
    found = paired_difference([0.5, 0.4, math.nan, 0.3, 0.2], [0.1, 0.4, 0.1, 0.1, math.nan])
    assert (found.n, found.dropped) == (3, 2)
    assert found.mean == pytest.approx(0.2)
    assert found.std == pytest.approx(0.2)
    assert found.effect == pytest.approx(1)
    assert found.above == pytest.approx((1 + 0.5 + 1) / 3)
    assert math.isnan(found.low)  # three pairs have no interval


def test_effects_without_spread() -> None:
    assert paired_difference([0.2, 0.2], [0.2, 0.2]).effect == 0
    assert paired_difference([0.5, 0.5], [0.25, 0.25]).effect == math.inf
    assert math.isnan(paired_difference([0.2], [0.1]).effect)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: bootstrap_interval([[0.1]]), r"`values` to be \(n,\) numbers, but got \(1, 1\)"),
        (lambda: bootstrap_intervals([0.1]), r"`columns` to be \(n, k\) numbers, but got \(1,\)"),
        (lambda: bootstrap_interval([math.inf, 1]), "`values` to be finite numbers, but got infinite ones"),
        (lambda: bootstrap_interval(["a"]), "`values` to be numbers: could not convert"),
        (lambda: bootstrap_interval([0.1], level=95), "`level` to be between 0 and 1, but got 95"),
        (lambda: bootstrap_interval([0.1], draws=0), "`draws` to be at least 1, but got 0"),
        (lambda: paired_difference([0.1], [0.1, 0.2]), r"same length, but got \(1,\) and \(2,\)"),
    ],
)
def test_wrong_calls(call: Callable[[], object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        call()
