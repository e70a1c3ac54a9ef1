"""From anybody's picture file to the network's view of it, or the reason why not."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError

from stackwalls.model import resize_and_crop

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "PPM", "TIFF")
"""Formats that are read. Pillow knows more; one of them (EPS) would run a program."""

MIN_SIDE = 32
"""Smallest side in pixels (CIFAR's): below, resizing to 256 leaves little of a picture."""

MAX_PIXELS = 89_478_485
"""Most pixels: where Pillow begins to warn of decompression bombs (a quarter of a GiB at 3 bytes each)."""

MAX_RATIO = 100
"""Longest side over shortest: 100 makes the resized picture 256 × 25,600, 26 MB, before the crop."""


class BrokenPictureError(ValueError):
    """A file that cannot be used as a picture; the message is the reason, the same on every machine."""


def read_picture(data: bytes) -> NDArray[np.uint8]:
    """Decode a picture file and give what the network sees of it: `resize_and_crop` of its pixels as stored.

    As in torchvision's `ImageFolder`: the EXIF orientation is not applied, transparency is dropped (the colour
    under it stays), CMYK, palette and greyscale become RGB by Pillow's plain conversion, and of an animation the
    first frame counts. Unlike there, 16-bit greyscale is scaled to 8 bits (Pillow would clip it to white).

    Args:
        data: the undecoded file.

    Returns:
        `(224, 224, 3)` uint8 RGB.

    Raises:
        BrokenPictureError: if the file is empty, truncated, of another format or without a defined range (32-bit
            values), or the picture too small, too large or too long.
    """
    if not data:
        raise BrokenPictureError("the file is empty (0 bytes)")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(*image.size)
            image.load()
            return resize_and_crop(_eight_bit(image))
    except (BrokenPictureError, MemoryError):
        raise
    except UnidentifiedImageError as error:  # its text holds a memory address
        raise BrokenPictureError(f"not a picture, or its header is damaged (read: {', '.join(FORMATS)})") from error
    except Image.DecompressionBombError as error:
        raise BrokenPictureError(f"more than {MAX_PIXELS:,} pixels") from error
    except Exception as error:  # Pillow's decoders raise errors of many kinds on damaged files
        raise BrokenPictureError(f"damaged: {error or type(error).__name__}") from error


def _check_size(width: int, height: int) -> None:
    if min(width, height) < MIN_SIDE:
        raise BrokenPictureError(f"too small: {width} × {height} pixels, expected at least {MIN_SIDE} a side")
    if width * height > MAX_PIXELS:
        raise BrokenPictureError(f"too large: {width} × {height} is more than {MAX_PIXELS:,} pixels")
    if max(width, height) > MAX_RATIO * min(width, height):
        raise BrokenPictureError(f"too long: {width} × {height}, more than {MAX_RATIO} times its shorter side")


def _eight_bit(image: Image.Image) -> Image.Image:
    """The picture with 8 bits a channel: of 16-bit greyscale the high byte, as Pillow reads 16-bit colour."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise BrokenPictureError(f"32-bit values (mode {image.mode}) have no defined range of brightness")
    return image
