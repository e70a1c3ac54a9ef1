from .eigen_signs import SIGNS, eigen_maps
from .findings import FINDINGS_NAME, Findings, check_findings_folder
from .leaderboard import read_scores, render_leaderboard
from .leak_origin import STAGES, mu_by_stage
from .map_maker import MapMaker
from .measured import beyond_mu
from .method_check import ASPECTS, NETWORKS, Verdict, check_method, inner_wall, summarised
from .reference_maps import REFERENCES, centre_mu
from .scores import SCORE_FORMAT, Score, score_schema, scores_of
from .tiny_subject import tiny_masked_vgg, tiny_pictures, tiny_walled
from .twin_drift import seen_change, twins_of
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
    "centre_mu",
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
    "summarised",
    "tiny_masked_vgg",
    "tiny_pictures",
    "tiny_walled",
    "twins_of",
]
