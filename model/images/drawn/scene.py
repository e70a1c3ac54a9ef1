"""`draw` and `draw_scene`: a seeded picture of one animal, or of two stacked, with boxes and masks."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwalls.model.errors import InputError
from stackwalls.model.images.drawn.archetypes import ARCHETYPES
from stackwalls.model.images.drawn.backgrounds import background
from stackwalls.model.images.drawn.figure import Figure
from stackwalls.model.images.drawn.looks import Look, looks, palette
from stackwalls.model.images.drawn.paint import Placed, paint, place
from stackwalls.model.images.drawn.pose import Pose
from stackwalls.model.images.labels import ImageNetClass, imagenet_classes

Box = tuple[int, int, int, int]

MIN_SIZE = 32
"""Smallest width and height of a picture, in pixels."""

MAX_TILT = 6.0
"""An animal is turned by at most this many degrees."""

SINGLE_SHARE = (0.68, 0.92)
"""Width or height of a single animal, whichever fills more, in parts of the picture."""

STACK_SHARE = (0.86, 0.97)
"""The same for each of two stacked animals, in parts of the picture's width and of half its height."""

_SINK = 0.05
"""How far the upper animal sinks into the lower one from where they first touch, in parts of its height."""

MAX_SHADE = 0.14
"""The light falls off by at most this over an animal or a background in each direction, in parts of 1."""

_TINT = 0.07
"""How far the four colors and the three channels of an animal may be off, in parts of 1."""


@dataclass(frozen=True)
class Scene:
    """A picture, and where exactly the animals are in it.

    Attributes:
        image: `(H, W, 3)` uint8 RGB.
        boxes: of each animal `(x0, y0, x1, y1)` in pixels, x1 and y1 exclusive, around its mask; the upper first.
        masks: `(animals, H, W)` bool, True on the pixels in which that animal can be seen, if only in part.
    """

    image: NDArray[np.uint8]
    boxes: tuple[Box, ...]
    masks: NDArray[np.bool_]


def drawn_classes() -> tuple[ImageNetClass, ...]:
    """The classes that can be drawn, in index order."""
    return tuple(imagenet_classes()[index] for index in looks())


def draw(class_index: int, seed: int, size: int = 256) -> NDArray[np.uint8]:
    """One animal on a background: `draw_scene(class_index, seed, size=size).image`.

    Returns:
        `(size, size, 3)` uint8 RGB.

    Raises:
        InputError: if the class cannot be drawn.
    """
    return draw_scene(class_index, seed, size=size).image


def draw_scene(
    class_index: int,
    seed: int,
    *,
    size: int = 256,
    animals: int = 1,
    height: int | None = None,
    mirror: bool = True,
    tilt: float = MAX_TILT,
) -> Scene:
    """A seeded picture of a class; the same arguments give the same bytes in any process.

    Args:
        class_index: ImageNet-1k index of a class of `drawn_classes`.
        seed: any integer; one (class, seed) has one background, one pose and one light, whatever the size.
        size: width of the picture in pixels (and its height, without `height`).
        animals: 1; 2 for one on top of the other, both large, touching; 0 for the background alone.
        height: height of the picture in pixels.
        mirror: whether animals may face left as well; False: all face right, which small generators learn sooner.
        tilt: largest rotation of an animal, in degrees.

    Raises:
        InputError: if the class cannot be drawn, or the size or the number of animals is out of range.
    """
    look = _look(class_index)
    width, height = size, size if height is None else height
    _check(width, height, animals)
    rng = seeded(class_index, seed)
    across, down = rng.uniform(-MAX_SHADE, MAX_SHADE, 2).tolist()
    image = background(rng, width, height, across)
    sprites = _sprites(look, rng, animals, (width, height), (mirror, tilt))
    masks = np.zeros((animals, height, width), dtype=bool)
    placed = list(zip(range(animals), sprites, _arrange(rng, sprites, width, height), strict=True))
    for which, sprite, corner in reversed(placed):  # the lower one first: the upper one stands in front of it
        _put(image, masks, which, _shaded(sprite, across, down), corner)
    return Scene(image, tuple(box_of(mask) for mask in masks), masks)


def figure_of(look: Look, pose: Pose | None = None) -> Figure:
    """The polygons of a look in a pose (still by default)."""
    figure = Figure()
    ARCHETYPES[look.archetype](figure, look, pose or Pose.still())
    return figure


