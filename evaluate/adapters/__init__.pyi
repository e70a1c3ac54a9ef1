from .adapter import Adapter
from .captum_attribution import CaptumExplainer
from .configured import Configured
from .conversion import REDUCTIONS, Reduction, to_maps
from .grad_cam_class import GradCamClassExplainer
from .grad_cam_explainer import GradCamExplainer
from .imports import import_object, is_import_spec, model_from
from .map_store import ImageRef
from .plain_function import FunctionExplainer
from .precomputed import PrecomputedExplainer
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
