from .class_rows import ClassRows, make_class_rows
from .composite import ENCODERS, Encoder, compose, encode, find_encoder
from .mix_plan import MixPlan, image_order, most_pairs, pair_order, plan_mix
from .mix_spec import MAX_PER_CLASS, MixSpec, RejectedPair
from .mixing import mix
from .rebuilding import NotRebuilt, Rebuilt, rebuild
from .recipe_pictures import RecipePictures
from .redo import Redone, redo_rejected

__all__ = [
    "ENCODERS",
    "MAX_PER_CLASS",
    "ClassRows",
    "Encoder",
    "MixPlan",
    "MixSpec",
    "NotRebuilt",
    "Rebuilt",
    "RecipePictures",
    "Redone",
    "RejectedPair",
    "compose",
    "encode",
    "find_encoder",
    "image_order",
    "make_class_rows",
    "mix",
    "most_pairs",
    "pair_order",
    "plan_mix",
    "rebuild",
    "redo_rejected",
]
