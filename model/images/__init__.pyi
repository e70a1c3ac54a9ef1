from .decoding import BrokenImageError, decode, decode_and_crop
from .labelled import ImageRow, LabelledImages
from .labels import (
    NUM_ANIMALS,
    ImageNetClass,
    animals,
    class_names,
    class_of,
    find_class,
    imagenet_classes,
    parse_class,
    parse_classes,
)
from .opening import open_images

__all__ = [
    "NUM_ANIMALS",
    "BrokenImageError",
    "ImageNetClass",
    "ImageRow",
    "LabelledImages",
    "animals",
    "class_names",
    "class_of",
    "decode",
    "decode_and_crop",
    "find_class",
    "imagenet_classes",
    "open_images",
    "parse_class",
    "parse_classes",
]
