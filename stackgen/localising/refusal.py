"""`Refusal`: why a frame gave no picture, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stackwalls.stackgen.localising.cropping import Crop


@dataclass(frozen=True)
class Refusal:
    """A frame that was turned down.

    Attributes:
        reason: for people, with the numbers: "no crop keeps to the limits (the nearest: fill 0.31, at least 0.40)".
        cause: one word to count by: "none", "one", "many", "apart", "inside" (from pairing), or a limit of the crop
            that is missed: "hidden_share", "seen_share", "seen_whole", "fill", "hidden_whole", "background", "side";
            "covered" where nothing of the hidden animal can be seen.
        crop: the best crop that was found, for the reviewer; None where no pair was.
    """

    reason: str
    cause: str
    crop: Crop | None = None
