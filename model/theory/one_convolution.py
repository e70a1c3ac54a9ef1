"""The one-convolution network [CNN]: one layer of filters, ReLU, max-pool, dense layers that read the upper half."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from stackwalls.model.errors import InputError


@dataclass(frozen=True)
class OneConvolution:
    """The shape of [CNN] and the law of its weights at initialization: independent centered Gaussians.

    Filters and dense layers have no bias, the filters no padding, the windows no overlap; ReLU is between the dense
    layers. The first dense layer's weights on the lower half of the pooled map are zero; here they do not exist, so
    nothing can leak.

    Attributes:
        height: of the input, in pixels, as is `width`.
        width: see `height`.
        channels: of the input.
        filters: V, the number of filters and of activation maps.
        kernel: k, height and width of a filter, in pixels.
        pool: k', height, width and stride of a pooling window, in map cells; incomplete windows are not read.
        hidden: widths of the dense layers between the first and the last; () for a single dense layer.
        classes: number of logits.
        tau: standard deviation of the weights: one for all layers, or one per layer, the filters first.

    Raises:
        InputError: if a size is not positive, kernel or windows do not fit, the pooled map has a single row, or `tau`
            is not one positive number or one per layer.

    Source: [CNN] of Taimeskhanov, Sicre, Garreau 2024, section 2.1, and its split into f and g (Eq. 1 to 4). Defaults,
    and the lack of padding and bias, as in the authors' notebook (MagamedT/cam-can-see-through-walls,
    figure_code/mnist_experiment.ipynb); there `classes` is 10.
    """

    height: int = 29
    width: int = 29
    channels: int = 1
    filters: int = 256
    kernel: int = 2
    pool: int = 2
    hidden: tuple[int, ...] = ()
    classes: int = 1
    tau: float | tuple[float, ...] = 1.0

    def __post_init__(self) -> None:
        sizes = (self.height, self.width, self.channels, self.filters, self.kernel, self.pool, self.classes)
        if min(*sizes, *self.hidden) < 1:
            raise InputError(f"Expected every size of the network to be at least 1, but got {self}.")
        if min(self.pooled_size) < 1 or self.pooled_size[0] < 2:
            raise InputError(
                f"Expected a pooled map of at least 2 rows and 1 column, to hide its lower half, but {self.height} × "
                f"{self.width} pixels, filters of {self.kernel} and windows of {self.pool} give {self.pooled_size}."
            )
        layers = self.depth + 1
        if len(self.taus) != layers or not all(0 < tau < math.inf for tau in self.taus):
            raise InputError(f"Expected `tau` to be one positive number, or {layers}, by layer, but got {self.tau}.")

    @property
    def depth(self) -> int:
        """L, the number of dense layers."""
        return len(self.hidden) + 1

    @property
    def taus(self) -> tuple[float, ...]:
        """Standard deviation of the weights of each of the `depth + 1` layers: the filters, then the dense layers."""
        return self.tau if isinstance(self.tau, tuple) else (self.tau,) * (self.depth + 1)

    @property
    def map_size(self) -> tuple[int, int]:
        """Rows and columns (h, w) of an activation map."""
        return self.height - self.kernel + 1, self.width - self.kernel + 1

    @property
    def pooled_size(self) -> tuple[int, int]:
        """Rows and columns (h', w') of a pooled map."""
        rows, columns = self.map_size
        return rows // self.pool, columns // self.pool

    @property
    def seen_rows(self) -> int:
        """Rows of the pooled map that the head reads: the upper half, without the middle row of an odd number."""
        return self.pooled_size[0] // 2

    @property
    def seen_cells(self) -> int:
        """Cells of a pooled map that the head reads."""
        return self.seen_rows * self.pooled_size[1]

    @property
    def dead_start(self) -> int:
        """First pixel row that the network does not see; also the first map row that depends on dead pixels alone.

        The last map row that is read ends with pixel row dead_start - 1. The first kernel - 1 of the unread map rows
        still reach above the wall.
        """
        return self.seen_rows * self.pool + self.kernel - 1

    def draw(
        self,
        draws: int,
        generator: torch.Generator,
        *,
        filters: torch.Tensor | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> Networks:
        """Draw R = `draws` independent networks at initialization.

        Args:
            draws: R, at least 1.
            generator: on the CPU.
            filters: `(V, C, k, k)`, the same for all networks; by default drawn for each.
            dtype: of the weights.

        Raises:
            InputError: if `draws` is not positive or `filters` has another shape.
        """
        shape = (self.filters, self.channels, self.kernel, self.kernel)
        if draws < 1:
            raise InputError(f"Expected `draws` to be at least 1, but got {draws}.")
        if filters is not None and tuple(filters.shape) != shape:
            raise InputError(f"Expected `filters` to be {shape}, but got {tuple(filters.shape)}.")

        def normal(tau: float, *size: int) -> torch.Tensor:
            return torch.randn(draws, *size, generator=generator, dtype=dtype).mul_(tau)

        drawn = normal(self.taus[0], *shape) if filters is None else filters.to(dtype).expand(draws, *shape)
        widths = (*self.hidden, self.classes)
        first = (widths[0], self.filters, self.seen_rows, self.pooled_size[1])
        shapes: list[tuple[int, ...]] = [first, *zip(widths[1:], widths[:-1], strict=True)]
        dense = tuple(normal(tau, *size) for tau, size in zip(self.taus[1:], shapes, strict=True))
        return Networks(self, drawn, dense)

    def patches(self, image: torch.Tensor) -> torch.Tensor:
        """What each map cell sees: `(C, H, W)` to `(C·k·k, h·w)`, cells row by row.

        Raises:
            InputError: if `image` has another shape.
        """
        expected = (self.channels, self.height, self.width)
        if tuple(image.shape) != expected:
            raise InputError(f"Expected `image` to be {expected}, but got {tuple(image.shape)}.")
        return F.unfold(image.unsqueeze(0), self.kernel)[0]


@dataclass(frozen=True)
class Networks:
    """R networks of one shape; all weights have a leading axis."""

    spec: OneConvolution
    filters: torch.Tensor  # (R, V, C, k, k)
    dense: tuple[torch.Tensor, ...]  # (R, out, V, seen_rows, w') the first, (R, out, in) the others

    def __len__(self) -> int:
        return len(self.filters)

    def features(self, image: torch.Tensor) -> torch.Tensor:
        """The rectified activation maps, which CAM methods use: one `(C, H, W)` image to `(R, V, h, w)`."""
        # a matrix product: four times as fast here as a convolution with R·V filters
        rows = self.filters.flatten(0, 1).flatten(1)  # (R·V, C·k·k)
        responses = rows @ self.spec.patches(image.to(self.filters))
        return responses.relu_().view(len(self), self.spec.filters, *self.spec.map_size)

    def head(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps `(R, V, h, w)` to logits `(R, classes)`."""
        return self.preactivations(maps)[-1]

    def pool(self, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the head reads of maps `(R, V, h, w)`: each window's largest value, and its cell, row · w + column.

        Both `(R, V, seen_rows, w')`; of equal values, the first in reading order.
        """
        values, cells = F.max_pool2d(maps, self.spec.pool, return_indices=True)
        return values[..., : self.spec.seen_rows, :], cells[..., : self.spec.seen_rows, :]

    def preactivations(self, maps: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Maps `(R, V, h, w)` to every dense layer's output before its ReLU, `(R, out)`; the last: logits."""
        signal = self.pool(maps)[0].flatten(1)
        outputs: list[torch.Tensor] = []
        for weights in self.dense:
            outputs.append((weights.flatten(2) @ signal.unsqueeze(2)).squeeze(2))
            signal = outputs[-1].relu()
        return tuple(outputs)
