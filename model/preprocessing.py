"""From an image file to the network's input: the evaluation transform, and normalization."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from stackwalls.model.errors import InputError
from stackwalls.model.wall import IMAGE_SIZE

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from PIL import Image

RESIZE = 256
"""The shorter side after resizing, in pixels, before the center crop of 224."""

_INTERPOLATIONS = ("bilinear", "bicubic", "lanczos", "nearest", "box", "hamming")
"""Pillow's filters."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Mean of the RGB channels in [0, 1] over ImageNet's training set."""

IMAGENET_STD = (0.229, 0.224, 0.225)
"""Standard deviation of the RGB channels in [0, 1] over ImageNet's training set."""


@dataclass(frozen=True)
class Transform:
    """A network's evaluation transform, from an image of any size to its input.

    Attributes:
        size: height and width of the input, in pixels.
        resize: the shorter side after resizing, before the center crop of `size`.
        interpolation: of the resizing, with antialiasing.
        squash: resize both sides to `resize`, whatever the image's proportions, as many image processors of
            transformers do.

    Raises:
        InputError: if a value is out of its range.
    """

    size: int = IMAGE_SIZE
    resize: int = RESIZE
    interpolation: str = "bilinear"
    squash: bool = False

    def __post_init__(self) -> None:
        if not 16 <= self.size <= 2048:
            raise InputError(f"Expected an image size of 16 to 2048 pixels, but got {self.size}.")
        if not self.size <= self.resize <= 2 * self.size:
            raise InputError(
                f"Expected the shorter side after resizing to be {self.size} (the image size) to {2 * self.size} "
                f"pixels, but got {self.resize}."
            )
        if self.interpolation not in _INTERPOLATIONS:
            raise InputError(
                f"Unknown interpolation {self.interpolation!r:.40}: expected one of {', '.join(_INTERPOLATIONS)}."
            )

    @classmethod
    def of_size(cls, size: int) -> Transform:
        """ImageNet's transform, in its proportions: shorter side to `size` · 256 / 224, then the central `size`."""
        return cls(size, round(size * RESIZE / IMAGE_SIZE))

    @property
    def is_usual(self) -> bool:
        """Whether it is `of_size`."""
        return self == Transform.of_size(self.size)

    @classmethod
    def parse(cls, text: str, size: int) -> Transform:
        """Read `resizing`: `232`, `232:bicubic`, `96:bicubic:squash`.

        Raises:
            InputError: if it has another form, or does not fit the size.
        """
        resize, *rest = text[:100].split(":")
        squash = rest[-1:] == ["squash"]
        words = rest[:-1] if squash else rest
        if not re.fullmatch(r"[1-9]\d{0,4}", resize) or len(words) > 1:
            raise InputError(
                f"Cannot read the resizing {text!r:.80}: expected the shorter side in pixels, such as 232, with the "
                "filter if it is not bilinear, 232:bicubic, and :squash if both sides become that long."
            )
        return cls(size, int(resize), words[0] if words else "bilinear", squash)

    @property
    def resizing(self) -> str:
        """What is done before the crop, as `parse` reads it: `232:bicubic`."""
        words = [] if self.interpolation == "bilinear" else [self.interpolation]
        return ":".join([str(self.resize), *words, *(["squash"] if self.squash else [])])

    def __str__(self) -> str:
        sides = "both sides" if self.squash else "shorter side"
        return f"{sides} {self.resize}, {self.interpolation}, center crop {self.size}"

    def __call__(self, image: Image.Image) -> NDArray[np.uint8]:
        """Resize, then crop the center, as RGB.

        Equal to torchvision's `Resize(256)`, `CenterCrop(224)` on a PIL image (a test holds it to that). The EXIF
        orientation is not applied, as in torchvision's `ImageFolder` and so in the paper's pipeline.

        Args:
            image: any mode that PIL converts to RGB; grayscale, palette and CMYK are converted first.

        Returns:
            `(size, size, 3)` uint8 RGB.
        """
        import numpy as np
        from PIL.Image import Resampling

        width, height = image.size
        if self.squash:
            new_width = new_height = self.resize
        elif width <= height:
            new_width, new_height = self.resize, int(self.resize * height / width)
        else:
            new_width, new_height = int(self.resize * width / height), self.resize
        rgb = image if image.mode == "RGB" else image.convert("RGB")
        if (width, height) != (new_width, new_height):
            rgb = rgb.resize((new_width, new_height), Resampling[self.interpolation.upper()])
        left, top = round((new_width - self.size) / 2), round((new_height - self.size) / 2)
        return np.asarray(rgb.crop((left, top, left + self.size, top + self.size)))

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, which `Transform(**…)` takes."""
        return asdict(self)


USUAL_TRANSFORM = Transform()
"""ImageNet's, to 224 × 224."""


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
