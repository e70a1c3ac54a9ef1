"""From an encoded picture to its pixels, or the reason why not."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError

from stackwalls.model import IMAGE_SIZE, resize_and_crop

if TYPE_CHECKING:
    from numpy.typing import NDArray

PICTURE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "PPM", "TIFF")
"""Formats that are read. Pillow knows more; one of them (EPS) would run a program."""

PICTURE_SUFFIXES = frozenset((".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"))
"""Endings of picture files, in lower case: torchvision's `IMG_EXTENSIONS` and GIF."""


class UndecodableError(ValueError):
    """A picture that cannot be decoded; the message is the reason."""


def decode(file: bytes | Path) -> Image.Image:
    """Decode a picture, its first frame if there are several.

    Args:
        file: the encoded bytes, or where they lie.

    Raises:
        UndecodableError: if it is missing, empty, damaged or of a format that is not read.
    """
    try:
        with Image.open(BytesIO(file) if isinstance(file, bytes) else file, formats=PICTURE_FORMATS) as picture:
            picture.load()
            return picture
    except MemoryError:
        raise
    except UnidentifiedImageError as error:  # its text holds a memory address
        raise UndecodableError(
            f"not a picture, or its header is damaged (read: {', '.join(PICTURE_FORMATS)})"
        ) from error
    except Exception as error:  # Pillow's decoders raise errors of many kinds on damaged files
        raise UndecodableError(str(error) or type(error).__name__) from error


def to_square(picture: Image.Image) -> NDArray[np.uint8]:
    """`(224, 224, 3)` uint8 RGB: the picture itself where it has that size, else through `resize_and_crop`.

    Raises:
        UndecodableError: if it has more than 8 bits a channel, which Pillow would clip to white.
    """
    if picture.mode.startswith("I") or picture.mode == "F":
        raise UndecodableError(f"mode {picture.mode} has more than 8 bits a channel: convert it to 8 bits first")
    if picture.size == (IMAGE_SIZE, IMAGE_SIZE):
        return np.asarray(picture.convert("RGB"))
    return resize_and_crop(picture)
