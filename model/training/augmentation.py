"""Random crops and colors. They follow from the image's turn alone, so any process makes the same ones."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torchvision.transforms.v2 import functional as v2

from stackwalls.model.training.spec import Recipe
from stackwalls.model.wall import IMAGE_SIZE

_ATTEMPTS = 10
"""Number of crops to try before the largest central one is taken, as in torchvision's `RandomResizedCrop`."""

_MIDDLE = 128
"""Brightness in which `Crop.shift` is measured."""


@dataclass(frozen=True)
class Crop:
    """A part of an image, in pixels, and what is done to it.

    Attributes:
        top: first row; negative if the part extends beyond the image, as may `left`.
        left: first column.
        height: rows.
        width: columns.
        flip: whether it is mirrored.
        softening: factor by which it is shrunk before it is enlarged; 1 for no softening.
        gains: factors of red, green and blue.
        shift: brightness that is added to all channels, relative to 128.
    """

    top: int
    left: int
    height: int
    width: int
    flip: bool
    softening: float = 1.0
    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    shift: float = 0.0


def random_crop(height: int, width: int, recipe: Recipe, seed: tuple[int, ...]) -> Crop:
    """Draw a crop of an image of `height` × `width` pixels, as `RandomResizedCrop` does, by the recipe's ranges.

    A crop with a larger area than the image may extend beyond it; a smaller one never does.

    Args:
        height: of the image.
        width: of the image.
        recipe: the ranges, and whether to flip.
        seed: the image's turn: the training's seed, the epoch, the position in its order.
    """
    rng = np.random.default_rng(seed)
    flip = bool(rng.random() < 0.5) and recipe.flip
    top, left, h, w = _place(height, width, recipe, rng)
    softening, gains, shift = 1.0, (1.0, 1.0, 1.0), 0.0
    if recipe.softening != (1.0, 1.0):
        low, high = map(math.log, recipe.softening)
        softening = math.exp(rng.uniform(low, high))
    if recipe.color:
        red, green, blue, shift = (recipe.color * rng.uniform(-1, 1, 4)).tolist()
        gains = (1 + red, 1 + green, 1 + blue)
    return Crop(top, left, h, w, flip, softening, gains, shift)


def _place(height: int, width: int, recipe: Recipe, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Top, left, height and width of a crop."""
    narrow, wide = recipe.crop_ratio
    for _ in range(_ATTEMPTS):
        share = rng.uniform(*recipe.crop_area)
        ratio = math.exp(rng.uniform(math.log(narrow), math.log(wide)))
        area = height * width * share
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if share > 1 or (0 < w <= width and 0 < h <= height):
            # what is left over is negative for a crop that extends beyond the image
            top, left = (int(rng.integers(min(free, 0), max(free, 0) + 1)) for free in (height - h, width - w))
            return top, left, h, w
    h = min(height, round(width / narrow))
    w = min(width, round(height * wide))
    return (height - h) // 2, (width - w) // 2, h, w


def apply_crop(image: torch.Tensor, crop: Crop, size: int = IMAGE_SIZE) -> torch.Tensor:
    """`(3, H, W)` uint8 to `(3, size, size)` uint8: cut out, resized with antialiasing, mirrored, recolored.

    Where the crop extends beyond the image, the image's edge pixels are repeated.
    """
    height, width = image.shape[-2:]
    above, before = max(0, -crop.top), max(0, -crop.left)
    below, behind = max(0, crop.top + crop.height - height), max(0, crop.left + crop.width - width)
    if above or before or below or behind:
        image = v2.pad(image, [before, above, behind, below], padding_mode="edge")
    top, left, small = crop.top + above, crop.left + before, max(1, round(size * crop.softening))
    resized: torch.Tensor = v2.resized_crop(image, top, left, crop.height, crop.width, [small, small], antialias=True)
    if small != size:
        resized = v2.resize(resized, [size, size], antialias=True)
    resized = resized.flip(-1) if crop.flip else resized
    if crop.gains == (1.0, 1.0, 1.0) and not crop.shift:
        return resized
    gains = torch.tensor(crop.gains, device=resized.device).view(3, 1, 1)
    return (resized * gains + _MIDDLE * crop.shift).round_().clamp_(0, 255).to(torch.uint8)
