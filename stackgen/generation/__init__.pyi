from .attempts import Attempt, Attempts
from .generate_spec import GenerateSpec, chosen_classes, drawable, grows
from .generating import generate
from .inspection import inspect_frame
from .item_progress import after_review, is_done, summarise
from .work_item import WorkItem, frame_seed, work_items

__all__ = [
    "Attempt",
    "Attempts",
    "GenerateSpec",
    "WorkItem",
    "after_review",
    "chosen_classes",
    "drawable",
    "frame_seed",
    "generate",
    "grows",
    "inspect_frame",
    "is_done",
    "summarise",
    "work_items",
]
