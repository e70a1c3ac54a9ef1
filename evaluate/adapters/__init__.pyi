from .adapter import Adapter, Configured
from .captum_attribution import CaptumExplainer
from .conversion import REDUCTIONS, Reduction, to_maps
from .grad_cam import GradCamClassExplainer, GradCamExplainer
from .imports import import_object, is_import_spec, model_from
from .plain_function import FunctionExplainer
from .precomputed import ImageRef, PrecomputedExplainer
from .recognition import FORMS, as_explainer, named_methods, registered
from .torch_cam_extractor import TorchCamExplainer

__all__ = [
    "FORMS",
    "REDUCTIONS",
    "Adapter",
    "CaptumExplainer",
    "Configured",
    "FunctionExplainer",
    "GradCamClassExplainer",
    "GradCamExplainer",
    "ImageRef",
    "PrecomputedExplainer",
    "Reduction",
    "TorchCamExplainer",
    "as_explainer",
    "import_object",
    "is_import_spec",
    "model_from",
    "named_methods",
    "registered",
    "to_maps",
]
