from .adapters import GradCamExplainer as GradCamExplainer
from .engine.score import pixel_score_cam as pixel_score_cam
from .maps import Explainer as Explainer, Maps as Maps
from .measurements import Measurements as Measurements
from .methods import (
    ALIASES as ALIASES,
    METHODS as METHODS,
    MethodSpec as MethodSpec,
    find_method as find_method,
    find_methods as find_methods,
)
from .metrics import (
    MuMetric as MuMetric,
    Summary as Summary,
    dead_cells as dead_cells,
    dead_zone_lit as dead_zone_lit,
    energy_share as energy_share,
    mu as mu,
    mu_native as mu_native,
    pointing_game as pointing_game,
    summarize as summarize,
)
from .report.comparison import (
    BaselineComparison as BaselineComparison,
    BaselineRow as BaselineRow,
    MethodPair as MethodPair,
    compare_methods as compare_methods,
    rank_stability as rank_stability,
)
from .report.figures import overlay as overlay, overlays as overlays, teaser as teaser, write_figure as write_figure
from .report.model_index import model_index as model_index
from .report.page import render_report as render_report
from .report.table import Table as Table, TableRow as TableRow
from .results import Results as Results
from .run.blocks import ShareDone as ShareDone
from .run.evaluation_spec import EvaluationSpec as EvaluationSpec, Target as Target
from .run.measuring import ROW_SCHEMA as ROW_SCHEMA
from .run.runner import evaluate as evaluate
from .run.samples import SAMPLES_PER_DATASET as SAMPLES_PER_DATASET, Samples as Samples
from .subject import Subject as Subject
