from .backbones import Backbone, load_backbone
from .blind_model import BlindModel
from .certificate import Certificate, Check, NotBlindError, certify, require_certificate
from .checkpoints import load_authors_checkpoint, load_model_file, save_model
from .masked_vgg import MAP_SIZE, VISIBLE_ROWS, MaskedVGG16
from .pretrained import CONFIG_NAME, WEIGHTS_NAME, Pretrained, PretrainedFiles, find_pretrained, is_hub_id
from .receptive_field import derive_wall, map_size, pixels_reached
from .registry import MINIATURES, MODELS, WALLED_PREFIX, load_model
from .walled_model import Walled, walled

__all__ = [
    "CONFIG_NAME",
    "MAP_SIZE",
    "MINIATURES",
    "MODELS",
    "VISIBLE_ROWS",
    "WALLED_PREFIX",
    "WEIGHTS_NAME",
    "Backbone",
    "BlindModel",
    "Certificate",
    "Check",
    "MaskedVGG16",
    "NotBlindError",
    "Pretrained",
    "PretrainedFiles",
    "Walled",
    "certify",
    "derive_wall",
    "find_pretrained",
    "is_hub_id",
    "load_authors_checkpoint",
    "load_backbone",
    "load_model",
    "load_model_file",
    "map_size",
    "pixels_reached",
    "require_certificate",
    "save_model",
    "walled",
]
