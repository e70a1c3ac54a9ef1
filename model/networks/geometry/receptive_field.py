"""Receptive-field arithmetic: which pixel rows a row of an activation map can depend on, from the layers themselves.

For one axis, output positions [a, b) of a layer with kernel k, stride s, padding p and dilation d read the input
positions [a·s − p, (b − 1)·s − p + d·(k − 1) + 1), cut to the input. Applied from the last layer to the first, this
gives the exact set that a map row can depend on (Araujo, Norris, Sim, "Computing Receptive Fields of Convolutional
Neural Networks", Distill 2019, https://distill.pub/2019/computing-receptive-fields/).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from stackwalls.model.errors import InputError
from stackwalls.model.wall import IMAGE_SIZE, Axis, Wall

_ELEMENTWISE = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.ELU,
    nn.GELU,
    nn.SiLU,
    nn.Hardswish,
    nn.Hardsigmoid,
    nn.Sigmoid,
    nn.Tanh,
    nn.Softplus,
    nn.PReLU,
    nn.Identity,
    nn.Dropout,
    nn.Dropout2d,
    nn.BatchNorm2d,  # in eval mode: fixed statistics
)


@dataclass(frozen=True)
class _Window:
    """A layer's sliding window along one axis, in positions of its input."""

    kernel: int
    stride: int
    padding: int
    dilation: int
    ceil_mode: bool = False

    def output_size(self, size: int) -> int:
        span = size + 2 * self.padding - self.dilation * (self.kernel - 1) - 1
        if not self.ceil_mode:
            return span // self.stride + 1
        count = -(-span // self.stride) + 1
        # torch drops a last window that would start in the right-hand padding
        return count - 1 if (count - 1) * self.stride >= size + self.padding else count

    def input_interval(self, interval: tuple[int, int], size: int) -> tuple[int, int]:
        start, stop = interval
        if start >= stop:
            return 0, 0  # nothing but padding is read
        first = start * self.stride - self.padding
        last = (stop - 1) * self.stride - self.padding + self.dilation * (self.kernel - 1) + 1
        return max(first, 0), min(last, size)


def _along(value: int | tuple[int, ...] | None, axis: Axis, default: int = 0) -> int:
    if value is None:
        return default
    return value if isinstance(value, int) else value[0 if axis == "rows" else 1]


def _windows(layers: nn.Module, axis: Axis) -> Iterator[_Window]:
    """The windows of a stack of layers, in order; layers that act on each position alone have none."""
    for name, layer in layers.named_modules():
        if isinstance(layer, (nn.Sequential, *_ELEMENTWISE)):
            continue
        if isinstance(layer, nn.Conv2d):
            if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
                raise InputError(f"Cannot derive a receptive field through the padding of layer {name!r}: {layer}.")
            sizes = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
            kernel, stride, padding, dilation = (_along(value, axis) for value in sizes)
            yield _Window(kernel, stride, padding, dilation)
        elif isinstance(layer, nn.MaxPool2d | nn.AvgPool2d):
            kernel = _along(layer.kernel_size, axis)
            dilation = _along(getattr(layer, "dilation", 1), axis)
            stride = _along(layer.stride, axis, default=kernel)
            yield _Window(kernel, stride, _along(layer.padding, axis), dilation, layer.ceil_mode)
        else:
            raise InputError(
                f"Cannot derive a receptive field through layer {name!r} ({type(layer).__name__}): expected a "
                "sequence of convolutions, max or average pools, batch norms and activations. "
                "Put such a network behind a wall with `walled` instead."
            )


def map_size(layers: nn.Module, size: int = IMAGE_SIZE, axis: Axis = "rows") -> int:
    """Number of rows (or columns) of the map that a stack of layers makes of `size` pixel rows (or columns)."""
    for window in _windows(layers, axis):
        size = window.output_size(size)
    return size


def pixels_reached(
    layers: nn.Module, read: tuple[int, int], size: int = IMAGE_SIZE, axis: Axis = "rows"
) -> tuple[int, int]:
    """The pixel rows (or columns) that rows `read` of a map can depend on.

    Args:
        layers: an `nn.Sequential` (nested or not) of convolutions, pools, batch norms and activations.
        read: interval [start, stop) of map rows (or columns).
        size: height (or width) of the input, in pixels.
        axis: "rows" or "columns".

    Returns:
        The interval [start, stop) of pixels; (0, 0) if the rows read only padding.

    Raises:
        InputError: if a layer is not supported, or `read` is outside the map.
    """
    windows = list(_windows(layers, axis))
    sizes = [size]
    for window in windows:
        sizes.append(window.output_size(sizes[-1]))
    if not 0 <= read[0] < read[1] <= sizes[-1]:
        raise InputError(f"Expected map {axis} within 0 to {sizes[-1]}, but got {read[0]} to {read[1]}.")
    interval = read
    for window, input_size in zip(reversed(windows), reversed(sizes[:-1]), strict=True):
        interval = window.input_interval(interval, input_size)
    return interval if interval[0] < interval[1] else (0, 0)


def derive_wall(layers: nn.Module, read: tuple[int, int], size: int = IMAGE_SIZE, axis: Axis = "rows") -> Wall | None:
    """The wall of a network whose head reads only rows (or columns) `read` of the map.

    Returns:
        The dead zone, or None if the rows read reach every pixel.

    Raises:
        InputError: as `pixels_reached`, and if there is a dead zone on both sides.
    """
    start, stop = pixels_reached(layers, read, size, axis)
    dead = [(a, b) for a, b in ((0, start), (stop, size)) if a < b]
    if len(dead) > 1:
        raise InputError(
            f"Map {axis} {read[0]} to {read[1]} reach pixels {start} to {stop}: there are dead zones on both sides, "
            "but a wall is one interval. Read up to one edge of the map."
        )
    return Wall.of_band(axis, *dead[0], image_size=size) if dead else None
