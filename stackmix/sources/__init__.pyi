from .drawn import DrawnPictures
from .flat_folder import FlatFolder
from .hub import open_hub
from .image_folder import ImageFolder
from .labels_file import read_labels_file
from .opening import open_source
from .parquet import ParquetPictures
from .source import Source

__all__ = [
    "DrawnPictures",
    "FlatFolder",
    "ImageFolder",
    "ParquetPictures",
    "Source",
    "open_hub",
    "open_source",
    "read_labels_file",
]
