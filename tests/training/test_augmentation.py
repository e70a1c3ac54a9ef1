"""Crops: as torchvision draws them, and the same whoever draws them."""

import math

import numpy as np
import torch
from hypothesis import given, strategies as st
from torchvision.transforms import v2

from stackwalls.model.training import Recipe, find_recipe
from stackwalls.model.training.augmentation import Crop, apply_crop, random_crop

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


def test_a_crop_of_more_than_the_picture_goes_on_with_its_edges() -> None:
    recipe = Recipe(crop_area=(1.5, 1.5), crop_ratio=(1.0, 1.0), flip=False)
    crops = [random_crop(20, 20, recipe, (turn,)) for turn in range(200)]
    assert {(crop.height, crop.width) for crop in crops} == {(24, 24)}
    assert {crop.top for crop in crops} == {crop.left for crop in crops} == set(range(-4, 1))
    picture = torch.randint(0, 256, (3, 20, 20), dtype=torch.uint8)
    for crop in crops[:20]:
        rows, columns = (np.arange(first, first + 24).clip(0, 19) for first in (crop.top, crop.left))
        assert torch.equal(apply_crop(picture, crop, 24), picture[:, rows][:, :, columns])


@given(st.integers(0, 2**40))
def test_a_crop_of_a_range_around_the_picture_reaches_beyond_it_only_where_it_is_larger(turn: int) -> None:
    crop = random_crop(256, 256, find_recipe("mini"), (0, 1, turn))
    assert 0.7 * 256 * 0.94 <= crop.height <= 1.35 * 256 * 1.06
    beyond = crop.top < 0 or crop.top + crop.height > 256 or crop.left < 0 or crop.left + crop.width > 256
    assert not beyond or crop.height * crop.width > 255 * 255
    assert 0.4 <= crop.softening <= 1
    assert all(0.85 <= gain <= 1.15 for gain in crop.gains)
    assert abs(crop.shift) <= 0.15


def test_softening_and_colors_come_after_the_crop_and_change_no_other_draw() -> None:
    plain, changed = Recipe(), Recipe(softening=(0.5, 0.5), color=0.2)
    for turn in range(50):
        crops = [random_crop(90, 120, recipe, (turn,)) for recipe in (plain, changed)]
        before, after = ((crop.top, crop.left, crop.height, crop.width, crop.flip) for crop in crops)
        assert before == after
        assert (crops[0].softening, crops[0].gains, crops[0].shift) == (1.0, (1.0, 1.0, 1.0), 0.0)
        assert crops[1].softening == 0.5


def test_softening_shrinks_and_enlarges() -> None:
    checks = (torch.arange(64) // 1 % 2 * 255).to(torch.uint8).expand(3, 64, 64)  # lines of one pixel
    sharp, soft = (apply_crop(checks, Crop(0, 0, 64, 64, False, factor), 64) for factor in (1.0, 0.5))
    assert torch.equal(sharp, checks)
    assert soft.shape == checks.shape
    assert int(soft[:, :, 4:-4].amax()) - int(soft[:, :, 4:-4].amin()) < 100, "lines of one pixel fade"
    broad = (torch.arange(64) // 32 * 200).to(torch.uint8).expand(3, 64, 64)
    assert torch.equal(apply_crop(broad, Crop(0, 0, 64, 64, False, 0.5), 64)[:, :, 40:60], broad[:, :, 40:60])


def test_colors_are_factors_and_a_shift_within_the_range() -> None:
    picture = torch.full((3, 4, 4), 100, dtype=torch.uint8)
    changed = apply_crop(picture, Crop(0, 0, 4, 4, False, gains=(1.1, 1.0, 0.9), shift=0.1), 4)
    assert changed[:, 0, 0].tolist() == [123, 113, 103]  # 100 × gain + 12.8
    bright = apply_crop(picture, Crop(0, 0, 4, 4, False, gains=(3.0, 1.0, 1.0), shift=-0.9), 4)
    assert bright[:, 0, 0].tolist() == [185, 0, 0]
