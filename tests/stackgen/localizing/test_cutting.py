import numpy as np
import pytest
from PIL import Image
from PIL.Image import Resampling

from stackwalls.stackgen.localizing.cropping import cut
from stackwalls.stackgen.localizing.localizer import Crop


def crop_of(*box: int) -> Crop:
    return Crop(box, 1, 1, 1, 1, 1, 0, 4)  # type: ignore[arg-type]


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_nothing_beyond_the_crop_is_read() -> None:
    frame = noise(500, 700)
    changed = np.array(frame)
    changed[:100], changed[548:], changed[:, :20], changed[:, 468:] = 0, 255, 0, 255
    crop = crop_of(20, 100, 468, 548)
    assert np.array_equal(cut(frame, crop), cut(Image.fromarray(changed), crop))


def test_the_filter_is_lanczos() -> None:
    frame = noise(832, 1216)
    expected = frame.crop((0, 50, 600, 650)).resize((224, 224), Resampling.LANCZOS)
    assert np.array_equal(cut(frame, crop_of(0, 50, 600, 650)), expected)


def test_fine_stripes_do_not_alias() -> None:
    stripes = np.zeros((1792, 1792, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    picture = np.asarray(cut(Image.fromarray(stripes), crop_of(0, 0, 1792, 1792)), dtype=int)
    assert np.abs(picture - 127).max() <= 2


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_any_frame_becomes_rgb_of_the_images_size(mode: str) -> None:
    for size in (224, 65):
        picture = cut(noise(300, 300).convert(mode), crop_of(10, 20, 110, 120), size)
        assert (picture.mode, picture.size) == ("RGB", (size, size))
