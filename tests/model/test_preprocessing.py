import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from PIL import Image
from torchvision import transforms

from stackwalls.model import IMAGENET_MEAN, IMAGENET_STD, USUAL_TRANSFORM, Transform, to_input


def picture(width: int, height: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


@settings(max_examples=40, deadline=None)
@given(st.integers(20, 700), st.integers(20, 700), st.sampled_from(["RGB", "L", "P", "RGBA", "CMYK", "1"]))
def test_equals_torchvisions_evaluation_transform(width: int, height: int, mode: str) -> None:
    image = picture(width, height, mode)
    expected = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224)])(image.convert("RGB"))
    assert np.array_equal(USUAL_TRANSFORM(image), np.asarray(expected))


def test_an_image_of_the_right_size_is_resized_like_any_other() -> None:
    image = picture(224, 224)
    assert not np.array_equal(USUAL_TRANSFORM(image), np.asarray(image))
    assert np.array_equal(Transform(resize=224)(image), np.asarray(image))


def test_to_input_equals_torchvisions_normalization() -> None:
    images = np.stack([np.asarray(picture(32, 32, seed=seed)) for seed in range(3)])
    normalise = transforms.Compose([transforms.ToTensor(), transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD)])
    expected = torch.stack([normalise(image) for image in images])
    torch.testing.assert_close(to_input(images), expected, rtol=0, atol=1e-6)
    assert torch.equal(to_input(torch.from_numpy(images)), to_input(images))


@pytest.mark.parametrize("shape", [(3, 32, 32), (2, 3, 32, 32), (2, 32, 32, 4)])
def test_to_input_names_a_wrong_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="Expected `images`"):
        to_input(np.zeros(shape, np.uint8))


def test_to_input_names_a_wrong_dtype() -> None:
    with pytest.raises(ValueError, match="float32"):
        to_input(torch.zeros(1, 8, 8, 3))
