"""`Localizer`: anything that finds animals in frames; `Detections`: what it finds in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from stackwalls.model import InputError
from stackwalls.stackgen.localising.boxes import best_boxes, clipped

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from PIL.Image import Image


@dataclass(frozen=True)
class Detections:
    """The boxes in one frame, the best first.

    Attributes:
        boxes: `(K, 4)` float32, x0, y0, x1, y1 in frame pixels, inside the frame, none empty.
        scores: `(K,)` float32 in [0, 1], falling.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]

    @classmethod
    def of(cls, boxes: ArrayLike, scores: ArrayLike, size: tuple[int, int]) -> Detections:
        """Raw boxes made good: clipped to the frame, sorted, each thing once (non-maximum suppression at 0.6).

        Args:
            boxes: `(K, 4)`, possibly beyond the frame; those that are not finite or have nothing in it are dropped.
            scores: `(K,)`.
            size: width and height of the frame in pixels.
        """
        inside, kept = clipped(np.asarray(boxes, dtype=np.float32).reshape(-1, 4), size)
        values = np.asarray(scores, dtype=np.float32).reshape(-1)[kept]
        order = best_boxes(inside, values)
        return cls(inside[order], values[order])


class Localizer(Protocol):
    """Finds things by name.

    Attributes:
        name: as `load_localizer` takes it.
        revision: what the weights are: the commit on the Hub, a hash of a folder's files, or a version.
    """

    name: str
    revision: str | None

    def locate(self, frames: Sequence[Image], nouns: Sequence[Sequence[str]]) -> list[Detections]:
        """What is in each frame.

        Args:
            frames: RGB pictures of any sizes.
            nouns: for each frame what to look for; what is found under any of them is pooled.

        Raises:
            InputError: if there are not as many lists of nouns as frames.
        """
        ...


def check_nouns(frames: Sequence[Image], nouns: Sequence[Sequence[str]]) -> None:
    """Raise InputError unless there is a list of at least one noun for each frame."""
    if len(frames) != len(nouns):
        raise InputError(f"Expected a list of nouns for each of {len(frames)} frames, but got {len(nouns)}.")
    if not all(nouns):
        raise InputError("Expected at least one noun to look for in each frame, but got an empty list.")
