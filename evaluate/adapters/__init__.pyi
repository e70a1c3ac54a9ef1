from .adapter import Adapter as Adapter, Configured as Configured, OwnExplainer as OwnExplainer
from .captum_attribution import CaptumExplainer as CaptumExplainer
from .conversion import REDUCTIONS as REDUCTIONS, Reduction as Reduction, to_maps as to_maps
from .grad_cam import GradCamClassExplainer as GradCamClassExplainer, GradCamExplainer as GradCamExplainer
from .plain_function import FunctionExplainer as FunctionExplainer
from .precomputed import ImageRef as ImageRef, PrecomputedExplainer as PrecomputedExplainer
from .recognition import (
    FORMS as FORMS,
    as_explainer as as_explainer,
    named_methods as named_methods,
    registered as registered,
)
from .torch_cam_extractor import TorchCamExplainer as TorchCamExplainer
from .zennit_attributor import ZennitExplainer as ZennitExplainer
