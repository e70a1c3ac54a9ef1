"""`Projection`: the linear code of a 16 × 16 patch, which is the encoder of the miniature's autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

PATCH = 16  # side in pixels of the patch that becomes one latent position
CHANNELS = 16  # of the latents: the principal components that are kept of a patch's 768 numbers
WIDTH = 48  # channels of the encoder: the numbers in a 4 × 4 patch, and the components that are kept of an 8 × 8 one

SCALING = 2.0
"""Factor from the autoencoder's latents to the denoiser's. The decoder softly clamps its input at 3, so the latents of
the autoencoder have a standard deviation of about 0.5."""

_HALF = PATCH // 2

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Projection:
    """Principal components of patches in two steps: of 8 × 8 pixels, then of four such patches together.

    A component of standard deviation s is divided by the square root of s. Large components, which tell where things
    are and their color, remain visible in noise longer than fine ones, but fine ones count as well.

    Attributes:
        fine: `(48, 3, 8, 8)` float32, for pixels in [0, 1].
        coarse: `(16, 48, 2, 2)` float32.
        offset: `(16,)` float32.
    """

    fine: torch.Tensor
    coarse: torch.Tensor
    offset: torch.Tensor

    @classmethod
    def fit(cls, images: Sequence[NDArray[np.uint8]]) -> Projection:
        """Fit to all patches of `(H, W, 3)` uint8 images whose sides are divisible by 16."""
        _, _, vectors = _components([_patches(image / 255.0, _HALF) for image in images], WIDTH)
        fine = torch.tensor(vectors.T.reshape(WIDTH, 3, _HALF, _HALF), dtype=torch.float32)
        pixels = (torch.from_numpy(image.copy()).permute(2, 0, 1)[None] / 255.0 for image in images)
        maps = [F.conv2d(image, fine, stride=_HALF)[0].permute(1, 2, 0).numpy().astype(np.float64) for image in pixels]
        mean, variances, vectors = _components([_patches(each, 2) for each in maps], CHANNELS)
        scales = variances**0.25
        scales *= SCALING * np.sqrt((variances / scales**2).mean())  # overall standard deviation 1 / SCALING
        rows = (vectors / scales).T
        coarse = rows.reshape(CHANNELS, WIDTH, 2, 2)
        return cls(fine, torch.tensor(coarse, dtype=torch.float32), torch.tensor(-rows @ mean, dtype=torch.float32))

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Latents of the autoencoder: `(N, 3, H, W)` float32 in [0, 1] to `(N, 16, H / 16, W / 16)`."""
        return F.conv2d(F.conv2d(images, self.fine, stride=_HALF), self.coarse, self.offset, stride=2)

    def encoder_state(self) -> dict[str, torch.Tensor]:
        """The same map as weights of the encoder of an `AutoencoderTiny` without blocks: four convolutions of stride 2.

        Two gather 2 × 2 positions into channels, up to all numbers of a 4 × 4 patch; then come `fine` and `coarse`.
        """
        weights = [torch.zeros(WIDTH, before, 3, 3) for before in (3, WIDTH, WIDTH, WIDTH, WIDTH)]
        weights.append(torch.zeros(CHANNELS, WIDTH, 3, 3))
        weights[0][:3, :, 1, 1] = torch.eye(3)
        for (layer, channels), down, right in product(((1, 3), (2, 12)), range(2), range(2)):
            first = (2 * down + right) * channels
            weights[layer][first : first + channels, :channels, 1 + down, 1 + right] = torch.eye(channels)
        for down, right in product(range(_HALF), repeat=2):
            # the channels of a pixel of a 4 × 4 patch: which 2 × 2 patch, and where in that
            first = 12 * (2 * (down % 4 // 2) + right % 4 // 2) + 3 * (2 * (down % 2) + right % 2)
            weights[3][:, first : first + 3, 1 + down // 4, 1 + right // 4] = self.fine[:, :, down, right]
        weights[4][:CHANNELS, :, 1:, 1:] = self.coarse
        weights[5][:, :CHANNELS, 1, 1] = torch.eye(CHANNELS)
        biases = {"0.bias": torch.zeros(WIDTH), "5.bias": self.offset.clone()}
        return {**{f"{layer}.weight": weight for layer, weight in enumerate(weights)}, **biases}


def _patches(image: Matrix, side: int) -> Matrix:
    """`(H, W, C)` to `(patches, C * side * side)`."""
    height, width = image.shape[0] // side, image.shape[1] // side
    cells = image.reshape(height, side, width, side, -1).transpose(0, 2, 4, 1, 3)
    return cells.reshape(height * width, -1)


def _components(groups: Sequence[Matrix], kept: int) -> tuple[Matrix, Matrix, Matrix]:
    """Mean, variances (falling) and components (columns) of the rows of all groups."""
    count = sum(len(rows) for rows in groups)
    mean = sum(rows.sum(0) for rows in groups) / count
    covariance = sum((rows - mean).T @ (rows - mean) for rows in groups) / count
    variances, vectors = np.linalg.eigh(covariance)
    variances, vectors = variances[::-1][:kept], vectors[:, ::-1][:, :kept]
    return mean, variances, vectors * np.where(vectors.sum(0) < 0, -1.0, 1.0)  # the sign must not depend on the library
