"""From scores to findings: against values worked out by hand, a slow rewrite, and SciPy's tests."""

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from stackwalls.evaluate.judging.findings import SAME, findings_of


def scores(table: dict[tuple[str, str], dict[str, float]], network: str = "blind", metric: str = "M") -> pd.DataFrame:
    """Rows from (image, method) → variant → score; the method "" is that of maps that know nothing."""
    rows: list[dict[str, Any]] = []
    for (image_id, method), found in table.items():
        about = {"network": network, "image_id": image_id, "method": method, "metric": metric, "error": None}
        rows += [{**about, "variant": variant, "score": score} for variant, score in found.items()]
    return pd.DataFrame(rows)


def test_three_images_by_hand() -> None:
    """One image prefers m′ by both methods, one by one of two, one ties; lower is better."""
    table = {
        ("a", "X"): {"m": 3.0, "m′": 1.0, "opposite": 9.0},
        ("a", "Y"): {"m": 5.0, "m′": 4.0, "opposite": 1.0},
        ("b", "X"): {"m": 2.0, "m′": 1.5, "opposite": 2.0},
        ("b", "Y"): {"m": 1.0, "m′": 2.0},
        ("c", "X"): {"m": 4.0, "m′": 4.0},
        ("c", "Y"): {"m": 3.0},  # lights one side only: no pair
        ("a", ""): {"uniform": 4.0, "random": 3.0},
        ("b", ""): {"uniform": 0.0, "random": 10.0},
    }
    found = findings_of(scores(table), {"M": False})["blind"]["M"]
    assert found.pairs == 5
    # images: 1, 0.5, 0.5
    assert found.prefers.mean == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert found.ties == pytest.approx(1 / 5)
    spread = float(np.std([3, 5, 2, 1, 4, 3], ddof=1))
    assert found.spread == pytest.approx(spread)
    assert found.gain.mean == pytest.approx(((2 + 1) / 2 + (0.5 - 1) / 2 + 0) / 3 / spread)
    # m beats the opposite where its score is lower: yes, no, tie
    assert found.over["opposite"] == pytest.approx((1 + 0 + 0.5) / 3)
    assert found.over["uniform"] == pytest.approx((1 + 0 + 0 + 0) / 4)
    assert found.over["random"] == pytest.approx((0.5 + 0 + 1 + 1) / 4)
    # signs of the images: 1, 0, 0; flipping the only one that is not 0 is as far from 0
    assert found.p == 1
    assert found.verdict == "cannot tell"
    assert math.isnan(found.prefers.low), "three images have no interval"


def test_the_sign_test_is_scipys_where_every_image_has_one_pair() -> None:
    generator = np.random.default_rng(3)
    gains = generator.normal(0.8, 1, 13)
    table = {(f"{i}", "X"): {"m": 0.0 + i, "m′": i + gain} for i, gain in enumerate(gains)}
    found = findings_of(scores(table), {"M": True})["blind"]["M"]
    better = int((gains > 0).sum())
    assert 0 < better < 13
    assert found.p == pytest.approx(stats.binomtest(better, 13).pvalue, abs=1e-12)
    assert found.prefers.mean == pytest.approx(better / 13)


def test_intervals_are_over_images_not_pairs() -> None:
    """Twenty methods that agree on every image are no more evidence than one."""
    signs = [1, -1, 1, 1, 1, -1, 1, 1, 1, 1, -1, 1]
    one = {(f"{i}", "X"): {"m": 0.1 * i, "m′": 0.1 * i + sign} for i, sign in enumerate(signs)}
    many = {(f"{i}", f"{j}"): {"m": 0.1 * i, "m′": 0.1 * i + sign} for i, sign in enumerate(signs) for j in range(20)}
    first, second = (findings_of(scores(table), {"M": True})["blind"]["M"] for table in (one, many))
    assert (first.prefers.low, first.prefers.high, first.p) == (second.prefers.low, second.prefers.high, second.p)
    assert (first.pairs, second.pairs) == (12, 240)


def test_rounding_is_a_tie_and_more_is_not() -> None:
    for factor, ties in ((0.5, 1.0), (2.0, 0.0)):
        table = {(f"{i}", "X"): {"m": float(i), "m′": i + factor * SAME * np.std(range(12), ddof=1)} for i in range(12)}
        found = findings_of(scores(table), {"M": True})["blind"]["M"]
        assert found.ties == ties
        assert found.verdict == ("blind: always a tie" if ties else "right: prefers m′")


def test_equal_scores_of_all_maps_are_ties() -> None:
    table = {(f"{i}", "X"): {"m": 1.0, "m′": 1.0} for i in range(12)}
    assert findings_of(scores(table), {"M": True})["blind"]["M"].verdict == "blind: always a tie"


def test_holm_adjusts_for_the_metrics_of_a_network() -> None:
    """A metric that is right on 8 of 8 images has p = 2/2⁸; among ten metrics, ten times as much."""
    table = {(f"{i}", "X"): {"m": float(i), "m′": i + 1.0} for i in range(8)}
    mixed = {(f"{i}", "X"): {"m": float(i), "m′": i + (-1.0) ** i} for i in range(8)}
    names = [f"M{number}" for number in range(10)]
    rows = pd.concat([scores(table, metric="M0"), *(scores(mixed, metric=name) for name in names[1:])])
    found = findings_of(rows, dict.fromkeys(names, True))["blind"]
    assert found["M0"].p == pytest.approx(2 / 2**8)
    assert found["M0"].adjusted == pytest.approx(20 / 2**8)
    assert found["M0"].verdict == "cannot tell"
    assert found["M1"].adjusted == 1


def test_failures_and_undefined_scores_are_counted_and_leave_their_pair_out() -> None:
    rows = scores({(f"{i}", "X"): {"m": float(i), "m′": i + 1.0} for i in range(4)})
    rows.loc[0, ["score", "error"]] = [math.nan, "it broke"]
    rows.loc[3, "score"] = math.nan
    found = findings_of(rows, {"M": True, "other": True})["blind"]
    assert (found["M"].pairs, found["M"].failed, found["M"].undefined) == (2, 1, 1)
    assert found["other"].verdict == "no pairs"
    assert math.isnan(found["other"].p)
    assert found["M"].adjusted == found["M"].p, "a metric without a pair is no test"


def test_the_control_is_compared_on_the_same_images() -> None:
    """Image by image; one that the control has no pair for is left out."""
    blind = {(f"{i}", method): {"m": 0.0, "m′": 1.0} for i, method in itertools.product(range(11), "XY")}
    control = {
        (f"{i}", method): {"m": 0.0, "m′": sign} for i in range(10) for method, sign in (("X", 1.0), ("Y", -1.0))
    }
    rows = pd.concat([scores(blind), scores(control, network="control")])
    found = findings_of(rows, {"M": True})
    assert found["control"]["M"].prefers.mean == 0.5
    assert found["control"]["M"].control is None
    difference = found["blind"]["M"].control
    assert difference is not None
    assert (difference.mean, difference.n, difference.nan) == (0.5, 10, 1)
