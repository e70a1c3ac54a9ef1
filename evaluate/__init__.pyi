from .evaluation_spec import EvaluationSpec, Target
from .figures import overlay, overlays, write_figure
from .gradcam_maps import GradCamExplainer
from .maps import Explainer, Maps
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

__all__ = [
    "ALIASES",
    "METHODS",
    "ROW_SCHEMA",
    "SAMPLES_PER_DATASET",
    "EvaluationSpec",
    "Explainer",
    "GradCamExplainer",
    "Maps",
    "MethodSpec",
    "MuMetric",
    "Results",
    "Samples",
    "Subject",
    "Summary",
    "Table",
    "TableRow",
    "Target",
    "dead_cells",
    "dead_zone_lit",
    "energy_share",
    "evaluate",
    "find_method",
    "find_methods",
    "mu",
    "mu_native",
    "overlay",
    "overlays",
    "pointing_game",
    "render_report",
    "summarise",
    "write_figure",
]
