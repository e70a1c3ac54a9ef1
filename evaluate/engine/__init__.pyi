from .batch_sizes import BatchSizes
from .forward import Explained, explain_forward, explain_head
from .raw_maps import ENGINE_METHODS, PRECISIONS, Engine, Precision
from .seen_rows import SeenRows
from .single_pass import SINGLE_PASS
from .upsampling import normalised_maps

__all__ = [
    "ENGINE_METHODS",
    "PRECISIONS",
    "SINGLE_PASS",
    "BatchSizes",
    "Engine",
    "Explained",
    "Precision",
    "SeenRows",
    "explain_forward",
    "explain_head",
    "normalised_maps",
]
