"""The one preprocessing: ImageNet's evaluation transform, from an image file to `(3, 224, 224)` network input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stackwalls.model.wall import IMAGE_SIZE

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from PIL import Image

RESIZE = 256
"""The shorter side after resizing, in pixels, before the centre crop of 224."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Mean of the RGB channels in [0, 1] over ImageNet's training set."""

IMAGENET_STD = (0.229, 0.224, 0.225)
"""Standard deviation of the RGB channels in [0, 1] over ImageNet's training set."""


def resize_and_crop(image: Image.Image, resize: int = RESIZE, crop: int = IMAGE_SIZE) -> NDArray[np.uint8]:
    """Shorter side to `resize`, bilinear with antialiasing, then the central `crop` × `crop`, as RGB.

    Equal to torchvision's `Resize(256)`, `CenterCrop(224)` on a PIL image (a test holds it to that). The EXIF
    orientation is not applied, as in torchvision's `ImageFolder` and so in the paper's pipeline.

    Args:
        image: any mode that PIL converts to RGB; greyscale, palette and CMYK are converted first.
        resize: length of the shorter side, in pixels.
        crop: side of the square crop, in pixels, at most `resize`.

    Returns:
        `(crop, crop, 3)` uint8 RGB.
    """
    import numpy as np
    from PIL import Image

    width, height = image.size
    if width <= height:
        new_width, new_height = resize, int(resize * height / width)
    else:
        new_width, new_height = int(resize * width / height), resize
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    if (width, height) != (new_width, new_height):
        rgb = rgb.resize((new_width, new_height), Image.Resampling.BILINEAR)
    left, top = round((new_width - crop) / 2), round((new_height - crop) / 2)
    return np.asarray(rgb.crop((left, top, left + crop, top + crop)))


def to_input(
    images: NDArray[np.uint8] | torch.Tensor,
    mean: tuple[float, float, float] = IMAGENET_MEAN,
    std: tuple[float, float, float] = IMAGENET_STD,
    device: Any = None,
) -> torch.Tensor:
    """Scale to [0, 1] and normalize: `(N, H, W, 3)` uint8 to `(N, 3, H, W)` float32 network input.

    Args:
        images: `(N, H, W, 3)` uint8 RGB, an array or a tensor.
        mean: of the RGB channels, in [0, 1].
        std: of the RGB channels, in [0, 1].
        device: where the result lies; where `images` lie by default.

    Raises:
        ValueError: if `images` has another shape or dtype.
    """
    import torch

    batch = torch.as_tensor(images, device=device)
    if batch.dtype != torch.uint8 or batch.ndim != 4 or batch.shape[3] != 3:
        raise ValueError(f"Expected `images` to be (N, H, W, 3) uint8, but got {tuple(batch.shape)} {batch.dtype}.")
    scaled = batch.permute(0, 3, 1, 2).to(torch.float32).div_(255)
    offset, scale = (torch.tensor(v, device=scaled.device).view(1, 3, 1, 1) for v in (mean, std))
    return scaled.sub_(offset).div_(scale)
