from .baseline_comparison import BaselineComparison, BaselineRow
from .figures import overlay, overlays, teaser, write_figure
from .index_entries import model_index
from .method_comparison import MethodPair, compare_methods, rank_stability
from .page import render_report
from .table import Table, TableRow

__all__ = [
    "BaselineComparison",
    "BaselineRow",
    "MethodPair",
    "Table",
    "TableRow",
    "compare_methods",
    "model_index",
    "overlay",
    "overlays",
    "rank_stability",
    "render_report",
    "teaser",
    "write_figure",
]
