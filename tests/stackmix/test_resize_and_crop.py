"""The one preprocessing against torchvision's own transforms."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, Resize

from stackwalls.model import USUAL_TRANSFORM

reference = Compose([Resize(256), CenterCrop(224)])


def picture(width: int, height: int, mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(width * 10_007 + height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def check(image: Image.Image) -> None:
    result = USUAL_TRANSFORM(image)
    assert result.shape == (224, 224, 3)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, np.asarray(reference(image.convert("RGB"))))


@settings(max_examples=150, deadline=None)
@given(st.integers(32, 900), st.integers(32, 900))
def test_any_size(width: int, height: int) -> None:
    check(picture(width, height))


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "CMYK", "RGBA", "LA", "YCbCr", "HSV"])
@pytest.mark.parametrize(("width", "height"), [(500, 375), (375, 500), (333, 333), (256, 256), (64, 64)])
def test_any_mode(width: int, height: int, mode: str) -> None:
    check(picture(width, height, mode) if mode != "LA" else picture(width, height, "L").convert("LA"))


@pytest.mark.parametrize("side", [*range(224, 260), 511, 512, 513, 1023])
def test_sizes_around_the_crop_and_its_multiples(side: int) -> None:
    check(picture(256, side) if side >= 256 else picture(side, 256))
    check(picture(side, 300))
    check(picture(301, side))


@pytest.mark.parametrize(("width", "height"), [(32, 3200), (3200, 32), (33, 1999), (2047, 255), (257, 4001)])
def test_long_pictures(width: int, height: int) -> None:
    check(picture(width, height))
