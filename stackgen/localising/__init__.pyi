from .crop_search import Limits
from .cropping import Crop, best_crop, check_wall
from .cutting import cut
from .foreground import Foreground
from .loading import LOCALIZERS, load_localizer
from .localizer import Detections, Localizer
from .pairing import Pair, pick_pair
from .refusal import Refusal
from .zero_shot import ZeroShot

__all__ = [
    "LOCALIZERS",
    "Crop",
    "Detections",
    "Foreground",
    "Limits",
    "Localizer",
    "Pair",
    "Refusal",
    "ZeroShot",
    "best_crop",
    "check_wall",
    "cut",
    "load_localizer",
    "pick_pair",
]
