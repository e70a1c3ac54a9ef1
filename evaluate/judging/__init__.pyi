from .findings import Finding as Finding, findings_of as findings_of
from .judged_maps import VARIANTS as VARIANTS, without_dead as without_dead, without_seen as without_seen
from .judging import judge as judge
from .judgment import Judgment as Judgment, check_judgment_folder as check_judgment_folder
from .metric_registry import DEFAULT_METRICS as DEFAULT_METRICS, METRICS as METRICS, named_metrics as named_metrics
from .metric_spec import Case as Case, MetricSpec as MetricSpec
from .mu_in_captum import attribution_mu as attribution_mu
from .mu_in_quantus import QuantusMu as QuantusMu, wall_masks as wall_masks
from .mu_in_torchmetrics import TorchMu as TorchMu
