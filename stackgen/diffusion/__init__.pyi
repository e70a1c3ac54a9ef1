from .call import Call, complete_call, parse_size, with_size
from .device import DTYPES, OFFLOADS, Placement, choose_offload, find_device, place
from .memory import memory_errors
from .model_source import ModelSource, find_model
from .presets import AUTO, MINIATURE, PRESETS, Preset, find_preset
from .text_to_image import Flaw, FrameMaker, TextToImage

__all__ = [
    "AUTO",
    "DTYPES",
    "MINIATURE",
    "OFFLOADS",
    "PRESETS",
    "Call",
    "Flaw",
    "FrameMaker",
    "ModelSource",
    "Placement",
    "Preset",
    "TextToImage",
    "choose_offload",
    "complete_call",
    "find_device",
    "find_model",
    "find_preset",
    "memory_errors",
    "parse_size",
    "place",
    "with_size",
]
