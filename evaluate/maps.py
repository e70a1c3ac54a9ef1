"""What an explainer gives: saliency maps, and the low-resolution maps that they were made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from numpy.typing import NDArray

Progress = Callable[[int, int], None]
"""Called with (passes done, passes in all) while one call of an explainer takes long."""


@dataclass(frozen=True, eq=False)
class Maps:
    """Saliency maps of a batch by one method.

    Attributes:
        maps: `(N, H, W)` float32 at the image's resolution, ≥ 0.
        raw: `(N, h, w)` float32, the map at its own resolution, before ReLU and min–max; None where there is none.
        final: whether `raw` is final too: upsampled it is the map, without ReLU and min–max.
        seconds: an image, that the method would take by itself; None: the time of the call is that.
    """

    maps: NDArray[Any]
    raw: NDArray[Any] | None = None
    final: bool = False
    seconds: float | None = None


class Explainer(Protocol):
    """Makes the maps of one method, or of several from one pass."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods it makes."""
        ...

    @property
    def max_batch(self) -> int | None:
        """The most images in one call; None: any number."""
        ...

    def explain(
        self, images: torch.Tensor, targets: Sequence[int], methods: Sequence[str], progress: Progress | None = None
    ) -> dict[str, Maps]:
        """Maps of each of `methods`; may raise anything, and leaves the model as it was.

        Args:
            images: `(N, 3, H, W)` normalised, on the model's device.
            targets: N class indices to explain.
            methods: of its own.
            progress: told about long calls.
        """
        ...
