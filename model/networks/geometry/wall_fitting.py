"""Whether a backbone can stand behind a wall: on the pieces of the image, and with a head that pools; if not, why."""

import io
from collections.abc import Callable
from contextlib import redirect_stderr

import torch

from stackwalls.model.boxes import Box
from stackwalls.model.errors import InputError, quotable
from stackwalls.model.networks.backbones.backbone import Backbone
from stackwalls.model.networks.blind_model import OR_A_CURTAIN
from stackwalls.model.state import preserved
from stackwalls.model.wall import Wall

_POOLING_TOLERANCE = 1e-3
"""Largest change of the logits, relative to their spread, when a map's positions are shuffled: rounding only."""


_USUAL_STRIDE = 32


def pieces(wall: Wall) -> list[Box]:
    """Rectangles that make up the image, each either seen or dead, by their corner."""
    return sorted([*wall.seen, *wall.dead])


def map_shape(backbone: Backbone, size: int) -> torch.Size:
    """The shape `(2, C, h, w)` of the map of two images.

    Raises:
        InputError: if the backbone does not run on images of this size, or its features are not a map.
    """
    advice = f"Use a convolutional network with global average pooling, such as resnet50, {OR_A_CURTAIN}."
    try:
        activations = backbone.features(torch.zeros(2, 3, size, size))
    except Exception as error:  # networks for one size only refuse others in many ways
        raise InputError(
            f"{backbone.name} cannot be put behind a wall: it does not run on images of {size} x {size} pixels "
            f"({_first_line(error)}). {advice}"
        ) from error
    if not isinstance(activations, torch.Tensor) or activations.ndim != 4:
        found = tuple(activations.shape) if isinstance(activations, torch.Tensor) else type(activations).__name__
        raise InputError(
            f"{backbone.name} cannot be put behind a wall: expected its features to be a map (N, C, h, w), but got "
            f"{found}. {advice}"
        )
    return activations.shape


def wall_on_map(backbone: Backbone, wall: Wall, shape: torch.Size) -> Wall:
    """The wall in cells of the map.

    Raises:
        InputError: if it does not fit; the message names the nearest wall that does, which was tried.
    """
    size = shape[-1]
    if wall.image_size % size:
        raise InputError(
            f"{backbone.name} cannot be put behind a wall of {wall.image_size} × {wall.image_size} pixels: its map has "
            f"{size} rows, which do not divide them evenly.{_nearest_size(backbone, wall.image_size)}"
        )
    reason = _misfit(backbone, wall, shape)
    rescaled = wall.rescaled(size)
    if rescaled is not None and not reason:
        return rescaled
    if wider := _nearest(backbone, wall, shape):
        raise InputError(f"{backbone.name} {reason}, but got {wall}: take {wider}.")
    raise InputError(
        f"{backbone.name} cannot be put behind {wall}: it {reason}. Use another network, such as resnet50, "
        f"{OR_A_CURTAIN}."
    )


def _nearest_size(backbone: Backbone, size: int) -> str:
    """Advice: the nearest image size whose map divides it and is made up of its halves' maps."""
    for stride in (32, 16, 8):
        for near in sorted(
            {size // stride * stride, -(-size // stride) * stride} - {0, size}, key=lambda n: abs(n - size)
        ):
            try:
                shape = map_shape(backbone, near)
            except InputError:
                continue
            rows = shape[-1]
            if near % rows == 0 and not _misfit(backbone, Wall.of_band("rows", near - near // rows, near, near), shape):
                return f" Take images of {near} pixels (--size {near})."
    return f" Use a network with a map of 7 or 14 rows, such as resnet50, {OR_A_CURTAIN}."


def _nearest(backbone: Backbone, wall: Wall, shape: torch.Size, first: int | None = None) -> Wall | None:
    """The smallest wall around one that fits the map and was tried; on multiples of `first` pixels rather than less."""
    stride = wall.image_size // shape[-1]
    for multiple in [*([first] if first else []), *range(stride, wall.image_size // 2 + 1, stride)]:
        try:
            wider = wall.widened(multiple)
        except InputError:  # nothing would be left to see
            continue
        if not _misfit(backbone, wider, shape):
            return wider
    return None


def fitting_wall(backbone: Backbone, wall: Wall) -> Wall:
    """The wall around one that a backbone can have: on multiples of 32 pixels, the usual stride, or of its own.

    Raises:
        InputError: if the backbone does not run on images of this size. A wall that cannot be widened comes back as
            it is.
    """
    if backbone.is_whole:
        return wall.widened(wall.image_size // backbone.tokens_at(wall.image_size).grid)
    with preserved(backbone.features), torch.no_grad():
        shape = map_shape(backbone, wall.image_size)
        fits = wall.image_size % shape[-1] == 0
        return (fits and _nearest(backbone, wall, shape, _USUAL_STRIDE)) or wall


def _misfit(backbone: Backbone, wall: Wall, shape: torch.Size) -> str:
    """Why the maps of the pieces do not make up the map of the whole image; empty if they do."""
    if any(hasattr(module, "set_shift_and_window_size") for module in backbone.features.modules()):
        return "is a Swin of transformers, which keeps the windows of the smallest part that it gets (timm's does not)"
    if (on_map := wall.rescaled(shape[-1])) is None:
        stride = wall.image_size // shape[-1]
        return f"has one map row for {stride} pixels, so its wall must be on multiples of {stride}"
    images = torch.zeros(2, 3, wall.image_size, wall.image_size)
    for box, place in zip(pieces(wall), pieces(on_map), strict=True):
        part = images[(..., *box.slices)]
        try:
            with redirect_stderr(io.StringIO()):  # a traced module that fails prints its own traceback
                found = tuple(backbone.features(part).shape)
        except Exception as error:  # networks refuse parts of images in many ways
            return f"does not run on a part of the image ({_first_line(error)})"
        if found != (expected := (*shape[:2], place.bottom - place.top, place.right - place.left)):
            return f"gives a map {found} for a part of {part.shape[2]} × {part.shape[3]} pixels, not {expected}"
    return ""


def _first_line(error: Exception) -> str:
    return quotable((str(error).splitlines() or [type(error).__name__])[0].rstrip("."))


def check_head_pools(name: str, head: Callable[[torch.Tensor], torch.Tensor], shape: torch.Size) -> None:
    """A head behind a wall must treat all positions alike: shuffling them must not change the logits."""
    generator = torch.Generator().manual_seed(0)
    activations = torch.rand(shape, generator=generator)
    order = torch.randperm(shape[2] * shape[3], generator=generator)
    shuffled = activations.flatten(2)[:, :, order].view(shape)
    try:
        before, after = head(activations), head(shuffled)
        head(activations[:, :, : shape[2] // 2])
    except Exception:  # such as a dense layer of another size
        moved = float("inf")
    else:
        moved = float((after - before).abs().max() / before.std().clamp_min(1e-12))
    if not moved <= _POOLING_TOLERANCE:
        raise InputError(
            f"{name} cannot be put behind a wall without training: its head depends on positions in the map. "
            "Use a network with global average pooling, such as resnet50; for VGG16, train or load "
            f"masked-vgg16; {OR_A_CURTAIN}."
        )
