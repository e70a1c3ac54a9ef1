from .bootstrap import LEVEL, bootstrap_interval, bootstrap_intervals
from .holm import holm_adjusted
from .interval import Interval
from .paired import PairedDifference, paired_difference, paired_differences
from .rank_stability import RankAgreement, rank_agreement
from .sign_flip import sign_flip_test, sign_flip_tests

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
