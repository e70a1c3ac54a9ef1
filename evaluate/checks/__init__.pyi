from .findings import REFERENCES, Findings, beyond_mu
from .leaderboard import Score, read_scores, render_leaderboard, score_schema, scores_of
from .leak_diagnostics import eigen_maps, mu_by_stage, seen_change, twins_of
from .method_check import ASPECTS, NETWORKS, Verdict, check_method
from .wall_table import WallTable

__all__ = [
    "ASPECTS",
    "NETWORKS",
    "REFERENCES",
    "Findings",
    "Score",
    "Verdict",
    "WallTable",
    "beyond_mu",
    "check_method",
    "eigen_maps",
    "mu_by_stage",
    "read_scores",
    "render_leaderboard",
    "score_schema",
    "scores_of",
    "seen_change",
    "twins_of",
]
