from .drawn_pictures import DrawnPictures
from .folders import FolderPictures
from .opening import open_data
from .pictures import Picture, PictureSet, PictureStream, TrainingData
from .tables import TablePictures
from .tar_shards import TarShards

__all__ = [
    "DrawnPictures",
    "FolderPictures",
    "Picture",
    "PictureSet",
    "PictureStream",
    "TablePictures",
    "TarShards",
    "TrainingData",
    "open_data",
]
