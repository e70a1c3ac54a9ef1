"""Reference maps, the leak's stages, twins and EigenCAM's sign, against slow rewrites and values worked out by hand."""

import math

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from scipy import ndimage
from torch import nn

from stackwalls.evaluate import mu, mu_native
from stackwalls.evaluate.checks import (
    REFERENCES,
    eigen_maps,
    mu_by_stage,
    seen_change,
    twins_of,
)
from stackwalls.evaluate.checks.leak_diagnostics import SIGNS, STAGES
from stackwalls.model import InputError, Wall

WALLS = [Wall.parse(text) for text in ("bottom:54", "top:54", "left:64", "right:10", "rows:64:128")]


def reference(name: str, images: torch.Tensor) -> np.ndarray:
    function = REFERENCES[name]
    assert callable(function)
    return function(nn.Identity(), images, torch.zeros(len(images), dtype=torch.int64)).numpy()


@pytest.mark.parametrize("wall", WALLS, ids=str)
def test_reference_maps_have_the_mu_that_they_must_have(wall: Wall) -> None:
    images = torch.zeros(2, 3, 224, 224)
    assert mu(reference("uniform", images), wall) == pytest.approx([wall.chance] * 2, abs=1e-12)
    # closed form: the Gaussian's other axis cancels, and its squares have half its variance
    squares = [math.exp(-(((i + 0.5) / 224 - 0.5) ** 2) / 0.25**2) for i in range(224)]
    expected = math.sqrt(sum(squares[wall.band.start : wall.band.stop]) / sum(squares))
    assert mu(reference("center", images), wall) == pytest.approx([expected] * 2, abs=1e-6)


def test_edges_are_sobels() -> None:
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    luma = np.tensordot(images.numpy().astype(np.float64), [0.299, 0.587, 0.114], axes=(1, 0))
    for found, grey in zip(reference("edges", images), luma, strict=True):
        slopes = [ndimage.sobel(grey, axis=axis, mode="nearest") for axis in (0, 1)]
        np.testing.assert_allclose(found, np.hypot(*slopes), atol=1e-4)


@pytest.mark.parametrize("wall", WALLS, ids=str)
def test_stages_against_a_slow_rewrite(wall: Wall) -> None:
    raw = np.random.default_rng(0).normal(size=(4, 14, 14)).astype(np.float32)
    found = mu_by_stage(raw, wall)
    assert tuple(found) == STAGES
    dead = wall.mask()
    for index, values in enumerate(raw.astype(np.float64)):
        positive = np.maximum(values, 0)
        shifted = positive - positive.min()
        stages = {"signed": values, "ReLU": positive, "min–max": shifted, "nearest": shifted}
        for stage, cells in stages.items():
            pixels = np.kron(cells, np.ones((16, 16)))
            assert found[stage][index] == pytest.approx(np.sqrt((pixels[dead] ** 2).sum() / (pixels**2).sum()))
        smooth = cv2.resize((shifted / shifted.max()).astype(np.float32), (224, 224)).astype(np.float64)
        smooth -= smooth.min()
        assert found["bilinear"][index] == pytest.approx(
            np.sqrt((smooth[dead] ** 2).sum() / (smooth**2).sum()), abs=1e-6
        )
    np.testing.assert_allclose(found["min–max"], mu_native(raw, wall))


def test_a_row_above_the_wall_leaks_by_bilinear_upsampling_alone() -> None:
    raw = np.zeros((1, 7, 7), dtype=np.float32)
    raw[0, 4] = np.arange(1, 8)
    found = {stage: values[0] for stage, values in mu_by_stage(raw, Wall.parse("bottom:64")).items()}
    assert [found[stage] for stage in STAGES[:4]] == [0, 0, 0, 0]
    assert found["bilinear"] > 0.1


def test_a_map_without_positive_values_has_no_mu_after_relu() -> None:
    found = mu_by_stage(-np.ones((1, 14, 14), dtype=np.float32), Wall.parse("bottom:56"))
    assert found["signed"][0] == pytest.approx(0.5)
    assert all(np.isnan(found[stage][0]) for stage in STAGES[1:])


@pytest.mark.parametrize("wall", WALLS, ids=str)
def test_twins_differ_in_the_dead_zone_only(wall: Wall) -> None:
    images, donors = np.random.default_rng(0).integers(0, 256, (2, 3, 224, 224, 3), dtype=np.uint8)
    twins = twins_of(images, donors, wall)
    dead = wall.mask()
    assert (twins[:, dead] == donors[:, dead]).all()
    assert (twins[:, ~dead] == images[:, ~dead]).all()
    assert not np.shares_memory(twins, images)


def test_twins_need_a_donor_each() -> None:
    with pytest.raises(InputError, match="as many donors"):
        twins_of(np.zeros((2, 224, 224, 3), np.uint8), np.zeros((1, 224, 224, 3), np.uint8), WALLS[0])


@given(scale=st.floats(-3, 3), size=st.sampled_from([7, 14, 224]), wall=st.sampled_from(WALLS))
def test_the_change_of_a_scaled_map_is_its_scale(scale: float, size: int, wall: Wall) -> None:
    maps = np.random.default_rng(size).random((2, size, size)) + 0.1
    np.testing.assert_allclose(seen_change(maps, maps * (1 + scale), wall), abs(scale), atol=1e-12)


def test_what_happens_behind_the_wall_is_no_change() -> None:
    maps = np.random.default_rng(0).random((1, 14, 14))
    other = maps.copy()
    other[:, 10:] = 7  # row 10 is cut by the wall
    assert seen_change(maps, other, Wall.parse("bottom:54"))[0] == 0
    other[:, 9] += 1e-9
    assert seen_change(maps, other, Wall.parse("bottom:54"))[0] > 0
    assert np.isnan(seen_change(np.zeros((1, 14, 14)), maps, Wall.parse("bottom:54"))[0])
    assert seen_change(np.zeros((1, 14, 14)), np.zeros((1, 14, 14)), Wall.parse("bottom:54"))[0] == 0


@given(seed=st.integers(0, 1000))
def test_the_corrected_sign_does_not_depend_on_the_sign_given(seed: int) -> None:
    generator = np.random.default_rng(seed)
    raw = generator.normal(size=(3, 5, 5))
    activations = generator.random((3, 4, 5, 5))
    one, other = eigen_maps(raw, activations), eigen_maps(-raw, activations)
    assert tuple(one) == SIGNS
    np.testing.assert_array_equal(one["corrected"], other["corrected"])
    np.testing.assert_array_equal(one["flipped"], -one["library"])
    for values, response in zip(one["corrected"], activations.sum(1), strict=True):
        assert np.corrcoef(values.ravel(), response.ravel())[0, 1] > 0
