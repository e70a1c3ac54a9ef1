from .adapters import GradCamExplainer
from .maps import Explainer, Maps
from .measurements import Measurements
from .methods import ALIASES, METHODS, MethodSpec, find_method, find_methods
from .metrics import (
    MuMetric,
    Summary,
    dead_cells,
    dead_zone_lit,
    energy_share,
    mu,
    mu_native,
    pointing_game,
    summarise,
)
from .report.comparison import BaselineComparison, BaselineRow, MethodPair, compare_methods, rank_stability
from .report.figures import overlay, overlays, teaser, write_figure
from .report.model_index import model_index
from .report.page import render_report
from .report.table import Table, TableRow
from .results import Results
from .run.blocks import ShareDone
from .run.evaluation_spec import EvaluationSpec, Target
from .run.measuring import ROW_SCHEMA
from .run.runner import evaluate
from .run.samples import SAMPLES_PER_DATASET, Samples
from .subject import Subject

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
    "Measurements",
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
