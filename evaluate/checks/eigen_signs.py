"""EigenCAM's sign: a principal component has none, so half of a map's look is whatever the linear algebra gave."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SIGNS = ("library", "flipped", "corrected")
"""As NumPy's SVD gives it, which is grad-cam's EigenCAM; its negative; and the sign that goes with the activations."""


def eigen_maps(raw: NDArray[Any], activations: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
    """EigenCAM's raw maps with each of `SIGNS`.

    The corrected sign is the one under which the map correlates positively over the image with the sum of the channels:
    bright where the network responds. It depends on the activations alone, so not on LAPACK.

    Args:
        raw: `(N, h, w)`, EigenCAM's maps before ReLU, of either sign.
        activations: `(N, C, h, w)` of the target layer.

    Returns:
        sign → `(N, h, w)` float32.
    """
    response = activations.astype(np.float64).sum(1)
    centred = response - response.mean((1, 2), keepdims=True)
    agreement = (raw * centred).sum((1, 2))
    sign = np.where(agreement < 0, -1.0, 1.0)[:, None, None]
    found = (raw, -raw, raw * sign)
    return {name: np.asarray(values, dtype=np.float32) for name, values in zip(SIGNS, found, strict=True)}
