"""A picture's bytes to pixels."""

from __future__ import annotations

import io
import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.io import ImageReadMode, decode_image, decode_jpeg

from stackwalls.model.preprocessing import resize_and_crop
from stackwalls.model.training.data.pictures import Picture

JPEG = b"\xff\xd8\xff"


class BrokenPictureError(ValueError):
    """A picture that cannot be decoded."""


def decode(picture: Picture) -> torch.Tensor:
    """A file's bytes, or pixels, to `(3, H, W)` uint8 RGB.

    Raises:
        BrokenPictureError: if neither torchvision nor PIL decodes it.
    """
    if not isinstance(picture, bytes):
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1)
    try:
        pixels: torch.Tensor = decode_image(raw(picture), ImageReadMode.RGB)
        return pixels
    except RuntimeError:  # CMYK, 16 bits, formats that torchvision does not know
        image = _pil(picture)
        try:
            return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)
        except (OSError, ValueError, SyntaxError) as error:  # PIL's words for cut off and damaged
            raise BrokenPictureError(str(error)) from error


def evaluation_pixels(picture: Picture) -> torch.Tensor:
    """`(3, 224, 224)` uint8 RGB by the evaluation transform, the one that the test sets are made with.

    Raises:
        BrokenPictureError: if it cannot be decoded.
    """
    image = _pil(picture) if isinstance(picture, bytes) else Image.fromarray(picture)
    try:
        pixels: NDArray[np.uint8] = resize_and_crop(image)
    except (OSError, ValueError, SyntaxError) as error:
        raise BrokenPictureError(str(error)) from error
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)


def jpeg_size(picture: bytes) -> tuple[int, int] | None:
    """Height and width of a three-channel JPEG from its header, or None for anything else."""
    if not picture.startswith(JPEG):
        return None
    image = _pil(picture)
    return (image.height, image.width) if image.mode == "RGB" else None


def gpu_decodes(device: torch.device) -> bool:
    """Whether torchvision decodes JPEG on this device (a CUDA build with nvJPEG)."""
    if device.type != "cuda":
        return False
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "JPEG")
    try:
        decode_jpeg([raw(buffer.getvalue())], device=device)
    except RuntimeError:
        return False
    return True


def raw(picture: bytes) -> torch.Tensor:
    """A file's bytes as a `(n,)` uint8 tensor."""
    if not picture:
        raise BrokenPictureError("it is empty")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # bytes are not writable; nothing writes here
        return torch.frombuffer(picture, dtype=torch.uint8)


def _pil(picture: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(picture))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise BrokenPictureError(str(error) or type(error).__name__) from error
