"""What every saliency method becomes: an `Explainer`, whose calls give saliency maps and the raw maps behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

Progress = Callable[[int, int], None]
"""Called with (passes done, passes in total) during a long call of an explainer."""


@dataclass(frozen=True, eq=False)
class Maps:
    """Saliency maps of a batch by one method.

    Attributes:
        maps: `(N, H, W)` float32 at the image's resolution, ≥ 0.
        raw: `(N, h, w)` float32, the map at its own resolution, before ReLU and min–max; None if there is none.
        final: whether `raw` is final too: upsampled it is the map, without ReLU and min–max.
        seconds: per image, that the method would take by itself; None if that is the time of the call.
    """

    maps: NDArray[Any]
    raw: NDArray[Any] | None = None
    final: bool = False
    seconds: float | None = None

    def copied(self) -> Maps:
        """The same maps in memory of their own: a method may use its output buffer again."""
        return replace(self, maps=np.array(self.maps), raw=None if self.raw is None else np.array(self.raw))

    @classmethod
    def joined(cls, parts: Sequence[Maps]) -> Maps:
        """Maps of several calls of the same method as one batch."""
        raw = [part.raw for part in parts if part.raw is not None]
        maps = np.concatenate([np.asarray(part.maps) for part in parts])
        return cls(maps, np.concatenate(raw) if len(raw) == len(parts) else None, parts[0].final)


class Explainer(Protocol):
    """Makes the maps of one method, or of several from one pass."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of its methods."""
        ...

    @property
    def max_batch(self) -> int | None:
        """The most images per call; None: any number."""
        ...

    def explain(
        self, images: torch.Tensor, targets: Sequence[int], methods: Sequence[str], progress: Progress | None = None
    ) -> dict[str, Maps]:
        """Maps of each of `methods`; may raise anything, and leaves the model as it was.

        Args:
            images: `(N, 3, H, W)` normalized, on the model's device.
            targets: N class indices to explain.
            methods: of its own.
            progress: called during long calls.
        """
        ...


def normalized_maps(raw: torch.Tensor, size: int) -> torch.Tensor:
    """Raw maps as saliency maps, as grad-cam makes them: ReLU, min–max, bilinear upsampling, and min–max again.

    Args:
        raw: `(N, h, w)` float32, before ReLU.
        size: height and width of the image.

    Returns:
        `(N, size, size)` float32 in [0, 1]; all zero for a map without a positive value.
    """
    low = _min_max(raw.clamp_min(0))
    # without aligned corners this is cv2.resize's INTER_LINEAR, to 1.2e-7
    up = F.interpolate(low[:, None], size=(size, size), mode="bilinear", align_corners=False)[:, 0]
    return _min_max(up.clamp_min(0))


def _min_max(maps: torch.Tensor) -> torch.Tensor:
    shifted = maps - maps.amin((1, 2), keepdim=True)
    return shifted / (1e-7 + shifted.amax((1, 2), keepdim=True))
