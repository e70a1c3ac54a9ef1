from .composite import ENCODERS, compose, encode
from .mix_plan import image_order, most_pairs, pair_order
from .mix_spec import MixSpec, RejectedPair
from .mixing import mix
from .rebuilding import NotRebuilt, Rebuilt, RecipePictures, rebuild
from .redo import Redone, redo_rejected

__all__ = [
    "ENCODERS",
    "MixSpec",
    "NotRebuilt",
    "Rebuilt",
    "RecipePictures",
    "Redone",
    "RejectedPair",
    "compose",
    "encode",
    "image_order",
    "mix",
    "most_pairs",
    "pair_order",
    "rebuild",
    "redo_rejected",
]
