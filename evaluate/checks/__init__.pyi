from .findings import FINDINGS_NAME, Findings, beyond_mu, check_findings_folder
from .leaderboard import SCORE_FORMAT, Score, read_scores, render_leaderboard, score_schema, scores_of
from .leak_diagnostics import SIGNS, STAGES, eigen_maps, mu_by_stage, seen_change, twins_of
from .map_maker import MapMaker
from .method_check import (
    ASPECTS,
    NETWORKS,
    Verdict,
    check_method,
    inner_wall,
    tiny_images,
    tiny_masked_vgg,
    tiny_walled,
    verdicts_as_json,
)
from .reference_maps import REFERENCES
from .wall_table import WallTable

__all__ = [
    "ASPECTS",
    "FINDINGS_NAME",
    "NETWORKS",
    "REFERENCES",
    "SCORE_FORMAT",
    "SIGNS",
    "STAGES",
    "Findings",
    "MapMaker",
    "Score",
    "Verdict",
    "WallTable",
    "beyond_mu",
    "check_findings_folder",
    "check_method",
    "eigen_maps",
    "inner_wall",
    "mu_by_stage",
    "read_scores",
    "render_leaderboard",
    "score_schema",
    "scores_of",
    "seen_change",
    "tiny_images",
    "tiny_masked_vgg",
    "tiny_walled",
    "twins_of",
    "verdicts_as_json",
]
