"""Where the wall and the boxes of a row lie on its picture: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stackwalls.model import Wall

Mark = dict[str, float]
"""left, top, width, height as shares of the picture's side, 0 to 1."""

_BOX = "_box"


def wall_mark(wall: Wall) -> Mark:
    """The dead zone."""
    start, size = wall.start / wall.image_size, wall.size / wall.image_size
    if wall.axis == "rows":
        return {"left": 0.0, "top": start, "width": 1.0, "height": size}
    return {"left": start, "top": 0.0, "width": size, "height": 1.0}


def box_marks(row: Mapping[str, Any]) -> dict[str, Mark]:
    """The boxes of a STACK-GEN row, by the column's name without `_box`; none where there is no crop.

    Boxes and crop are left, top, right, bottom in the generated frame; what lies outside of the crop is cut off, and
    a box wholly outside does not appear.
    """
    crop = row.get("crop")
    if crop is None:
        return {}
    boxes = {name.removesuffix(_BOX): box for name, box in row.items() if name.endswith(_BOX) and box is not None}
    marks = {name: _inside(box, crop) for name, box in boxes.items()}
    return {name: mark for name, mark in marks.items() if mark["width"] > 0 and mark["height"] > 0}


def _inside(box: Sequence[float], crop: Sequence[float]) -> Mark:
    left, top, right, bottom = crop
    width, height = right - left, bottom - top
    x0, x1 = (min(max((x - left) / width, 0.0), 1.0) for x in (box[0], box[2]))
    y0, y1 = (min(max((y - top) / height, 0.0), 1.0) for y in (box[1], box[3]))
    return {"left": x0, "top": y0, "width": x1 - x0, "height": y1 - y0}
