"""Bytes to pixels: the one rule for every format, mode, size and fault.

- Only `FORMATS` are read.
- As in torchvision's `ImageFolder`, grayscale, palette and CMYK images become RGB by Pillow's plain conversion,
  transparency is dropped (the color under it stays), and the EXIF orientation is not applied.
- 16-bit grayscale is scaled to 8 bits (Pillow would clip it to white); 32-bit values are rejected.
- The first frame of an animation counts.
- Truncated and damaged files are rejected, and images that are too small, too large or too long, before their pixels
  are decoded: what a reader of whatever source takes at most is bounded here.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError

from stackwalls.model.preprocessing import USUAL_TRANSFORM, Transform

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "PPM", "TIFF")
"""Formats that are read. Pillow knows more; one of them (EPS) would run a program."""

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Endings of image files, in any case: torchvision's `IMG_EXTENSIONS` and GIF."""

MIN_SIDE = 32
"""Smallest side in pixels (CIFAR's): below, resizing to 256 leaves little of an image."""

MAX_PIXELS = 89_478_485
"""Most pixels: where Pillow begins to warn of decompression bombs (a quarter of a GiB at 3 bytes each)."""

MAX_RATIO = 100
"""Longest side over shortest: 100 makes the resized image 256 × 25,600, 26 MB, before the crop."""


MAX_BYTES = 1 << 27
"""Most bytes of a file: several times what cameras write, and half a minute for the slowest of Pillow's decoders."""

MAX_SCANS = 100
"""Most scans of a progressive JPEG, which usually has 10: each goes over the whole image, and costs a few bytes."""


class BrokenImageError(ValueError):
    """A file that cannot be used as an image; the message is the reason, the same on every machine."""


def decode(data: bytes) -> NDArray[np.uint8]:
    """Decode an image file to `(H, W, 3)` uint8 RGB.

    Raises:
        BrokenImageError: if the file is empty, damaged or of another format, or the image is of a size or depth that
            is not read.
    """
    return np.asarray(_rgb(load_image(data)))


def decode_and_crop(data: bytes, transform: Transform = USUAL_TRANSFORM) -> NDArray[np.uint8]:
    """`decode`, then the evaluation transform: `(224, 224, 3)` uint8 RGB, or of the transform's size."""
    return transform(_rgb(load_image(data)))


def load_image(data: bytes) -> Image.Image:
    """`decode`, but of any depth, with its mode and `format` as stored."""
    if not data:
        raise BrokenImageError("the file is empty (0 bytes)")
    if len(data) > MAX_BYTES:
        raise BrokenImageError(f"too large: {len(data):,} bytes, more than {MAX_BYTES:,}")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_header(image, data)
            image.load()
            return image
    except (BrokenImageError, MemoryError):
        raise
    except UnidentifiedImageError as error:  # its text holds a memory address
        raise BrokenImageError(f"not an image, or its header is damaged (read: {', '.join(FORMATS)})") from error
    except Image.DecompressionBombError as error:
        raise BrokenImageError(f"more than {MAX_PIXELS:,} pixels") from error
    except Exception as error:  # Pillow's decoders raise errors of many kinds on damaged files
        raise BrokenImageError(f"damaged: {error or type(error).__name__}") from error


def decode_tensor(data: bytes) -> torch.Tensor:
    """`decode` to `(3, H, W)` for training: plain JPEGs by torchvision, faster, with other rounding of the colors."""
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg

    if (size := jpeg_size(data)) is not None:
        with suppress(RuntimeError):  # damaged: `decode` says how
            found: torch.Tensor = decode_jpeg(as_tensor(data), ImageReadMode.RGB)
            if found.shape == (3, *size):
                return found
    return torch.from_numpy(np.array(decode(data))).permute(2, 0, 1)


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Height and width of a usable three-channel JPEG, from its header; None for any other file."""
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            _check_header(image, data)
            return (image.height, image.width) if image.mode == "RGB" else None
    except Exception:  # damaged or not usable: `decode` says why
        return None


def as_tensor(data: bytes) -> torch.Tensor:
    """A file's bytes as an `(n,)` uint8 tensor, not copied."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # bytes are not writable; nothing writes here
        return torch.frombuffer(data, dtype=torch.uint8)


def gpu_decodes(device: torch.device) -> bool:
    """Whether torchvision decodes JPEG on this device (a CUDA build with nvJPEG)."""
    from torchvision.io import decode_jpeg

    if device.type != "cuda":
        return False
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "JPEG")
    try:
        decode_jpeg([as_tensor(buffer.getvalue())], device=device)
    except RuntimeError:
        return False
    return True


def decode_on_gpu(images: Sequence[torch.Tensor], device: torch.device) -> list[torch.Tensor]:
    """Decode plain JPEGs, `(bytes,)` uint8 each, on a device for which `gpu_decodes`: to `(3, H, W)` uint8 RGB.

    Raises:
        RuntimeError: if one is damaged, without saying which.
    """
    from torchvision.io import ImageReadMode, decode_jpeg

    found: list[torch.Tensor] = decode_jpeg(list(images), ImageReadMode.RGB, device)
    return found


def _check_header(image: Image.Image, data: bytes) -> None:
    """Reject an image by what is known before its pixels are decoded."""
    width, height = image.size
    if min(width, height) < MIN_SIDE:
        raise BrokenImageError(f"too small: {width} × {height} pixels, expected at least {MIN_SIDE} a side")
    if width * height > MAX_PIXELS:
        raise BrokenImageError(f"too large: {width} × {height} is more than {MAX_PIXELS:,} pixels")
    if max(width, height) > MAX_RATIO * min(width, height):
        raise BrokenImageError(f"too long: {width} × {height}, more than {MAX_RATIO} times its shorter side")
    if image.format in ("JPEG", "MPO") and (scans := data.count(b"\xff\xda")) > MAX_SCANS:
        raise BrokenImageError(f"{scans} scans, more than {MAX_SCANS}")


def _rgb(image: Image.Image) -> Image.Image:
    """8 bits a channel, RGB: of 16-bit grayscale the high byte, as Pillow reads 16-bit color."""
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise BrokenImageError(f"32-bit values (mode {image.mode}) have no defined range of brightness")
    return image.convert("RGB")
