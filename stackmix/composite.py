"""The composite of STACK-MIX (what the network sees from one image, its dead zone from another) and its file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from stackwalls.model import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stackwalls.model import Wall


def compose(first: NDArray[np.uint8], second: NDArray[np.uint8], wall: Wall) -> NDArray[np.uint8]:
    """The first image where the network sees, the second in the dead zone.

    Taimeskhanov, Sicre, Garreau (ECML PKDD 2024, arXiv 2404.01964), section 3.2, Eq. 6, for any wall; the paper's,
    `bottom:54`, gives rows :170 of the first over rows 170: of the second.

    Args:
        first: `(H, W, 3)` uint8, H = W = `wall.image_size`.
        second: the same shape and dtype.
        wall: the dead zone.

    Returns:
        a new array of that shape and dtype.

    Raises:
        ValueError: if an image has another one.
    """
    expected = (wall.image_size, wall.image_size, 3)
    for name, image in (("first", first), ("second", second)):
        if image.shape != expected or image.dtype != np.uint8:
            raise ValueError(f"Expected `{name}` to be {expected} uint8, but got {image.shape} {image.dtype}.")
    composite = first.copy()
    for box in wall.dead:
        composite[box.slices] = second[box.slices]
    return composite


ENCODERS: dict[str, dict[str, Any]] = {
    # level 1 is three times as fast as Pillow's default 6 for 6 % more bytes
    "png": {"compress_level": 1},
    # faster and smaller still; `exact` would keep the colors of fully transparent pixels
    "webp": {"lossless": True, "quality": 0, "method": 0, "exact": True},
}
"""The choices of `--encoder`, with Pillow's options. All are lossless: a lossy one would mix pixels across the wall."""


def check_encoder(name: str) -> None:
    """InputError if `name` is not in `ENCODERS`."""
    if name not in ENCODERS:
        raise InputError(f"Unknown encoder {name!r}: expected {' or '.join(ENCODERS)}.")


def encode(image: NDArray[np.uint8], encoder: str) -> bytes:
    """The file of an image, `(H, W, 3)` uint8 RGB, in the format `encoder` of `ENCODERS`.

    Raises:
        InputError: if there is no such encoder.
    """
    check_encoder(encoder)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, encoder, **ENCODERS[encoder])
    return buffer.getvalue()
