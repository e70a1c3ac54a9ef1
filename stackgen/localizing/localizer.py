"""`Localizer`: anything that finds animals in frames. Its `Detections` become a `Pair`, a `Crop` or a `Rejection`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torchvision.ops import clip_boxes_to_image, nms

from stackwalls.model import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from PIL.Image import Image

# x0, y0, x1, y1 in pixels, half-open
Box = tuple[float, float, float, float]
PixelBox = tuple[int, int, int, int]

MAX_OVERLAP = 0.6  # boxes with a larger intersection over union show the same object (non-maximum suppression)
MAX_BOXES = 100  # only this many of the best boxes are considered; an untrained detector returns thousands


@dataclass(frozen=True)
class Detections:
    """The boxes in one frame, best first."""

    boxes: NDArray[np.float32]  # (K, 4): x0, y0, x1, y1 in frame pixels (half-open), inside the frame, not empty
    scores: NDArray[np.float32]  # (K,) in [0, 1], in descending order

    @classmethod
    def of(cls, boxes: ArrayLike, scores: ArrayLike, size: tuple[int, int]) -> Detections:
        """Clip raw boxes to the frame, sort them by score, and keep one per object.

        Args:
            boxes: `(K, 4)`; boxes that are not finite or are empty inside the frame are dropped.
            scores: `(K,)`; equal scores keep their order, scores that are not finite are dropped.
            size: width and height of the frame in pixels.
        """
        raw = torch.from_numpy(np.array(boxes, dtype=np.float32).reshape(-1, 4))
        values = torch.from_numpy(np.array(scores, dtype=np.float32).reshape(-1))
        inside = clip_boxes_to_image(raw, size[::-1])
        valid = raw.isfinite().all(dim=1) & values.isfinite() & (inside[:, 2:] > inside[:, :2]).all(dim=1)
        order = values[valid].argsort(descending=True, stable=True)[:MAX_BOXES]
        inside, values = inside[valid][order], values[valid][order]
        kept = nms(inside.double(), values.double(), MAX_OVERLAP)
        return cls(inside[kept].numpy(), values[kept].numpy())


class Localizer(Protocol):
    """Finds objects by name.

    Attributes:
        name: as `load_localizer` takes it.
        revision: of the weights: the commit on the Hub, a hash of a folder's files, or a version.
    """

    name: str
    revision: str | None

    def locate(self, frames: Sequence[Image], nouns: Sequence[Sequence[str]]) -> list[Detections]:
        """Detect the named objects in each frame.

        Args:
            frames: RGB images of any sizes.
            nouns: what to look for in each frame; detections of all its nouns are pooled.

        Raises:
            InputError: if there are not as many lists of nouns as frames, or one is empty.
        """
        ...


def check_nouns(frames: Sequence[Image], nouns: Sequence[Sequence[str]]) -> None:
    """Raise InputError unless there is a list of at least one noun for each frame."""
    if len(frames) != len(nouns):
        raise InputError(f"Expected a list of nouns for each of {len(frames)} frames, but got {len(nouns)}.")
    if not all(nouns):
        raise InputError("Expected at least one noun to look for in each frame, but got an empty list.")


@dataclass(frozen=True)
class Pair:
    """The boxes (in frame pixels) and detection scores of two animals, one for each side of the wall."""

    seen: Box  # the animal that the network should see
    hidden: Box  # the one that goes behind the wall
    seen_score: float
    hidden_score: float
    animals: int = 2  # number found in the frame, 2 or 3


@dataclass(frozen=True)
class Crop:
    """A square of a frame, and what it shows (see `crop_search.Shares`)."""

    box: PixelBox  # in frame pixels, inside the frame
    hidden_share: float
    seen_share: float
    seen_whole: float
    fill: float
    hidden_whole: float
    background: float
    score: float  # the maximized objective, at most 4.1; for comparing attempts

    @property
    def side(self) -> int:
        """In frame pixels."""
        return self.box[2] - self.box[0]


@dataclass(frozen=True)
class Rejection:
    """Why a frame gives no image."""

    reason: str  # for people, with the numbers: "no crop keeps to the limits (the nearest: fill 0.31, at least 0.40)"
    # one word to count by: "none", "one", "many", "apart" or "inside" (from pairing); the limit of a crop that is
    # missed; "side" if the frame is too small; "covered" if nothing of the hidden animal is visible
    cause: str
    crop: Crop | None = None  # the best one found
