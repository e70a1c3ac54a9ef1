"""VGG16's convolutions: what they are made of, the images that fit, and how many of their rows a head may read."""

from itertools import takewhile

import torch
from torch import nn

from stackwalls.model.errors import InputError
from stackwalls.model.networks.geometry.receptive_field import derive_wall
from stackwalls.model.wall import VGG16_WALL

STRIDE = 16
"""Pixels for each cell of the last activation map: VGG16 without its last max-pool."""

PREFIX = "features."
"""What torchvision calls the convolutions."""

_LARGEST = 2048
"""Pixels of the largest images."""

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 256))
"""VGG16's convolutions (configuration D of Simonyan and Zisserman 2015); the last has 256 channels, not 512."""


def scaled(channels: int, width: float) -> int:
    """Channels of a layer of another width, at least one."""
    return max(1, round(channels * width))


def convolutions(width: float) -> nn.Sequential:
    """VGG16's features up to the ReLU after the last convolution; indices as in torchvision's `vgg16().features`."""
    layers: list[nn.Module] = []
    channels = 3
    for block in BLOCKS:
        if layers:
            layers.append(nn.MaxPool2d(2))
        for base in block:
            # not in place: the stored activation and its gradient are those of the ReLU itself
            layers += [nn.Conv2d(channels, scaled(base, width), 3, padding=1), nn.ReLU()]
            channels = scaled(base, width)
    return nn.Sequential(*layers)


def visible_rows_at(image_size: int) -> int:
    """The most map rows that the head may read for at least the paper's share of the image to be dead: 5 at 224.

    Raises:
        InputError: if `image_size` does not fit the stride, or even one row reaches too much of the image.
    """
    check_image_size(image_size)
    if rows := _most_rows(image_size):
        return rows
    fits = next(size for size in range(image_size, _LARGEST, STRIDE) if _most_rows(size))
    raise InputError(
        f"The masked VGG16 does not fit images of {image_size} pixels: one row of its map already reaches more of them "
        f"than the {1 - VGG16_WALL.share:.1%} that it may see. Take {fits} pixels or more, or a walled network."
    )


def _most_rows(image_size: int) -> int:
    """As `visible_rows_at`; 0 if there is no such row."""
    with torch.device("meta"):
        layers = convolutions(1)
    walls = (derive_wall(layers, (0, rows), image_size) for rows in range(1, image_size // STRIDE + 1))
    return sum(1 for _ in takewhile(lambda wall: wall is not None and wall.share >= VGG16_WALL.share, walls))


def check_image_size(size: int) -> None:
    """Check that images have a size that fits the stride.

    Raises:
        InputError: if they do not.
    """
    if size % STRIDE or not 2 * STRIDE <= size <= _LARGEST:
        near = min(max(round(size / STRIDE), 2), _LARGEST // STRIDE) * STRIDE
        raise InputError(
            f"Expected the image size of a VGG16 to be a multiple of {STRIDE} pixels, {2 * STRIDE} to {_LARGEST}, but "
            f"got {size}: take {near}."
        )
