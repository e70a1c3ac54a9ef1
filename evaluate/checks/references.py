"""Reference maps, which know nothing of the network: what a method must beat before its mu means anything."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn


def uniform(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The same everywhere: `(N, H, W)` of ones, whose mu is the chance level."""
    del model, targets
    return inputs.new_ones(inputs.shape[0], *inputs.shape[2:])


def center(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """A Gaussian in the middle of the image, `(N, H, W)` in (0, 1]: photographers center their subjects.

    Its standard deviation is a quarter of the image's side.
    """
    del model, targets
    rows, columns = (
        torch.exp(-0.5 * ((torch.arange(n, device=inputs.device) + 0.5) / n - 0.5).square() / 0.25**2)
        for n in inputs.shape[2:]
    )
    return torch.outer(rows, columns).expand(inputs.shape[0], -1, -1).clone()


def edges(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The strength of the image's edges: `(N, H, W)`, the magnitude of Sobel's gradient of its luma.

    An edge detector is the reference of Adebayo et al., "Sanity Checks for Saliency Maps" (NeurIPS 2018): it looks like
    an explanation, and depends on no network.
    """
    del model, targets
    luma = (inputs * inputs.new_tensor((0.299, 0.587, 0.114)).view(1, 3, 1, 1)).sum(
        1, keepdim=True
    )  # luma of ITU-R BT.601
    across = inputs.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    kernels = torch.stack([across, across.T])[:, None]
    slopes = F.conv2d(F.pad(luma, (1, 1, 1, 1), mode="replicate"), kernels)
    return slopes.square().sum(1).sqrt()


REFERENCES: dict[str, str | Callable[[nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "uniform": uniform,
    "center": center,
    "edges": edges,
    "RandomCAM": "RandomCAM",  # grad-cam's: a random weight between -1 and 1 per channel and image
}
"""Reference maps by name, in the forms that `evaluate` takes."""
