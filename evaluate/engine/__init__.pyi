from .forward import Explained, explain_forward
from .raw_maps import ENGINE_METHODS, Engine, Precision
from .seen_rows import SeenRows, rows_needed
from .single_pass import SINGLE_PASS
from .upsampling import normalised_maps

__all__ = [
    "ENGINE_METHODS",
    "SINGLE_PASS",
    "Engine",
    "Explained",
    "Precision",
    "SeenRows",
    "explain_forward",
    "normalised_maps",
    "rows_needed",
]
