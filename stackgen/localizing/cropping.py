"""`best_crop`: the square that puts the hidden animal behind the wall, on any side; `cut`: its pixels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from PIL.Image import Resampling

from stackwalls.model import IMAGE_SIZE, Band, InputError, Wall
from stackwalls.stackgen.localizing.crop_search import AT_LEAST, Limits, Scene, objective, search, shares
from stackwalls.stackgen.localizing.localizer import Crop, Pair, PixelBox, Rejection
from stackwalls.stackgen.localizing.pairing import hidden_comes_last

if TYPE_CHECKING:
    from PIL.Image import Image

# width over height of the flattest animals (a crocodile from the side): what a thin band can still hold
_FLATTEST = 4.0


def best_crop(pair: Pair, size: tuple[int, int], band: Band, limits: Limits | None = None) -> Crop | Rejection:
    """Find the best crop that meets the limits; if none does, return a rejection with the closest one.

    The scene is rotated so that the dead zone is a band of rows with the seen animal above it. Of a scene and its
    mirror image the same one is searched, so rotated and mirrored scenes give the same crop to the pixel.

    Args:
        pair: boxes in frame pixels.
        size: width and height of the frame in pixels.
        band: the dead zone; scaled from its `image_size` to the crop.
        limits: `Limits.of_frame(size, band.image_size)` by default.

    Returns:
        The crop; or a `Rejection` whose cause is the limit missed by most.
    """
    limits = limits or Limits.of_frame(size, band.image_size)
    if min(size) < limits.side:
        return Rejection(f"the frame of {size[0]} x {size[1]} is smaller than a crop of {limits.side} pixels", "side")
    scene, back = _canonical(pair, size, band)
    if min(scene.seen_area, scene.hidden_area) < 1:
        return Rejection("the seen animal covers all of the hidden one", "covered")
    for within in (False, True):
        found = search(scene, limits, within=within)
        x, y, side = (np.array(value, dtype=np.float64) for value in found)
        of = shares(scene, x, y, side)
        score = float(objective(of, side, min(scene.width, scene.height)))
        crop = Crop(box=back(*found), score=score, **{name: float(share) for name, share in vars(of).items()})
        excess = {name: float(value) for name, value in limits.excess(of).items() if value > 0}
        if not excess:
            return crop
    missed = sorted(excess, key=lambda name: -excess[name])
    reasons = [
        f"{name} {getattr(crop, name):.2f}, {'at least' if name in AT_LEAST else 'at most'} {getattr(limits, name):.2f}"
        for name in missed
    ]
    return Rejection(f"no crop keeps to the limits (the nearest: {'; '.join(reasons)})", missed[0], crop)


def cut(frame: Image, crop: Crop, size: int = IMAGE_SIZE) -> Image:
    """Cut out a crop of a frame as RGB of `size` × `size` pixels.

    Lanczos is the sharpest of Pillow's filters that does not alias when an image shrinks (its window widens with the
    factor, 1.7 to 3.7 for crops of 832 × 1216); bicubic blurs more.
    """
    part = frame.crop(crop.box).convert("RGB")  # first, because with `resize(box=…)` the filter reads pixels outside it
    # the gap: from about three times the target on, averaging first gives visually the same image for a bounded cost
    return part.resize((size, size), Resampling.LANCZOS, reducing_gap=3.0)


def check_band(band: Band) -> None:
    """Check that one animal can be hidden in a dead zone while another is seen.

    At an edge of the image the crop may cut off part of the hidden animal; a band between two seen parts must hold
    nearly all of it.

    Raises:
        InputError: if the band, or the larger part next to it, is too thin.
    """
    limits, wall = Limits(), Wall.of_band(band.axis, band.start, band.stop, band.image_size)
    thinnest = limits.fill * limits.hidden_share / _FLATTEST * band.image_size
    where, needed = "as a band in the middle", thinnest
    if len(band.seen) == 1:
        where, needed = "at an edge of the image", thinnest * limits.hidden_whole
    if band.size < needed:
        raise InputError(
            f"Nothing can be hidden behind the wall {wall}: {where} it must be {math.ceil(needed)} pixels or more."
        )
    if max(stop - start for start, stop in band.seen) < thinnest:
        raise InputError(
            f"The wall {wall} leaves too little visible: one part next to it must be {math.ceil(thinnest)} pixels or "
            "more."
        )


def _canonical(pair: Pair, size: tuple[int, int], band: Band) -> tuple[Scene, Callable[[int, int, int], PixelBox]]:
    """Rotate and mirror a pair into the position that is searched; also gives the way back for crops."""
    transposed = band.axis == "columns"
    width, height = size[::-1] if transposed else size
    seen, hidden = ((y0, x0, y1, x1) if transposed else (x0, y0, x1, y1) for x0, y0, x1, y1 in (pair.seen, pair.hidden))
    dead = (band.start / band.image_size, band.stop / band.image_size)
    upside_down = not hidden_comes_last(band)
    if upside_down:
        seen, hidden = ((x0, height - y1, x1, height - y0) for x0, y0, x1, y1 in (seen, hidden))
        dead = (1 - dead[1], 1 - dead[0])
    mirrored = tuple((width - x1, y0, width - x0, y1) for x0, y0, x1, y1 in (seen, hidden))
    in_mirror = mirrored < (seen, hidden)
    if in_mirror:
        seen, hidden = mirrored

    def back(x: int, y: int, side: int) -> PixelBox:
        x = width - x - side if in_mirror else x
        y = height - y - side if upside_down else y
        x, y = (y, x) if transposed else (x, y)
        return x, y, x + side, y + side

    return Scene(seen, hidden, width, height, dead), back
