from .intervals import (
    LEVEL,
    Interval,
    PairedDifference,
    bootstrap_interval,
    bootstrap_intervals,
    paired_difference,
    paired_differences,
)
from .rank_stability import RankAgreement, rank_agreement
from .significance import holm_adjusted, sign_flip_test, sign_flip_tests

__all__ = [
    "LEVEL",
    "Interval",
    "PairedDifference",
    "RankAgreement",
    "bootstrap_interval",
    "bootstrap_intervals",
    "holm_adjusted",
    "paired_difference",
    "paired_differences",
    "rank_agreement",
    "sign_flip_test",
    "sign_flip_tests",
]