def portrait(class_index: int, size: int = 256) -> NDArray[np.uint8]:
    """The species as it is compared with others: still, untinted, as large as it can be, on white.

    Returns:
        `(size, size, 3)` uint8 RGB.
    """
    look = _look(class_index)
    placed = place(figure_of(look))
    image = np.full((size, size, 3), 255, dtype=np.uint8)
    sprite = paint(placed, palette(look), 0.94 * size / max(placed.size))
    corner = ((size - sprite.shape[1]) // 2, (size - sprite.shape[0]) // 2)
    _put(image, np.zeros((1, size, size), dtype=bool), 0, sprite, corner)
    return image


def seeded(class_index: int, seed: int) -> np.random.Generator:
    """PCG64 seeded with the SHA-256 of class and seed."""
    digest = hashlib.sha256(f"stackwalls.drawn:{class_index}:{seed}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def box_of(mask: NDArray[np.bool_]) -> Box:
    """Smallest `(x0, y0, x1, y1)` around the True pixels of `(H, W)`, x1 and y1 exclusive."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _check(width: int, height: int, animals: int) -> None:
    if animals not in (0, 1, 2):
        raise InputError(f"Expected 0, 1 or 2 animals in a drawn scene, but got {animals}.")
    if min(width, height) < MIN_SIZE:
        raise InputError(
            f"Expected a drawn scene of at least {MIN_SIZE} x {MIN_SIZE} pixels, but got {width} x {height}."
        )


def _look(class_index: int) -> Look:
    found = looks().get(class_index)
    if found is None:
        raise InputError(
            f"Class {class_index} cannot be drawn: the drawn world has {len(looks())} of ImageNet's animals "
            f"(indices {min(looks())} to {max(looks())})."
        )
    return found


def _shaded(sprite: NDArray[np.uint8], across: float, down: float) -> NDArray[np.uint8]:
    """Darken an animal from its brightest corner by `across` and `down` (in parts of 1, signed) to the opposite one."""
    height, width = sprite.shape[:2]
    columns = np.zeros((width, 4), dtype=np.uint16)
    columns[:, :3] = (256 * _fall(across, width))[:, None]
    rows = (256 * _fall(down, height)).astype(np.uint16)[:, None, None]
    shade = 256 - columns - np.where(np.arange(4) < 3, rows, np.uint16(0))
    return ((sprite * shade.astype(np.uint16)) >> 8).astype(np.uint8)


def _fall(change: float, count: int) -> NDArray[np.float64]:
    """From 0 to |change|, rising to the left or top if `change` is positive."""
    ramp = np.linspace(0, abs(change), count)
    return ramp[::-1] if change > 0 else ramp


def _sprites(
    look: Look, rng: np.random.Generator, animals: int, room: tuple[int, int], turning: tuple[bool, float]
) -> list[NDArray[np.uint8]]:
    """The animals alone, each `(h, w, 4)` uint8, small enough for their place."""
    mirror, tilt = turning
    shares = STACK_SHARE if animals == 2 else SINGLE_SHARE
    share = rng.uniform(*shares)
    sprites = []
    for _ in range(animals):
        colors = palette(look, 1 + _TINT * (rng.uniform(-0.7, 0.7, (4, 1)) + rng.uniform(-0.3, 0.3, (4, 3))))
        figure = figure_of(look, Pose.seeded(rng))
        placed = place(figure, tilt * rng.uniform(-1, 1), bool(rng.random() < 0.5) and mirror)
        sprites.append(paint(placed, colors, _fit(placed, room, animals) * share * rng.uniform(0.97, 1)))
    return sprites


def _fit(placed: Placed, room: tuple[int, int], animals: int) -> float:
    """Pixels per unit at which an animal fills the width, or its part of the height, less the rim."""
    width, height = placed.size
    return min((room[0] - 6) / width, (room[1] - 6) / animals / height)


def _arrange(
    rng: np.random.Generator, sprites: list[NDArray[np.uint8]], width: int, height: int
) -> list[tuple[int, int]]:
    """Top left corners (x, y) in pixels; of two, the upper one stands on the lower one."""
    shifts = rng.uniform(-1, 1, 4).tolist()
    corners: list[tuple[int, int]] = []
    for i, sprite in enumerate(sprites):
        free = width - sprite.shape[1]
        corners.append((round(free / 2 + shifts[i] * min(free / 2, width * (0.1 if len(sprites) == 1 else 0.04))), 0))
    total = sprites[0].shape[0] if sprites else 0
    if len(sprites) == 2:
        drop = _touching(sprites, corners)
        corners[1] = (corners[1][0], drop)
        total = drop + sprites[1].shape[0]
    free = height - total
    top = round(free / 2 + shifts[3] * min(free / 2, height * 0.08))
    return [(x, y + top) for x, y in corners]


def _touching(sprites: list[NDArray[np.uint8]], corners: list[tuple[int, int]]) -> int:
    """How far below the top of the upper animal the lower one begins: where they first touch, and a little less."""
    upper, lower = (sprite[:, :, 3] > 127 for sprite in sprites)
    shift = corners[1][0] - corners[0][0]
    upper, lower = upper[:, max(shift, 0) :], lower[:, max(-shift, 0) :]
    width = min(upper.shape[1], lower.shape[1])
    upper, lower = upper[:, :width], lower[:, :width]
    both = upper.any(axis=0) & lower.any(axis=0)
    bottom, top = len(upper) - upper[::-1].argmax(axis=0), lower.argmax(axis=0)
    first = int((bottom - top).max(where=both, initial=0))
    return max(0, first - max(2, round(_SINK * len(upper))))


def _put(
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    which: int,
    sprite: NDArray[np.uint8],
    corner: tuple[int, int],
) -> None:
    """Paint a sprite over `image` and enter it in `masks`; what it covers wholly is taken from the others."""
    x, y = corner
    height, width = sprite.shape[:2]
    place = np.s_[y : y + height, x : x + width]
    alpha = sprite[:, :, 3]
    clear = np.repeat(np.uint16(255) - alpha, 3).reshape(height, width, 3)
    clear *= image[place]
    clear += 127
    clear //= 255
    clear += sprite[:, :, :3]
    image[place] = clear
    masks[(slice(None), *place)] &= alpha < 255
    masks[which][place] = alpha > 0
