from .marks import box_marks, wall_mark
from .review_server import ReviewServer
from .review_session import Counts, ReviewSession

__all__ = [
    "Counts",
    "ReviewServer",
    "ReviewSession",
    "box_marks",
    "wall_mark",
]
