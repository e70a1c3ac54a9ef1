"""Which rows a masked VGG16 depends on, so that what is behind the wall is neither read nor multiplied.

The head reads map rows :5. Row by row backward, these need 6, then 7 rows of the layer before, and so on up to 170 of
224 pixel rows. A convolution on fewer rows sees zeros where the next row would be, so its own last row is wrong. A
wrong row moves up by one with each convolution, and is cut off before it can reach a row that is read.
"""

import torch
from torch import nn

from stackwalls.model.networks.masked_vgg import MaskedVGG16
from stackwalls.model.wall import IMAGE_SIZE


def rows_needed(layers: nn.Sequential, read: int, size: int = IMAGE_SIZE) -> list[int]:
    """Rows from the top that rows :`read` of the last layer's output depend on.

    Args:
        layers: 3×3 convolutions with padding 1, ReLUs and 2×2 max-pools, as in VGG.
        read: rows of the last output that are read.
        size: rows of the input.

    Returns:
        Rows of the input, then rows of each layer's output: one number more than there are layers.
    """
    heights = [size]
    for layer in layers:
        heights.append(heights[-1] // 2 if isinstance(layer, nn.MaxPool2d) else heights[-1])
    needed = [read]
    for layer, height in zip(reversed(layers), reversed(heights[:-1]), strict=True):
        rows = needed[0]
        if isinstance(layer, nn.Conv2d):
            rows += 1
        elif isinstance(layer, nn.MaxPool2d):
            rows *= 2
        needed.insert(0, min(rows, height))
    return needed


def seen_pixel_rows(model: MaskedVGG16) -> int:
    """Pixel rows from the top that reach the logits: 170 of 224 for the masked network, all for its baseline."""
    return rows_needed(model.convolutions, model.visible_rows, model.image_size)[0]


def seen_map(model: MaskedVGG16, seen_images: torch.Tensor) -> torch.Tensor:
    """The rows of the last activation map that the head reads, differentiable, from the pixel rows that reach them.

    The same as `model.features(images)[:, :, :visible_rows]`, up to the order in which a kernel adds.

    Args:
        model: the network; only its convolutions are used.
        seen_images: `(N, 3, seen_pixel_rows(model), size)` normalized.

    Returns:
        `(N, C, visible_rows, w)`.
    """
    x = seen_images
    needed = rows_needed(model.convolutions, model.visible_rows, model.image_size)
    for layer, rows in zip(model.convolutions, needed, strict=False):
        if isinstance(layer, nn.ReLU):
            x = torch.relu_(x)  # in place: a convolution's gradient does not need its own output
        elif isinstance(layer, nn.MaxPool2d):
            x = layer(x[:, :, :rows])  # wrong rows are cut off here, where it costs no copy
        else:
            x = layer(x)
    return x[:, :, : model.visible_rows]
