from .class_rows import ClassRows, make_class_rows
from .composite import compose
from .encoding import ENCODERS, Encoder, encode, find_encoder
from .mix_plan import MixPlan, plan_mix
from .mix_spec import MAX_PER_CLASS, MixSpec
from .mixing import mix
from .pairing import image_order, most_pairs, pair_order
from .rebuilding import NotRebuilt, Rebuilt, rebuild
from .recipe_pictures import RecipePictures
from .redoing import Redone, redo_turned_down
from .turned_down import TurnedDownPair

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
    "TurnedDownPair",
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
    "redo_turned_down",
]
