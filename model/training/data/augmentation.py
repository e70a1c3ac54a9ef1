"""Random crops and flips that follow from the picture's turn alone, so that any process makes the same ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torchvision.transforms.v2 import functional as v2

from stackwalls.model.training.recipes import Recipe
from stackwalls.model.wall import IMAGE_SIZE

_ATTEMPTS = 10
"""Crops that are tried before the largest one in the middle is taken, as torchvision's `RandomResizedCrop` does."""


@dataclass(frozen=True)
class Crop:
    """A part of a picture, in pixels, and whether it is mirrored."""

    top: int
    left: int
    height: int
    width: int
    flip: bool


def random_crop(height: int, width: int, recipe: Recipe, seed: tuple[int, ...]) -> Crop:
    """A crop of `recipe.crop_area` of the picture's area and of `recipe.crop_ratio`, as `RandomResizedCrop` draws it.

    Args:
        height: of the picture, in pixels.
        width: of the picture, in pixels.
        recipe: the ranges, and whether to flip.
        seed: the picture's turn: the training's seed, the epoch, the place in its order.
    """
    rng = np.random.default_rng(seed)
    flip = bool(rng.random() < 0.5) and recipe.flip
    low, high = (math.log(ratio) for ratio in recipe.crop_ratio)
    for _ in range(_ATTEMPTS):
        area = height * width * rng.uniform(*recipe.crop_area)
        ratio = math.exp(rng.uniform(low, high))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            return Crop(int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1)), h, w, flip)
    narrow, wide = recipe.crop_ratio
    h, w = height, width
    if width < narrow * height:
        h = round(width / narrow)
    elif width > wide * height:
        w = round(height * wide)
    return Crop((height - h) // 2, (width - w) // 2, h, w, flip)


def apply_crop(picture: torch.Tensor, crop: Crop, size: int = IMAGE_SIZE) -> torch.Tensor:
    """`(3, H, W)` uint8 to `(3, size, size)` uint8: cut out, resized with antialiasing, mirrored."""
    box = (crop.top, crop.left, crop.height, crop.width)
    resized: torch.Tensor = v2.resized_crop(picture, *box, [size, size], antialias=True)
    return resized.flip(-1) if crop.flip else resized
