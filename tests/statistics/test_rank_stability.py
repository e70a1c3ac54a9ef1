"""Agreement of rankings against SciPy's Kendall tau, subset by subset, and where the answer is known."""

import math

import numpy as np
import pytest
from scipy import stats

from stackwalls.evaluate.statistics import RankAgreement, rank_agreement
from stackwalls.model import InputError


def slowly(values: np.ndarray, size: int, subsets: int, seed: int) -> RankAgreement:
    generator = np.random.default_rng(seed)
    reference, taus, same, first = np.nanmean(values, 0), [], 0, 0
    for _ in range(subsets):
        means = np.nanmean(values[generator.choice(len(values), size, False, shuffle=False)], 0)
        taus.append(stats.kendalltau(means, reference).statistic)
        ranks = [stats.rankdata(each) for each in (means, reference)]
        same += bool((ranks[0] == ranks[1]).all())
        first += bool(set(np.flatnonzero(means == means.min())) & set(np.flatnonzero(reference == reference.min())))
    return RankAgreement(size, float(np.mean(taus)), same / subsets, first / subsets)


@pytest.mark.parametrize("size", [3, 10, 29])
def test_against_scipy(size: int) -> None:
    generator = np.random.default_rng(0)
    values = np.column_stack([generator.beta(a, 4, 30) for a in (1.0, 1.2, 1.5, 2)] + [np.zeros(30)] * 2)
    values[::7, 1] = np.nan
    (found,) = rank_agreement(values, [size], subsets=60, seed=4)
    expected = slowly(values, size, 60, 4)
    assert found.tau == pytest.approx(expected.tau, abs=1e-12)
    assert (found.same_order, found.same_first) == (expected.same_order, expected.same_first)


def test_all_images_agree_with_themselves_and_more_agree_better() -> None:
    generator = np.random.default_rng(1)
    values = generator.beta([1, 1.5, 2, 2.5], 4, (400, 4))
    found = rank_agreement(values, subsets=200)
    assert [each.images for each in found] == [5, 10, 20, 50, 100, 200, 400]
    assert found[-1] == RankAgreement(400, 1, 1, 1)
    assert [each.tau for each in found] == sorted(each.tau for each in found)
    assert found[0].same_order < 0.6


def test_two_methods_by_counting() -> None:
    """One image of four says the other order, one is a tie: subsets of one agree in two of four."""
    values = np.array([[0.1, 0.2], [0.1, 0.2], [0.2, 0.1], [0.3, 0.3]])
    (found,) = rank_agreement(values, [1], subsets=4000)
    assert found.same_order == pytest.approx(1 / 2, abs=0.04)
    assert found.tau == pytest.approx(1 / 3, abs=0.06), "a tie has no tau"
    assert found.same_first == pytest.approx(3 / 4, abs=0.04)


def test_a_subset_without_a_value_agrees_with_nothing() -> None:
    values = np.array([[0.1, math.nan], [0.1, 0.4], [0.2, math.nan]])
    (found,) = rank_agreement(values, [1], subsets=3000)
    assert found.same_order == pytest.approx(1 / 3, abs=0.05)
    assert found.same_first == pytest.approx(1 / 3, abs=0.05)


def test_methods_that_are_all_tied_have_no_tau() -> None:
    (found,) = rank_agreement(np.zeros((5, 3)), [5])
    assert math.isnan(found.tau)
    assert (found.same_order, found.same_first) == (1, 1)


def test_wrong_calls() -> None:
    with pytest.raises(InputError, match=r"two methods or more, but got \(4, 1\)"):
        rank_agreement(np.zeros((4, 1)))
    with pytest.raises(InputError, match="from 1 to 4, the number of images, but got 5"):
        rank_agreement(np.zeros((4, 2)), [2, 5])
