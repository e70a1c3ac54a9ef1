"""`cut`: the pixels of a crop at the size of the network's input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL.Image import Resampling

from stackwalls.model import IMAGE_SIZE

if TYPE_CHECKING:
    from PIL.Image import Image

    from stackwalls.stackgen.localising.cropping import Crop

_REDUCING_GAP = 3.0
"""A crop of 2 × 3 times the target or more is first averaged down to about three times of it: from there on Lanczos
gives, to the eye, the same picture, and the cost no longer grows with the frame (Pillow's manual, `Image.resize`)."""


def cut(frame: Image, crop: Crop, size: int = IMAGE_SIZE) -> Image:
    """The crop of a frame as `(size, size)` RGB.

    Lanczos is the sharpest of Pillow's filters that does not alias when an image shrinks (its window widens with the
    factor, 1.7 to 3.7 for crops of 832 × 1216); bicubic blurs more. The crop is cut out first, because `resize(box=…)`
    would let the filter read pixels beyond it.
    """
    part = frame.crop(crop.box).convert("RGB")
    return part.resize((size, size), Resampling.LANCZOS, reducing_gap=_REDUCING_GAP)
