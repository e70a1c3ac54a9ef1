"""From scores to findings: which of two maps each metric prefers, how often, by how much, and how sure that is.

A pair is an image and a method whose map lights both sides of the wall. Pairs of one image are not independent, so
every share is first averaged over the methods of an image; intervals and tests are over images.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from stackwalls.evaluate.statistics import (
    Interval,
    PairedDifference,
    bootstrap_interval,
    holm_adjusted,
    paired_difference,
    sign_flip_test,
)

SAME = 1e-5
"""Scores that differ by at most so many spreads of their metric are a tie: the rounding of equal computations."""

LEVEL = 0.05
"""A metric prefers a side if its p, adjusted for the number of metrics, is below."""

_SHARES = ("opposite", "uniform", "random")
"""Maps that m should beat."""


@dataclass(frozen=True)
class Finding:
    """What one metric says on one network.

    Attributes:
        metric: its name.
        pairs: images and methods with a score of m and of m′.
        prefers: mean share of the pairs in which m′ has the better score, a tie counting half, with its interval.
        ties: share of the pairs with the same score.
        p: of the two-sided sign test over images that no side is preferred; NaN without a pair.
        adjusted: the same, adjusted for the metrics of this network (Holm).
        gain: mean improvement from m to m′ in spreads (negative: m is better), with its interval.
        spread: standard deviation of the metric's scores of m over all images and methods.
        over: share of the maps m that score better than the opposite, the uniform and the random map.
        undefined: scores of m or m′ that are NaN.
        failed: those for which the metric raised an error.
        control: its share on the control, if there is one, and the paired difference from it.
    """

    metric: str
    pairs: int
    prefers: Interval
    ties: float
    p: float
    adjusted: float
    gain: Interval
    spread: float
    over: Mapping[str, float]
    undefined: int
    failed: int
    control: PairedDifference | None = None

    @property
    def verdict(self) -> str:
        """In words: whether it prefers a side, and which."""
        if not self.pairs:
            return "no pairs"
        if self.ties == 1:
            return "blind: always a tie"
        if self.adjusted >= LEVEL:
            return "cannot tell"
        return "right: prefers m′" if self.prefers.mean > 0.5 else "WRONG: prefers m"

    def to_dict(self) -> dict[str, Any]:
        """For JSON, with the verdict."""
        return {**asdict(self), "verdict": self.verdict}


def findings_of(scores: pd.DataFrame, metrics: Mapping[str, bool]) -> dict[str, dict[str, Finding]]:
    """Network → metric → finding.

    Args:
        scores: rows of network, image_id, method, variant, metric, score and error, as `judge` makes them.
        metrics: name → whether a higher score is better.
    """
    found: dict[str, dict[str, Finding]] = {}
    shares: dict[tuple[str, str], pd.Series[float]] = {}
    for network in dict.fromkeys(scores["network"]):
        own = scores[scores["network"] == network]
        made = {}
        for name, higher in metrics.items():
            rows = own[own["metric"] == name]
            made[name], shares[network, name] = _finding(name, rows, higher)
        adjusted = holm_adjusted([each.p for each in made.values()])
        found[network] = {
            name: replace(each, adjusted=float(p)) for (name, each), p in zip(made.items(), adjusted, strict=True)
        }
    networks = list(found)
    if len(networks) > 1:
        blind, control = networks[:2]
        for name, finding in found[blind].items():
            both = pd.concat([shares[blind, name], shares[control, name]], axis=1).to_numpy(dtype=np.float64)
            found[blind][name] = replace(finding, control=paired_difference(both[:, 0], both[:, 1]))
    return found


def preferences(scores: pd.DataFrame, metric: str, higher: bool) -> pd.DataFrame:
    """One row per pair of one network: image_id, method, `sign` (1: m′ is better, 0: a tie), `gain` in spreads."""
    table, spread = _table(scores[scores["metric"] == metric], higher)
    return _compared(table, "m′", "m", spread).reset_index()


def _finding(name: str, rows: pd.DataFrame, higher: bool) -> tuple[Finding, "pd.Series[float]"]:
    """The finding, not yet adjusted, and the share of each image."""
    table, spread = _table(rows, higher)
    pairs = _compared(table, "m′", "m", spread)
    by_image = pairs.groupby("image_id", sort=False)[["sign", "gain"]].mean()
    share = (1 + by_image["sign"]) / 2
    asked = rows[rows["variant"].isin(["m", "m′"])]
    failed = int(asked["error"].notna().sum())
    p = sign_flip_test(by_image["sign"]) if len(by_image) else math.nan
    ties = float((pairs["sign"] == 0).mean()) if len(pairs) else math.nan
    over = {each: _share(_compared(table, "m", each, spread)["sign"]) for each in _SHARES}
    undefined = int(asked["score"].isna().sum()) - failed
    gain = bootstrap_interval(by_image["gain"])
    return (
        Finding(name, len(pairs), bootstrap_interval(share), ties, p, math.nan, gain, spread, over, undefined, failed),
        share,
    )


def _table(rows: pd.DataFrame, higher: bool) -> tuple[pd.DataFrame, float]:
    """Scores by image and method, a column per variant, the higher the better; and their spread for m."""
    numbers = rows.assign(score=rows["score"].astype(float) * (1 if higher else -1))
    own = numbers[numbers["method"] != ""]
    table = own.pivot(index=["image_id", "method"], columns="variant", values="score")
    for variant in ("uniform", "random"):
        of_image = numbers[numbers["variant"] == variant].set_index("image_id")["score"]
        table[variant] = table.index.get_level_values("image_id").map(of_image.to_dict())
    table = table.reindex(columns=["m", "m′", *_SHARES]).astype(float)
    return table, float(table["m"].std(ddof=1))


def _compared(table: pd.DataFrame, first: str, second: str, spread: float) -> pd.DataFrame:
    """Pairs with both scores: the sign of first − second, and it in spreads."""
    difference = (table[first] - table[second]).dropna()
    gain = difference / spread if spread > 0 else difference * 0
    least = SAME * spread if spread > 0 else 0.0
    sign = (difference > least).astype(float) - (difference < -least).astype(float)
    return pd.DataFrame({"sign": sign, "gain": gain})


def _share(signs: "pd.Series[float]") -> float:
    return float((1 + signs.mean()) / 2) if len(signs) else math.nan
