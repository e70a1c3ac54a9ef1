"""The sign-flip test against SciPy and against all flips; Holm's correction against its definition."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from stackwalls.evaluate.statistics import holm_adjusted, sign_flip_test, sign_flip_tests
from stackwalls.model import InputError


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9), st.floats(0.01, 100))
def test_against_every_flip_one_by_one(steps: list[int], scale: float) -> None:
    """Small whole numbers, so that many flips are equally far from 0."""
    differences = [scale * step for step in steps]
    flipped = [
        sum(s * step for s, step in zip(signs, steps, strict=True))
        for signs in itertools.product((1, -1), repeat=len(steps))
    ]
    expected = np.mean([abs(total) >= abs(sum(steps)) for total in flipped])
    assert sign_flip_test(differences) == pytest.approx(expected)


@pytest.mark.parametrize("n", [8, 12, 60])
def test_against_scipy(n: int) -> None:
    generator = np.random.default_rng(n)
    first, second = generator.beta(2, 5, (2, n))
    expected = stats.permutation_test(
        (first, second + 0.03), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=10_000, rng=0
    ).pvalue
    found = sign_flip_test(first - second - 0.03)
    error = 0 if n < 13 else 4 * math.sqrt(2 * expected * (1 - expected) / 10_000)
    assert found == pytest.approx(expected, abs=max(error, 1e-12))


def test_p_is_uniform_where_there_is_no_difference() -> None:
    """Of 2,000 null data sets, 5 % have p ≤ 0.05."""
    generator = np.random.default_rng(3)
    null = generator.beta(1.2, 4, (30, 2000)) * generator.choice([-1, 1], (30, 2000))
    p = sign_flip_tests(null, flips=2000)
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.015)
    assert np.mean(p <= 0.5) == pytest.approx(0.5, abs=0.04)


def test_missing_pairs_are_as_if_they_were_not_there() -> None:
    generator = np.random.default_rng(4)
    differences = generator.normal(0.1, 0.4, 11)
    with_gaps = np.insert(differences, [0, 5, 11], math.nan)
    assert sign_flip_test(with_gaps) == sign_flip_test(differences)
    p = sign_flip_tests(np.stack([with_gaps, np.full(14, math.nan), np.zeros(14)], axis=1))
    assert p[0] == sign_flip_test(differences)
    assert math.isnan(p[1])
    assert p[2] == 1


def test_p_is_never_zero_and_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sure = np.full(50, 0.2)
    assert sign_flip_test(sure, flips=999) == 1 / 1000
    unsure = np.random.default_rng(0).normal(0.02, 0.1, 50)
    whole = sign_flip_test(unsure, flips=999)
    monkeypatch.setattr("stackwalls.evaluate.statistics._BLOCK", 350)
    assert sign_flip_test(unsure, flips=999) == whole


def test_holm_by_hand() -> None:
    """As R's p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") has it."""
    np.testing.assert_allclose(holm_adjusted([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm_adjusted([0.6, math.nan, 0.5]), [1, math.nan, 1])
    assert holm_adjusted([]).shape == (0,)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.001, 0.999))
def test_holm_rejects_what_the_stepwise_procedure_rejects(p_values: list[float], alpha: float) -> None:
    """Holm's procedure: from the least p upwards, reject while p · (tests left) ≤ α; stop at the first that is not."""
    rejected = set()
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    for place, index in enumerate(order):
        if p_values[index] * (len(p_values) - place) > alpha:
            break
        rejected.add(index)
    assert set(np.flatnonzero(holm_adjusted(p_values) <= alpha)) == rejected


def test_wrong_calls() -> None:
    with pytest.raises(InputError, match=r"`differences` to be \(n, k\)"):
        sign_flip_tests([0.1])
    with pytest.raises(InputError, match=r"`differences` to be \(n,\)"):
        sign_flip_test([[0.1]])
    with pytest.raises(InputError, match="`flips` to be at least 1"):
        sign_flip_test([0.1], flips=0)
