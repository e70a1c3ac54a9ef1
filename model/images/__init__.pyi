from .decoding import BrokenPictureError, read_picture
from .drawn_images import DrawnPictures
from .flat_folder import FlatFolder
from .hub import open_hub
from .image_folder import ImageFolder
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
from .labels_file import read_labels_file
from .opening import open_source
from .parquet import ParquetPictures
from .source import Source

__all__ = [
    "NUM_ANIMALS",
    "BrokenPictureError",
    "DrawnPictures",
    "FlatFolder",
    "ImageFolder",
    "ImageNetClass",
    "ParquetPictures",
    "Source",
    "animals",
    "class_names",
    "find_class",
    "imagenet_classes",
    "open_hub",
    "open_source",
    "parse_class",
    "parse_classes",
    "read_labels_file",
    "read_picture",
]
