"""One forward pass and a backward pass through the head alone: all that the single-pass methods need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch

from stackwalls.model import BlindModel


@dataclass(frozen=True)
class Explained:
    """A batch after its one forward pass.

    Attributes:
        activations: `(N, C, h, w)` float32, the target layer's map.
        gradients: of each image's explained logit with respect to it, same shape.
        logits: `(N, classes)`.
        targets: `(N,)` int64, the explained classes.
    """

    activations: torch.Tensor
    gradients: torch.Tensor
    logits: torch.Tensor
    targets: torch.Tensor

    @property
    def scores(self) -> torch.Tensor:
        """`(N,)` the explained logits."""
        return self.logits.gather(1, self.targets[:, None])[:, 0]

    def at(self, indices: Sequence[int]) -> Explained:
        """Those images of the batch; itself where that is all of them."""
        chosen = list(indices)
        if chosen == list(range(len(self.logits))):
            return self
        return Explained(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})

    @classmethod
    def joined(cls, parts: Sequence[Explained]) -> Explained:
        """Several batches as one."""
        if len(parts) == 1:
            return parts[0]
        return cls(**{field.name: torch.cat([getattr(part, field.name) for part in parts]) for field in fields(cls)})


def explain_forward(model: BlindModel, images: torch.Tensor, targets: torch.Tensor | None = None) -> Explained:
    """Run the network once, and the head backwards.

    The target layer is the last one with a map, so no convolution is differentiated.

    Args:
        model: the network, in evaluation mode and with `requires_grad` off.
        images: `(N, 3, H, W)` normalised, on the model's device.
        targets: `(N,)` classes to explain; the predicted ones by default.
    """
    with torch.no_grad():
        activations = model.features(images).contiguous()
    return explain_head(model, activations, targets)


def explain_head(model: BlindModel, activations: torch.Tensor, targets: torch.Tensor | None = None) -> Explained:
    """The head forwards and backwards, from maps `(N, C, h, w)` that are there; the rest as `explain_forward`."""
    leaf = activations.detach().requires_grad_(True)
    with torch.enable_grad():
        logits = model.head(leaf)
        if targets is None:
            targets = logits.detach().argmax(1)
        # images do not interact in evaluation mode: one backward pass of the sum gives every image's own gradient
        (gradients,) = torch.autograd.grad(logits.gather(1, targets[:, None]).sum(), leaf)
    return Explained(leaf.detach(), gradients, logits.detach(), targets)
