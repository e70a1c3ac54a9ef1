from .augmentation import Crop, random_crop
from .batch_order import BatchOrder, Place
from .drawn_pictures import DrawnPictures
from .folders import FolderPictures
from .loading import Loader, evaluation_batches
from .opening import open_data
from .pictures import Picture, PictureSet, PictureStream, TrainingData
from .tables import TablePictures
from .tar_shards import TarShards

__all__ = [
    "BatchOrder",
    "Crop",
    "DrawnPictures",
    "FolderPictures",
    "Loader",
    "Picture",
    "PictureSet",
    "PictureStream",
    "Place",
    "TablePictures",
    "TarShards",
    "TrainingData",
    "evaluation_batches",
    "open_data",
    "random_crop",
]
