"""`best_crop`: the square that puts the hidden animal behind the wall, whatever side the wall stands on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from stackwalls.model import InputError, Wall
from stackwalls.stackgen.localising.crop_search import AT_LEAST, Found, Limits, objective, search
from stackwalls.stackgen.localising.crop_shares import Box, Scene, Shares, shares
from stackwalls.stackgen.localising.pairing import Pair, hidden_comes_last
from stackwalls.stackgen.localising.refusal import Refusal

_FLATTEST = 4.0
"""Width over height of the flattest animals (a crocodile from the side): what a thin band can still hold."""

Square = tuple[int, int, int, int]

_SHARES = tuple(field.name for field in fields(Shares))


@dataclass(frozen=True)
class Crop:
    """A square of a frame, and what it shows (see `Shares` for the shares, all in [0, 1]).

    Attributes:
        box: x0, y0, x1, y1 in frame pixels, a square in the frame.
        hidden_share: of what it shows of the hidden animal, the share behind the wall.
        seen_share: of what it shows of the seen animal, the share outside the wall.
        seen_whole: of the whole seen animal, the share that the network sees.
        fill: of the dead zone, the share that the hidden animal covers.
        hidden_whole: of the whole hidden animal, the share that is in the crop.
        background: share of the crop that neither covers.
        score: what was maximised, at most 4.1; to compare attempts by.
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


def best_crop(pair: Pair, size: tuple[int, int], wall: Wall, limits: Limits | None = None) -> Crop | Refusal:
    """The best crop that keeps to the limits; where none does, a refusal with the one that comes nearest.

    The scene is turned so that the dead zone is a band of rows with the seen animal above it, and mirrored so that
    of a scene and its mirror image the same one is searched: turned scenes give the turned crop, to the pixel.

    Args:
        pair: boxes in frame pixels.
        size: width and height of the frame in pixels.
        wall: any; in parts of its `image_size` it is where the dead zone of the crop lies.
        limits: `Limits.of_frame(size)` by default.

    Returns:
        The crop; or a `Refusal` whose cause is the limit that is missed by most.
    """
    limits = limits or Limits.of_frame(size)
    if min(size) < limits.side:
        return Refusal(f"the frame of {size[0]} x {size[1]} is smaller than a crop of {limits.side} pixels", "side")
    scene, back = _canonical(pair, size, wall)
    if min(scene.seen_area, scene.hidden_area) < 1:
        return Refusal("the seen animal covers all of the hidden one", "covered")
    crop = _measured(scene, search(scene, limits, within=False), back)
    if not _missed(crop, limits):
        return crop
    crop = _measured(scene, search(scene, limits, within=True), back)
    missed = _missed(crop, limits)
    if not missed:
        return crop
    reasons = [
        f"{name} {getattr(crop, name):.2f}, {'at least' if name in AT_LEAST else 'at most'} {getattr(limits, name):.2f}"
        for name in missed
    ]
    return Refusal(f"no crop keeps to the limits (the nearest: {'; '.join(reasons)})", missed[0], crop)


def check_wall(wall: Wall) -> None:
    """Whether an animal can be hidden behind a wall and another be seen.

    At an end of the image the crop may cut the hidden animal, of which only a share must be in it; in a band between
    two seen parts it has to fit in nearly whole. From the limits and the flattest animals follows the thinnest zone.

    Raises:
        InputError: if the dead zone, or the larger part beside it, is too thin.
    """
    limits = Limits()
    at_an_end = len(wall.seen) == 1
    thinnest = limits.fill * limits.hidden_share / _FLATTEST
    needed = thinnest * limits.hidden_whole if at_an_end else thinnest
    if wall.share < needed:
        where = "at an end of the image" if at_an_end else "as a band in the middle"
        raise InputError(
            f"No animal can be hidden behind the wall {wall}: {where} it must be "
            f"{int(np.ceil(needed * wall.image_size))} pixels or more."
        )
    if max(stop - start for start, stop in wall.seen) < thinnest * wall.image_size:
        raise InputError(
            f"The wall {wall} leaves too little to see: one part beside it must be "
            f"{int(np.ceil(thinnest * wall.image_size))} pixels or more."
        )


def _missed(crop: Crop, limits: Limits) -> list[str]:
    """Names of the limits that a crop misses, the worst first."""
    excess = limits.excess(Shares(**{name: np.asarray(getattr(crop, name)) for name in _SHARES}))
    return sorted((name for name, value in excess.items() if value > 0), key=lambda name: -float(excess[name]))


def _measured(scene: Scene, found: Found, back: Callable[[Found], Square]) -> Crop:
    x, y, side = (np.array(value, dtype=np.float64) for value in (found.x, found.y, found.side))
    of = shares(scene, x, y, side)
    score = float(objective(of, side, min(scene.width, scene.height)))
    return Crop(box=back(found), score=score, **{name: float(getattr(of, name)) for name in _SHARES})


def _canonical(pair: Pair, size: tuple[int, int], wall: Wall) -> tuple[Scene, Callable[[Found], Square]]:
    """The scene turned and mirrored into the position in which it is searched, and the way back for its crops."""
    transposed = wall.axis == "columns"
    width, height = size[::-1] if transposed else size
    seen, hidden = (_transposed(box) if transposed else box for box in (pair.seen, pair.hidden))
    dead = (wall.start / wall.image_size, wall.stop / wall.image_size)
    upside_down = not hidden_comes_last(wall)
    if upside_down:
        seen, hidden = (_flipped(box, height) for box in (seen, hidden))
        dead = (1 - dead[1], 1 - dead[0])
    mirrored = (_mirrored(seen, width), _mirrored(hidden, width))
    in_mirror = mirrored < (seen, hidden)
    if in_mirror:
        seen, hidden = mirrored

    def back(found: Found) -> Square:
        x = width - found.x - found.side if in_mirror else found.x
        y = height - found.y - found.side if upside_down else found.y
        x, y = (y, x) if transposed else (x, y)
        return x, y, x + found.side, y + found.side

    return Scene(seen, hidden, width, height, dead), back


def _transposed(box: Box) -> Box:
    return box[1], box[0], box[3], box[2]


def _flipped(box: Box, height: int) -> Box:
    return box[0], height - box[3], box[2], height - box[1]


def _mirrored(box: Box, width: int) -> Box:
    return width - box[2], box[1], width - box[0], box[3]
