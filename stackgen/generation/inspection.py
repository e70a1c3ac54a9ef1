"""From a frame to a row, or to the reason why it gives none."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from stackwalls.model import Wall
from stackwalls.stackgen.localising.cropping import best_crop, cut
from stackwalls.stackgen.localising.localizer import Detections
from stackwalls.stackgen.localising.outcome import Crop, Pair, Rejection
from stackwalls.stackgen.localising.pairing import pick_pair

_PNG = {"compress_level": 1}
"""Three times as quick as Pillow's default for 6 % more bytes."""


def inspect_frame(frame: Image.Image, detections: Detections, wall: Wall) -> dict[str, Any] | Rejection:
    """Find the pair, find the crop, cut it out.

    Args:
        frame: RGB.
        detections: in that frame.
        wall: the dead zone.

    Returns:
        The columns that follow from the frame, `image` as the bytes of a PNG; or why there are none.
    """
    pair = pick_pair(detections, frame.size, wall)
    if isinstance(pair, Rejection):
        return pair
    crop = best_crop(pair, frame.size, wall)
    if isinstance(crop, Rejection):
        return crop
    file = io.BytesIO()
    cut(frame, crop).save(file, "PNG", **_PNG)
    return {"image": file.getvalue(), **_columns(pair, crop)}


def _columns(pair: Pair, crop: Crop) -> dict[str, Any]:
    return {
        "seen_box": [float(edge) for edge in pair.seen],
        "hidden_box": [float(edge) for edge in pair.hidden],
        "crop": [int(edge) for edge in crop.box],
        "seen_score": float(pair.seen_score),
        "hidden_score": float(pair.hidden_score),
        "seen_share": float(crop.seen_share),
        "hidden_share": float(crop.hidden_share),
        "background": float(crop.background),
    }
