import io

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from stackwalls.model import InputError
from stackwalls.stackmix import ENCODERS, encode

images = st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(
    lambda size: arrays(np.uint8, (*size, 3), elements=st.integers(0, 255))
)


def decoded(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "RGB"
        return np.asarray(image)


@pytest.mark.parametrize("name", ENCODERS)
@given(images)
def test_decodes_to_the_same_bits(name: str, image: np.ndarray) -> None:
    np.testing.assert_array_equal(decoded(encode(image, name)), image)


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("fill", ["noise", "black", "white", "gradient"])
def test_full_size_pictures_decode_to_the_same_bits(name: str, fill: str) -> None:
    image = {
        "noise": np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8),
        "black": np.zeros((224, 224, 3), np.uint8),
        "white": np.full((224, 224, 3), 255, np.uint8),
        "gradient": np.add.outer(np.arange(224), np.arange(3 * 224)).astype(np.uint8).reshape(224, 224, 3),
    }[fill]
    data = encode(image, name)
    np.testing.assert_array_equal(decoded(data), image)
    assert encode(image, name) == data
    with Image.open(io.BytesIO(data)) as file:
        assert file.format == name.upper()


def test_an_unknown_encoder_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="Unknown encoder 'jpeg': expected png or webp"):
        encode(np.zeros((1, 1, 3), np.uint8), "jpeg")
