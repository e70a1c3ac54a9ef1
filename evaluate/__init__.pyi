from .baseline_comparison import BaselineComparison, BaselineRow
from .evaluation_spec import EvaluationSpec, Target
from .figures import overlay, overlays, teaser, write_figure
from .gradcam_maps import GradCamExplainer
from .index_entries import model_index
from .maps import Explainer, Maps
from .method_comparison import MethodPair, compare_methods, rank_stability
from .methods import ALIASES, METHODS, MethodSpec, find_method, find_methods
from .metrics import dead_cells, dead_zone_lit, energy_share, mu, mu_native, pointing_game
from .mu_metric import MuMetric, Summary, summarise
from .report import render_report
from .results import Results
from .rows import ROW_SCHEMA
from .runner import evaluate
from .samples import SAMPLES_PER_DATASET, Samples
from .subject import Subject
from .table import Table, TableRow
from .unfinished import ShareDone

__all__ = [
    "ALIASES",
    "METHODS",
    "ROW_SCHEMA",
    "SAMPLES_PER_DATASET",
    "BaselineComparison",
    "BaselineRow",
    "EvaluationSpec",
    "Explainer",
    "GradCamExplainer",
    "Maps",
    "MethodPair",
    "MethodSpec",
    "MuMetric",
    "Results",
    "Samples",
    "ShareDone",
    "Subject",
    "Summary",
    "Table",
    "TableRow",
    "Target",
    "compare_methods",
    "dead_cells",
    "dead_zone_lit",
    "energy_share",
    "evaluate",
    "find_method",
    "find_methods",
    "model_index",
    "mu",
    "mu_native",
    "overlay",
    "overlays",
    "pointing_game",
    "rank_stability",
    "render_report",
    "summarise",
    "teaser",
    "write_figure",
]
