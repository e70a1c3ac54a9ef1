from .backbones import Backbone, load_backbone
from .blind import BlindModel
from .certificate import Certificate, Check, NotBlindError, certify, require_certificate
from .checkpoints import load_authors_checkpoint, load_model_file, save_model
from .errors import InputError, RunError, StackwallsError
from .hashing import file_sha256
from .labels import (
    NUM_ANIMALS,
    ImageNetClass,
    animals,
    class_names,
    find_class,
    imagenet_classes,
    parse_class,
    parse_classes,
)
from .launcher import Launch
from .masked_vgg import MAP_SIZE, VISIBLE_ROWS, MaskedVGG16
from .parallel import parallel_map
from .preprocessing import IMAGENET_MEAN, IMAGENET_STD, RESIZE, resize_and_crop, to_input
from .pretrained import Pretrained
from .pretrained_files import CONFIG_NAME, WEIGHTS_NAME, PretrainedFiles, find_pretrained, is_hub_id
from .receptive_field import derive_wall, map_size, pixels_reached
from .registry import MINIATURES, MODELS, WALLED_PREFIX, ModelSpec, load_model
from .sampling import class_order, drawing_rank
from .seeds import check_seed
from .state import KeptState, local_arithmetic, preserved
from .wall import IMAGE_SIZE, VGG16_WALL, Wall
from .walled_model import Walled, walled

__all__ = [
    "CONFIG_NAME",
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "IMAGE_SIZE",
    "MAP_SIZE",
    "MINIATURES",
    "MODELS",
    "NUM_ANIMALS",
    "RESIZE",
    "VGG16_WALL",
    "VISIBLE_ROWS",
    "WALLED_PREFIX",
    "WEIGHTS_NAME",
    "Backbone",
    "BlindModel",
    "Certificate",
    "Check",
    "ImageNetClass",
    "InputError",
    "KeptState",
    "Launch",
    "MaskedVGG16",
    "ModelSpec",
    "NotBlindError",
    "Pretrained",
    "PretrainedFiles",
    "RunError",
    "StackwallsError",
    "Wall",
    "Walled",
    "animals",
    "certify",
    "check_seed",
    "class_names",
    "class_order",
    "derive_wall",
    "drawing_rank",
    "file_sha256",
    "find_class",
    "find_pretrained",
    "imagenet_classes",
    "is_hub_id",
    "load_authors_checkpoint",
    "load_backbone",
    "load_model",
    "load_model_file",
    "local_arithmetic",
    "map_size",
    "parallel_map",
    "parse_class",
    "parse_classes",
    "pixels_reached",
    "preserved",
    "require_certificate",
    "resize_and_crop",
    "save_model",
    "to_input",
    "walled",
]
