"""Crops: as torchvision draws them, and the same whoever draws them."""

import math

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms import v2

from stackwalls.model.training import Recipe
from stackwalls.model.training.data.augmentation import Crop, apply_crop, random_crop

sides = st.integers(1, 700)


@given(sides, sides, st.integers(0, 2**40))
def test_a_crop_lies_in_the_picture_and_follows_from_its_turn(height: int, width: int, turn: int) -> None:
    recipe = Recipe()
    crop = random_crop(height, width, recipe, (0, 1, turn))
    assert crop == random_crop(height, width, recipe, (0, 1, turn))
    assert 0 <= crop.top <= crop.top + crop.height <= height
    assert 0 <= crop.left <= crop.left + crop.width <= width
    assert crop.height > 0
    assert crop.width > 0


def test_crops_are_distributed_as_random_resized_crops_are() -> None:
    recipe, n = Recipe(), 4000
    ours = [random_crop(375, 500, recipe, (0, 0, i)) for i in range(n)]
    theirs = []
    torch.manual_seed(0)
    transform = v2.RandomResizedCrop(224, scale=recipe.crop_area, ratio=recipe.crop_ratio)
    image = torch.zeros(3, 375, 500, dtype=torch.uint8)
    for _ in range(n):
        drawn = transform.make_params([image])
        theirs.append(Crop(drawn["top"], drawn["left"], drawn["height"], drawn["width"], False))
    for name in ("top", "left", "height", "width"):
        a, b = (np.array([getattr(crop, name) for crop in crops], dtype=float) for crops in (ours, theirs))
        # two samples of n: their means differ by less than 5 standard errors
        assert abs(a.mean() - b.mean()) < 5 * math.sqrt((a.var() + b.var()) / n), name
    assert abs(np.mean([crop.flip for crop in ours]) - 0.5) < 5 * 0.5 / math.sqrt(n)


def test_a_picture_that_no_crop_fits_gives_its_middle() -> None:
    recipe = Recipe(crop_area=(1.0, 1.0), flip=False)
    assert random_crop(100, 1000, recipe, (0,)) == Crop(0, 437, 100, 125, False)
    assert random_crop(1000, 100, recipe, (0,)) == Crop(437, 0, 125, 100, False)


def test_a_crop_is_cut_out_resized_and_mirrored() -> None:
    picture = torch.arange(256, dtype=torch.uint8).view(1, 16, 16).expand(3, 16, 16)
    crop = Crop(2, 3, 4, 4, True)
    assert torch.equal(apply_crop(picture, crop, 4), picture[:, 2:6, 3:7].flip(-1))
    assert apply_crop(picture, crop).shape == (3, 224, 224)
