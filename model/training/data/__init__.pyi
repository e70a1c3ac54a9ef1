from .augmentation import Crop, random_crop
from .batch_order import BatchOrder, Place
from .loading import Loader, evaluation_batches

__all__ = ["BatchOrder", "Crop", "Loader", "Place", "evaluation_batches", "random_crop"]
