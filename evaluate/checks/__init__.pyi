from .findings import Findings as Findings, beyond_mu as beyond_mu
from .leak_diagnostics import (
    eigen_maps as eigen_maps,
    mu_by_stage as mu_by_stage,
    seen_change as seen_change,
    twins_of as twins_of,
)
from .method_check import ASPECTS as ASPECTS, NETWORKS as NETWORKS, Verdict as Verdict, check_method as check_method
from .references import REFERENCES as REFERENCES
from .sweep_table import LayerTable as LayerTable
from .wall_table import WallTable as WallTable
