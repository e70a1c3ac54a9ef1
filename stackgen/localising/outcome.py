"""What localizing gives: a `Pair` of boxes, the `Crop` around them, or the `Rejection` of the frame."""

from __future__ import annotations

from dataclasses import dataclass

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels, half-open."""

Square = tuple[int, int, int, int]


@dataclass(frozen=True)
class Pair:
    """Two animals, one for each side of the wall.

    Attributes:
        seen: box, in frame pixels, of the animal that the network should see.
        hidden: box of the animal that goes behind the wall.
        seen_score: detection score of the first.
        hidden_score: detection score of the second.
        animals: number of animals found in the frame, 2 or 3.
    """

    seen: Box
    hidden: Box
    seen_score: float
    hidden_score: float
    animals: int = 2


@dataclass(frozen=True)
class Crop:
    """A square of a frame, and what it shows (see `crop_search.Shares` for the shares, all in [0, 1]).

    Attributes:
        box: x0, y0, x1, y1 in frame pixels, a square inside the frame.
        score: the maximized objective, at most 4.1; for comparing attempts.
    """

    box: Square
    hidden_share: float
    seen_share: float
    seen_whole: float
    fill: float
    hidden_whole: float
    background: float
    score: float

    @property
    def side(self) -> int:
        """In frame pixels."""
        return self.box[2] - self.box[0]


@dataclass(frozen=True)
class Rejection:
    """Why a frame gives no image.

    Attributes:
        reason: for people, with the numbers: "no crop keeps to the limits (the nearest: fill 0.31, at least 0.40)".
        cause: one word to count by: "none", "one", "many", "apart" or "inside" (from pairing); the crop limit that is
            missed: "hidden_share", "seen_share", "seen_whole", "fill", "hidden_whole", "background" or "side";
            "covered" if nothing of the hidden animal is visible.
        crop: the best crop found, for the reviewer; None if there was no pair.
    """

    reason: str
    cause: str
    crop: Crop | None = None
