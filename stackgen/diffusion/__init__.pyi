from .call import Call, complete_call, parse_size
from .model_source import AUTO, MINIATURE, PRESETS, ModelSource, Preset, find_model, find_preset
from .pipeline import Placement, memory_advice, place
from .text_to_image import Flaw, FrameMaker, TextToImage

__all__ = [
    "AUTO",
    "MINIATURE",
    "PRESETS",
    "Call",
    "Flaw",
    "FrameMaker",
    "ModelSource",
    "Placement",
    "Preset",
    "TextToImage",
    "complete_call",
    "find_model",
    "find_preset",
    "memory_advice",
    "parse_size",
    "place",
]
