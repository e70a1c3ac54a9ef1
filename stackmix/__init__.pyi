from .composite import ENCODERS as ENCODERS, compose as compose, encode as encode
from .mix_plan import image_order as image_order, most_pairs as most_pairs, pair_order as pair_order
from .mix_spec import MixSpec as MixSpec, RejectedPair as RejectedPair
from .mixing import mix as mix
from .rebuilding import (
    NotRebuilt as NotRebuilt,
    Rebuilt as Rebuilt,
    RecipePictures as RecipePictures,
    rebuild as rebuild,
)
from .redo import Redone as Redone, redo_rejected as redo_rejected
